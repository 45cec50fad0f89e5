// Random work against a plain map of pages, crashes included.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/model/life.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// Goal: a store does what a map of pages does, whatever happens to the machine. Method: many short
// lives, each with its own seed.
TEST(ModelTest, ManyShortLives) {
  for (uint64_t i = 0; i < Scaled(150) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + i;
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Life(seed).Live(150);
  }
}

// Goal: as above, with much history and every kind of work in each life. Method: a few long lives;
// what must not be missing is counted.
TEST(ModelTest, AFewLongLives) {
  // A life may have none of these: forks that are purged are promoted no more.
  uint64_t with_dictionary = 0;
  uint64_t packed_for_reads = 0;
  uint64_t moved_labels = 0;
  uint64_t cancelled = 0;
  uint64_t sessions_of_another = 0;
  uint64_t promotes = 0;
  uint64_t promotes_over_newer = 0;
  uint64_t purges = 0;
  uint64_t refused_purges = 0;
  for (uint64_t i = 0; i < Scaled(4) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + 500000 + i;
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Life life(seed);
    life.Live(3000);
    const StoreModel::Counts& counts = life.counts();
    EXPECT_GT(counts.large_commits, 0u);
    EXPECT_GT(counts.large_rollbacks, 0u);
    EXPECT_GT(counts.rollbacks, 0u);
    EXPECT_GT(counts.page_size_changes, 0u);
    EXPECT_GT(counts.truncations, 0u);
    EXPECT_GT(counts.regrown_pages, 0u);
    EXPECT_GT(counts.first_pages, 0u);
    EXPECT_GT(counts.last_pages, 0u);
    EXPECT_GT(counts.restores, 0u);
    EXPECT_GT(counts.forks, 0u);
    promotes += counts.promotes;
    promotes_over_newer += counts.promotes_over_newer;
    EXPECT_GT(counts.refused_promotes, 0u);
    EXPECT_GT(counts.deletions, 0u);
    EXPECT_GT(counts.undeletions, 0u);
    EXPECT_GT(counts.begun_anew, 0u);
    purges += counts.purges;
    refused_purges += counts.refused_purges;
    EXPECT_GT(counts.looks_by_bookmark, 0u);
    EXPECT_GT(counts.looks_by_time, 0u);
    EXPECT_GT(counts.held_snapshots, 0u);
    EXPECT_GT(counts.scheduled, 0u);
    cancelled += counts.cancelled;
    EXPECT_GT(counts.sessions, 0u);
    sessions_of_another += counts.sessions_of_another;
    EXPECT_GT(counts.alarms, 0u);
    EXPECT_GT(counts.other_alarms, 0u);
    EXPECT_GT(counts.set_labels, 0u);
    moved_labels += counts.moved_labels;
    EXPECT_GT(counts.removed_labels, 0u);
    EXPECT_GT(counts.automatic_labels, 0u);
    EXPECT_GT(counts.looks_by_label, 0u);
    EXPECT_GT(counts.policies, 0u);
    EXPECT_GT(counts.budgets, 0u);
    EXPECT_GT(counts.holds, 0u);
    EXPECT_GT(counts.licences, 0u);
    EXPECT_GT(counts.background_licences, 0u);
    EXPECT_GT(counts.looks_for_nothing, 0u);
    EXPECT_GT(counts.expired, 0u);
    EXPECT_GT(counts.lost, 0u);
    EXPECT_GT(life.crashes(), 0u);
    EXPECT_GT(life.reopenings(), 0u);
    with_dictionary += life.has_dictionary();
    packed_for_reads += life.was_packed_for_reads();
  }
  // Which lives come to one is chance; of the two of a run with some seeds neither does.
  std::printf("lives with a dictionary: %llu, in which reads had the log packed: %llu\n",
              static_cast<unsigned long long>(with_dictionary),
              static_cast<unsigned long long>(packed_for_reads));
  if (Scaled(1) >= 4) {
    EXPECT_GT(with_dictionary, 0u);
  }
  EXPECT_GT(moved_labels, 0u);
  EXPECT_GT(cancelled, 0u);
  EXPECT_GT(sessions_of_another, 0u);
  EXPECT_GT(promotes, 0u);
  EXPECT_GT(promotes_over_newer, 0u);
  if (Scaled(5) >= 5) {  // the few lives of a shorter run may come to none
    EXPECT_GT(purges, 0u);
    EXPECT_GT(refused_purges, 0u);
  }
}

}  // namespace
}  // namespace tidemark::testing
