// Transactions of several objects that commit together (transaction_set.h).

#include "engine/transaction_set.h"

#include <thread>
#include <vector>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class TransactionSetTest : public LogFixture {
 protected:
  // A transaction of object `name` with pages 1 to `pages` staged, RandomPage(seed + number).
  std::unique_ptr<Transaction> Stage(const std::string& name, uint32_t pages, uint64_t seed) {
    auto transaction = std::make_unique<Transaction>(Open(name).value());
    EXPECT_OK(transaction->Begin());
    EXPECT_OK(transaction->ResetPageSize(kPageSize));
    for (uint32_t i = 1; i <= pages; ++i) {
      EXPECT_OK(transaction->WritePage(PageNo(i), RandomPage(seed + i)));
    }
    return transaction;
  }

  CommitInfo Head(const std::string& name) { return Open(name).value()->head(); }
};

// Goal: the commits of a set are neighbours in one group, whether their pages fit a record, fill
// one, or are far more. Method: three objects, the middle one small, medium and large; the LSNs,
// and the group in which the first and the last page stand.
TEST_F(TransactionSetTest, ShareAGroup) {
  ASSERT_OK(sim_.Open());
  for (const uint32_t pages : {1u, 20u, 600u}) {
    SCOPED_TRACE(pages);
    const uint64_t seed = pages * 10000;
    auto a = Stage("a", 1, seed);
    auto b = Stage("b", pages, seed + 1000);
    auto c = Stage("c", 1, seed + 5000);
    TransactionSet set;
    for (Transaction* transaction : {a.get(), b.get(), c.get()})
      ASSERT_OK(set.Prepare(transaction));
    EXPECT_EQ(a->base().lsn, Head("a").lsn) << "not before all are prepared";
    ASSERT_OK_AND_ASSIGN(const Lsn last, set.Publish());
    EXPECT_TRUE(set.empty());
    EXPECT_EQ(Head("c").lsn, last);
    EXPECT_EQ(b->base().lsn, Head("b").lsn);
    EXPECT_GT(Head("b").lsn, Head("a").lsn);
    EXPECT_LE(last.value - Head("a").lsn.value, 4u);  // an object's first commit has two records
    ASSERT_OK(sim_.store().WaitDurable(last));
    EXPECT_EQ(GroupAround(PlaceOf(seed + 1)).offset, GroupAround(PlaceOf(seed + 5001)).offset);
    for (uint32_t i = 1; i <= pages; ++i) {
      PageBytes page(kPageSize);
      ASSERT_OK(b->ReadPage(PageNo(i), page));
      ASSERT_TRUE(page == RandomPage(seed + 1000 + i));
    }
  }
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: fifty objects can commit together in the smallest segments; more than a group holds are
// refused, with nothing lost and nothing reserved: the store goes on.
TEST_F(TransactionSetTest, TooMany) {
  ASSERT_EQ(sim_.options().segment_size_bytes, 1u << 20);
  ASSERT_OK(sim_.Open());
  std::vector<std::unique_ptr<Transaction>> transactions;
  for (int i = 0; i < 100; ++i) transactions.push_back(Stage("o" + std::to_string(i), 1, 1));
  TransactionSet set;
  Status status;
  size_t count = 0;
  for (; status.ok() && count < transactions.size(); ++count) {
    status = set.Prepare(transactions[count].get());
  }
  EXPECT_GT(count, 50u);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
  set.Clear();
  for (size_t i = 0; i < 50; ++i) ASSERT_OK(set.Prepare(transactions[i].get()));
  EXPECT_OK(set.Publish());
  EXPECT_OK(transactions[50]->Commit());
  EXPECT_EQ(Head("o49").lsn.value + 2, Head("o50").lsn.value);
}

// Goal: one of a set that is staged anew is prepared anew; one without changes makes no commit.
TEST_F(TransactionSetTest, PreparedAnew) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("b", 7));
  auto a = Stage("a", 1, 100);
  Transaction b(Open("b").value());
  ASSERT_OK(b.Begin());
  PageBytes same(kPageSize);
  ASSERT_OK(b.ReadPage(PageNo(1), same));
  ASSERT_OK(b.WritePage(PageNo(1), same));
  TransactionSet set;
  ASSERT_OK(set.Prepare(a.get()));
  ASSERT_OK(set.Prepare(&b));
  ASSERT_OK(a->WritePage(PageNo(1), RandomPage(200)));
  ASSERT_OK(set.Prepare(a.get()));
  const Lsn before = Head("b").lsn;
  ASSERT_OK_AND_ASSIGN(const Lsn last, set.Publish());
  EXPECT_EQ(Head("a").lsn, last);
  EXPECT_EQ(Head("b").lsn, before);
  PageBytes page(kPageSize);
  ASSERT_OK(a->ReadPage(PageNo(1), page));
  EXPECT_TRUE(page == RandomPage(200));
}

// Goal: sets that wait for room in the log never wait for each other. Method: four threads commit
// sets whose pages fill most of a group each, so that all wait all the time.
TEST_F(TransactionSetTest, WaitForRoomWithoutHoldingAny) {
  sim_.options().background_work = BackgroundWork::kThreads;
  ASSERT_OK(sim_.Open());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      const std::string name = "t" + std::to_string(thread);
      for (uint64_t round = 1; round <= 20; ++round) {
        auto a = Stage(name + "a", 14, round * 1000);
        auto b = Stage(name + "b", 14, round * 2000);
        auto c = Stage(name + "c", 60, round * 3000);
        TransactionSet set;
        for (Transaction* transaction : {a.get(), b.get(), c.get()}) {
          ASSERT_OK(set.Prepare(transaction));
        }
        ASSERT_OK(set.Publish());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

}  // namespace
}  // namespace tidemark::testing
