// Store::NotifyDurable: calls when commits are durable.

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/memory_file_system.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/status_matchers.h"

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

}  // namespace
}  // namespace tidemark::testing
