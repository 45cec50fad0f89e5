// Packing: segments written anew, and everything still where it was.

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/engine/packing_fixture.h"
#include "tests/support/store_model.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

class PackingTest : public PackingFixture {
 protected:
  // Random work until the log has so many more segments.
  void Work(StoreModel& model, uint32_t segments) {
    const auto until = sim_.store().Stats().segment_count + segments;
    for (int i = 0; sim_.store().Stats().segment_count < until; ++i) {
      ASSERT_NO_FATAL_FAILURE(Step(model, i));
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

// Goal: a database that was cut to nothing and begun anew with another page size is packed like any
// other, and each of its states is there. Method: the first size stands in a packed segment that is
// too large to be packed again with the second, whose history would begin on it.
TEST_F(PackingTest, AnotherPageSizeBehindNothing) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto filler, Open("filler"));
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t page = 1; page <= 600; ++page) pages[page] = RandomPage(page);
  ASSERT_OK(Commit(filler, pages));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const CommitInfo small, Commit(object, {{1, RandomPage(1, 1024)}}, 1024));
  {
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.SetPageCount(0));
    ASSERT_OK(transaction.Commit());
  }
  ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
  const uint64_t packed = sim_.store().Stats().packed_segment_count;
  ASSERT_OK(Commit(object, {{1, RandomPage(2)}}));
  ASSERT_OK(Commit(object, {{1, RandomPage(3)}}));
  ASSERT_OK(internal::StorePeer::Impl(sim_.store()).SealLog());
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  EXPECT_EQ(sim_.store().Stats().packed_segment_count, packed + 1);
  EXPECT_TRUE(Reads(object, 1, RandomPage(3)));
  ASSERT_OK_AND_ASSIGN(const Snapshot before, object->OpenSnapshot(small));
  EXPECT_EQ(ReadPage(before, 1).value(), RandomPage(1, 1024));
  ExpectWhole("packed");
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
  EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "tidemark rebuild");
  EXPECT_EQ(sim_.fs().ListDirectory("store/log").value().size(), files.size());
  std::filesystem::remove_all(index);
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
  ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
}

}  // namespace
}  // namespace tidemark::testing
