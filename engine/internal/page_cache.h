// PageCache: decoded pages, shared by all connections of a store, below their own caches.
//
// An entry says what a page of a timeline was from one LSN to another: from the commit that wrote
// it up to the latest one that was asked for. That never changes, whatever is committed, packed or
// expires later, so nothing is ever invalidated; what nobody asks for again gives way (CLOCK).
//
// A hit costs a copy. Without it a page takes a look-up in the index, a read of the file and a
// hash, and of the history the patches of its chain.
//
// Threads: any. Entries are spread over shards, each with a lock that is held for one copy.

#ifndef TIDEMARK_ENGINE_INTERNAL_PAGE_CACHE_H_
#define TIDEMARK_ENGINE_INTERNAL_PAGE_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/internal/page_codec.h"
#include "engine/lsn.h"

namespace tidemark::internal {

class PageCache {
 public:
  // Holds pages of so many bytes in all; none with 0. What is not used is not allocated.
  explicit PageCache(uint64_t capacity_bytes);
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  // Copies the page as it is on the timeline at `lsn`. Gives the LSN of the commit that wrote it;
  // nothing if that is not in memory.
  std::optional<Lsn> Read(TimelineId timeline, PageNo page, Lsn lsn, Bytes out);

  // Likewise where the index has said which commit wrote it: then it also knows it to be so at
  // `lsn`, from here on.
  bool ReadVersion(TimelineId timeline, PageNo page, Lsn written, Lsn lsn, Bytes out);

  // Offers a page that was written at `written` and is so still at `lsn`. If there is no memory for
  // it, it is not kept.
  void Put(TimelineId timeline, PageNo page, Lsn written, Lsn lsn, ConstBytes bytes) noexcept;

  struct Counts {
    uint64_t bytes = 0;  // of the pages that it holds
    uint64_t hits = 0;
    uint64_t misses = 0;
  };
  Counts counts() const;

 private:
  static constexpr size_t kShards = 16;
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Entry {
    TimelineId timeline;
    PageNo page;
    bool used = false;  // since the hand was here
    Lsn written;        // by the commit with this LSN
    Lsn known_to;       // and not by another one up to this
    Buffer bytes;       // empty: the entry is free
    uint32_t next = kNone;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    std::vector<uint32_t> buckets;  // the first entry of each, as many as a power of two
    std::vector<uint8_t> seen;      // once it is full: of pages that were not kept, by hash
    uint32_t free = kNone;
    uint32_t hand = 0;
    Counts counts;
  };

  static uint64_t HashOf(TimelineId timeline, PageNo page);
  Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  static uint32_t& BucketOf(Shard& shard, uint64_t hash);
  template <typename Match>
  static Entry* Find(Shard& shard, uint64_t hash, TimelineId timeline, PageNo page,
                     const Match& match);
  static void Grow(Shard& shard);
  static void Unlink(Shard& shard, uint32_t number);
  static void Evict(Shard& shard, size_t next_bytes);
  static bool IsSeenAgain(Shard& shard, uint64_t hash);

  const uint64_t shard_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PAGE_CACHE_H_
