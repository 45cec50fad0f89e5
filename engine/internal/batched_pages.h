// BatchedPages: the pages of a large transaction that stand in batches of the log.
//
// Of each page only the number of the batch that has its last version is kept, four bytes a page of
// the database; what else there is to know stands in the batch's header and is read back when it is
// asked for. So what a transaction takes of memory does not grow with what it writes. After the
// commit the same table serves readers until the index has the pages.
//
// Threads: Add and CutAbove by one thread, before it is shared; then any thread may read.

#ifndef TIDEMARK_ENGINE_INTERNAL_BATCHED_PAGES_H_
#define TIDEMARK_ENGINE_INTERNAL_BATCHED_PAGES_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/internal/record.h"
#include "engine/internal/timeline.h"
#include "engine/result.h"

namespace tidemark::internal {

class PageReader;

// The page versions of one batch, by page, with their places. Their LSN is not set: it is that of
// the frame.
using BatchTable = std::vector<PageChange>;

// A batch as it stands in the log.
struct Batch {
  uint32_t number = 0;
  BatchReference previous;
  uint64_t record_hash = 0;
  uint32_t header_length = 0;  // up to the payload
  uint32_t length = 0;         // of the whole record
  BatchTable table;
};

// Reads the header of the batch at `location`; `header_length` 0 means unknown. Errors:
// kCorruption, kIoError.
Result<Batch> ReadBatch(const PageReader& reader, Location location, uint32_t header_length);

class BatchedPages {
 public:
  // The batches that a frame names. The first of them may have been packed: of those nothing is
  // left but their number, and the index has their pages. Errors: kCorruption if they are not what
  // the frame says, kIoError.
  static Result<std::shared_ptr<const BatchedPages>> Load(const PageReader& reader,
                                                          const FrameFields& frame);

  // Adds the next batch, for which room was made before it was written: this cannot fail.
  void MakeRoom(const BatchTable& table);
  void Add(const BatchReference& reference, uint32_t header_length, uint32_t length,
           const BatchTable& table) noexcept;
  // Forgets the pages above `page_count`.
  void CutAbove(uint32_t page_count);

  uint32_t batch_count() const { return packed_count_ + static_cast<uint32_t>(batches_.size()); }
  uint64_t version_count() const { return version_count_; }  // in all batches
  uint64_t bytes() const { return bytes_; }                  // of all batches' records
  const BatchReference& last() const { return last_; }       // undefined without a batch

  bool Contains(PageNo page) const { return BatchOf(page) != 0; }
  // The number of the batch that has the page's last version; 0 if none has.
  uint32_t BatchOf(PageNo page) const;
  // How many of the first batches were packed.
  uint32_t packed_count() const { return packed_count_; }
  Location LocationOf(uint32_t batch) const { return PlaceOf(batch).location; }

  // The last version of a page; empty if no batch has one. Errors: kCorruption, kIoError.
  Result<std::optional<PageVersion>> Find(const PageReader& reader, PageNo page) const;

  // The versions of batch `number` that are the last of their pages.
  Result<BatchTable> LastVersions(const PageReader& reader, uint32_t number) const;

 private:
  static constexpr uint32_t kLeafPages = 1024;
  static constexpr size_t kCachedTables = 4;
  using Leaf = std::array<uint32_t, kLeafPages>;
  using SharedTable = std::shared_ptr<const BatchTable>;
  struct Place {
    Location location;
    uint32_t header_length = 0;
  };

  const Place& PlaceOf(uint32_t batch) const { return batches_[batch - 1 - packed_count_]; }
  Leaf& LeafOf(PageNo page);  // made if need be
  void Set(PageNo page, uint32_t batch);
  Result<SharedTable> TableOf(const PageReader& reader, uint32_t batch) const;

  std::vector<Place> batches_;                 // batch n at n - 1
  std::vector<std::unique_ptr<Leaf>> leaves_;  // batch of each page; 0 is none
  uint32_t packed_count_ = 0;
  BatchReference last_;
  uint64_t version_count_ = 0;
  uint64_t bytes_ = 0;

  mutable std::mutex mutex_;  // guards cache_
  mutable std::deque<std::pair<uint32_t, SharedTable>> cache_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_BATCHED_PAGES_H_
