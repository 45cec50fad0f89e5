// Failures of systems like this one that have been published, where no other test is about just
// that. tests/README.md lists all of them, and what shows that they do not happen here.

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

class WhatBrokeOthersTest : public StoreFixture {};

// Goal: a commit keeps its time whatever packing does, and a time means the same commit before and
// after: at a commit's microsecond, one before it, and between. Method: commits at odd times,
// packed again and again, with some of them expired, and the index made anew.
TEST_F(WhatBrokeOthersTest, CompactionThatRewritesTimes) {
  ASSERT_OK(sim_.Open());
  Random random(TestSeed());
  std::vector<CommitInfo> commits;
  for (uint64_t i = 0; i < 1500; ++i) {
    sim_.clock().Advance(microseconds(1 + random.Below(random.OneIn(2) ? 3 : 4'000'000'000)));
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit,
                         Commit(Open("a").value(), {{1, RandomPage(i, 512)}}, 512));
    ASSERT_OK(sim_.store().Sync());
    commits.push_back(commit);
  }
  size_t kept = 0;  // the first that has not expired
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    if (round == 1) {
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
    }
    if (round == 2) {
      // A tenth of them go, with what was current when the window begins.
      const Timestamp horizon = commits[commits.size() / 10].time;
      const auto window = sim_.clock().Now() - horizon;
      ASSERT_OK(sim_.store().SetRetention(RetentionScope(),
                                          {.window = std::chrono::floor<seconds>(window)}));
      ASSERT_OK(sim_.store().Prune());
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
      while (Open("a").value()->Resolve(commits[kept].time).status().code() ==
             StatusCode::kExpired) {
        ++kept;
      }
      ASSERT_GT(kept, 100u);
      ASSERT_LT(kept, 200u);
    }
    if (round == 3) {
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
      ASSERT_OK(sim_.Close());
      std::filesystem::remove_all(sim_.options().index_directory);
      ASSERT_OK(sim_.Open());
    }
    const auto object = Open("a").value();
    for (size_t i = kept; i < commits.size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const CommitInfo named, object->Resolve(object->BookmarkOf(commits[i])));
      ASSERT_EQ(named, commits[i]);
      ASSERT_OK_AND_ASSIGN(const CommitInfo then, object->Resolve(commits[i].time));
      ASSERT_EQ(then, commits[i]);
      if (i == kept) continue;
      ASSERT_OK_AND_ASSIGN(const CommitInfo before,
                           object->Resolve(commits[i].time - microseconds(1)));
      ASSERT_EQ(before, commits[i - 1]);
    }
    size_t at = commits.size();
    ASSERT_OK(object->History([&](const CommitInfo& commit) {
      EXPECT_EQ(commit, commits[--at]);
      return !HasFailure();
    }));
    EXPECT_EQ(at, kept);
  }
}

// Goal: what a fork, a restore or a snapshot was given stays whole, whatever expires and is packed
// the moment after; else it is refused as expired. Method: threads that fork, restore and open
// snapshots of commits that are about to expire, while all that may is let go of and packed.
TEST_F(WhatBrokeOthersTest, GarbageCollectionRacingForksRestoresAndReaders) {
  sim_.options().background_work = BackgroundWork::kThreads;
  sim_.options().retention_share = 0;
  sim_.options().retention = seconds(0);
  sim_.options().checkpoint_log_bytes = 32u << 10;
  ASSERT_OK(sim_.Open());
  constexpr uint32_t kPages = 6;
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(page, 1024);
  const auto object = Open("a").value();
  ASSERT_OK(Commit(object, pages, 1024));
  ASSERT_OK(sim_.store().Sync());

  std::atomic<bool> done{false};
  std::atomic<uint64_t> forks{0}, restores{0}, snapshots{0};
  // Writers go on while a packing is under way, but not for ever: it would never catch up.
  std::atomic<uint64_t> round{1};
  const auto has_turn = [&](uint64_t turns, uint64_t in_a_round) {
    while (!done && turns >= round * in_a_round) std::this_thread::yield();
    return !done && !HasFailure();
  };
  // True if it was done; else it has expired.
  const auto is_done = [&](const Status& status) {
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kExpired) << status.ToString();
    return status.ok();
  };
  std::vector<std::thread> threads;
  threads.emplace_back([&] {  // writes and restores
    Random random(TestSeed());
    for (uint64_t i = 0; has_turn(i, 100); ++i) {
      if (random.OneIn(100)) {  // each is a timeline that reads pass through
        const Bookmark before = object->CurrentBookmark().value();
        ASSERT_OK(Commit(object, {{1, RandomPage(i, 1024)}}, 1024));
        restores += is_done(object->Restore(before).status());
        continue;
      }
      PageBytes& page = pages[1 + static_cast<uint32_t>(random.Below(kPages))];
      page[random.Below(1024)] = static_cast<std::byte>(i);
      ASSERT_OK(Commit(object, {{1 + static_cast<uint32_t>(i) % kPages, page}}, 1024));
    }
  });
  threads.emplace_back([&] {  // reads, and goes on reading what has expired meanwhile
    std::vector<Snapshot> open;
    while (!done && !HasFailure()) {
      const Bookmark point = object->CurrentBookmark().value();
      std::this_thread::yield();
      auto snapshot = object->OpenSnapshot(point);
      if (!is_done(snapshot.status())) continue;
      ++snapshots;
      open.push_back(std::move(*snapshot));
      for (const Snapshot& each : open) ASSERT_OK(each.Verify());
      if (open.size() > 5) open.erase(open.begin());
    }
  });
  threads.emplace_back([&] {  // forks, and looks at all of its forks
    std::vector<std::shared_ptr<Object>> made;
    for (uint64_t i = 0; has_turn(i, 2); ++i) {
      const Bookmark point = object->CurrentBookmark().value();
      std::this_thread::yield();
      const auto fork = sim_.store().Fork(*object, point, "rooms", "fork-" + std::to_string(i));
      if (is_done(fork.status())) made.push_back(*fork);
      forks = made.size();
      for (const auto& each : made) {
        ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, each->OpenSnapshot());
        ASSERT_OK(snapshot.Verify());
      }
      if (made.size() > 8) {
        ASSERT_OK(made.front()->Delete());
        made.erase(made.begin());
      }
    }
  });
  const auto enough = [&] { return forks > 0 && restores > 0 && snapshots > 0; };
  for (; (round < Scaled(60) || !enough()) && !HasFailure(); ++round) {
    sim_.clock().Advance(seconds(1));
    EXPECT_OK(sim_.store().Prune());
    EXPECT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  ASSERT_OK(sim_.Close());
}

// Goal: a store that was closed opens with the same little reading, however large it is: some
// blocks of each of its files. Method: count the bytes that are read.
TEST_F(WhatBrokeOthersTest, OpeningThatGrowsWithTheDatabase) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  for (const uint32_t commits : {1u, 300u, 1500u}) {
    for (const bool packed : {false, true}) {
      SCOPED_TRACE(::testing::Message() << commits << " commits, packed " << packed);
      for (uint32_t i = 0; i < commits; ++i) ASSERT_OK(Put("a" + std::to_string(i % 50), i));
      if (packed) {
        ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
      }
      ASSERT_OK(sim_.Close());
      const uint64_t before = sim_.fs().read_bytes();
      ASSERT_OK(sim_.Open());
      const StoreStats stats = sim_.store().Stats();
      EXPECT_LT(sim_.fs().read_bytes() - before,
                (4u << 20) + (8u << 10) + stats.segment_count * 1024);
    }
  }
  EXPECT_GT(sim_.store().Stats().log_bytes, 10u << 20);
}

// Goal: a commit's number never comes again: not after a restore, nor after a crash that took
// commits, nor after both. Method: the numbers of all of them.
TEST_F(WhatBrokeOthersTest, CommitNumbersReusedAfterARestore) {
  ASSERT_OK(sim_.Open());
  Lsn last;
  std::optional<Bookmark> first;
  const auto rises = [&](const Result<CommitInfo>& commit) {
    ASSERT_OK(commit);
    EXPECT_GT(commit->lsn, last);
    last = commit->lsn;
  };
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    const auto object = Open("a").value();
    rises(Put("a", static_cast<uint64_t>(round)));
    if (!first) first = object->CurrentBookmark().value();
    ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, object->Restore(*first));
    rises(restored.result);
    rises(Commit(object, {{1, RandomPage(1000)}}));  // which the crash takes, or not
    if (round % 2 == 0) {
      sim_.Crash(round % 4 == 0 ? PowerLoss::kAll : PowerLoss::kSeeded);
    } else {
      ASSERT_OK(sim_.Close());
    }
    if (round % 3 == 0) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
  }
}

}  // namespace
}  // namespace tidemark::testing
