// The byte budget: history goes before its time where it takes too much, and nothing else happens.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/internal/packer.h"
#include "engine/internal/retention_worker.h"
#include "tests/engine/log_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint32_t kPages = 40;
constexpr uint64_t kDayBytes = uint64_t{kPages} * kPageSize;  // what Day() adds to history

class BudgetTest : public LogFixture {
 protected:
  struct Made {
    Timestamp time;
    Bookmark bookmark;
  };

  void SetUp() override {
    sim_.options().retention = days(3650);
    ASSERT_OK(sim_.Open());
  }

  internal::RetentionWorker::Report Report() {
    return internal::StorePeer::Impl(sim_.store()).retention_worker().report();
  }

  void Pass(microseconds span, microseconds step) {
    for (microseconds passed{0}; passed < span; passed += step) {
      sim_.clock().Advance(step);
      ASSERT_OK(sim_.store().RunRetention());
    }
  }

  // All pages of the object anew.
  void Rewrite(const std::string& name) {
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(++seed_);
    ASSERT_OK(Commit(Open(name).value(), pages));
    ASSERT_OK(sim_.store().Sync());
    commits_[name].push_back({sim_.clock().Now(), Open(name).value()->CurrentBookmark().value()});
  }

  // So many days with one such commit each; nobody lets anything go.
  void Days(const std::string& name, int count) {
    for (int day = 0; day < count; ++day) {
      ASSERT_NO_FATAL_FAILURE(Rewrite(name));
      sim_.clock().Advance(days(1));
    }
  }

  // How many of the latest commits are there, and that none is there before them.
  size_t Kept(const std::string& name) {
    const auto object = Open(name).value();
    size_t kept = 0;
    bool gone = false;
    const auto& commits = commits_[name];
    for (auto it = commits.rbegin(); it != commits.rend(); ++it) {
      const auto found = object->Resolve(it->bookmark);
      if (!found.ok()) {
        EXPECT_EQ(found.status().code(), StatusCode::kExpired) << found.status().ToString();
      }
      EXPECT_FALSE(gone && found.ok());
      gone |= !found.ok();
      kept += found.ok();
    }
    return kept;
  }

  std::string Index() {
    std::ifstream in(sim_.options().index_directory + "/data.mdb", std::ios::binary);
    EXPECT_TRUE(in.good());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Opens the store twice, with its index made anew from the log and as that left it.
  void RebuiltAndReopened(const std::function<void()>& check) {
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_NO_FATAL_FAILURE(ByLogAndByIndex(check));
    ASSERT_OK(sim_.Open());
  }

  // The worker does not touch a file of the log, nor the index, while `span` passes.
  void ExpectRest(microseconds span, microseconds step) {
    const uint64_t operations = sim_.fs().operations();
    const std::string index = Index();
    ASSERT_NO_FATAL_FAILURE(Pass(span, step));
    EXPECT_EQ(sim_.fs().operations(), operations);
    EXPECT_TRUE(Index() == index) << "the index was written";
  }

  void ExpectWhole() {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  }

  std::map<std::string, std::vector<Made>> commits_;
  uint64_t seed_ = 0;
};

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

// Goal: a clock in doubt stops a budget, too; and one that was wrong for a while costs nothing.
TEST_F(BudgetTest, AClockInDoubt) {
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

// Goal: where the record of the last licence is lost, what a budget may have let go of is refused,
// as far as it may have reached, and nothing more goes until the policy is set anew; the budget is
// to be set again then, too.
TEST_F(BudgetTest, ALostLicence) {
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
