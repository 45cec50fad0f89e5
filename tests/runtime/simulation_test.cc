// Actors through everything that happens to a machine, in an order that a seed decides.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/runtime/simulated_bank.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// Goal: whatever is done at the same time, whichever actors hibernate or abort, whenever the power
// or a sync fails, and if all is restored to a bookmark: money is neither made nor lost, a result
// that somebody saw is there for ever, what an aborted instance wrote is not, calls and sections
// are not mixed, and each alarm runs once at least and never early. Method: many lives of a
// SimulatedBank, each with its own seed.
TEST(SimulationTest, MoneyIsNeitherMadeNorLost) {
  SimulatedBank::Counts all;
  for (uint64_t i = 0; i < Scaled(15) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + i;
    SCOPED_TRACE(::testing::Message() << "life " << seed);
    Random random(seed);
    // Few accounts meet each other more often; many come and go.
    const uint64_t accounts = random.OneIn(3) ? random.Between(20, 200) : random.Between(3, 12);
    SimulatedBank bank(seed, static_cast<int64_t>(accounts));
    bank.Live(5, 250);
    const SimulatedBank::Counts& counts = bank.counts();
    all.transfers += counts.transfers;
    all.notes += counts.notes;
    all.failed_calls += counts.failed_calls;
    all.crashes += counts.crashes;
    all.failed_syncs += counts.failed_syncs;
    all.restores += counts.restores;
    all.alarms += counts.alarms;
    all.hibernated += counts.hibernated;
  }
  EXPECT_GT(all.transfers, 0u);
  EXPECT_GT(all.notes, 0u);
  EXPECT_GT(all.failed_calls, 0u);
  EXPECT_GT(all.crashes, 0u);
  EXPECT_GT(all.failed_syncs, 0u);
  EXPECT_GT(all.restores, 0u);
  EXPECT_GT(all.alarms, 0u);
  EXPECT_GT(all.hibernated, 0u);
  std::printf(
      "%llu transfers, %llu notes, %llu failed calls, %llu crashes, %llu failed syncs, "
      "%llu restores, %llu alarms, %llu hibernated\n",
      (unsigned long long)all.transfers, (unsigned long long)all.notes,
      (unsigned long long)all.failed_calls, (unsigned long long)all.crashes,
      (unsigned long long)all.failed_syncs, (unsigned long long)all.restores,
      (unsigned long long)all.alarms, (unsigned long long)all.hibernated);
}

// Goal: a seed says all of it, so that a life that fails can be looked at. Method: two lives of one
// seed.
TEST(SimulationTest, ASeedRepeats) {
  const auto live = [] {
    SimulatedBank bank(TestSeed(), 40);
    bank.Live(3, 200);
    return bank.counts();
  };
  const SimulatedBank::Counts first = live();
  EXPECT_EQ(live(), first);
}

}  // namespace
}  // namespace tidemark::testing
