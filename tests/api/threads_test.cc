// What of object storage has to do with threads: an interrupt from another one, and calls from the
// store's.

#include <sqlite3.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

class StorageThreadsTest : public ApiTest {};

// Goal: a statement that never ends can be ended. Method: a recursion without an end, interrupted
// from another thread until it gives in.
TEST_F(StorageThreadsTest, WhatNeverEndsCanBeInterrupted) {
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) storage_->Interrupt();
  });
  const auto error = ErrorOf([&] {
    Exec("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r");
  });
  over = true;
  other.join();
  EXPECT_EQ(error->sqlite_code(), SQLITE_INTERRUPT);
  EXPECT_EQ(error->code(), StatusCode::kBusy);
  EXPECT_EQ(Exec("SELECT 1").One<int>(), 1);
}

// C344.
TEST_F(StorageThreadsTest, ADurableCommitIsCalledBack) {
  Open({.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined});
  std::vector<std::future<Status>> called;
  for (int i = 0; i < 10; ++i) {
    kv().Put("k", i);
    const Bookmark token = storage_->Commit();
    auto promise = std::make_shared<std::promise<Status>>();
    called.push_back(promise->get_future());
    storage_->OnDurable(token, [promise](const Status& status) { promise->set_value(status); });
  }
  for (auto& call : called) EXPECT_OK(call.get());
  EXPECT_GE(store_->durable_lsn(), storage_->object().head().lsn);
}

}  // namespace
}  // namespace tidemark::testing
