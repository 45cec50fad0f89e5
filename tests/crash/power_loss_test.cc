// The power fails at every operation of a scripted day in a store's life, and at every operation of
// the recovery that follows, and of the recovery of that.
//
// Each test prints how many seeds and crash points it made. TIDEMARK_TEST_SCALE multiplies the
// seeds, TIDEMARK_SEED says where they begin; tests/soak adds them up.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/crash/scripted_day.h"
#include "tests/support/dictionaries.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

constexpr uint64_t kNever = UINT64_MAX / 2;

// All crashes of one day at one depth.
class Sweep {
 public:
  Sweep(uint64_t seed, PowerLoss loss) : seed_(seed), loss_(loss), random_(seed), day_(seed) {}

  // The day again and again, the power failing one operation later each time.
  void Run() {
    const uint64_t operations = CountOperations();
    // One crash is followed by crashes everywhere in its recovery.
    const uint64_t chosen = random_.Between(1, operations);
    for (uint64_t at = 1; at <= operations && !::testing::Test::HasFailure(); ++at) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed_ << ", crash at " << at);
      StoreModel model = day_.model();
      SimStore sim(seed_ * 1000 + at, day_.machine());
      ScriptedDay::SetOptions(sim);
      sim.fs().CrashAt(at);
      EXPECT_FALSE(day_.Run(sim, model).ok());
      EXPECT_TRUE(sim.fs().crashed());
      ++crash_points_;
      sim.Crash(loss_);
      if (at == chosen) {
        // Crashes in the recovery of a crashed recovery are many: not where the scale is small.
        RecoverEverywhere(sim.Save(), model, seed_ % 4 == 0 && Scaled(10) >= 10 ? 2 : 1);
      } else {
        EXPECT_OK(sim.Open());
        CheckSurvivors(sim, model);
      }
    }
  }

  uint64_t crash_points() const { return crash_points_; }
  uint64_t recovery_crashes() const { return recovery_crashes_; }
  // Not if a large commit lies across the end of the segment.
  bool packed() const { return packed_; }
  // Packing gave some object a dictionary.
  bool has_dictionary() const { return has_dictionary_; }

 private:
  // Of a day that gets through.
  uint64_t CountOperations() {
    StoreModel model = day_.model();
    SimStore sim(seed_, day_.machine());
    ScriptedDay::SetOptions(sim);
    EXPECT_OK(day_.Run(sim, model));
    EXPECT_GE(sim.fs().operations(), 10u);
    packed_ = sim.store().Stats().packed_segment_count > 0;
    has_dictionary_ = !FindDictionaries(sim.fs()).empty();
    return sim.fs().operations();
  }

  // Recovers what a crash left, the power failing one operation later each time. What such a crash
  // leaves is recovered in the same way, `depth` deep, and then held against `model`.
  void RecoverEverywhere(const SimStore::Machine& machine, const StoreModel& model, int depth) {
    for (uint64_t at = 1; !::testing::Test::HasFailure(); ++at) {
      SCOPED_TRACE(::testing::Message() << "crash of the recovery at " << at);
      SimStore sim(random_.Next(), machine);
      ScriptedDay::SetOptions(sim);
      sim.fs().CrashAt(at);
      const Status status = sim.Open();
      const bool crashed = sim.fs().crashed();
      if (crashed) {
        ++recovery_crashes_;
        sim.Crash(NextLoss());
        if (depth > 1) {
          RecoverEverywhere(sim.Save(), model, depth - 1);
          continue;
        }
        EXPECT_OK(sim.Open());
      } else {
        EXPECT_OK(status);
      }
      StoreModel survivors = model;
      CheckSurvivors(sim, survivors);
      if (!crashed) return;
    }
  }

  // What a crash left in the page cache alone a later one may take.
  PowerLoss NextLoss() {
    return loss_ == PowerLoss::kNothing && random_.OneIn(2) ? PowerLoss::kAll : loss_;
  }

  // An open store after a crash holds what it must, and works on.
  void CheckSurvivors(SimStore& sim, StoreModel& model) {
    if (::testing::Test::HasFailure()) return;
    sim.fs().CrashAt(kNever);
    EXPECT_OK(model.EndPurge(sim.store(), [&](const std::string& ns, const std::string& name) {
      return sim.Purge(ns, name);
    }));
    if (::testing::Test::HasFailure()) return;
    model.Check(sim.store(), StoreModel::After::kCrash);
    if (::testing::Test::HasFailure()) return;
    for (int i = 0; i < 3; ++i) EXPECT_OK(model.Transact(sim.store(), 8));
    EXPECT_OK(model.Restore(sim.store()));
    EXPECT_OK(model.ChangeLabel(sim.store()));
    EXPECT_OK(model.ChangeRetention(sim.store()));
    if (random_.OneIn(4)) {
      EXPECT_OK(sim.Checkpoint());
      model.CheckHistory(sim.store());
      const auto report = sim.store().Verify();
      EXPECT_OK(report);
      if (!report.ok()) return;
      for (const Damage& damage : report->damage) ADD_FAILURE() << damage.message;
    }
    if (::testing::Test::HasFailure()) return;
    // All of it is there at the next opening, clean or not.
    if (random_.OneIn(2)) {
      EXPECT_OK(sim.Close());
    } else {
      EXPECT_OK(model.Sync(sim.store()));
      sim.Crash(NextLoss());
    }
    EXPECT_OK(sim.Open());
    if (::testing::Test::HasFailure()) return;
    model.Check(sim.store(), StoreModel::After::kReopen);
  }

  const uint64_t seed_;
  const PowerLoss loss_;
  Random random_;
  const ScriptedDay day_;
  uint64_t crash_points_ = 0;
  uint64_t recovery_crashes_ = 0;
  bool packed_ = false;
  bool has_dictionary_ = false;
};

void CrashEverywhere(PowerLoss loss, const char* name, uint64_t seeds) {
  uint64_t done = 0;
  uint64_t crash_points = 0;
  uint64_t recovery_crashes = 0;
  uint64_t packed = 0;
  uint64_t with_dictionary = 0;
  for (uint64_t i = 0; i < seeds && !::testing::Test::HasFailure(); ++i) {
    Sweep sweep(TestSeed() * 1000000 + i, loss);
    sweep.Run();
    ++done;
    crash_points += sweep.crash_points();
    recovery_crashes += sweep.recovery_crashes();
    packed += sweep.packed();
    with_dictionary += sweep.has_dictionary();
  }
  std::printf(
      "power loss (%s): %llu seeds, %llu with dictionaries, %llu crash points, %llu crashes of "
      "recoveries\n",
      name, static_cast<unsigned long long>(done), static_cast<unsigned long long>(with_dictionary),
      static_cast<unsigned long long>(crash_points),
      static_cast<unsigned long long>(recovery_crashes));
  EXPECT_EQ(done, seeds);
  EXPECT_GT(recovery_crashes, done);
  EXPECT_TRUE(packed > 0 || done < 10);
  EXPECT_TRUE(with_dictionary > 0 || done < 10);
}

// Goal: a confirmed commit survives, the others are whole or gone, what is left is a prefix, and
// the store works on, whatever index it finds. Method: each seed's day again and again, the power
// failing one operation later each time, until it gets through.
TEST(PowerLossTest, NothingUnsyncedIsLost) {
  CrashEverywhere(PowerLoss::kNothing, "nothing unsynced is lost", Scaled(10));
}
TEST(PowerLossTest, EverythingUnsyncedIsLost) {
  CrashEverywhere(PowerLoss::kAll, "everything unsynced is lost", Scaled(10));
}
TEST(PowerLossTest, SectorsAndNamesAsTheSeedDecides) {
  CrashEverywhere(PowerLoss::kSeeded, "as the seed decides", Scaled(10));
}

}  // namespace
}  // namespace tidemark::testing
