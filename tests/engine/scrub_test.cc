// Scrubs and restore drills: what they find, what they cost, and when they come.

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engine/internal/index.h"
#include "tests/engine/packing_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;

class ScrubTest : public PackingFixture {
 protected:
  // Ten objects with thirty commits each, an hour apart; half of it packed.
  void Fill() {
    for (uint64_t i = 0; i < 300; ++i) {
      if (i == 150) {
        ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
      }
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Put(NameOf(i % 10), i));
      if (i == 0) first_ = commit;
      sim_.clock().Advance(hours(1));
    }
    ASSERT_OK(sim_.store().Checkpoint());
  }
  static std::string NameOf(uint64_t i) { return "object" + std::to_string(i); }

  CommitInfo first_;
};

// Goal: drills restore what is there, the oldest state too, and the store remembers that, also when
// it was closed; what has expired counts no more. Method: a hundred drills over objects some of
// which were restored, forked and deleted.
TEST_F(ScrubTest, DrillsFindEverythingRight) {
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const DrillReport none, sim_.store().Drill(3));
    EXPECT_EQ(none.drills, 0u);
  }
  ASSERT_NO_FATAL_FAILURE(Fill());
  ASSERT_OK_AND_ASSIGN(const auto object, Open(NameOf(4)));
  ASSERT_OK(object->Restore(Point(sim_.clock().Now() - hours(200))));
  ASSERT_OK(sim_.store().Fork(*object, Point(sim_.clock().Now()), "rooms", "fork"));
  ASSERT_OK_AND_ASSIGN(const auto deleted, Open(NameOf(5)));
  ASSERT_OK(deleted->Delete());
  ASSERT_OK(sim_.store().Checkpoint());
  ASSERT_OK_AND_ASSIGN(const DrillReport report, sim_.store().Drill(300));
  EXPECT_EQ(report.failures, 0u) << report.failure;
  EXPECT_GT(report.drills, 200u);
  EXPECT_GT(report.bytes, 100 * kPageSize);
  const StoreHealth health = sim_.store().Stats().health;
  EXPECT_TRUE(health.last_drill_ok);
  EXPECT_EQ(health.last_drill, sim_.clock().Now());
  EXPECT_LE(health.oldest_verified, first_.time + hours(10));  // each object's first is drilled
  EXPECT_GE(health.oldest_verified, first_.time);

  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(sim_.store().Stats().health, health);
  sim_.clock().Advance(days(35));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const DrillReport later, sim_.store().Drill(20));
  EXPECT_EQ(later.failures, 0u) << later.failure;
  EXPECT_GT(sim_.store().Stats().health.oldest_verified, health.oldest_verified);
}

// Goal: a scrub and drills find a flipped bit of an old version that nobody reads, and name its
// object; others are right. Method: one in what was packed, one in the log.
class ScrubDamageTest : public ScrubTest, public ::testing::WithParamInterface<uint64_t> {};
TEST_P(ScrubDamageTest, IsFound) {
  const uint64_t seed = GetParam();
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill());
  sim_.clock().Advance(days(8));
  ASSERT_OK(sim_.store().RunScrub());
  StoreStats stats = sim_.store().Stats();
  EXPECT_EQ(stats.scrubs, 1u);
  EXPECT_GT(stats.scrubbed_bytes, 300 * kPageSize);
  EXPECT_EQ(stats.health.scrub_damage, 0u);
  EXPECT_EQ(stats.health.last_scrub, sim_.clock().Now());
  ASSERT_NO_FATAL_FAILURE(FlipBitOf(seed));
  sim_.clock().Advance(days(8));
  ASSERT_OK(sim_.store().RunScrub());
  stats = sim_.store().Stats();
  EXPECT_EQ(stats.scrubs, 2u);
  EXPECT_GE(stats.health.scrub_damage, 1u);
  ASSERT_FALSE(stats.scrub_damage.empty());
  for (const auto& damage : stats.scrub_damage) {
    EXPECT_TRUE(damage.object.empty() || damage.object == "rooms/" + NameOf(3)) << damage.object;
  }
  EXPECT_TRUE(std::any_of(stats.scrub_damage.begin(), stats.scrub_damage.end(),
                          [](const auto& damage) { return !damage.object.empty(); }));
  DrillReport drills;
  for (int i = 0; i < 2000 && drills.failures == 0; ++i) {
    ASSERT_OK_AND_ASSIGN(drills, sim_.store().Drill(50));
  }
  EXPECT_GT(drills.failures, 0u);
  EXPECT_NE(drills.failure.find(NameOf(3)), std::string::npos) << drills.failure;
  EXPECT_EQ(sim_.store().Stats().failed_drill, drills.failure);
}
INSTANTIATE_TEST_SUITE_P(PackedAndNot, ScrubDamageTest, ::testing::Values(3, 283));

// Goal: scrubs and drills come when they are due, over closings, and not at all if nobody wants
// them; they write nothing. Method: a clock moved by hand; the log and the index's transactions
// counted.
TEST_F(ScrubTest, WhenTheyAreDue) {
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill());
  internal::Index& index = internal::StorePeer::Impl(sim_.store()).index();
  const auto written = [&] {
    return std::pair(sim_.store().Stats().log_bytes, index.LastChange());
  };
  const auto before = written();
  sim_.clock().Advance(days(8));  // counted from the opening
  ASSERT_OK(sim_.store().RunScrub());
  for (int hour = 1; hour <= 24 * 7 - 1; ++hour) {
    sim_.clock().Advance(hours(1));
    ASSERT_OK(sim_.store().RunScrub());
  }
  EXPECT_EQ(sim_.store().Stats().scrubs, 1u);
  EXPECT_EQ(sim_.store().Stats().drills, 24u * 7);
  EXPECT_EQ(written(), before);
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.store().RunScrub());
  EXPECT_EQ(sim_.store().Stats().scrubs, 0u);
  sim_.clock().Advance(hours(1));
  ASSERT_OK(sim_.store().RunScrub());
  EXPECT_EQ(sim_.store().Stats().scrubs, 1u);
  ASSERT_OK(sim_.Close());

  sim_.options().scrub_interval = sim_.options().drill_interval = std::chrono::seconds(0);
  ASSERT_OK(sim_.Open());
  sim_.clock().Advance(days(100));
  ASSERT_OK(sim_.store().RunScrub());
  EXPECT_EQ(sim_.store().Stats().scrubs, 0u);
  EXPECT_EQ(sim_.store().Stats().drills, 0u);
  ASSERT_OK(sim_.store().Verify());  // is as good
  EXPECT_EQ(sim_.store().Stats().health.last_scrub, sim_.clock().Now());
  ASSERT_OK(sim_.Close());
  sim_.options().scrub_interval = std::chrono::seconds(-1);
  EXPECT_ERROR(sim_.Open(), StatusCode::kInvalidArgument, "scrub_interval");
}

// Goal: what is packed, expires and is written while it is read is no damage. Method: scrubs and
// drills beside threads that do all of that.
TEST_F(ScrubTest, BesideEverything) {
  sim_.options().drill_interval = std::chrono::seconds(1);
  sim_.options().scrub_interval = std::chrono::seconds(1);
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (uint64_t i = 0; !stop; ++i) {
      EXPECT_OK(Put(NameOf(i % 10), i));
      if (i % 50 == 49) sim_.clock().Advance(days(1));
    }
  });
  std::thread packer([&] {
    for (uint64_t i = 0; !stop; ++i) {
      if (i % 2 == 0) {
        EXPECT_OK(sim_.store().Prune());
      }
      EXPECT_OK(
          sim_.store().Reclaim(i % 2 == 0 ? ReclaimWhat::kEverything : ReclaimWhat::kWhatPays));
    }
  });
  for (uint64_t i = 0; i < Scaled(30); ++i) {
    sim_.clock().Advance(hours(1));
    EXPECT_OK(sim_.store().RunScrub());
    const StoreStats stats = sim_.store().Stats();
    EXPECT_EQ(stats.scrubs, i + 1);
    for (const auto& damage : stats.scrub_damage) ADD_FAILURE() << damage.object << damage.message;
    EXPECT_EQ(stats.failed_drill, "");
  }
  stop = true;
  writer.join();
  packer.join();
}

// Goal: closing does not wait for a scrub or a drill to end. Method: a rate at which they would
// take years; closed when the thread has begun to read.
TEST_F(ScrubTest, ClosingEndsIt) {
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill());
  ASSERT_OK(sim_.Close());
  sim_.options().background_work = BackgroundWork::kThreads;
  sim_.options().retention_share = 0;
  sim_.options().scrub_bytes_per_second = 1;
  for (const bool scrubs : {false, true}) {
    sim_.options().scrub_interval = std::chrono::seconds(scrubs ? 60 : 0);
    sim_.options().drill_interval = std::chrono::seconds(scrubs ? 0 : 60);
    ASSERT_OK(sim_.Open());
    const uint64_t read = sim_.fs().read_bytes();
    sim_.clock().Advance(hours(1));
    while (sim_.fs().read_bytes() == read) std::this_thread::yield();
    ASSERT_OK(sim_.Close());
  }
}

}  // namespace
}  // namespace tidemark::testing
