// OpenBatches: where the batches stand whose frame is not in the index yet: of transactions that
// are still writing, and of those that have committed since the last checkpoint. Packing leaves
// their segments alone.
//
// Threads: any.

#ifndef TIDEMARK_ENGINE_INTERNAL_OPEN_BATCHES_H_
#define TIDEMARK_ENGINE_INTERNAL_OPEN_BATCHES_H_

#include <algorithm>
#include <cstdint>
#include <list>
#include <mutex>

#include "engine/lsn.h"

namespace tidemark::internal {

class OpenBatches {
 public:
  struct Entry {
    uint32_t segment = 0;  // of the first batch; until it is known none can be packed
    Lsn frame{};           // none while the transaction is open
  };

  // Before the first batch is appended.
  Entry* Open() {
    std::lock_guard lock(mutex_);
    return &entries_.emplace_back();
  }
  void Place(Entry* entry, uint32_t segment) noexcept {
    std::lock_guard lock(mutex_);
    entry->segment = segment;
  }
  // The transaction has committed; none: it has ended without. The entry is no more the caller's.
  void Close(Entry* entry, Lsn frame) noexcept {
    std::lock_guard lock(mutex_);
    entry->frame = frame;
    if (!frame.valid()) entries_.remove_if([entry](const Entry& other) { return &other == entry; });
  }
  // The first segment that must not be packed, all frames up to `checkpoint` being indexed;
  // UINT32_MAX if there is none.
  uint32_t Oldest(Lsn checkpoint) {
    std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const Entry& entry) {
      return entry.frame.valid() && entry.frame <= checkpoint;
    });
    uint32_t oldest = UINT32_MAX;
    for (const Entry& entry : entries_) oldest = std::min(oldest, entry.segment);
    return oldest;
  }

 private:
  std::mutex mutex_;
  std::list<Entry> entries_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_OPEN_BATCHES_H_
