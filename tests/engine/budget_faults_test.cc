// The byte budget where something goes wrong: the clock, the power, bytes that rot.

#include <algorithm>
#include <atomic>

#include "tests/engine/budget_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::minutes;

class BudgetFaultsTest : public BudgetFixture {};

// Each look at it takes a second.
class RunningClock final : public Clock {
 public:
  explicit RunningClock(Timestamp start) : start_(start) {}
  Timestamp Now() const override { return start_ + std::chrono::seconds(++looks_); }
  std::chrono::microseconds Monotonic() const override { return std::chrono::seconds(looks_); }
  int64_t looks() const { return looks_; }

 private:
  const Timestamp start_;
  mutable std::atomic<int64_t> looks_{0};
};

// Goal: a clock in doubt stops a budget, too; and one that was wrong for a while costs nothing.
TEST_F(BudgetFaultsTest, AClockInDoubt) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 60));
  ASSERT_OK(sim_.store().SetBudget(4u << 20));
  const Timestamp good = sim_.clock().Now();
  sim_.clock().Set(good + days(400));
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "--confirm-clock");
  EXPECT_ERROR(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }),
               StatusCode::kPaused, "--confirm-clock");
  sim_.clock().Set(good);
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "--confirm-clock");
  EXPECT_EQ(Kept("a"), 60u);
  ASSERT_OK(sim_.store().ConfirmClock());
  ASSERT_OK(sim_.store().Prune());
  EXPECT_LT(Kept("a"), 40u);
  EXPECT_GT(Kept("a"), 15u);
}

// Goal: a Prune comes to its end though time goes on, which each moment lets a budget that is far
// too small have a little more. Method: a clock that counts how often it was read.
TEST_F(BudgetFaultsTest, TimeGoesOn) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 30));
  ASSERT_OK(sim_.store().SetBudget(10'000));
  ASSERT_OK(sim_.Close());
  const RunningClock clock(sim_.clock().Now());
  sim_.options().clock = &clock;
  ASSERT_OK(sim_.Open());
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(++seed_);
  for (int i = 0; i < 60; ++i) {
    pages[1] = RandomPage(++seed_);
    ASSERT_OK(Commit(Open("b" + std::to_string(i)).value(), pages));
    ASSERT_OK(sim_.store().Sync());
  }
  const int64_t before = clock.looks();
  ASSERT_OK(sim_.store().Prune());
  EXPECT_LT(clock.looks() - before, 200);
  EXPECT_GT(sim_.store().Stats().budget_horizon, Timestamp());
  ASSERT_OK(sim_.Close());
}

// Goal: wherever the power fails while a budget lets go of history and its space is given back,
// what has not expired by the horizon that the store says then is whole, and the next time it fits.
// Method: the same again and again, failing one operation later each time.
TEST_F(BudgetFaultsTest, PowerFailsAtEveryOperation) {
  constexpr uint64_t kBudget = 2u << 20;
  ASSERT_NO_FATAL_FAILURE(Days("a", 30));
  ASSERT_OK(sim_.store().SetBudget(kBudget));
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  const auto run = [](SimStore& sim) -> Status {
    TIDEMARK_RETURN_IF_ERROR(sim.store().Prune());
    return sim.Reclaim(ReclaimWhat::kWhatPays);
  };
  const auto check = [&](SimStore& sim) {
    const auto object = sim.store().OpenObject("rooms", "a", IfMissing::kFail).value();
    const Timestamp horizon = sim.store().Stats().budget_horizon;
    const auto& commits = commits_["a"];
    for (size_t i = 0; i < commits.size(); ++i) {
      const auto past = object->OpenSnapshot(commits[i].bookmark);
      if (i + 1 == commits.size() || commits[i + 1].time > horizon) {
        ASSERT_OK(past);
        EXPECT_OK(past->Verify());
      } else {
        EXPECT_EQ(past.status().code(), StatusCode::kExpired);
      }
    }
  };
  uint64_t crashes_with_horizon = 0;
  uint64_t crash_at = 1;
  for (bool crashed = true; crashed; ++crash_at) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    ASSERT_LT(crash_at, 2000u);
    SimStore sim(TestSeed() + crash_at, machine);
    sim.options().retention = sim_.options().retention;
    ASSERT_OK(sim.Open());
    sim.fs().CrashAt(crash_at);
    const Status status = run(sim);
    crashed = sim.fs().crashed();
    if (crashed) {
      sim.Crash(static_cast<PowerLoss>(crash_at % 3));
      ASSERT_OK(sim.Open());
      crashes_with_horizon += sim.store().Stats().budget_horizon > Timestamp();
    } else {
      ASSERT_OK(status);
    }
    ASSERT_NO_FATAL_FAILURE(check(sim));
    sim.fs().CrashAt(UINT64_MAX / 2);
    ASSERT_OK(run(sim));
    EXPECT_LE(sim.store().Stats().history_bytes, kBudget);
    ASSERT_NO_FATAL_FAILURE(check(sim));
    ASSERT_OK(sim.Close());
    if (HasFailure()) return;
  }
  EXPECT_GT(crash_at, 20u);
  EXPECT_GT(crashes_with_horizon, 10u);
}

// Goal: what is damaged cannot be given back, and nothing else goes for it. Method: a bit of a
// packed segment flips, and flips back.
TEST_F(BudgetFaultsTest, Damage) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 60));
  ASSERT_OK(sim_.store().Reclaim());
  ASSERT_OK(sim_.store().SetBudget(4u << 20));
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto files, sim_.fs().ListDirectory("store/log"));
  const auto packed = std::find_if(files.begin(), files.end(),
                                   [](const std::string& name) { return name.ends_with(".pack"); });
  ASSERT_NE(packed, files.end());
  sim_.fs().FlipBit("store/log/" + *packed, 300'000, 3);
  for (int minute = 0; minute < 60; ++minute) {
    sim_.clock().Advance(minutes(1));
    const Status status = sim_.store().RunRetention();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kCorruption) << status.ToString();
  }
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kCorruption, "segment");
  EXPECT_OK(sim_.store().Prune());
  EXPECT_EQ(sim_.store().Stats().budget_horizon, Timestamp());
  EXPECT_EQ(Kept("a"), 60u);
  sim_.fs().FlipBit("store/log/" + *packed, 300'000, 3);
  ASSERT_NO_FATAL_FAILURE(Pass(days(2), minutes(30)));
  EXPECT_LT(Kept("a"), 40u);
  EXPECT_LE(sim_.store().Stats().history_bytes, 4u << 20);
  ExpectWhole();
}

// Goal: where the record of the last licence is lost, what a budget may have let go of is refused,
// as far as it may have reached, and nothing more goes until the policy is set anew; the budget is
// to be set again then, too.
TEST_F(BudgetFaultsTest, ALostLicence) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 5));
  ASSERT_OK(sim_.store().SetBudget(1u << 30));
  ASSERT_OK(sim_.store().Prune());
  const Group group = GroupsOf(1).back();
  ASSERT_NO_FATAL_FAILURE(Rewrite("a"));
  sim_.Crash(PowerLoss::kNothing);
  sim_.fs().FlipBit(PathOf(1), group.offset + sizeof(format::GroupHeader) + 4, 2);
  std::filesystem::remove_all(sim_.options().index_directory);
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(Kept("a"), 2u);
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kCorruption, "and its budget");
  EXPECT_ERROR(sim_.store().SetBudget(1u << 30), StatusCode::kCorruption, "policy");
  ASSERT_OK(sim_.store().ClearRetention(RetentionScope()));
  EXPECT_EQ(sim_.store().Stats().budget_bytes, 0u);
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.store().SetBudget(1u << 30));
  EXPECT_EQ(sim_.store().Stats().budget_bytes, 1u << 30);
}

}  // namespace
}  // namespace tidemark::testing
