// A snapshot that stays open for hours while commits go on: it keeps what it shows, and nothing
// grows with the time that it is open.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// What a store takes after work with its background's turns in between.
struct Growth {
  uint64_t index_bytes_at_half = 0;
  uint64_t index_bytes = 0;
  uint64_t file_bytes = 0;
};

class LongSnapshotTest : public StoreFixture {
 protected:
  // Commits over many hours, of which the store keeps one; a snapshot is open all the while, if
  // `with_snapshot`, and shows at the end what it showed at the begin.
  void Work(uint64_t commits, bool with_snapshot, Growth* growth) {
    SimStore sim(TestSeed());
    sim.options().retention = hours(1);
    sim.options().packing_backlog_bytes = 1u << 20;
    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(const auto object,
                         sim.store().OpenObject("rooms", "a", IfMissing::kCreate));
    std::map<uint32_t, PageBytes> first;
    for (uint32_t i = 1; i <= kPages; ++i) first[i] = RandomPage(i);
    ASSERT_OK(Commit(object, first));
    std::optional<Snapshot> snapshot;
    if (with_snapshot) {
      ASSERT_OK_AND_ASSIGN(snapshot, object->OpenSnapshot());
    }
    std::map<uint32_t, PageBytes> pages = first;
    for (uint64_t i = 1; i <= commits; ++i) {
      // A row of some bytes, as a table that is updated.
      const auto number = static_cast<uint32_t>(1 + i % kPages);
      PageBytes& page = pages[number];
      page[i / kPages % kPageSize] = static_cast<std::byte>(i);
      ASSERT_OK(Commit(object, {{number, page}}));
      sim.clock().Advance(milliseconds(200));
      if (i % (commits / 50) == 0) {
        ASSERT_OK(sim.Checkpoint());
        ASSERT_OK(sim.RunRetention());
      }
      if (i == commits / 2) growth->index_bytes_at_half = sim.store().Stats().index_bytes;
    }
    growth->index_bytes = sim.store().Stats().index_bytes;
    growth->file_bytes = sim.fs().UsedBytes();
    if (!snapshot) return;
    for (const auto& [number, page] : first) {
      ASSERT_OK_AND_ASSIGN(const PageBytes found, ReadPage(*snapshot, number));
      EXPECT_TRUE(found == page) << number;
    }
    EXPECT_OK(snapshot->Verify());
  }

  static constexpr uint32_t kPages = 40;
};

// Goal: neither the index nor the log grows because somebody reads for long. Method: the same hours
// with and without a snapshot that is open through all of them. At scale 10 a million commits.
TEST_F(LongSnapshotTest, NothingGrowsWithIt) {
  const uint64_t commits = std::max<uint64_t>(Scaled(100'000), 20'000);
  Growth with;
  Growth without;
  ASSERT_NO_FATAL_FAILURE(Work(commits, true, &with));
  ASSERT_NO_FATAL_FAILURE(Work(commits, false, &without));
  std::printf(
      "%llu commits: index %llu KiB at half of them, %llu KiB at the end, without a "
      "snapshot %llu KiB; log %llu KiB, without %llu KiB\n",
      static_cast<unsigned long long>(commits),
      static_cast<unsigned long long>(with.index_bytes_at_half >> 10),
      static_cast<unsigned long long>(with.index_bytes >> 10),
      static_cast<unsigned long long>(without.index_bytes >> 10),
      static_cast<unsigned long long>(with.file_bytes >> 10),
      static_cast<unsigned long long>(without.file_bytes >> 10));
  EXPECT_LE(with.index_bytes, without.index_bytes + (256u << 10));
  EXPECT_LE(with.index_bytes, with.index_bytes_at_half * 3 / 2);
  EXPECT_LE(with.file_bytes, without.file_bytes + (1u << 20) + kPages * 2 * kPageSize);
}

}  // namespace
}  // namespace tidemark::testing
