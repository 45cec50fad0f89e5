// The cache of decoded pages: by itself, and below a store's snapshots.

#include "engine/internal/page_cache.h"

#include <algorithm>
#include <map>
#include <utility>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using internal::PageCache;

constexpr TimelineId kTimeline(7);

// Goal: an entry counts for the LSNs that it was put for, and for those that it is said to be so
// at later; other timelines, pages and sizes are not it.
TEST(PageCacheTest, KnowsAPageBetweenTwoLsns) {
  PageCache cache(1u << 20);
  const PageBytes first = RandomPage(1);
  const PageBytes second = RandomPage(2);
  PageBytes out(kPageSize);
  EXPECT_EQ(cache.Read(kTimeline, PageNo(3), Lsn(10), out), std::nullopt);
  cache.Put(kTimeline, PageNo(3), Lsn(10), Lsn(20), first);
  cache.Put(kTimeline, PageNo(3), Lsn(30), Lsn(30), second);
  const auto read = [&](uint64_t lsn) { return cache.Read(kTimeline, PageNo(3), Lsn(lsn), out); };
  for (const uint64_t lsn : {9u, 21u, 29u, 31u}) EXPECT_EQ(read(lsn), std::nullopt) << lsn;
  for (const uint64_t lsn : {10u, 15u, 20u}) {
    EXPECT_EQ(read(lsn), Lsn(10)) << lsn;
    EXPECT_EQ(out, first) << lsn;
  }
  EXPECT_EQ(read(30), Lsn(30));
  EXPECT_EQ(out, second);

  EXPECT_FALSE(cache.ReadVersion(kTimeline, PageNo(3), Lsn(11), Lsn(25), out));
  EXPECT_TRUE(cache.ReadVersion(kTimeline, PageNo(3), Lsn(10), Lsn(25), out));
  EXPECT_EQ(out, first);
  EXPECT_EQ(read(25), Lsn(10));
  cache.Put(kTimeline, PageNo(3), Lsn(10), Lsn(27), first);  // as another reader would
  EXPECT_EQ(read(27), Lsn(10));
  EXPECT_EQ(cache.counts().bytes, 2 * kPageSize);

  EXPECT_EQ(cache.Read(TimelineId(8), PageNo(3), Lsn(15), out), std::nullopt);
  EXPECT_EQ(cache.Read(kTimeline, PageNo(4), Lsn(15), out), std::nullopt);
  PageBytes small(512);
  EXPECT_EQ(cache.Read(kTimeline, PageNo(3), Lsn(15), small), std::nullopt);
}

TEST(PageCacheTest, OfNoSizeHoldsNothing) {
  PageCache cache(0);
  PageBytes page = RandomPage(1);
  cache.Put(kTimeline, PageNo(1), Lsn(1), Lsn(1), page);
  EXPECT_EQ(cache.Read(kTimeline, PageNo(1), Lsn(1), page), std::nullopt);
  EXPECT_EQ(cache.counts().bytes, 0u);
}

// Goal: it never gives wrong bytes, never holds more than it may, and what is read again and again
// stays. Method: pages of all sizes at random, against a map of what each was.
TEST(PageCacheTest, AtRandom) {
  constexpr uint64_t kCapacity = 2u << 20;
  PageCache cache(kCapacity);
  Random random(TestSeed());
  std::map<std::pair<uint64_t, uint32_t>, std::pair<Lsn, PageBytes>> pages;
  const PageBytes hot = RandomPage(99);
  cache.Put(TimelineId(1000), PageNo(1), Lsn(1), Lsn(1), hot);
  uint64_t hits = 0;
  for (uint64_t lsn = 2; lsn < 20'000; ++lsn) {
    const TimelineId timeline(random.Between(1, 4));
    const PageNo page(static_cast<uint32_t>(random.Between(1, 300)));
    auto& [written, bytes] = pages[{timeline.value, page.value}];
    if (bytes.empty() || random.OneIn(4)) {
      written = Lsn(lsn);
      bytes = RandomPage(lsn, size_t{512} << random.Below(6));
    }
    PageBytes out(bytes.size());
    if (const auto found = cache.Read(timeline, page, Lsn(lsn), out)) {
      ASSERT_EQ(*found, written);
      ASSERT_EQ(out, bytes);
    } else if (cache.ReadVersion(timeline, page, written, Lsn(lsn), out)) {
      ASSERT_EQ(out, bytes);
      ++hits;
    } else {
      cache.Put(timeline, page, written, Lsn(lsn), bytes);
    }
    ASSERT_LE(cache.counts().bytes, kCapacity);
    PageBytes still(kPageSize);
    ASSERT_EQ(cache.Read(TimelineId(1000), PageNo(1), Lsn(1), still), Lsn(1)) << "at " << lsn;
    ASSERT_EQ(still, hot);
  }
  EXPECT_GT(hits, 1000u);
  EXPECT_GT(cache.counts().bytes, kCapacity / 2);
}

// Goal: pages that are read once do not drive out those that were there first, and one that is read
// again comes in. Method: ten times more pages than there is room for.
TEST(PageCacheTest, WhatIsReadOnceGoesBy) {
  PageCache cache(16 * 16 * kPageSize);
  PageBytes page = RandomPage(1);
  const auto is_there = [&](uint32_t number) {
    return cache.Read(kTimeline, PageNo(number), Lsn(1), page).has_value();
  };
  const auto put = [&](uint32_t number) {
    cache.Put(kTimeline, PageNo(number), Lsn(1), Lsn(1), page);
  };
  for (uint32_t number = 1; number <= 100; ++number) put(number);
  for (uint32_t number = 101; number <= 2560; ++number) put(number);
  int left = 0;
  for (uint32_t number = 1; number <= 100; ++number) left += is_there(number) ? 1 : 0;
  EXPECT_GE(left, 90);  // 100, but for pages that pass for one that was seen
  ASSERT_FALSE(is_there(5000));
  put(5000);
  put(5000);
  EXPECT_TRUE(is_there(5000));
}

class CachedStoreTest : public StoreFixture {
 protected:
  CachedStoreTest() { sim_.options().page_cache_bytes = 4u << 20; }
};

// Goal: each past, the present, and what a restore brings back read as they were, from memory, too,
// before and behind a packing; and that was a hit.
TEST_F(CachedStoreTest, PastAndPresent) {
  ASSERT_OK(sim_.Open());
  std::vector<CommitInfo> commits;
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  const auto expect_all = [&](const char* when) {
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < commits.size(); ++i) {
        ASSERT_OK_AND_ASSIGN(const Snapshot snapshot,
                             object->OpenSnapshot(object->BookmarkOf(commits[i])));
        for (const uint32_t page : {2u, 1u, 3u}) {  // in order they would be read ahead
          const size_t written = i < page ? 0 : i - (i - page) % 3;  // page 1 at 1, 4, 7, ...
          ASSERT_OK_AND_ASSIGN(const PageBytes bytes, ReadPage(snapshot, page));
          ASSERT_EQ(bytes, RandomPage(written == 0 ? page : 100 * page + written))
              << when << ", commit " << i << ", page " << page;
        }
      }
    }
  };
  ASSERT_OK_AND_ASSIGN(
      const CommitInfo first,
      Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}, {3, RandomPage(3)}}));
  commits.push_back(first);
  for (uint32_t i = 1; i <= 30; ++i) {
    const uint32_t page = (i - 1) % 3 + 1;
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit,
                         Commit(object, {{page, RandomPage(100 * page + i)}}));
    commits.push_back(commit);
    ASSERT_NO_FATAL_FAILURE(expect_all("at once"));
  }
  ASSERT_OK(sim_.store().Checkpoint());
  ASSERT_NO_FATAL_FAILURE(expect_all("behind a checkpoint"));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_NO_FATAL_FAILURE(expect_all("packed"));
  const StoreStats stats = sim_.store().Stats();
  EXPECT_GT(stats.page_cache_hits, 3 * stats.page_cache_misses);
  EXPECT_GE(stats.page_cache_misses, 33u);
  EXPECT_EQ(stats.page_cache_bytes, 33 * kPageSize);  // versions of pages, each once

  ASSERT_OK(object->Restore(object->BookmarkOf(commits[5])));
  ASSERT_OK_AND_ASSIGN(const PageBytes restored, ReadPage(object, 1));
  EXPECT_EQ(restored, RandomPage(104));
}

// Goal: who checks what is stored reads it from the disk, whatever is in memory.
TEST_F(CachedStoreTest, ChecksReadTheDisk) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
  ASSERT_OK(sim_.store().Checkpoint());
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot());
  ASSERT_OK(ReadPage(snapshot, 2));
  ASSERT_NO_FATAL_FAILURE(FlipBitOf(2));
  ASSERT_OK_AND_ASSIGN(const PageBytes cached, ReadPage(snapshot, 2));
  EXPECT_EQ(cached, RandomPage(2));
  PageBytes stored(kPageSize);
  EXPECT_EQ(snapshot.ReadStoredPage(PageNo(2), stored).code(), StatusCode::kCorruption);
  EXPECT_EQ(snapshot.Verify().code(), StatusCode::kCorruption);
  ASSERT_OK_AND_ASSIGN(const DrillReport drill, sim_.store().Drill(1));
  EXPECT_EQ(drill.failures, 1u);
}

}  // namespace
}  // namespace tidemark::testing
