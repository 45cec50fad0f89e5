// Packing: segments written anew, and everything still where it was.

#include <atomic>
#include <filesystem>
#include <thread>

#include "engine/format.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {
namespace {

class PackingTest : public StoreFixture {
 protected:
  void ExpectWhole(const char* when) {
    SCOPED_TRACE(when);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) {
      ADD_FAILURE() << damage.object << ": " << damage.message << " (segment " << damage.segment
                    << ", offset " << damage.offset << ")";
    }
  }

  // Random work until the log has so many more segments.
  void Work(StoreModel& model, uint32_t segments) {
    const auto until = sim_.store().Stats().segment_count + segments;
    for (int i = 0; sim_.store().Stats().segment_count < until; ++i) {
      sim_.clock().Advance(std::chrono::seconds(1));
      ASSERT_OK(model.Transact(sim_.store(), 20));
      if (i % 40 == 0) {
        ASSERT_OK(model.TransactLarge(sim_.store(), 60, StoreModel::Ending::kCommit));
      }
      if (i % 55 == 0) {
        ASSERT_OK(model.TransactLarge(sim_.store(), 60, StoreModel::Ending::kRollback));
      }
      if (i % 30 == 0) {
        ASSERT_OK(model.Restore(sim_.store()));
      }
      if (i % 50 == 0) {
        ASSERT_OK(model.Fork(sim_.store()));
      }
      if (i % 10 == 0) {
        ASSERT_OK(model.ChangeLabel(sim_.store()));
      }
      if (i % 70 == 0) {
        ASSERT_OK(model.Delete(sim_.store()));
      }
      if (i % 20 == 0) {
        ASSERT_OK(model.Sync(sim_.store()));
      }
    }
    ASSERT_OK(model.Sync(sim_.store()));
  }
};

// Goal: while nothing has expired packing changes no answer: not of the open store, nor after a
// reopening, nor with the index made anew from what was packed, nor when what was packed is packed
// again. Method: random work over several segments, and the model.
TEST_F(PackingTest, NothingIsLost) {
  sim_.options().transaction_memory_bytes = 32u << 10;
  StoreModel model(TestSeed(), {.objects = 4, .pages = 100});
  ASSERT_OK(sim_.Open());
  for (int round = 1; round <= 3; ++round) {
    SCOPED_TRACE(round);
    ASSERT_NO_FATAL_FAILURE(Work(model, 3));
    model.HoldSnapshot(sim_.store());
    ASSERT_OK_AND_ASSIGN(const ReclaimReport report,
                         sim_.store().Reclaim(ReclaimWhat::kEverything));
    EXPECT_GT(report.files, 0u);
    model.CheckHeld();
    model.DropHeld();
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole("packed"));
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole("made anew"));
  }
}

// Goal: packing goes on beside commits, reads of the present and the past, checkpoints and
// verifying, and none of them sees it. Method: threads that write, and look at what they wrote, and
// one that verifies, while everything that can be packed is packed again and again.
TEST_F(PackingTest, BesideAllElse) {
  sim_.options().background_work = BackgroundWork::kThreads;
  sim_.options().checkpoint_log_bytes = 64u << 10;
  ASSERT_OK(sim_.Open());
  constexpr uint32_t kPages = 20;
  const auto seed_of = [](int writer, uint64_t round, uint32_t page) {
    return static_cast<uint64_t>(writer) * 1'000'000 + (round - (round + page) % 4) * 100 + page;
  };
  std::atomic<int> working{2};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      Random random(TestSeed() * 10 + static_cast<uint64_t>(writer));
      std::vector<CommitInfo> commits;
      const auto object = Open("object-" + std::to_string(writer)).value();
      for (uint64_t round = 4; round < 124 && !HasFailure(); ++round) {
        std::map<uint32_t, PageBytes> pages;
        for (uint32_t page = 1; page <= kPages; ++page) {
          if (round == 4 || (round + page) % 4 == 0) {
            pages[page] = RandomPage(seed_of(writer, round, page));
          }
        }
        const auto commit = Commit(object, pages);
        ASSERT_OK(commit);
        commits.push_back(*commit);
        for (int look = 0; look < 5; ++look) {
          const size_t at = random.Below(commits.size());
          const auto snapshot = object->OpenSnapshot(object->BookmarkOf(commits[at]));
          ASSERT_OK(snapshot);
          const auto page = static_cast<uint32_t>(random.Between(1, kPages));
          const auto found = ReadPage(*snapshot, page);
          ASSERT_OK(found);
          ASSERT_TRUE(*found == RandomPage(seed_of(writer, at + 4, page)))
              << "commit " << at << ", page " << page;
        }
      }
      --working;
    });
  }
  threads.emplace_back([&] {
    while (working > 0 && !HasFailure()) {
      ExpectWhole("meanwhile");
      std::this_thread::yield();
    }
  });
  uint64_t files = 0;
  while (working > 0 && !HasFailure()) {
    const auto report = sim_.store().Reclaim(ReclaimWhat::kEverything);
    if (report.status().code() == StatusCode::kBusy) continue;
    EXPECT_OK(report);
    files += report.ok() ? report->files : 0;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(files, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("at the end"));
  ASSERT_OK(sim_.Close());
}

// Goal: what expires while it is being packed is missed by nobody who looked for it just before.
// Method: nothing is kept but the present, which a thread goes on writing, a few bytes a commit,
// and another reads, while everything is let go of and packed again and again.
TEST_F(PackingTest, BesideReadersOfWhatExpires) {
  sim_.options().background_work = BackgroundWork::kThreads;
  sim_.options().retention_share = 0;
  sim_.options().retention = std::chrono::seconds(0);
  sim_.options().checkpoint_log_bytes = 8u << 10;
  ASSERT_OK(sim_.Open());
  constexpr uint32_t kPages = 4;
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(page);
  const auto object = Open("a").value();
  ASSERT_OK(Commit(object, pages));
  ASSERT_OK(sim_.store().Sync());
  std::atomic<bool> done{false};
  std::atomic<uint64_t> round{1};
  std::thread writer([&] {
    for (uint32_t i = 1; !done && !HasFailure(); ++i) {
      // It goes on while a packing is under way, but not for ever: that would never catch up.
      while (!done && i > round * 200) std::this_thread::yield();
      for (auto& [number, page] : pages) page[100 + i % 7] = static_cast<std::byte>(i);
      ASSERT_OK(Commit(object, {*pages.find(1 + i % kPages)}));
    }
  });
  std::thread reader([&] {
    while (!done && !HasFailure()) {
      const auto snapshot = object->OpenSnapshot();
      ASSERT_OK(snapshot);
      for (uint32_t page = 1; page <= kPages; ++page) ASSERT_OK(ReadPage(*snapshot, page));
    }
  });
  for (; round < Scaled(100) && !HasFailure(); ++round) {
    sim_.clock().Advance(std::chrono::seconds(1));
    EXPECT_OK(sim_.store().Prune());
    EXPECT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  }
  done = true;
  writer.join();
  reader.join();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("at the end"));
  ASSERT_OK(sim_.Close());
}

// Goal: a packing that fails changes nothing, and the next one does it all. Method: each write and
// each sync fails once, and then the disk is full.
TEST_F(PackingTest, FailsWithoutATrace) {
  StoreModel model(TestSeed(), {.objects = 2, .pages = 60});
  ASSERT_OK(sim_.Open());
  uint64_t failures = 0;
  for (const char* const what : {"write", "sync", "full"}) {
    SCOPED_TRACE(what);
    ASSERT_NO_FATAL_FAILURE(Work(model, 2));
    bool failed = true;
    for (uint64_t nth = 1; failed && nth < 60; ++nth) {
      SCOPED_TRACE(nth);
      ASSERT_OK(sim_.Checkpoint());  // so that the packing has nothing else to write
      if (what == std::string("write")) sim_.fs().FailWrite(nth, StatusCode::kIoError);
      if (what == std::string("sync")) sim_.fs().FailSync(nth);
      if (what == std::string("full")) sim_.fs().FailWrite(nth, StatusCode::kFull);
      const auto report = sim_.store().Reclaim();
      failed = !report.ok();
      failures += failed;
      sim_.fs().FailWrite(0, StatusCode::kIoError);
      sim_.fs().FailSync(0);
      ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kWork));
    }
    EXPECT_FALSE(failed);
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole(what));
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
  }
  EXPECT_GT(failures, 6u);
}

// Goal: a store that is closed while it packs ends the packing, and is whole. Method: a thread that
// packs again and again, and a close.
TEST_F(PackingTest, EndsAtTheClose) {
  StoreModel model(TestSeed(), {.objects = 2, .pages = 60});
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Work(model, 2));
  ASSERT_OK(sim_.Checkpoint());
  std::atomic<bool> began{false};
  Status last;
  std::thread packing([&] {
    do {
      began = true;
      last = sim_.store().Reclaim(ReclaimWhat::kEverything).status();
    } while (last.ok());
  });
  while (!began) std::this_thread::yield();
  EXPECT_OK(sim_.store().Close());
  packing.join();
  EXPECT_EQ(last.code(), StatusCode::kBroken) << last.ToString();
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
  ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("reopened"));
}

// Goal: an index from before a packing is refused, and costs nothing. Method: it is put back.
TEST_F(PackingTest, AnOlderIndexIsRefused) {
  StoreModel model(TestSeed(), {.objects = 2, .pages = 60});
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Work(model, 3));
  ASSERT_OK(sim_.Close());
  const std::string index = sim_.options().index_directory;
  const TempDirectory older;
  std::filesystem::copy(index, older.path(), std::filesystem::copy_options::recursive);
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_GT(report.files, 0u);
  ASSERT_OK(sim_.Close());
  const auto files = sim_.fs().ListDirectory("store/log").value();
  std::filesystem::remove_all(index);
  std::filesystem::copy(older.path(), index, std::filesystem::copy_options::recursive);
  EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "remove");
  EXPECT_EQ(sim_.fs().ListDirectory("store/log").value().size(), files.size());
  std::filesystem::remove_all(index);
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
  ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
}

// What has expired is gone, and its space; what has not is there. Method: an object is written over
// for 60 days, a few pages a day, beside others that are labelled, forked, held, read and deleted.
class ExpiryTest : public PackingTest {
 protected:
  static constexpr uint32_t kPages = 60;

  // Page `number` as day `day` leaves it. Most days change a few bytes of it, some all.
  static PageBytes PageOf(uint32_t number, int day) {
    const int last = day - (day + static_cast<int>(number)) % 3;  // the day of its last change
    PageBytes page = RandomPage(number + static_cast<uint64_t>(last / 20) * 1000);
    for (int i = 0; i < 8; ++i) page[static_cast<size_t>(100 + i)] = static_cast<std::byte>(last);
    return page;
  }

  Result<CommitInfo> Write(const std::string& name, int day) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= kPages; ++number) {
      if (day == 0 || PageOf(number, day) != PageOf(number, day - 1)) {
        pages[number] = PageOf(number, day);
      }
    }
    return Commit(object, pages);
  }

  ::testing::AssertionResult IsOf(const Result<Snapshot>& snapshot, int day) {
    if (!snapshot.ok()) return ::testing::AssertionFailure() << snapshot.status().ToString();
    const Status whole = snapshot->Verify();
    if (!whole.ok()) return ::testing::AssertionFailure() << whole.ToString();
    for (uint32_t number = 1; number <= kPages; ++number) {
      const auto page = ReadPage(*snapshot, number);
      if (!page.ok()) return ::testing::AssertionFailure() << page.status().ToString();
      if (*page != PageOf(number, day)) {
        return ::testing::AssertionFailure() << "page " << number << " is not of day " << day;
      }
    }
    return ::testing::AssertionSuccess();
  }

  Result<Snapshot> At(const std::string& name, const Point& point) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name, IfMissing::kDeleted));
    return object->OpenSnapshot(point);
  }

  void Reopen(bool without_index) {
    ASSERT_OK(sim_.Close());
    if (without_index) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
  }
};

TEST_F(ExpiryTest, WhatExpiredIsGoneAndNothingElse) {
  constexpr int kDays = 60;
  ASSERT_OK(sim_.Open());
  std::map<std::string, std::vector<Bookmark>> days;
  const std::vector<std::string> names = {"plain", "labelled", "source", "read", "deleted", "back",
                                          "a",     "b",        "c",      "d",    "e",       "f"};
  const auto write_day = [&](int day) {
    for (const std::string& name : names) {
      if (name == "deleted" && day > 5) continue;
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Write(name, day));
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      days[name].push_back(object->BookmarkOf(commit));
    }
  };
  for (int day = 0; day < kDays; ++day) {
    ASSERT_NO_FATAL_FAILURE(write_day(day));
    if (day == 5) {
      ASSERT_OK_AND_ASSIGN(const auto object, Open("deleted"));
      ASSERT_OK(object->Delete());
    }
    if (day == 9) {
      ASSERT_OK_AND_ASSIGN(const auto labelled, Open("labelled"));
      ASSERT_OK(labelled->SetLabel("kept", days["labelled"][7]));
      ASSERT_OK_AND_ASSIGN(const auto source, Open("source"));
      ASSERT_OK(sim_.store().Fork(*source, days["source"][4], "rooms", "fork"));
    }
    if (day == 12) {
      ASSERT_OK_AND_ASSIGN(const auto back, Open("back"));
      ASSERT_OK(back->Restore(days["back"][3]));
      days["back"].back() = back->CurrentBookmark().value();
    }
    sim_.clock().Advance(std::chrono::hours(24));
    ASSERT_OK(sim_.store().Sync());
  }
  // "back" went on writing as if it had not been restored: only what it wrote since is checked.
  ASSERT_OK_AND_ASSIGN(const Snapshot held, At("read", days["read"][10]));
  ASSERT_OK(sim_.Checkpoint());
  const uint64_t before = sim_.store().Stats().log_bytes;
  ASSERT_GT(sim_.store().Stats().segment_count, 3u);

  ASSERT_OK(sim_.store().Reclaim());
  for (const auto& [name, bookmarks] : days) {
    ASSERT_OK(At(name, bookmarks[0]).status()) << name << ": without a licence nothing may go";
  }
  ASSERT_OK_AND_ASSIGN(const ReclaimReport nothing, sim_.store().Reclaim());
  EXPECT_EQ(nothing.files, 0u) << "what was packed, and has not expired, is not packed again";
  uint64_t planned = 0;
  ASSERT_OK(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }, &planned));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  EXPECT_LT(report.bytes_after, report.bytes_before);
  EXPECT_GT(planned, (report.bytes_before - report.bytes_after) * 3 / 4);
  EXPECT_LT(planned, (report.bytes_before - report.bytes_after) * 5 / 4);
  ASSERT_OK(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }, &planned));
  EXPECT_EQ(planned, 0u) << "it is done";
  EXPECT_LT(sim_.store().Stats().log_bytes, before * 8 / 10);
  for (uint32_t number = 1; number <= kPages; ++number) {
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(held, number));
    ASSERT_TRUE(page == PageOf(number, 10)) << number;
  }

  for (const char* const state :
       {"packed", "reopened", "made anew", "packed again", "anew again"}) {
    SCOPED_TRACE(state);
    if (state == std::string("reopened")) {
      ASSERT_NO_FATAL_FAILURE(Reopen(false));
    }
    if (state == std::string("made anew") || state == std::string("anew again")) {
      ASSERT_NO_FATAL_FAILURE(Reopen(true));
    }
    if (state == std::string("packed again")) {
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
    }
    for (const char* const name : {"plain", "labelled", "source"}) {
      SCOPED_TRACE(name);
      EXPECT_TRUE(IsOf(Open(name).value()->OpenSnapshot(), kDays - 1));
      for (int day = 0; day < kDays; ++day) {
        const auto snapshot = At(name, days[name][static_cast<size_t>(day)]);
        if (day >= kDays - 30 || (day == 7 && name == std::string("labelled"))) {
          EXPECT_TRUE(IsOf(snapshot, day)) << day;
        } else {
          EXPECT_EQ(snapshot.status().code(), StatusCode::kExpired)
              << day << ": " << snapshot.status().ToString();
        }
      }
    }
    EXPECT_TRUE(IsOf(At("labelled", Label{"kept"}), 7));
    EXPECT_TRUE(IsOf(Open("fork", IfMissing::kFail).value()->OpenSnapshot(), 4));
    EXPECT_TRUE(IsOf(Open("back").value()->OpenSnapshot(), kDays - 1));
    EXPECT_EQ(Open("deleted", IfMissing::kFail).status().code(), StatusCode::kNotFound);
    EXPECT_EQ(At("deleted", days["deleted"][5]).status().code(), StatusCode::kExpired);
    ASSERT_NO_FATAL_FAILURE(ExpectWhole(state));
  }
}

// Goal: a timeline that nobody needs any more does not hold what it was made on, and is no damage
// where the log still has it. Method: a fork that changes pages of its source and is deleted.
TEST_F(ExpiryTest, ADeadForkHoldsNothing) {
  ASSERT_OK(sim_.Open());
  for (int day = 0; day < 60; ++day) {
    for (const char* const name : {"source", "a", "b", "c", "d", "e"}) {
      ASSERT_OK(Write(name, day));
    }
    if (day == 6) {
      ASSERT_OK_AND_ASSIGN(const auto source, Open("source"));
      ASSERT_OK(sim_.store().Fork(*source, Timestamp(sim_.clock().Now()), "rooms", "fork"));
    }
    if (day == 20) {
      ASSERT_OK_AND_ASSIGN(const auto fork, Open("fork"));
      PageBytes page = PageOf(1, 6);
      page[7] ^= std::byte{1};
      ASSERT_OK(Commit(fork, {{1, page}}));
      ASSERT_OK(fork->Delete());
    }
    ASSERT_OK(sim_.store().Sync());
    sim_.clock().Advance(std::chrono::hours(24));
  }
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("what pays is packed"));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("all is packed"));
  EXPECT_TRUE(IsOf(Open("source").value()->OpenSnapshot(), 59));
  ASSERT_NO_FATAL_FAILURE(Reopen(true));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("made anew"));
  EXPECT_TRUE(IsOf(Open("source").value()->OpenSnapshot(), 59));
  EXPECT_EQ(Open("fork", IfMissing::kFail).status().code(), StatusCode::kNotFound);
}

// Goal: whatever rots in a packed segment is found, and never read as data; what it does not touch
// stays. Method: bytes of it are changed, one place at a time; with the index and without it.
TEST_F(ExpiryTest, RotInAPackedSegmentIsFound) {
  ASSERT_OK(sim_.Open());
  std::map<std::string, std::vector<Bookmark>> days;
  for (int day = 0; day < 8; ++day) {
    for (const char* const name : {"a", "b", "c", "d", "e", "f"}) {
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Write(name, day));
      days[name].push_back(Open(name).value()->BookmarkOf(commit));
    }
    sim_.clock().Advance(std::chrono::hours(1));
  }
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_GT(report.files, 0u);
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  const std::string path = "store/log/00000001.pack";
  const size_t size = sim_.fs().Contents(path).size();
  Random random(TestSeed());
  for (uint64_t round = 0; round < Scaled(60); ++round) {
    SCOPED_TRACE(round);
    SimStore sim(round, machine);
    const size_t at = random.Below(size);
    auto bytes = sim.fs().Contents(path);
    const size_t length = std::min<size_t>(size - at, random.OneIn(2) ? 1 : 1 + random.Below(5000));
    std::vector<std::byte> rotten(bytes.begin() + static_cast<ptrdiff_t>(at),
                                  bytes.begin() + static_cast<ptrdiff_t>(at + length));
    for (std::byte& byte : rotten) byte ^= std::byte{0x55};
    sim.fs().Overwrite(path, at, rotten);
    const bool without_index = round % 3 == 0;
    if (without_index) std::filesystem::remove_all(sim.options().index_directory);
    const Status opened = sim.Open();
    if (!opened.ok()) {
      EXPECT_EQ(opened.code(), StatusCode::kCorruption) << opened.ToString();
      continue;
    }
    bool found = false;
    for (const auto& [name, bookmarks] : days) {
      const auto object = sim.store().OpenObject("rooms", name, IfMissing::kFail);
      if (!object.ok()) {
        found = true;
        EXPECT_EQ(object.status().code(), StatusCode::kCorruption) << object.status().ToString();
        continue;
      }
      for (size_t day = 0; day < bookmarks.size(); ++day) {
        const auto snapshot = (*object)->OpenSnapshot(bookmarks[day]);
        if (!snapshot.ok()) {
          found = true;
          EXPECT_EQ(snapshot.status().code(), StatusCode::kCorruption)
              << snapshot.status().ToString();
          continue;
        }
        for (uint32_t number = 1; number <= kPages; ++number) {
          const auto page = ReadPage(*snapshot, number);
          if (page.ok()) {
            ASSERT_TRUE(*page == PageOf(number, static_cast<int>(day))) << name << " " << number;
          } else {
            found = true;
            EXPECT_EQ(page.status().code(), StatusCode::kCorruption) << page.status().ToString();
          }
        }
      }
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport verified, sim.store().Verify());
    const bool unused = at + length <= format::kFirstGroupOffset;  // the header's blocks
    EXPECT_TRUE(!verified.damage.empty() || unused) << "at " << at << ", " << length << " bytes";
    EXPECT_TRUE(!found || !verified.damage.empty());
    ASSERT_OK(sim.Close());
  }
}

}  // namespace
}  // namespace tidemark::testing
