// ChainReads: what readers pay for chains of patches, page by page and in all, so that what is read
// often gets a full image: a page at its next commit (transaction_encode.cc), and the log, by
// packing it before it is full (retention_worker.h).
//
// It counts links, the patches that a read applies. Of each page a commit takes out again what its
// own writer may have read, four times over: so work that reads a page, changes it and commits
// never makes an image due, however small its cache. What is left when it comes to
// ChainReadRule::links_for_image was spent on reading only, and takes more time than an image takes
// room.
//
// A sketch of a fixed size: the pages in each of kSets sets are those read most; others take their
// counts down until there is room. So it may miss pages, of more than it holds, and never gives one
// page much of another's count. Nothing rests on it but speed and space.
//
// Threads: any, without locks. Counts that two threads change at once may lose one of the changes.

#ifndef TIDEMARK_ENGINE_INTERNAL_CHAIN_READS_H_
#define TIDEMARK_ENGINE_INTERNAL_CHAIN_READS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/lsn.h"

namespace tidemark::internal {

// When what reading costs is too much. A link takes some 0.4 us.
struct ChainReadRule {
  // Of one page: some 2 ms of reading for an image, which is 4 KiB of log.
  uint32_t links_for_image = 4096;
  // Of the log that is not packed, for each KiB of it, and for each KiB of a segment of full size,
  // the room that is made for the next one: four times what packing and that take.
  uint64_t links_for_log_kib = 64;
  uint64_t links_for_segment_kib = 16;
  // A link is paid for by a commit: so many times the longest chain, by each of them.
  uint32_t chains_for_commit = 4;
};

class ChainReads {
 public:
  ChainReads() : slots_(kSets * kWays) {}

  // Somebody has read a page by way of so many patches in the log.
  void NoteLinks(uint32_t links) noexcept { links_.fetch_add(links, std::memory_order_relaxed); }
  // It was this one, as it is now.
  void NoteRead(TimelineId timeline, PageNo page, uint32_t links) noexcept {
    const Place place = Find(timeline, page);
    std::atomic<uint64_t>* least = nullptr;
    for (size_t i = 0; i < kWays; ++i) {
      std::atomic<uint64_t>& slot = slots_[place.first + i];
      const uint64_t value = slot.load(std::memory_order_relaxed);
      if (TagOf(value) == place.tag) return Store(slot, place.tag, CountOf(value) + links);
      if (least == nullptr || CountOf(value) < CountOf(least->load(std::memory_order_relaxed))) {
        least = &slot;
      }
    }
    const uint64_t value = least->load(std::memory_order_relaxed);
    if (CountOf(value) > links) return Store(*least, TagOf(value), CountOf(value) - links);
    Store(*least, place.tag, links - CountOf(value));
  }

  // Is the page read so often that its next version is to be an image?
  bool IsImageDue(TimelineId timeline, PageNo page) const noexcept {
    const std::atomic<uint64_t>* slot = FindSlot(timeline, page);
    return slot != nullptr &&
           CountOf(slot->load(std::memory_order_relaxed)) >= rule_.links_for_image;
  }
  // A commit has made a patch on a chain of so many links.
  void NotePatch(TimelineId timeline, PageNo page, uint32_t links) noexcept {
    Take(timeline, page, uint64_t{links} * rule_.chains_for_commit);
  }
  // A commit has made an image.
  void NoteImage(TimelineId timeline, PageNo page) noexcept { Take(timeline, page, kMostCount); }

  // Of all pages, since the open.
  uint64_t links() const noexcept { return links_.load(std::memory_order_relaxed); }

  const ChainReadRule& rule() const { return rule_; }
  // For tests, in which nothing is read often. While nobody reads or writes.
  void set_rule(const ChainReadRule& rule) { rule_ = rule; }

 private:
  // 8192 pages, 64 KiB.
  static constexpr size_t kSets = 2048;
  static constexpr size_t kWays = 4;
  // A slot is a tag and, below it, a count; 0 is an empty one.
  static constexpr unsigned kCountBits = 24;
  static constexpr uint64_t kMostCount = (uint64_t{1} << kCountBits) - 1;

  struct Place {
    size_t first;  // slot of its set
    uint64_t tag;
  };

  static uint64_t TagOf(uint64_t value) { return value >> kCountBits; }
  static uint64_t CountOf(uint64_t value) { return value & kMostCount; }
  static void Store(std::atomic<uint64_t>& slot, uint64_t tag, uint64_t count) noexcept {
    slot.store(tag << kCountBits | (count < kMostCount ? count : kMostCount),
               std::memory_order_relaxed);
  }
  static Place Find(TimelineId timeline, PageNo page) noexcept {
    uint64_t hash = timeline.value * 0x9e3779b97f4a7c15u + page.value;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    return {.first = hash % kSets * kWays, .tag = hash >> kCountBits | 1};
  }
  const std::atomic<uint64_t>* FindSlot(TimelineId timeline, PageNo page) const noexcept {
    const Place place = Find(timeline, page);
    for (size_t i = 0; i < kWays; ++i) {
      const std::atomic<uint64_t>& slot = slots_[place.first + i];
      if (TagOf(slot.load(std::memory_order_relaxed)) == place.tag) return &slot;
    }
    return nullptr;
  }
  void Take(TimelineId timeline, PageNo page, uint64_t links) noexcept {
    const Place place = Find(timeline, page);
    for (size_t i = 0; i < kWays; ++i) {
      std::atomic<uint64_t>& slot = slots_[place.first + i];
      const uint64_t value = slot.load(std::memory_order_relaxed);
      if (TagOf(value) != place.tag) continue;
      Store(slot, place.tag, CountOf(value) > links ? CountOf(value) - links : 0);
    }
  }

  ChainReadRule rule_;
  std::atomic<uint64_t> links_{0};
  std::vector<std::atomic<uint64_t>> slots_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_CHAIN_READS_H_
