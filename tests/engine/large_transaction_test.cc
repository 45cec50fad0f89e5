// Transactions that do not fit memory: batches, and the frame that makes them count.

#include <chrono>
#include <thread>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class LargeTransactionTest : public LogFixture {
 protected:
  // Writes pages first to last, RandomPage(seed + number).
  static void Write(Transaction& transaction, uint32_t first, uint32_t last, uint64_t seed) {
    for (uint32_t i = first; i <= last; ++i) {
      ASSERT_OK(transaction.WritePage(PageNo(i), RandomPage(seed + i)));
    }
  }

  // Runs `check` on "a" as it is, after a power failure, with the index brought up to date, and
  // after a clean reopening.
  void InEveryState(const std::function<void(const std::shared_ptr<Object>&)>& check) {
    ASSERT_OK(sim_.store().Sync());
    for (const char* const state : {"as it is", "recovered", "indexed", "reopened"}) {
      SCOPED_TRACE(state);
      if (state == std::string("recovered")) {
        sim_.Crash(PowerLoss::kAll);
        ASSERT_OK(sim_.Open());
      } else if (state == std::string("indexed")) {
        ASSERT_OK(sim_.Checkpoint());
      } else if (state == std::string("reopened")) {
        ASSERT_OK(sim_.Close());
        ASSERT_OK(sim_.Open());
      }
      ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
      check(object);
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
      EXPECT_TRUE(report.damage.empty()) << report.damage[0].message;
    }
  }
};

// Goal: a transaction may be far larger than its memory and than a segment, is invisible until it
// commits and then whole, and leaves nothing if it does not. Method: 3 MiB with 64 KiB of memory.
TEST_F(LargeTransactionTest, TransactionLargerThanMemory) {
  ASSERT_OK(sim_.Open());
  constexpr uint32_t kPages = 768;
  ASSERT_OK(Put("a", 0));
  ASSERT_OK_AND_ASSIGN(auto object, Open("a"));
  for (const bool commits : {false, true}) {
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    for (uint32_t i = 1; i <= kPages; ++i) {
      ASSERT_OK(transaction.WritePage(PageNo(i), RandomPage(i + 1000)));
    }
    ASSERT_OK(transaction.WritePage(PageNo(5), RandomPage(5)));  // again, long after its batch
    PageBytes page(kPageSize);
    ASSERT_OK(transaction.ReadPage(PageNo(6), page));
    EXPECT_TRUE(page == RandomPage(1006));
    EXPECT_TRUE(Holds("a", 0));
    if (commits) {
      ASSERT_OK(transaction.Commit());
    }
    transaction.End();
    if (!commits) {
      EXPECT_TRUE(Holds("a", 0));
    }
  }
  ASSERT_OK(sim_.store().Sync());
  object.reset();
  sim_.Crash(PowerLoss::kAll);
  for (const bool indexed : {false, true}) {
    SCOPED_TRACE(indexed);
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(object, Open("a", IfMissing::kFail));
    EXPECT_EQ(object->head().page_count, kPages);
    EXPECT_TRUE(Reads(object, 5, RandomPage(5)));
    EXPECT_TRUE(Reads(object, kPages, RandomPage(kPages + 1000)));
    object.reset();
    ASSERT_OK(sim_.Close());
  }
}

// Goal: a large commit is indexed by itself, soon after it is durable, also if nothing follows it:
// until then each read of it costs a look into its batches. Method: the store's own threads, one
// commit far smaller than what makes a checkpoint due, and waiting for the checkpoint.
TEST_F(LargeTransactionTest, IsIndexedByItself) {
  sim_.options().background_work = BackgroundWork::kThreads;
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 0));
  ASSERT_OK_AND_ASSIGN(auto object, Open("a"));
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  Write(transaction, 1, 64, 1000);
  ASSERT_OK_AND_ASSIGN(const CommitInfo commit, transaction.Commit());
  ASSERT_OK(sim_.store().Sync());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (sim_.store().Stats().checkpoint_lsn < commit.lsn) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no checkpoint came";
    std::this_thread::yield();
  }
  EXPECT_TRUE(Reads(object, 64, RandomPage(1064)));
}

// Goal: pages that several batches hold are as the last one says, those that were cut off are gone,
// and those that grew again are zeros. Method: write, write again, cut, grow; with a base that had
// other bytes in all of them.
TEST_F(LargeTransactionTest, PagesWrittenTwiceCutOffAndGrownAgain) {
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.ResetPageSize(kPageSize));
    Write(transaction, 1, 200, 1000);
    ASSERT_OK(transaction.Commit());
    Write(transaction, 1, 150, 2000);
    Write(transaction, 20, 60, 3000);
    ASSERT_OK(transaction.SetPageCount(50));
    Write(transaction, 90, 100, 4000);
    PageBytes page(kPageSize);
    ASSERT_OK(transaction.ReadPage(PageNo(55), page));
    EXPECT_TRUE(page == PageBytes(kPageSize));
    ASSERT_OK(transaction.Commit());
  }
  InEveryState([](const std::shared_ptr<Object>& object) {
    EXPECT_EQ(object->head().page_count, 100u);
    EXPECT_TRUE(Reads(object, 19, RandomPage(2019)));
    EXPECT_TRUE(Reads(object, 20, RandomPage(3020)));
    EXPECT_TRUE(Reads(object, 50, RandomPage(3050)));
    EXPECT_TRUE(Reads(object, 51, PageBytes(kPageSize)));
    EXPECT_TRUE(Reads(object, 89, PageBytes(kPageSize)));
    EXPECT_TRUE(Reads(object, 90, RandomPage(4090)));
  });
}

// Goal: a database may grow over any number of pages that nobody writes. Method: far more than a
// record could name.
TEST_F(LargeTransactionTest, GrowsOverManyPages) {
  static constexpr uint32_t kCount = 40'000;
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    ASSERT_OK(Commit(object, {{1, RandomPage(1, 512)}, {kCount, RandomPage(2, 512)}}, 512));
  }
  InEveryState([](const std::shared_ptr<Object>& object) {
    EXPECT_EQ(object->head().page_count, kCount);
    ASSERT_OK_AND_ASSIGN(const auto middle, ReadPage(object, kCount / 2));
    EXPECT_TRUE(middle == PageBytes(512));
    EXPECT_TRUE(Reads(object, kCount, RandomPage(2, 512)));
  });
}

// Goal: the history of a large commit is as that of any other: points before and behind it, and
// restores. Method: small, large, small; read each of the three.
TEST_F(LargeTransactionTest, IsAPointInTimeLikeAnyOther) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo before, Put("a", 1));
  CommitInfo large;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    Write(transaction, 1, 100, 1000);
    ASSERT_OK_AND_ASSIGN(large, transaction.Commit());
  }
  EXPECT_EQ(large.pages_changed, 100u);
  ASSERT_OK(Put("a", 2));
  InEveryState([&](const std::shared_ptr<Object>& object) {
    EXPECT_TRUE(Reads(object, 1, RandomPage(2)));
    ASSERT_OK_AND_ASSIGN(const Snapshot at_large, object->OpenSnapshot(object->BookmarkOf(large)));
    EXPECT_OK(at_large.Verify());
    EXPECT_EQ(at_large.commit(), large);
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(at_large, 100));
    EXPECT_TRUE(page == RandomPage(1100));
    ASSERT_OK_AND_ASSIGN(const Snapshot first, object->OpenSnapshot(object->BookmarkOf(before)));
    EXPECT_OK(first.Verify());
    EXPECT_EQ(first.page_count(), 1u);
  });
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  ASSERT_OK(object->Restore(object->BookmarkOf(large)));
  EXPECT_TRUE(Reads(object, 1, RandomPage(1001)));
}

// Goal: damage in a batch is named, and never data. Method: rot in a page of a batch, found when
// the page is read; rot in a batch's header, found at recovery.
TEST_F(LargeTransactionTest, DamagedBatches) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo before, Put("a", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    Write(transaction, 1, 100, 1000);
    ASSERT_OK(transaction.Commit());
  }
  ASSERT_OK(Put("well", 2));
  ASSERT_OK(Put("well", 3));
  sim_.Crash(PowerLoss::kNothing);
  const Place rot = PlaceOf(1050);
  sim_.fs().FlipBit(PathOf(rot.segment), rot.offset + 100, 3);
  ASSERT_OK(sim_.Open());
  {
    EXPECT_TRUE(Holds("well", 3));
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    EXPECT_ERROR(ReadPage(object, 50), StatusCode::kCorruption, "object rooms/a: page 50 at LSN");
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(object, 49));
    EXPECT_TRUE(page == RandomPage(1049));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].object, "rooms/a");
  }
  sim_.Crash(PowerLoss::kNothing);
  // The header of the batch stands before its first page.
  const Place first = PlaceOf(1001);
  sim_.fs().FlipBit(PathOf(first.segment), first.offset - 60, 3);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("well", 3));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  EXPECT_ERROR(ReadPage(object, 49), StatusCode::kCorruption, "rooms/a");
  ASSERT_OK(object->Restore(object->BookmarkOf(before)));
  EXPECT_TRUE(Holds("a", 1));
}

}  // namespace
}  // namespace tidemark::testing
