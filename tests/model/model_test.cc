// Random work against a plain map of pages, crashes included.

#include <gtest/gtest.h>

#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// One life of a store, with crashes at random operations.
class Life {
 public:
  explicit Life(uint64_t seed) : model_(seed, {}), sim_(seed), random_(model_.random()) {
    sim_.options().max_chain_length = static_cast<uint32_t>(random_.Between(1, 64));
  }

  void Live(int steps) {
    ASSERT_OK(sim_.Open());
    for (int step = 0; step < steps; ++step) {
      SCOPED_TRACE(::testing::Message() << "step " << step);
      sim_.clock().Advance(std::chrono::milliseconds(random_.Below(2000)));
      const Status status = Step();
      if (sim_.fs().crashed()) {
        ASSERT_NO_FATAL_FAILURE(Recover());
      } else {
        ASSERT_OK(status);
      }
      if (::testing::Test::HasFailure()) return;
    }
    sim_.fs().CrashAt(kNever);
    model_.CheckHeld();
    model_.CheckHistory(sim_.store());
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
    model_.DropHeld();
    EXPECT_OK(sim_.Close());
  }

  const StoreModel::Counts& counts() const { return model_.counts(); }
  uint64_t crashes() const { return crashes_; }
  uint64_t reopenings() const { return reopenings_; }

 private:
  static constexpr uint64_t kNever = UINT64_MAX / 2;

  Status Step() {
    Store& store = sim_.store();
    switch (random_.Below(50)) {
      case 0: return model_.Restore(store);
      case 1: return sim_.Checkpoint();
      case 2: return store.PrepareSegment();
      case 3:
      case 4:
      case 5: return model_.Sync(store);
      case 6: model_.Check(store, StoreModel::After::kWork); return OkStatus();
      case 7: return random_.OneIn(4) ? Reopen() : OkStatus();
      case 8:
        // From here on it is a matter of operations until the power fails, wherever that is.
        if (random_.OneIn(2)) sim_.fs().CrashAt(random_.Between(1, 30));
        return OkStatus();
      case 9: {
        const bool commit = random_.OneIn(2);
        return model_.TransactLarge(
            store, random_.Between(50, 300),
            commit ? StoreModel::Ending::kCommit : StoreModel::Ending::kRollback);
      }
      case 10:
      case 11: model_.LookBack(store); return OkStatus();
      case 12: model_.HoldSnapshot(store); return OkStatus();
      case 13: model_.CheckHeld(); return OkStatus();
      case 14: return model_.Fork(store);
      case 15: return model_.Promote(store);
      case 16: return model_.Delete(store);
      case 17: return model_.Undelete(store);
      case 18:
      case 19: return model_.ChangeLabel(store);
      case 20: return model_.ChangeRetention(store);
      case 21: sim_.clock().Advance(std::chrono::minutes(random_.Below(300))); return OkStatus();
      case 22: return sim_.Reclaim(ReclaimWhat::kEverything);
      case 24: return random_.OneIn(6) ? model_.Purge(store, purge_) : OkStatus();
      case 23: return model_.RunRetention(store, [this] { return sim_.RunRetention(); });
      default: return model_.Transact(store, random_.OneIn(10) ? 300 : 12);
    }
  }

  Status Reopen() {
    model_.DropHeld();
    TIDEMARK_RETURN_IF_ERROR(sim_.Close());
    TIDEMARK_RETURN_IF_ERROR(sim_.Open());
    model_.Check(sim_.store(), StoreModel::After::kReopen);
    ++reopenings_;
    return OkStatus();
  }

  // Recovery may be struck as well, several times.
  void Recover() {
    ++crashes_;
    model_.DropHeld();
    Status status;
    do {
      sim_.Crash(static_cast<PowerLoss>(random_.Below(3)));
      if (random_.OneIn(3)) sim_.fs().CrashAt(random_.Between(1, 12));
      status = sim_.Open();
    } while (sim_.fs().crashed());
    ASSERT_OK(status);
    sim_.fs().CrashAt(kNever);  // not during the check
    ASSERT_OK(model_.EndPurge(sim_.store(), purge_));
    model_.Check(sim_.store(), StoreModel::After::kCrash);
  }

  StoreModel model_;
  SimStore sim_;
  const StoreModel::PurgeCall purge_ = [this](const std::string& ns, const std::string& name) {
    return sim_.Purge(ns, name);
  };
  Random& random_;
  uint64_t crashes_ = 0;
  uint64_t reopenings_ = 0;
};

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
  uint64_t moved_labels = 0;
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
    EXPECT_GT(counts.set_labels, 0u);
    moved_labels += counts.moved_labels;
    EXPECT_GT(counts.removed_labels, 0u);
    EXPECT_GT(counts.automatic_labels, 0u);
    EXPECT_GT(counts.looks_by_label, 0u);
    EXPECT_GT(counts.policies, 0u);
    EXPECT_GT(counts.holds, 0u);
    EXPECT_GT(counts.licences, 0u);
    EXPECT_GT(counts.background_licences, 0u);
    EXPECT_GT(counts.looks_for_nothing, 0u);
    EXPECT_GT(counts.expired, 0u);
    EXPECT_GT(counts.lost, 0u);
    EXPECT_GT(life.crashes(), 0u);
    EXPECT_GT(life.reopenings(), 0u);
  }
  EXPECT_GT(moved_labels, 0u);
  EXPECT_GT(promotes, 0u);
  EXPECT_GT(promotes_over_newer, 0u);
  EXPECT_GT(purges, 0u);
  EXPECT_GT(refused_purges, 0u);
}

}  // namespace
}  // namespace tidemark::testing
