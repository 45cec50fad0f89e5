// The power fails at every operation of a scripted day in a store's life, and again during
// recovery.

#include <gtest/gtest.h>

#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// Commits on several objects, confirmed and not; large transactions; a checkpoint; a roll into the
// next segment; restores; a clean close and a reopening. Stops at the first failure.
Status RunScript(SimStore& sim, StoreModel& model) {
  TIDEMARK_RETURN_IF_ERROR(sim.Open());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 6; ++i) TIDEMARK_RETURN_IF_ERROR(model.Transact(sim.store(), 8));
    TIDEMARK_RETURN_IF_ERROR(model.Sync(sim.store()));
    TIDEMARK_RETURN_IF_ERROR(model.Transact(sim.store(), 350));
    TIDEMARK_RETURN_IF_ERROR(model.Transact(sim.store(), 350));
    TIDEMARK_RETURN_IF_ERROR(sim.store().PrepareSegment());
    if (round == 0) TIDEMARK_RETURN_IF_ERROR(sim.Checkpoint());
    TIDEMARK_RETURN_IF_ERROR(model.Restore(sim.store()));
    if (round != 1) continue;
    TIDEMARK_RETURN_IF_ERROR(sim.Close());
    TIDEMARK_RETURN_IF_ERROR(sim.Open());
  }
  return model.Sync(sim.store());
}

// One run that loses power at operation `crash_at`, and with `again` once more at that operation of
// the recovery. False if the script got through.
bool CrashOnce(uint64_t seed, uint64_t crash_at, PowerLoss loss, uint64_t again) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed << ", crash at " << crash_at << ", loss "
                                    << static_cast<int>(loss) << ", again " << again);
  StoreModel model(seed, 3);
  SimStore sim(seed);
  sim.fs().CrashAt(crash_at);
  const Status script = RunScript(sim, model);
  if (!sim.fs().crashed()) {
    EXPECT_OK(script);
    return false;
  }
  sim.Crash(loss);
  if (again != 0) {
    sim.fs().CrashAt(again);
    const Status recovery = sim.Open();
    if (sim.fs().crashed()) {
      sim.Crash(loss);
    } else {
      EXPECT_OK(recovery);
    }
  }
  if (!sim.is_open()) {
    EXPECT_OK(sim.Open());
  }
  if (::testing::Test::HasFailure()) return false;
  sim.fs().CrashAt(UINT64_MAX / 2);
  model.Check(sim.store(), StoreModel::After::kCrash);
  if (::testing::Test::HasFailure()) return false;

  // The store works on, and all of it is there at the next opening.
  for (int i = 0; i < 3; ++i) EXPECT_OK(model.Transact(sim.store(), 8));
  EXPECT_OK(model.Restore(sim.store()));
  EXPECT_OK(sim.Checkpoint());
  model.CheckHistory(sim.store());
  EXPECT_OK(sim.Close());
  EXPECT_OK(sim.Open());
  if (::testing::Test::HasFailure()) return false;
  model.Check(sim.store(), StoreModel::After::kReopen);
  return !::testing::Test::HasFailure();
}

void CrashEverywhere(PowerLoss loss, uint64_t seeds) {
  for (uint64_t i = 0; i < seeds; ++i) {
    const uint64_t seed = TestSeed() * 1000000 + i;
    for (uint64_t at = 1; CrashOnce(seed, at, loss, at % 3 == 0 ? 1 + at % 11 : 0); ++at) {
    }
    if (::testing::Test::HasFailure()) return;
  }
}

// Goal: a confirmed commit survives, the others are whole or gone, what is left is a prefix, and
// the store works on. Method: the same script again and again, the power failing one operation
// later each time, until it gets through; a third of the runs lose it once more during recovery.
TEST(PowerLossTest, NothingUnsyncedIsLost) { CrashEverywhere(PowerLoss::kNothing, Scaled(3)); }
TEST(PowerLossTest, EverythingUnsyncedIsLost) { CrashEverywhere(PowerLoss::kAll, Scaled(3)); }
TEST(PowerLossTest, SectorsAndNamesAsTheSeedDecides) {
  CrashEverywhere(PowerLoss::kSeeded, Scaled(20));
}

}  // namespace
}  // namespace tidemark::testing
