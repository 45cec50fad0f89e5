// The retention worker: history expires and its space comes back with no call from outside, and
// nothing else happens. Driven step by step; in retention_thread_test.cc by its own thread.

#include "engine/internal/retention_worker.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "engine/internal/head_room.h"
#include "engine/internal/packer.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class RetentionWorkerTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  internal::RetentionWorker::Report Report() {
    return internal::StorePeer::Impl(sim_.store()).retention_worker().report();
  }

  // Time passes, and each minute, or `step`, the worker gets its turn.
  void Pass(microseconds span, microseconds step = minutes(1)) {
    for (microseconds passed{0}; passed < span; passed += step) {
      sim_.clock().Advance(step);
      ASSERT_OK(sim_.store().RunRetention());
    }
  }

  // A commit of page 1 each day.
  std::vector<Bookmark> Days(const std::string& name, int count) {
    std::vector<Bookmark> bookmarks;
    for (int day = 0; day < count; ++day) {
      EXPECT_OK(Put(name, ++seed_));
      bookmarks.push_back(Open(name).value()->CurrentBookmark().value());
      sim_.clock().Advance(days(1));
    }
    return bookmarks;
  }

  // "x..": which of the bookmarks have expired.
  std::string Reached(const std::string& name, const std::vector<Bookmark>& bookmarks) {
    const auto object = Open(name, IfMissing::kDeleted);
    if (!object.ok()) return object.status().ToString();
    std::string text;
    for (const Bookmark& bookmark : bookmarks) {
      const auto commit = (*object)->Resolve(bookmark);
      EXPECT_TRUE(commit.ok() || commit.status().code() == StatusCode::kExpired)
          << commit.status().ToString();
      text += commit.ok() ? '.' : 'x';
    }
    return text;
  }

  // Commits that fill some segments, all pages anew each time; 40 days of them.
  void Fill(const std::string& name) {
    for (int day = 0; day < 40; ++day) {
      std::map<uint32_t, PageBytes> pages;
      for (uint32_t page = 1; page <= 40; ++page) pages[page] = RandomPage(++seed_);
      ASSERT_OK(Commit(Open(name).value(), pages));
      ASSERT_OK(sim_.store().Sync());
      sim_.clock().Advance(days(1));
    }
  }

  std::string Index() {
    std::ifstream in(sim_.options().index_directory + "/data.mdb", std::ios::binary);
    EXPECT_TRUE(in.good());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // The worker does not touch a file of the log, nor the index, while `span` passes.
  void ExpectRest(microseconds span, microseconds step) {
    const uint64_t operations = sim_.fs().operations();
    const Lsn last = sim_.store().Stats().last_lsn;
    const std::string index = Index();
    ASSERT_NO_FATAL_FAILURE(Pass(span, step));
    EXPECT_EQ(sim_.fs().operations(), operations);
    EXPECT_EQ(sim_.store().Stats().last_lsn, last);
    EXPECT_TRUE(Index() == index) << "the index was written";
  }

  void ExpectWhole() {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  }

  uint64_t seed_ = 0;
};

// Goal: what is older than its window goes within a day, what is not stays, and the space comes
// back. Method: an object is written over for 100 days; nothing is called but the worker.
TEST_F(RetentionWorkerTest, ExpiresAndReclaims) {
  std::vector<std::pair<Timestamp, Bookmark>> commits;
  uint64_t most = 0;
  for (int day = 0; day < 100; ++day) {
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t page = 1; page <= 40; ++page) pages[page] = RandomPage(++seed_);
    ASSERT_OK(Commit(Open("a").value(), pages));
    ASSERT_OK(sim_.store().Sync());
    commits.emplace_back(sim_.clock().Now(), Open("a").value()->CurrentBookmark().value());
    ASSERT_NO_FATAL_FAILURE(Pass(days(1), hours(1)));
    most = std::max(most, sim_.store().Stats().log_bytes);
    const Timestamp now = sim_.clock().Now();
    for (size_t i = 0; i + 1 < commits.size(); ++i) {
      // It goes when what replaced it is as old as the window.
      const auto age = now - commits[i + 1].first;
      const auto found = Open("a").value()->Resolve(commits[i].second);
      if (age < sim_.options().retention) {
        EXPECT_OK(found) << i;
      } else if (age > sim_.options().retention + hours(25)) {
        EXPECT_ERROR(found, StatusCode::kExpired, "") << i;
      }
    }
  }
  const StoreStats stats = sim_.store().Stats();
  EXPECT_OK(stats.retention_error);
  EXPECT_GE(stats.background_licences, 60u);
  EXPECT_LE(stats.background_licences, 70u) << "one a day will do";
  EXPECT_GT(stats.background_reclaimed_bytes, 60u * 40 * kPageSize / 2);
  // 32 days, what waste packing leaves, and the segment in use.
  EXPECT_LT(most, (32u * 40 * kPageSize * 13 / 10) + (2u << 20));
  ExpectWhole();
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_OK(Open("a").value()->OpenSnapshot(commits[75].second)->Verify());
}

// Goal: policies, holds, labels and snapshots keep what they keep, and what is let go of goes: by a
// changed policy and a released hold within two minutes, without a licence by a label's removal.
TEST_F(RetentionWorkerTest, WhatIsKeptStays) {
  const auto plain = Days("plain", 3);
  const auto held = Days("held", 3);
  const auto labelled = Days("labelled", 3);
  const auto read = Days("read", 3);
  const auto longer = Days("longer", 3);
  ASSERT_OK(Open("held").value()->SetHold("case 7"));
  ASSERT_OK(Open("labelled").value()->SetLabel("kept", labelled[0]));
  std::optional<Snapshot> snapshot = Open("read").value()->OpenSnapshot(read[0]).value();
  const RetentionScope scope(*Open("longer").value());
  ASSERT_OK(sim_.store().SetRetention(scope, {.window = days(100)}));
  ASSERT_NO_FATAL_FAILURE(Fill("filler"));
  ASSERT_NO_FATAL_FAILURE(Pass(days(32), hours(1)));
  EXPECT_GT(sim_.store().Stats().background_reclaimed_bytes, 0u);
  EXPECT_EQ(Reached("plain", plain), "xx.");
  EXPECT_EQ(Reached("held", held), "...");
  EXPECT_EQ(Reached("labelled", labelled), ".x.");
  EXPECT_EQ(Reached("longer", longer), "...");
  ASSERT_OK(snapshot->Verify());
  snapshot.reset();
  for (const Bookmark& bookmark : held) {
    EXPECT_OK(Open("held").value()->OpenSnapshot(bookmark)->Verify());
  }

  // Nobody lets go of anything: nothing happens.
  const uint64_t licences = Report().licences;
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(2), hours(1)));
  EXPECT_EQ(Report().licences, licences);
  ASSERT_OK(Open("held").value()->ReleaseHold());
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(Reached("held", held), "xx.");
  ASSERT_OK(sim_.store().SetRetention(scope, {.window = days(1)}));
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(Reached("longer", longer), "xx.");
  EXPECT_EQ(Report().licences, licences + 2);
  const uint64_t passes = Report().passes;
  ASSERT_OK(Open("labelled").value()->RemoveLabel("kept"));
  EXPECT_EQ(Reached("labelled", labelled), "xx.");
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(Report().passes, passes + 1);
  EXPECT_EQ(Report().licences, licences + 2);
  ExpectWhole();
}

// Goal: a store that nobody writes to comes to rest: then no file is written or synced, in a day
// nor in forty, and no object is asked. Method: count what the disk is asked for, and compare the
// index's bytes.
TEST_F(RetentionWorkerTest, AnIdleStoreWritesNothing) {
  ASSERT_NO_FATAL_FAILURE(Fill("filler"));
  for (int i = 0; i < 40; ++i) {
    ASSERT_OK(Put("a", ++seed_));
    sim_.clock().Advance(hours(7));
  }
  ASSERT_OK(Put("b", ++seed_));
  ASSERT_OK(Open("b").value()->Delete());
  ASSERT_OK(sim_.store().SetRetention(RetentionScope("rooms"),
                                      {.window = days(7), .hourly = days(10), .daily = days(20)}));
  ASSERT_NO_FATAL_FAILURE(Pass(days(70), hours(1)));
  EXPECT_GT(Report().licences, 0u);
  EXPECT_GT(Report().reclaimed_bytes, 0u);
  for (const char* const state : {"as it is", "reopened"}) {
    SCOPED_TRACE(state);
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(1), minutes(1)));
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(40), hours(1)));
    const uint64_t looks = Report().looks;
    ASSERT_NO_FATAL_FAILURE(ExpectRest(days(40), hours(1)));
    EXPECT_EQ(Report().looks, looks);
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(Pass(minutes(3)));  // once in each opening everything is read
  }

  // One more commit: what it replaced goes, when the last of the three windows is over.
  ASSERT_OK(Put("a", ++seed_));
  ASSERT_NO_FATAL_FAILURE(Pass(days(20) - hours(1), hours(1)));
  EXPECT_EQ(Report().licences, 0u);
  ASSERT_NO_FATAL_FAILURE(Pass(days(30), hours(1)));
  EXPECT_EQ(Report().licences, 1u);
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(40), hours(1)));
}

// Goal: with commits in every window, all of them labelled, no licence is written either: nothing
// would go by it.
TEST_F(RetentionWorkerTest, NoLicenceThatLetsNothingGo) {
  const auto commits = Days("a", 10);
  for (size_t i = 0; i < commits.size(); ++i) {
    ASSERT_OK(Open("a").value()->SetLabel("l" + std::to_string(i), commits[i]));
  }
  ASSERT_OK(Put("b", ++seed_));  // has one commit only
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(50), hours(1)));
  EXPECT_GT(Report().looks, 30u);
  EXPECT_EQ(sim_.store().Stats().horizon, Timestamp());
  ASSERT_OK(Open("a").value()->RemoveLabel("l4"));
  ASSERT_NO_FATAL_FAILURE(Pass(days(1), hours(1)));
  EXPECT_EQ(Report().licences, 1u);
  EXPECT_EQ(Reached("a", commits), "....x.....");
}

// Goal: what the log fills is packed before a minute has passed if so much of it waits, without a
// look at what was packed before; with the next pass the store comes to rest. Method: no time
// passes at all.
TEST_F(RetentionWorkerTest, TheLogIsPackedAsItGrows) {
  ASSERT_OK(sim_.Close());
  sim_.options().packing_backlog_bytes = 12u << 20;  // a quarter of it is three segments
  ASSERT_OK(sim_.Open());
  const auto fill = [&](uint64_t bytes) {
    const uint64_t begin = sim_.store().Stats().appended_bytes;
    while (sim_.store().Stats().appended_bytes < begin + bytes) {
      std::map<uint32_t, PageBytes> pages;
      for (uint32_t page = 1; page <= 40; ++page) pages[page] = RandomPage(++seed_);
      ASSERT_OK(Commit(Open("a").value(), pages));
      ASSERT_OK(sim_.store().Sync());
    }
  };
  ASSERT_NO_FATAL_FAILURE(fill(5u << 19));
  const uint64_t few = sim_.store().Stats().waiting_bytes;
  EXPECT_GT(few, 1u << 20);
  ASSERT_OK(sim_.store().RunRetention());
  EXPECT_EQ(sim_.store().Stats().waiting_bytes, few) << "it is not worth a pass of its own";
  uint64_t written = 0;
  for (uint64_t pass = 1; pass <= 4; ++pass) {
    ASSERT_NO_FATAL_FAILURE(fill(4u << 20));
    const uint64_t waiting = sim_.store().Stats().waiting_bytes;
    ASSERT_OK(sim_.store().RunRetention());
    const StoreStats stats = sim_.store().Stats();
    EXPECT_EQ(stats.waiting_bytes, 0u);
    EXPECT_EQ(Report().log_passes, pass);
    written += waiting;
    EXPECT_GE(stats.packed_bytes, written);
    EXPECT_LT(stats.packed_bytes, written + pass * (512u << 10)) << "each segment once";
    EXPECT_LT(stats.rewritten_bytes, written * 3 / 2) << "with little of what was packed before";
  }
  EXPECT_EQ(Report().passes, 0u);
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(Report().passes, 1u);
  EXPECT_EQ(sim_.store().Stats().waiting_bytes, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(1), minutes(1)));
  ExpectWhole();
}

// Goal: a log that may not be packed yet, for a large commit that has not ended, is tried once a
// second and not again and again, and nothing is written anew for it.
TEST_F(RetentionWorkerTest, ALargeCommitUnderWay) {
  ASSERT_NO_FATAL_FAILURE(Fill("a"));
  ASSERT_OK(sim_.store().Reclaim());
  ASSERT_OK(sim_.Close());
  sim_.options().packing_backlog_bytes = 4u << 20;
  sim_.options().transaction_memory_bytes = 256u << 10;
  ASSERT_OK(sim_.Open());
  const auto object = Open("b").value();
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.ResetPageSize(kPageSize));
  for (uint32_t page = 1; page <= 2000; ++page) {
    ASSERT_OK(transaction.WritePage(PageNo(page), RandomPage(++seed_)));
  }
  ASSERT_OK(sim_.store().Sync());
  const StoreStats before = sim_.store().Stats();
  EXPECT_GT(before.waiting_bytes, 4u << 20);
  ASSERT_OK(sim_.store().RunRetention());
  ASSERT_OK(sim_.store().RunRetention());
  EXPECT_EQ(Report().log_passes, 1u);
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(10)));
  EXPECT_LE(Report().log_passes, 12u);
  EXPECT_EQ(sim_.store().Stats().rewritten_bytes, before.rewritten_bytes);
  ASSERT_OK(transaction.Commit());
  ASSERT_OK(sim_.store().Sync());
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(sim_.store().Stats().waiting_bytes, 0u);
  ExpectWhole();
}

// Goal: a clock in doubt lets nothing expire, and has nothing written; put right again, or
// confirmed, it goes on.
TEST_F(RetentionWorkerTest, APausedClockStopsIt) {
  const auto commits = Days("a", 3);
  sim_.clock().Advance(days(28));
  const Timestamp good = sim_.clock().Now();
  sim_.clock().Set(good + days(400));
  const uint64_t operations = sim_.fs().operations();
  EXPECT_ERROR(sim_.store().RunRetention(), StatusCode::kPaused, "--confirm-clock");
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kPaused, FormatTime(good));
  EXPECT_EQ(sim_.fs().operations(), operations);
  EXPECT_EQ(Reached("a", commits), "...");
  sim_.clock().Set(good);
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(1)));
  EXPECT_OK(sim_.store().Stats().retention_error);
  EXPECT_EQ(Reached("a", commits), "x..");

  sim_.clock().Set(sim_.clock().Now() + days(400));
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "");
  sim_.clock().Set(good);
  sim_.clock().Advance(days(1));
  for (int i = 0; i < 100; ++i) {
    sim_.clock().Advance(minutes(30));
    const Status status = sim_.store().RunRetention();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kPaused) << status.ToString();
  }
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kPaused, "");
  EXPECT_EQ(Reached("a", commits), "x..");
  ASSERT_OK(sim_.store().ConfirmClock());
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_OK(sim_.store().Stats().retention_error);
  EXPECT_EQ(Reached("a", commits), "xx.");
}

// Goal: what fails is shown, breaks nothing, and is tried again after growing pauses until it
// works. Method: a disk that is full for a day.
TEST_F(RetentionWorkerTest, AFullDisk) {
  ASSERT_NO_FATAL_FAILURE(Fill("a"));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.Checkpoint());
  // With the room that is kept for packing it would go on (FullDiskTest).
  sim_.fs().SetCapacity(sim_.fs().UsedBytes() - internal::HeadRoom::kBytes);
  EXPECT_ERROR(sim_.store().RunRetention(), StatusCode::kFull, "");
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kFull, "");
  EXPECT_OK(Put("b", 1));
  EXPECT_TRUE(Holds("b", 1));
  EXPECT_OK(sim_.store().RunRetention()) << "it is not due";
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kFull, "");

  const uint64_t before = Report().passes;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    sim_.clock().Advance(minutes(1));
    const Status status = sim_.store().RunRetention();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kFull) << status.ToString();
  }
  EXPECT_GE(Report().passes - before, 8u);
  EXPECT_LE(Report().passes - before, 11u);
  EXPECT_EQ(Report().reclaimed_bytes, 0u);
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kFull, "");
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_NO_FATAL_FAILURE(Pass(days(1)));
  EXPECT_OK(sim_.store().Stats().retention_error);
  EXPECT_GT(Report().reclaimed_bytes, 0u);
  ExpectWhole();
}

// Goal: damage in the log is shown, and what it does not touch expires all the same; Verify goes
// first, and is no trouble for longer than it lasts.
TEST_F(RetentionWorkerTest, DamageAndOthersAtWork) {
  const auto commits = Days("b", 3);
  ASSERT_NO_FATAL_FAILURE(Fill("a"));
  {
    const auto files = internal::StorePeer::Impl(sim_.store()).packer().KeepFiles();
    EXPECT_ERROR(sim_.store().RunRetention(), StatusCode::kBusy, "verified");
    EXPECT_EQ(Reached("b", commits), "xx.") << "licences do not wait";
    EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kBusy, "verified");
  }
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(1)));
  EXPECT_OK(sim_.store().Stats().retention_error);
  EXPECT_GT(Report().reclaimed_bytes, 0u);

  ASSERT_NO_FATAL_FAILURE(Fill("a"));
  ASSERT_OK(sim_.Checkpoint());
  uint32_t first = 0;  // segment of the log that is not packed
  for (const auto& [number, header] :
       internal::StorePeer::Impl(sim_.store()).segments().Headers()) {
    if (first == 0) first = number;
  }
  char path[40];
  std::snprintf(path, sizeof(path), "store/log/%08u.seg", first);
  sim_.fs().FlipBit(path, 300'000, 3);
  EXPECT_ERROR(sim_.store().RunRetention(), StatusCode::kCorruption, "segment");
  EXPECT_ERROR(sim_.store().Stats().retention_error, StatusCode::kCorruption, "segment");
  EXPECT_EQ(Reached("b", commits), "xx.");
  EXPECT_OK(Put("b", 1));
  EXPECT_TRUE(Holds("b", 1));
  sim_.fs().FlipBit(path, 300'000, 3);
  const uint64_t reclaimed = Report().reclaimed_bytes;
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(1)));
  EXPECT_OK(sim_.store().Stats().retention_error);
  EXPECT_GT(Report().reclaimed_bytes, reclaimed);
  ExpectWhole();
}

// Goal: files are packed without anything expired, too, where that pays. Method: large transactions
// that are rolled back leave segments of which nothing is needed.
TEST_F(RetentionWorkerTest, PacksWithoutALicence) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_OK(Put("a", ++seed_));
    Transaction transaction(Open("a").value());
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.ResetPageSize(kPageSize));
    for (uint32_t page = 1; page <= 200; ++page) {
      ASSERT_OK(transaction.WritePage(PageNo(page), RandomPage(++seed_)));
    }
  }
  ASSERT_OK(sim_.store().Sync());
  const uint64_t seed = seed_ - 200;
  ASSERT_NO_FATAL_FAILURE(Pass(minutes(2)));
  EXPECT_EQ(Report().licences, 0u);
  EXPECT_GT(Report().reclaimed_bytes, 2u << 20);
  EXPECT_TRUE(Holds("a", seed));
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(20), hours(1)));
  ExpectWhole();
}

// Goal: with a share of 0 nothing happens by itself; a share that is none is refused.
TEST_F(RetentionWorkerTest, Share) {
  ASSERT_OK(sim_.Close());
  for (const double share : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    sim_.options().retention_share = share;
    EXPECT_ERROR(sim_.Open(), StatusCode::kInvalidArgument, "retention_share");
  }
  sim_.options().retention_share = 0;
  ASSERT_OK(sim_.Open());
  const auto commits = Days("a", 3);
  ASSERT_NO_FATAL_FAILURE(ExpectRest(days(100), hours(1)));
  EXPECT_EQ(Reached("a", commits), "...");
  EXPECT_EQ(Report().looks, 0u);
}

}  // namespace
}  // namespace tidemark::testing
