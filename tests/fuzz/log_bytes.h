// LogBytes: a file of the log taken apart into groups and records, changed, and put together again.
//
// Changes are of the bytes as they stand, after which hashes can be made right (fix_hashes.h), or
// of a record, after which its group is built anew, longer or shorter than it was, and what follows
// it moves.

#ifndef TIDEMARK_TESTS_FUZZ_LOG_BYTES_H_
#define TIDEMARK_TESTS_FUZZ_LOG_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/internal/page_codec.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {

class LogBytes {
 public:
  // Of the bytes of a file; what stands behind its last group is left out.
  explicit LogBytes(std::vector<std::byte> bytes);

  // One change, of those that the input chooses among. `other` is a file to copy from.
  void Change(FuzzInput& input, const LogBytes& other);
  void FixHashes();

  const std::vector<std::byte>& bytes() const { return bytes_; }
  uint64_t incarnation() const;
  // Views of bytes(), in order; records of one group.
  std::vector<internal::ConstBytes> AllGroups() const;
  std::vector<internal::ConstBytes> AllRecords(internal::ConstBytes group) const;

 private:
  struct Part {
    size_t offset = 0;
    size_t length = 0;
  };

  std::vector<Part> Groups() const;
  std::vector<Part> Records(const Part& group) const;
  internal::Bytes At(const Part& part) {
    return internal::Bytes(bytes_).subspan(part.offset, part.length);
  }
  internal::ConstBytes At(const Part& part) const {
    return internal::ConstBytes(bytes_).subspan(part.offset, part.length);
  }
  static void Overwrite(FuzzInput& input, internal::Bytes bytes);
  void ChangeHeader(FuzzInput& input);
  void ChangeRecord(FuzzInput& input, const Part& group);

  std::vector<std::byte> bytes_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_FUZZ_LOG_BYTES_H_
