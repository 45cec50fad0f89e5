// The byte budget: history goes before its time where it takes too much, and nothing else happens.

#include "tests/engine/budget_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

class BudgetTest : public BudgetFixture {};

// Goal: under load history stays within the budget, and the store within that and the log's own
// segments; what is kept is the newest, and most of what fits. Method: 100 days of an object that
// is written over each day, which with its history would take three times as much.
TEST_F(BudgetTest, UnderLoad) {
  constexpr uint64_t kBudget = 6u << 20;
  ASSERT_OK(sim_.store().SetBudget(kBudget));
  Timestamp horizon;
  for (int day = 0; day < 100; ++day) {
    ASSERT_NO_FATAL_FAILURE(Rewrite("a"));
    ASSERT_NO_FATAL_FAILURE(Pass(days(1), hours(1)));
    const StoreStats stats = sim_.store().Stats();
    EXPECT_OK(stats.retention_error);
    EXPECT_LE(stats.history_bytes, kBudget + (1u << 20)) << day;
    // The segment that is written, the next one, and one that waits.
    EXPECT_LE(stats.log_file_bytes, kBudget + (4u << 20)) << day;
    EXPECT_GE(stats.budget_horizon, horizon) << "it went back";
    EXPECT_LE(stats.budget_horizon, sim_.clock().Now() - hours(1));
    horizon = stats.budget_horizon;
    // Packing leaves what is a quarter waste at most, and the log is not counted.
    if (day > 50) {
      EXPECT_GE(Kept("a") * kDayBytes, kBudget / 2) << day;
    }
    if (HasFailure()) return;
  }
  const StoreStats stats = sim_.store().Stats();
  EXPECT_EQ(stats.budget_bytes, kBudget);
  EXPECT_FALSE(stats.budget_is_unmet);
  EXPECT_GT(stats.background_licences, 5u);
  ExpectWhole();
  const size_t kept = Kept("a");
  RebuiltAndReopened([&] {
    EXPECT_EQ(Kept("a"), kept);
    EXPECT_EQ(sim_.store().Stats().budget_horizon, horizon);
    EXPECT_EQ(sim_.store().Stats().budget_bytes, kBudget);
    EXPECT_OK(Open("a").value()->OpenSnapshot()->Verify());
  });
}

// Goal: what is held, labelled, read or younger than an hour stays; all else that is older than
// the horizon goes, whatever its policy says.
TEST_F(BudgetTest, WhatIsKeptStays) {
  for (const char* const name : {"held", "labelled", "read", "longer"}) {
    ASSERT_NO_FATAL_FAILURE(Days(name, 3));
  }
  ASSERT_OK(Open("held").value()->SetHold("case 7"));
  ASSERT_OK(Open("labelled").value()->SetLabel("kept", commits_["labelled"][0].bookmark));
  std::optional<Snapshot> snapshot =
      Open("read").value()->OpenSnapshot(commits_["read"][0].bookmark).value();
  ASSERT_OK(
      sim_.store().SetRetention(RetentionScope(*Open("longer").value()), {.window = days(3000)}));
  ASSERT_NO_FATAL_FAILURE(Days("plain", 60));
  ASSERT_OK(sim_.store().SetBudget(3u << 20));
  ASSERT_NO_FATAL_FAILURE(Pass(days(1), minutes(10)));
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(Rewrite("plain"));
    sim_.clock().Advance(minutes(10));
    ASSERT_OK(sim_.store().RunRetention());
  }
  EXPECT_GE(Kept("plain"), 3u);
  EXPECT_LT(Kept("plain"), 25u);
  EXPECT_EQ(Kept("held"), 3u);
  EXPECT_EQ(Kept("longer"), 1u);
  EXPECT_OK(Open("labelled").value()->OpenSnapshot(commits_["labelled"][0].bookmark)->Verify());
  EXPECT_ERROR(Open("labelled").value()->Resolve(commits_["labelled"][1].bookmark),
               StatusCode::kExpired, "");
  EXPECT_OK(snapshot->Verify());
  for (const Made& commit : commits_["held"]) {
    EXPECT_OK(Open("held").value()->OpenSnapshot(commit.bookmark)->Verify());
  }
  ExpectWhole();
  // Released it goes with the rest, with the next licence; without a budget it goes by its policy.
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(*Open("held").value()), {.window = days(1)}));
  ASSERT_OK(sim_.store().SetBudget(std::nullopt));
  ASSERT_OK(
      sim_.store().SetRetention(RetentionScope(*Open("held").value()), {.window = days(3000)}));
  ASSERT_OK(Open("held").value()->ReleaseHold());
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Kept("held"), 3u) << "no budget has concerned it";
  ASSERT_OK(sim_.store().SetBudget(2u << 20));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Kept("held"), 1u);
}

// Goal: a budget that cannot be met lets go of all but the present and the last hour, says so, and
// then the store comes to rest; also when it is opened anew.
TEST_F(BudgetTest, OneThatCannotBeMet) {
  ASSERT_NO_FATAL_FAILURE(Days("held", 12));
  ASSERT_OK(Open("held").value()->SetHold("law"));
  ASSERT_NO_FATAL_FAILURE(Days("a", 30));
  ASSERT_OK(sim_.store().SetBudget(100'000));
  ASSERT_NO_FATAL_FAILURE(Pass(days(70), hours(1)));
  EXPECT_LE(Kept("a"), 8u) << "what is not packed is not counted";
  EXPECT_EQ(Kept("held"), 12u);
  for (const char* const state : {"as it is", "reopened"}) {
    SCOPED_TRACE(state);
    EXPECT_TRUE(sim_.store().Stats().budget_is_unmet);
    EXPECT_OK(sim_.store().Stats().retention_error);
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(1), minutes(1)));
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(100), hours(1)));
    ASSERT_NO_FATAL_FAILURE(Pass(days(8000), days(1)));  // no window has anything more
    const uint64_t looks = Report().looks;
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(40), hours(1)));
    EXPECT_EQ(Report().looks, looks) << "it has nothing to look for";
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(Pass(minutes(5), minutes(1)));
  }
  EXPECT_TRUE(sim_.store().Stats().budget_is_unmet);
  ASSERT_OK(Open("held").value()->ReleaseHold());
  ASSERT_NO_FATAL_FAILURE(Pass(days(1), minutes(10)));
  EXPECT_EQ(Kept("held"), 1u);
  ExpectWhole();
}

// Goal: a store that lies still with a budget that is met writes nothing.
TEST_F(BudgetTest, AnIdleStoreWritesNothing) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 60));
  ASSERT_OK(sim_.store().SetBudget(4u << 20));
  ASSERT_NO_FATAL_FAILURE(Pass(days(3), hours(1)));
  const size_t kept = Kept("a");
  EXPECT_LE(sim_.store().Stats().history_bytes, 4u << 20);
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(100), hours(1)));
  EXPECT_EQ(Kept("a"), kept);
  EXPECT_GT(kept, 10u);
}

// Goal: Prune lets go of what PlanPrune said, at once, and of no more when it is called again;
// after a Reclaim history fits.
TEST_F(BudgetTest, PruneTakesWhatItPlanned) {
  ASSERT_NO_FATAL_FAILURE(Days("a", 60));
  ASSERT_OK(sim_.store().SetBudget(4u << 20));
  uint64_t commits = 0;
  uint64_t freed = 0;
  const auto plan = [&](const ExpiringObject& object) {
    commits += object.commits;
    return true;
  };
  ASSERT_OK(sim_.store().PlanPrune(plan, &freed));
  EXPECT_EQ(Kept("a"), 60u);
  EXPECT_GT(commits, 20u);
  EXPECT_LT(commits, 45u);
  EXPECT_GT(freed, 20 * kDayBytes);
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Kept("a"), 60 - commits);
  const Timestamp horizon = sim_.store().Stats().budget_horizon;
  for (int again = 0; again < 5; ++again) ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(sim_.store().Stats().budget_horizon, horizon);
  ASSERT_OK(sim_.store().Reclaim());
  EXPECT_LE(sim_.store().Stats().history_bytes, 4u << 20);
  EXPECT_GT(sim_.store().Stats().history_bytes, 2u << 20);
  for (int again = 0; again < 5; ++again) ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(sim_.store().Stats().budget_horizon, horizon);
  ASSERT_NO_FATAL_FAILURE(Pass(days(2), hours(1)));
  EXPECT_EQ(sim_.store().Stats().budget_horizon, horizon) << "the background agrees";
  ExpectWhole();
}

// Goal: horizons never move back, whatever is done to the budget; and a policy's stages keep what
// they kept of what a budget left: the ends of days.
TEST_F(BudgetTest, WithStages) {
  ASSERT_OK(Put("b", 1));
  ASSERT_OK(sim_.store().SetRetention(RetentionScope("rooms"),
                                      {.window = days(2), .hourly = days(4), .daily = days(3650)}));
  for (int day = 0; day < 60; ++day) {
    ASSERT_NO_FATAL_FAILURE(Rewrite("a"));
    sim_.clock().Advance(hours(5));
    ASSERT_NO_FATAL_FAILURE(Rewrite("a"));
    ASSERT_NO_FATAL_FAILURE(Pass(hours(19), hours(1)));
  }
  ASSERT_OK(sim_.store().SetBudget(4u << 20));
  ASSERT_NO_FATAL_FAILURE(Pass(days(1), minutes(10)));
  ASSERT_OK_AND_ASSIGN(const RetentionInfo info, Open("a").value()->GetRetention());
  const Timestamp horizon = sim_.store().Stats().budget_horizon;
  EXPECT_GT(horizon, Timestamp());
  EXPECT_EQ(info.daily_horizon, horizon);
  EXPECT_LT(info.daily_horizon, info.horizon);
  EXPECT_EQ(std::chrono::floor<days>(horizon + microseconds(1)), horizon + microseconds(1));
  EXPECT_EQ(info.budget_bytes, 4u << 20);
  // Of each day behind it the last commit is there, and the one that was current at it.
  const auto& commits = commits_["a"];
  size_t ends = 0;
  for (size_t i = 1; i < commits.size(); i += 2) {
    const bool behind = i + 2 >= commits.size() || commits[i + 2].time > horizon;
    EXPECT_EQ(Open("a").value()->Resolve(commits[i].bookmark).ok(), behind) << i;
    ends += behind;
  }
  EXPECT_GT(ends, 10u);
  ASSERT_OK(sim_.store().SetBudget(std::nullopt));
  ASSERT_OK(sim_.store().SetRetention(RetentionScope("rooms"), {.window = days(3650)}));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const RetentionInfo later, Open("a").value()->GetRetention());
  EXPECT_EQ(later.horizon, info.horizon);
  EXPECT_EQ(later.daily_horizon, info.daily_horizon);
  EXPECT_EQ(later.budget_bytes, std::nullopt);
}

// Goal: it is the store's, beside its policy: neither changes the other; and 0 is refused.
TEST_F(BudgetTest, BesideThePolicy) {
  ASSERT_OK(Put("a", 1));
  const auto info = [&] { return sim_.store().GetRetention(RetentionScope()).value(); };
  EXPECT_ERROR(sim_.store().SetBudget(0), StatusCode::kInvalidArgument, "0 bytes");
  ASSERT_OK(sim_.store().SetBudget(5u << 20));
  RebuiltAndReopened([&] {
    EXPECT_EQ(info().source, PolicySource::kOptions);
    EXPECT_EQ(info().policy.window, days(3650));
    EXPECT_EQ(info().budget_bytes, 5u << 20);
  });
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(), {.window = days(7)}));
  EXPECT_EQ(info().budget_bytes, 5u << 20);
  ASSERT_OK(sim_.store().SetBudget(6u << 20));
  ASSERT_OK_AND_ASSIGN(const auto entries, sim_.store().ListRetention());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].policy, (RetentionPolicy{.window = days(7)}));
  EXPECT_EQ(entries[0].budget_bytes, 6u << 20);
  ASSERT_OK(sim_.store().ClearRetention(RetentionScope()));
  EXPECT_EQ(info().budget_bytes, 6u << 20);
  EXPECT_EQ(info().source, PolicySource::kOptions);
  ASSERT_OK(sim_.store().SetBudget(std::nullopt));
  EXPECT_EQ(info().budget_bytes, std::nullopt);
  EXPECT_EQ(sim_.store().ListRetention()->size(), 0u);
}

}  // namespace
}  // namespace tidemark::testing
