#include "engine/internal/page_cache.h"

#include <algorithm>
#include <new>
#include <utility>

namespace tidemark::internal {

PageCache::PageCache(uint64_t capacity_bytes) : shard_bytes_(capacity_bytes / kShards) {}

// Numbers of timelines and pages are small and dense: SplitMix64's finish spreads them.
uint64_t PageCache::HashOf(TimelineId timeline, PageNo page) {
  uint64_t x = timeline.value * 0x9e3779b97f4a7c15 + page.value;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint32_t& PageCache::BucketOf(Shard& shard, uint64_t hash) {
  return shard.buckets[(hash / kShards) & (shard.buckets.size() - 1)];
}

template <typename Match>
PageCache::Entry* PageCache::Find(Shard& shard, uint64_t hash, TimelineId timeline, PageNo page,
                                  const Match& match) {
  if (shard.buckets.empty()) return nullptr;
  for (uint32_t at = BucketOf(shard, hash); at != kNone; at = shard.entries[at].next) {
    Entry& entry = shard.entries[at];
    if (entry.page == page && entry.timeline == timeline && match(entry)) return &entry;
  }
  return nullptr;
}

std::optional<Lsn> PageCache::Read(TimelineId timeline, PageNo page, Lsn lsn, Bytes out) {
  const uint64_t hash = HashOf(timeline, page);
  Shard& shard = ShardOf(hash);
  std::lock_guard lock(shard.mutex);
  Entry* const entry = Find(shard, hash, timeline, page, [&](const Entry& at) {
    return at.written <= lsn && lsn <= at.known_to && at.bytes.size() == out.size();
  });
  if (entry == nullptr) return std::nullopt;
  std::copy(entry->bytes.begin(), entry->bytes.end(), out.begin());
  entry->used = true;
  ++shard.counts.hits;
  return entry->written;
}

bool PageCache::ReadVersion(TimelineId timeline, PageNo page, Lsn written, Lsn lsn, Bytes out) {
  const uint64_t hash = HashOf(timeline, page);
  Shard& shard = ShardOf(hash);
  std::lock_guard lock(shard.mutex);
  Entry* const entry = Find(shard, hash, timeline, page, [&](const Entry& at) {
    return at.written == written && at.bytes.size() == out.size();
  });
  if (entry == nullptr) return false;
  std::copy(entry->bytes.begin(), entry->bytes.end(), out.begin());
  entry->known_to = std::max(entry->known_to, lsn);
  entry->used = true;
  ++shard.counts.hits;
  return true;
}

void PageCache::Unlink(Shard& shard, uint32_t number) {
  Entry& entry = shard.entries[number];
  uint32_t* link = &BucketOf(shard, HashOf(entry.timeline, entry.page));
  while (*link != number) link = &shard.entries[*link].next;
  *link = entry.next;
}

// Frees the next entry that was not used since the hand came by. Its memory stays with it if a page
// of that size is what comes next.
void PageCache::Evict(Shard& shard, size_t next_bytes) {
  while (true) {
    const uint32_t number = shard.hand;
    shard.hand = (shard.hand + 1) % static_cast<uint32_t>(shard.entries.size());
    Entry& entry = shard.entries[number];
    if (entry.bytes.empty() || std::exchange(entry.used, false)) continue;
    Unlink(shard, number);
    shard.counts.bytes -= entry.bytes.size();
    const bool fits = entry.bytes.size() == next_bytes;
    entry.bytes.clear();
    if (!fits) entry.bytes.shrink_to_fit();
    entry.next = shard.free;
    shard.free = number;
    return;
  }
}

// One bucket an entry, as far as memory allows.
void PageCache::Grow(Shard& shard) {
  if (shard.entries.size() <= shard.buckets.size()) return;
  std::vector<uint32_t> buckets(std::max<size_t>(16, 2 * shard.buckets.size()), kNone);
  shard.buckets.swap(buckets);
  for (uint32_t number = 0; number < shard.entries.size(); ++number) {
    Entry& entry = shard.entries[number];
    if (entry.bytes.empty()) continue;
    uint32_t& bucket = BucketOf(shard, HashOf(entry.timeline, entry.page));
    entry.next = bucket;
    bucket = number;
  }
}

// A byte of its hash where the hash says: one page in 256 passes for another one, and gets in
// early.
bool PageCache::IsSeenAgain(Shard& shard, uint64_t hash) {
  constexpr size_t kPagesRemembered = 4;  // for each entry, at least
  if (shard.seen.size() < kPagesRemembered * shard.buckets.size()) {
    shard.seen.assign(kPagesRemembered * shard.buckets.size(), 0);
  }
  uint8_t& seen = shard.seen[(hash / kShards) & (shard.seen.size() - 1)];
  const auto tag = static_cast<uint8_t>(hash >> 56);
  return std::exchange(seen, tag) == tag;
}

void PageCache::Put(TimelineId timeline, PageNo page, Lsn written, Lsn lsn,
                    ConstBytes bytes) noexcept try {
  if (bytes.size() > shard_bytes_) return;
  const uint64_t hash = HashOf(timeline, page);
  Shard& shard = ShardOf(hash);
  std::lock_guard lock(shard.mutex);
  ++shard.counts.misses;
  // Another reader may have been faster.
  Entry* const there =
      Find(shard, hash, timeline, page, [&](const Entry& at) { return at.written == written; });
  if (there != nullptr) {
    there->known_to = std::max(there->known_to, lsn);
    return;
  }
  if (shard.counts.bytes + bytes.size() > shard_bytes_ && !IsSeenAgain(shard, hash)) return;
  while (shard.counts.bytes + bytes.size() > shard_bytes_) Evict(shard, bytes.size());
  if (shard.free == kNone) {
    shard.entries.emplace_back();
    shard.free = static_cast<uint32_t>(shard.entries.size() - 1);
  }
  Grow(shard);
  const uint32_t number = shard.free;
  Entry& entry = shard.entries[number];
  entry.bytes.assign(bytes.begin(), bytes.end());
  shard.free = entry.next;
  shard.counts.bytes += bytes.size();
  entry.timeline = timeline;
  entry.page = page;
  entry.used = false;
  entry.written = written;
  entry.known_to = lsn;
  uint32_t& bucket = BucketOf(shard, hash);
  entry.next = bucket;
  bucket = number;
} catch (const std::bad_alloc&) {
}

PageCache::Counts PageCache::counts() const {
  Counts sum;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    sum.bytes += shard.counts.bytes;
    sum.hits += shard.counts.hits;
    sum.misses += shard.counts.misses;
  }
  return sum;
}

}  // namespace tidemark::internal
