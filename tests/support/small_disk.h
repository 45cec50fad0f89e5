// A disk of a test's own: a tmpfs, which only this process sees, of a given size.

#ifndef TIDEMARK_TESTS_SUPPORT_SMALL_DISK_H_
#define TIDEMARK_TESTS_SUPPORT_SMALL_DISK_H_

#include <cstdint>
#include <string>

#include "tests/support/temp_directory.h"

namespace tidemark::testing {

// Needs the right to mount: root's, or that to make a user namespace of one's own. Where a test has
// neither, why_not() says so, and the test is to be skipped. For processes with one thread.
class SmallDisk {
 public:
  explicit SmallDisk(uint64_t size_bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Empty if the disk is there.
  const std::string& why_not() const { return why_not_; }
  std::string operator/(std::string_view name) const { return directory_ / name; }
  // False if that failed. A file that is open for writing keeps it from becoming read-only.
  bool MakeReadOnly();
  bool MakeWritable();
  uint64_t FreeBytes() const;

 private:
  TempDirectory directory_;
  std::string why_not_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_SMALL_DISK_H_
