// CHECK: a bug ends the process, in every build. Bad input is a Status, never a CHECK.

#ifndef TIDEMARK_ENGINE_CHECK_H_
#define TIDEMARK_ENGINE_CHECK_H_

#include "engine/export.h"

namespace tidemark::internal {
[[noreturn]] TIDEMARK_API void CheckFailed(const char* condition, const char* file, int line);
}  // namespace tidemark::internal

#define CHECK(condition)              \
  (__builtin_expect(!!(condition), 1) \
       ? static_cast<void>(0)         \
       : ::tidemark::internal::CheckFailed(#condition, __FILE__, __LINE__))

#endif  // TIDEMARK_ENGINE_CHECK_H_
