// What outlives what: cursors, lists, transactions and snapshots behind the storage they came from,
// in the middle of a turn and of each other.

#include <sqlite3.h>

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

class LifetimeTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1),(2),(3)");
    kv().Put("a", "1");
    kv().Put("b", "2");
  }
};

// Goal: whatever is left of a storage that is destroyed says so, holds nothing, and the object
// opens again. Method: in both modes, with a turn and a transaction open, all of it used behind.
TEST_F(LifetimeTest, WhatOutlivesTheStorageSaysSo) {
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    Open({.commit_mode = mode});
    Cursor unread = Exec("SELECT v FROM t");
    Cursor half = Exec("SELECT v FROM t");
    Cursor written = Exec("INSERT INTO t VALUES(4) RETURNING v");
    Exec("DELETE FROM t WHERE v = 4");
    if (mode == CommitMode::kTurn) storage_->Commit();
    KvList list = kv().List();
    EXPECT_TRUE(half.Next());
    EXPECT_TRUE(list.Next());
    StorageTransaction outer = storage_->BeginTransaction();
    outer.kv().Put("a", "lost");
    StorageTransaction inner = storage_->BeginTransaction();
    inner.sql().Exec("DELETE FROM t");
    storage_.reset();

    EXPECT_FAILS(unread.Next(), "canceled because the object's storage was closed");
    EXPECT_FAILS(half.Next(), "canceled because the object's storage was closed");
    EXPECT_FAILS(half.Column(0), "stands on no row");
    EXPECT_FAILS(half.ToVector(), "canceled");
    EXPECT_EQ(written.One().Get<int>("v"), 4) << "its rows are in memory";
    EXPECT_FAILS(list.Next(), "closed and is no longer accessible");
    EXPECT_FAILS(inner.kv(), "closed and is no longer accessible");
    EXPECT_FAILS(inner.sql(), "closed and is no longer accessible");
    EXPECT_FAILS(inner.Commit(), "closed and is no longer accessible");
    EXPECT_FAILS(outer.Rollback(), "closed and is no longer accessible");
    Open();  // the write lock is free
    EXPECT_EQ(kv().Get("a"), "1");
    EXPECT_EQ(Query("SELECT v FROM t"), "1 2 3");
  }
}

// Goal: memory that is given back is got again, and nobody notices. Method: in both modes, with
// cursors and lists begun and not, in a turn and outside of one; then that it is memory.
TEST_F(LifetimeTest, MemoryThatIsGivenBackIsGotAgain) {
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    Open({.commit_mode = mode});
    kv().Delete("c");
    Cursor unread = Exec("SELECT v FROM t ORDER BY v");
    Cursor half = Exec("SELECT v FROM t ORDER BY v DESC");
    EXPECT_TRUE(half.Next());
    KvList list = kv().List();
    EXPECT_TRUE(list.Next());
    storage_->ReleaseMemory();
    EXPECT_TRUE(half.Next());
    EXPECT_EQ(half.Get<int>(0), 2);
    EXPECT_TRUE(unread.Next());
    EXPECT_TRUE(list.Next());
    EXPECT_EQ(list.entry().key, "b");
    KvList new_list = kv().List({.reverse = true});
    storage_->ReleaseMemory();
    EXPECT_TRUE(new_list.Next());
    EXPECT_EQ(new_list.entry().key, "b");

    kv().Put("c", "3");
    storage_->ReleaseMemory();  // in a turn, where there is one: it is kept as it is
    {
      StorageTransaction transaction = storage_->BeginTransaction();
      transaction.kv().Put("d", "4");
      storage_->ReleaseMemory();
      transaction.kv().Put("e", "5");
      transaction.Rollback();
    }
    EXPECT_EQ(kv().Get("c"), "3");
    EXPECT_EQ(kv().Get("d"), std::nullopt);
    kv().Put("c", "4");
    if (mode == CommitMode::kTurn) storage_->Commit();
  }
  ReopenStore();
  EXPECT_EQ(kv().Get("c"), "4");
  const int64_t before = sqlite3_memory_used();
  storage_->ReleaseMemory();
  EXPECT_LT(sqlite3_memory_used(), before - 1000);
  EXPECT_EQ(kv().Get("c"), "4");
}

// Goal: many objects can be open: a small one takes some 30 KB of SQLite's memory, not the 87 KB
// that the page cache of each begins with.
TEST_F(LifetimeTest, ASmallObjectTakesLittleMemory) {
  storage_.reset();
  const int64_t before = sqlite3_memory_used();
  Open();
  EXPECT_EQ(kv().Get("a"), "1");
  kv().Put("a", "2");
  EXPECT_LT(sqlite3_memory_used() - before, 60'000);
}

// Ended in the wrong order, by destructors: the object is not left in a transaction that nobody can
// end.
TEST_F(LifetimeTest, TransactionsThatEndInTheWrongOrderBreakTheObject) {
  {
    std::optional<StorageTransaction> outer(storage_->BeginTransaction());
    StorageTransaction inner = storage_->BeginTransaction();
    kv().Put("a", "lost");
    outer.reset();
    EXPECT_NE(storage_->broken(), nullptr);
    EXPECT_FAILS(kv().Get("a"), "end the inner one first");
  }
  Open();
  EXPECT_EQ(kv().Get("a"), "1");
}

// Cursors and lists across the ends of transactions, and changes of what they read.
TEST_F(LifetimeTest, CursorsOutliveTransactions) {
  Open({.commit_mode = CommitMode::kTurn});
  std::optional<Cursor> cursor;
  std::optional<KvList> list;
  storage_->Transaction([&] {
    cursor.emplace(Exec("SELECT v FROM t"));
    list.emplace(kv().List());
    EXPECT_TRUE(cursor->Next());
    EXPECT_TRUE(list->Next());
    kv().Put("c", "3");
  });
  EXPECT_TRUE(cursor->Next());
  EXPECT_EQ(cursor->Get<int>(0), 2);
  EXPECT_TRUE(list->Next());
  EXPECT_TRUE(list->Next());
  EXPECT_EQ(list->entry().key, "c");
  kv().Put("d", "4");
  storage_->Rollback();
  // What a rollback leaves of a cursor is SQLite's to say: rows of what is there, or an error.
  try {
    while (cursor->Next()) EXPECT_LE(cursor->Get<int>(0), 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlite_code() & 0xff, 4 /* SQLITE_ABORT */);
  }
  EXPECT_EQ(storage_->broken(), nullptr);
  EXPECT_EQ(kv().Get("d"), std::nullopt);
  EXPECT_EQ(Query("SELECT v FROM t"), "1 2 3");
}

// A snapshot and a bookmark are values of the store.
TEST_F(LifetimeTest, ASnapshotOutlivesTheStorageItIsOf) {
  const StorageSnapshot snapshot = storage_->Snapshot();
  storage_.reset();
  auto other = ObjectStorage::Open(*store_, "ns", "other");
  other->OnNextSessionRestore(snapshot);
  other.reset();
  other = ObjectStorage::Open(*store_, "ns", "other");
  EXPECT_EQ(other->kv().Get("b"), "2");
}

}  // namespace
}  // namespace tidemark::testing
