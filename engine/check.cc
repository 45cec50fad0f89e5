#include "engine/check.h"

#include <cstdio>
#include <cstdlib>

namespace tidemark::internal {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "tidemark: bug: %s is false at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace tidemark::internal
