// Store::NotifyDurable: calls when commits are durable.

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/memory_file_system.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

class DurableNotifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(files_, MemoryFileSystem::Create());
    ASSERT_OK_AND_ASSIGN(store_, Store::Open("data", files_->Options(&clock_)));
    ASSERT_OK_AND_ASSIGN(object_, store_->OpenObject("ns", "a", IfMissing::kCreate));
    transaction_ = std::make_unique<Transaction>(object_);
    ASSERT_OK(transaction_->Begin());
    ASSERT_OK(transaction_->ResetPageSize(4096));
  }
  void TearDown() override {
    transaction_.reset();
    object_.reset();
    if (store_ == nullptr) return;
    EXPECT_OK(store_->Close());
  }
  Lsn Commit() {
    page_[0] = static_cast<std::byte>(++commits_ & 0xff);
    EXPECT_OK(transaction_->WritePage(PageNo(1), page_));
    const auto commit = transaction_->Commit();
    EXPECT_OK(commit);
    return commit->lsn;
  }

  ManualClock clock_;
  std::unique_ptr<MemoryFileSystem> files_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<Object> object_;
  std::unique_ptr<Transaction> transaction_;
  std::vector<std::byte> page_ = std::vector<std::byte>(4096);
  int commits_ = 0;
};

// Goal: each call comes once, in order, and not before its commit is durable.
TEST_F(DurableNotifierTest, CallsComeInOrderWhenCommitsAreDurable) {
  std::mutex mutex;
  std::vector<Lsn> called;
  std::promise<void> last;
  constexpr int kCommits = 200;
  for (int i = 0; i < kCommits; ++i) {
    const Lsn lsn = Commit();
    ASSERT_OK(store_->NotifyDurable(lsn, [&, lsn, i](const Status& status) {
      EXPECT_OK(status);
      EXPECT_GE(store_->durable_lsn(), lsn);
      std::lock_guard lock(mutex);
      called.push_back(lsn);
      if (i == kCommits - 1) last.set_value();
    }));
  }
  last.get_future().wait();
  std::lock_guard lock(mutex);
  EXPECT_EQ(called.size(), size_t{kCommits});
  EXPECT_TRUE(std::is_sorted(called.begin(), called.end()));
}

// Goal: a call for what is durable already comes too; none is forgotten by Close.
TEST_F(DurableNotifierTest, CloseMakesTheCallsThatAreOpen) {
  const Lsn lsn = Commit();
  ASSERT_OK(store_->WaitDurable(lsn));
  std::promise<Status> now;
  ASSERT_OK(store_->NotifyDurable(lsn, [&](const Status& status) { now.set_value(status); }));
  EXPECT_OK(now.get_future().get());
  int calls = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(store_->NotifyDurable(Commit(), [&](const Status& status) {
      EXPECT_OK(status);
      ++calls;
    }));
  }
  transaction_.reset();
  object_.reset();
  ASSERT_OK(store_->Close());
  EXPECT_EQ(calls, 50);
  EXPECT_EQ(store_->NotifyDurable(lsn, [](const Status&) {}).code(), StatusCode::kBroken);
  store_.reset();
}

// Goal: when the store breaks, each call that is open comes once, with the reason; those of what is
// durable came without one. Method: a sync fails, or the power does, at one operation after the
// other, under commits of each of which a call is asked for.
TEST(BrokenNotifierTest, EachCallComesOnceWithTheFailure) {
  for (uint64_t at = 1; at <= 40; ++at) {
    SCOPED_TRACE(at);
    SimStore sim(TestSeed());
    sim.options().background_work = BackgroundWork::kThreads;
    ASSERT_OK(sim.Open());
    std::mutex mutex;
    std::vector<std::pair<Lsn, Status>> called;
    std::vector<Lsn> asked;
    {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           sim.store().OpenObject("ns", "a", IfMissing::kCreate));
      at % 2 == 0 ? static_cast<void>(sim.fs().FailSync(at / 2)) : sim.fs().CrashAt(at / 2 + 1);
      std::vector<std::byte> page(4096);
      for (int i = 0; i < 100; ++i) {
        Transaction transaction(object);
        if (!transaction.Begin().ok()) break;
        EXPECT_OK(transaction.ResetPageSize(4096));
        page[0] = static_cast<std::byte>(i);
        EXPECT_OK(transaction.WritePage(PageNo(1), page));
        const auto commit = transaction.Commit();
        if (!commit.ok()) break;
        const Lsn lsn = commit->lsn;
        const Status status = sim.store().NotifyDurable(lsn, [&, lsn](const Status& how) {
          const std::scoped_lock lock(mutex);
          called.emplace_back(lsn, how);
        });
        if (status.ok()) {
          asked.push_back(lsn);
        } else {
          EXPECT_EQ(status.code(), StatusCode::kBroken) << status.ToString();
        }
        if (i % 3 == 0 && !sim.store().WaitDurable(lsn).ok()) break;
      }
    }
    EXPECT_FALSE(sim.store().Sync().ok());
    const Lsn durable = sim.store().durable_lsn();
    EXPECT_FALSE(sim.Close().ok());
    const std::scoped_lock lock(mutex);
    ASSERT_EQ(called.size(), asked.size());
    for (size_t i = 0; i < called.size(); ++i) {
      EXPECT_EQ(called[i].first, asked[i]);
      EXPECT_EQ(called[i].second.ok(), asked[i] <= durable) << called[i].second.ToString();
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
