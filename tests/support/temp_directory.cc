#include "tests/support/temp_directory.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/check.h"

namespace tidemark::testing {
namespace {

std::string Parent() {
  if (const char* directory = std::getenv("TMPDIR"); directory != nullptr) return directory;
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

}  // namespace

TempDirectory::TempDirectory() : path_(Parent() + "/tidemark-test-XXXXXX") {
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;  // nothing to be done about it here
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tidemark::testing
