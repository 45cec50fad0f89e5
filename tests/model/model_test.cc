// Random work against a plain map of pages, crashes included.

#include <gtest/gtest.h>

#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// One life of a store: `steps` random steps, with crashes at random operations.
void Live(uint64_t seed, int steps) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  StoreModel model(seed, 4);
  SimStore sim(seed);
  Random& random = model.random();
  uint64_t crashes = 0;
  sim.options().max_chain_length = static_cast<uint32_t>(random.Between(1, 64));
  ASSERT_OK(sim.Open());
  for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
    sim.clock().Advance(std::chrono::milliseconds(random.Below(2000)));
    Status status;
    switch (random.Below(40)) {
      case 0: status = model.Restore(sim.store()); break;
      case 1: status = sim.Checkpoint(); break;
      case 2: status = sim.store().PrepareSegment(); break;
      case 3:
      case 4:
      case 5: status = model.Sync(sim.store()); break;
      case 6: model.Check(sim.store(), StoreModel::After::kWork); break;
      case 7:
        if (random.OneIn(4)) {
          status = sim.Close();
          if (status.ok()) {
            status = sim.Open();
            if (status.ok()) model.Check(sim.store(), StoreModel::After::kReopen);
          }
        }
        break;
      case 8:
        // From here on it is a matter of operations until the power fails, wherever that is.
        if (random.OneIn(2)) sim.fs().CrashAt(random.Between(1, 30));
        break;
      default: status = model.Transact(sim.store(), random.OneIn(10) ? 300 : 12); break;
    }
    if (sim.fs().crashed()) {
      status = OkStatus();
      ++crashes;
      // Recovery may be struck as well, several times.
      do {
        sim.Crash(static_cast<PowerLoss>(random.Below(3)));
        if (random.OneIn(3)) sim.fs().CrashAt(random.Between(1, 12));
        status = sim.Open();
      } while (sim.fs().crashed());
      ASSERT_OK(status);
      sim.fs().CrashAt(UINT64_MAX / 2);  // not during the check
      model.Check(sim.store(), StoreModel::After::kCrash);
    }
    ASSERT_OK(status) << "step " << step;
  }
  if (::testing::Test::HasFailure()) return;
  sim.fs().CrashAt(UINT64_MAX / 2);
  model.CheckHistory(sim.store());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  EXPECT_OK(sim.Close());
}

// Goal: a store does what a map of pages does, whatever happens to the machine. Method: many short
// lives, each with its own seed, and a few long ones.
TEST(ModelTest, ManyShortLives) {
  for (uint64_t i = 0; i < Scaled(150) && !HasFailure(); ++i) Live(TestSeed() * 1000000 + i, 150);
}

TEST(ModelTest, AFewLongLives) {
  for (uint64_t i = 0; i < Scaled(4) && !HasFailure(); ++i) {
    Live(TestSeed() * 1000000 + 500000 + i, 3000);
  }
}

}  // namespace
}  // namespace tidemark::testing
