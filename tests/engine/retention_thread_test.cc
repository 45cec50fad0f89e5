// The retention worker on its thread: beside commits, interrupted by a close and by others.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/internal/packer.h"
#include "engine/internal/retention_worker.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

class RetentionThreadTest : public StoreFixture {
 protected:
  static constexpr uint32_t kPages = 40;

  void SetUp() override {
    sim_.options().background_work = BackgroundWork::kThreads;
    sim_.options().checkpoint_log_bytes = 256u << 10;
    // A scrub that looks twice has the worker wait, and that is what retention_error says then.
    sim_.options().scrub_interval = std::chrono::seconds(0);
  }

  // Object `name` as it is on that day.
  Result<CommitInfo> Write(const std::string& name, uint64_t day) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(day * 1000 + page);
    return Commit(object, pages);
  }
  ::testing::AssertionResult IsOf(const Result<Snapshot>& snapshot, uint64_t day) {
    if (!snapshot.ok()) return ::testing::AssertionFailure() << snapshot.status().ToString();
    for (uint32_t page = 1; page <= kPages; ++page) {
      const auto bytes = ReadPage(*snapshot, page);
      if (!bytes.ok()) return ::testing::AssertionFailure() << bytes.status().ToString();
      if (*bytes != RandomPage(day * 1000 + page)) {
        return ::testing::AssertionFailure() << "page " << page << " is not of day " << day;
      }
    }
    return ::testing::AssertionSuccess();
  }

  // Forty days of an object, and a run of the packer over them in the background, which is in a
  // pause of an hour.
  void PackWithPauses() {
    sim_.options().retention_share = 0;
    ASSERT_OK(sim_.Open());
    for (uint64_t day = 0; day < 40; ++day) {
      ASSERT_OK(Write("a", day));
      sim_.clock().Advance(days(1));
    }
    ASSERT_OK(sim_.store().Sync());
    ASSERT_OK(sim_.store().Prune());
    StartPacking();
  }
  void StartPacking() {
    packing_ = std::thread(
        [this] { packed_ = Packer().RunPaced(ReclaimWhat::kWhatPays, &pacer_).status(); });
    while (!pacer_.pausing()) std::this_thread::yield();
  }
  Status Packed() {
    packing_.join();
    return packed_;
  }
  internal::Packer& Packer() { return internal::StorePeer::Impl(sim_.store()).packer(); }

  internal::Pacer pacer_{Clock::System(), 1e-300};
  std::thread packing_;
  Status packed_;
};

// Goal: weeks of commits in a store of which nobody prunes anything stays small, and whole, and
// answers rightly all the while. Method: two threads write and look back, one lets the time pass.
TEST_F(RetentionThreadTest, BesideCommits) {
  ASSERT_OK(sim_.Open());
  std::atomic<int> working{2};
  std::vector<std::thread> threads;
  for (const std::string name : {"a", "b"}) {
    threads.emplace_back([&, name] {
      Random random(TestSeed() + static_cast<uint64_t>(name[0]));
      std::vector<CommitInfo> commits;
      const auto object = Open(name).value();
      uint64_t expired = 0;
      for (uint64_t day = 0; (day < 60 || expired == 0) && !HasFailure(); ++day) {
        if (day < 3000) {
          const auto commit = Write(name, day);
          ASSERT_OK(commit);
          commits.push_back(*commit);
        } else {
          std::this_thread::yield();  // enough to expire: what is missing is the worker's turn
        }
        for (int look = 0; look < 3; ++look) {
          const size_t at = random.Below(commits.size());
          const auto snapshot = object->OpenSnapshot(object->BookmarkOf(commits[at]));
          if (snapshot.status().code() == StatusCode::kExpired) {
            ++expired;
          } else {
            ASSERT_TRUE(IsOf(snapshot, at)) << "commit " << at << " of " << commits.size();
          }
        }
      }
      --working;
    });
  }
  while (working > 0 && !HasFailure()) {
    sim_.clock().Advance(hours(1));
    EXPECT_OK(sim_.store().Stats().retention_error);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  sim_.clock().Advance(days(31));
  while (!HasFailure() && sim_.store().Stats().background_reclaimed_bytes == 0) {
    sim_.clock().Advance(hours(1));
    std::this_thread::yield();
  }
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  ASSERT_OK(sim_.Close());
}

// Goal: however small its share of the time, packing keeps up: with the backlog full, it takes all
// of it. Method: with this share it would not pack one segment in a year.
TEST_F(RetentionThreadTest, KeepsUp) {
  sim_.options().retention_share = 1e-300;
  sim_.options().packing_backlog_bytes = 4u << 20;
  ASSERT_OK(sim_.Open());
  uint64_t day = 0;
  while (sim_.store().Stats().packed_bytes < (8u << 20) && !HasFailure()) {
    sim_.clock().Advance(std::chrono::seconds(1));
    EXPECT_OK(sim_.store().Stats().retention_error);
    if (sim_.store().Stats().waiting_bytes >= (8u << 20)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_OK(Write("a", day++));
    ASSERT_OK(sim_.store().Sync());
  }
  EXPECT_TRUE(IsOf(Open("a").value()->OpenSnapshot(), day - 1));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
  ASSERT_OK(sim_.Close());
}

// Goal: a close ends the worker in the middle of its work, and the store is whole. Method: it is in
// a pause of an hour when the store is closed: of a look, and of the packer.
TEST_F(RetentionThreadTest, ACloseEndsIt) {
  ASSERT_NO_FATAL_FAILURE(PackWithPauses());
  EXPECT_OK(sim_.store().Close());
  EXPECT_ERROR(Packed(), StatusCode::kBroken, "closed");
  EXPECT_OK(sim_.Close());
  sim_.options().retention_share = 1e-300;
  ASSERT_OK(sim_.Open());
  sim_.clock().Advance(minutes(1));
  const auto& worker = internal::StorePeer::Impl(sim_.store()).retention_worker();
  while (!worker.pacer().pausing()) std::this_thread::yield();
  EXPECT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(IsOf(Open("a").value()->OpenSnapshot(), 39));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: who asks for it has not to wait for the background's pauses.
TEST_F(RetentionThreadTest, GivesWay) {
  ASSERT_NO_FATAL_FAILURE(PackWithPauses());
  EXPECT_OK(sim_.store().Verify());
  EXPECT_ERROR(Packed(), StatusCode::kBusy, "afterwards");
  ASSERT_NO_FATAL_FAILURE(StartPacking());
  EXPECT_ERROR(Packer().RunPaced(ReclaimWhat::kWhatPays, &pacer_), StatusCode::kBusy, "");
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  EXPECT_ERROR(Packed(), StatusCode::kBusy, "afterwards");
  EXPECT_TRUE(IsOf(Open("a").value()->OpenSnapshot(), 39));
  ASSERT_OK(sim_.Close());
}

}  // namespace
}  // namespace tidemark::testing
