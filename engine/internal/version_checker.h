// VersionChecker: does a page version decode to the page that it says it is?
//
// For whoever goes through versions in the order of their LSNs: against the version before it,
// which is at hand, a chain costs one patch a version.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_VERSION_CHECKER_H_
#define TIDEMARK_ENGINE_INTERNAL_VERSION_CHECKER_H_

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "engine/internal/page_reader.h"

namespace tidemark::internal {

class VersionChecker {
 public:
  explicit VersionChecker(const PageReader& reader) : reader_(reader) {}

  // Errors: kCorruption if its bytes are not what the change says, or decode to another page;
  // kIoError.
  Status Check(const Timeline& timeline, const PageChange& change, uint32_t page_size);

 private:
  void Remember(Location location, Buffer page);

  const PageReader& reader_;
  // Decoded pages, the latest versions of a bounded number of pages.
  std::unordered_map<uint64_t, Buffer> pages_;
  std::deque<uint64_t> order_;
  size_t page_bytes_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_VERSION_CHECKER_H_
