// A directory of a test's own, gone at its end.

#ifndef TIDEMARK_TESTS_SUPPORT_TEMP_DIRECTORY_H_
#define TIDEMARK_TESTS_SUPPORT_TEMP_DIRECTORY_H_

#include <string>
#include <string_view>

namespace tidemark::testing {

// Under TMPDIR if that is set, else in memory (/dev/shm) if there is such a place, else in /tmp.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  // path() + "/" + name.
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_TEMP_DIRECTORY_H_
