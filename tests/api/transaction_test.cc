// Transactions, turns and durability.

#include <sqlite3.h>

#include <map>
#include <random>
#include <stdexcept>

#include "tests/api/api_fixture.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

class TransactionTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    Open(kTurns);
  }
  struct Thrown {};
};

// C127, C129.
TEST_F(TransactionTest, ATurnIsOneCommit) {
  kv().Put("a", 1);
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1)");
  kv().Put("b", 1);
  EXPECT_EQ(CommitCount(), 0);
  storage_->Commit();
  EXPECT_EQ(CommitCount(), 1);
  storage_->Commit();
  EXPECT_EQ(CommitCount(), 1) << "nothing was written";
  kv().Put("a", 2);
  storage_->Commit();
  EXPECT_EQ(CommitCount(), 2);
}

TEST_F(TransactionTest, WithEachCallACallIsOneCommit) {
  Open();
  kv().Put("a", 1);
  EXPECT_EQ(CommitCount(), 1);
  kv().PutMany(std::map<std::string, int>{{"b", 1}, {"c", 1}});
  EXPECT_EQ(CommitCount(), 2);
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)");
  EXPECT_EQ(CommitCount(), 3);
  Exec("SELECT * FROM t");
  EXPECT_EQ(CommitCount(), 3);
  storage_->TransactionSync([&] {
    kv().Put("d", 1);
    kv().Put("e", 1);
  });
  EXPECT_EQ(CommitCount(), 4);
  storage_->Transaction([&] {
    kv().Put("f", 1);
    kv().Put("g", 1);
  });
  EXPECT_EQ(CommitCount(), 5);
  sql().Ingest("INSERT INTO t VALUES(3); INSERT INTO t VALUES(4);");
  EXPECT_EQ(CommitCount(), 6);
}

// C128, C159.
TEST_F(TransactionTest, WhatIsNotCommittedIsDropped) {
  kv().Put("a", 1);
  storage_->Commit();
  kv().Put("b", 1);
  Open(kTurns);
  EXPECT_EQ(kv().Get("b"), std::nullopt);
  kv().Put("b", 1);
  ReopenStore(kTurns);
  EXPECT_EQ(kv().Get("b"), std::nullopt);
  EXPECT_EQ(kv().Get<int>("a"), 1);
  kv().Put("b", 1);
  storage_->Rollback();
  EXPECT_EQ(kv().Get("b"), std::nullopt);
}

// C133, C134.
TEST_F(TransactionTest, OnlyConfirmedWritesNeedConfirmation) {
  const WriteOptions unconfirmed{.allow_unconfirmed = true};
  kv().Put("a", 1);
  EXPECT_TRUE(storage_->NeedsConfirmation());
  storage_->Commit();
  EXPECT_FALSE(storage_->NeedsConfirmation());
  kv().Put("a", 2, unconfirmed);
  kv().PutMany(std::map<std::string, int>{{"b", 1}}, unconfirmed);
  kv().Delete("a", unconfirmed);
  kv().DeleteMany(std::vector<std::string>{"b"}, unconfirmed);
  EXPECT_FALSE(storage_->NeedsConfirmation());
  Exec("CREATE TABLE t(v)");
  EXPECT_TRUE(storage_->NeedsConfirmation());
}

// C122, C123.
TEST_F(TransactionTest, DurabilityIsWaitedForWhereItIsAsked) {
  Open({.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined});
  storage_->Sync();
  kv().Put("a", 1);
  const Bookmark token = storage_->Commit();
  storage_->WaitDurable(token);
  EXPECT_GE(store_->durable_lsn(), token.lsn);
  kv().Put("a", 2, {.allow_unconfirmed = true});
  storage_->Sync();
  EXPECT_GE(store_->durable_lsn(), storage_->object().head().lsn);
  kv().Put("a", 3);
  const Bookmark confirmed = storage_->Commit(Durability::kConfirmed);
  EXPECT_GE(store_->durable_lsn(), confirmed.lsn) << "this commit";
  Open(kTurns);
  kv().Put("a", 4);
  const Bookmark by_options = storage_->Commit();
  EXPECT_GE(store_->durable_lsn(), by_options.lsn) << "kConfirmed";
}

// C131.
TEST_F(TransactionTest, WhatIsWrittenWhileACommitIsOnItsWayIsAnother) {
  Open({.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined});
  kv().Put("a", 1);
  const Bookmark first = storage_->Commit();
  kv().Put("a", 2);
  const Bookmark second = storage_->Commit();
  EXPECT_LT(first.lsn, second.lsn);
  storage_->WaitDurable(second);
  EXPECT_EQ(CommitCount(), 2);
}

// C137.
TEST_F(TransactionTest, TransactionsReturnWhatTheirCallReturns) {
  EXPECT_EQ(storage_->Transaction([] { return 5; }), 5);
  EXPECT_EQ(storage_->Transaction([](StorageTransaction&) { return std::string("x"); }), "x");
  EXPECT_EQ(storage_->TransactionSync([] { return 6; }), 6);
}

// C138.
TEST_F(TransactionTest, ATransactionCommitsTheTurnFirst) {
  kv().Put("before", 1);
  EXPECT_THROW(storage_->Transaction([&] {
    EXPECT_EQ(CommitCount(), 1);
    kv().Put("inside", 1);
    throw Thrown();
  }),
               Thrown);
  EXPECT_EQ(kv().Get<int>("before"), 1);
  EXPECT_EQ(kv().Get("inside"), std::nullopt);
}

// C139, C144.
TEST_F(TransactionTest, RollbackUndoesAndEndsIt) {
  storage_->Transaction([&](StorageTransaction& transaction) {
    kv().Put("a", 1);
    transaction.Rollback();
    EXPECT_EQ(kv().Get("a"), std::nullopt);
    EXPECT_FAILS(transaction.kv().Put("a", 1), "on a rolled back transaction");
    EXPECT_FAILS(transaction.sql(), "on a rolled back transaction");
    EXPECT_FAILS(transaction.Commit(), "on a rolled back transaction");
    transaction.Rollback();
  });
  EXPECT_EQ(kv().Get("a"), std::nullopt);
  StorageTransaction transaction = storage_->BeginTransaction();
  transaction.kv().Put("a", 1);
  transaction.Commit();
  EXPECT_FAILS(transaction.kv(), "already committed");
  EXPECT_FAILS(transaction.Rollback(), "already committed");
  EXPECT_EQ(kv().Get<int>("a"), 1);
}

// C141, C142.
TEST_F(TransactionTest, TransactionsNest) {
  storage_->Transaction([&](StorageTransaction& outer) {
    storage_->Transaction([&] { kv().Put("inner", 1); });
    kv().Put("outer", 1);
    outer.Rollback();
  });
  EXPECT_EQ(kv().Get("inner"), std::nullopt);
  EXPECT_EQ(kv().Get("outer"), std::nullopt);
  storage_->Transaction([&](StorageTransaction& outer) {
    kv().Put("outer", 1);
    storage_->Transaction([&](StorageTransaction& inner) {
      kv().Put("inner", 1);
      EXPECT_FAILS(outer.Rollback(), "end the inner one first");
      inner.Rollback();
    });
  });
  EXPECT_EQ(kv().Get("inner"), std::nullopt);
  EXPECT_EQ(kv().Get<int>("outer"), 1);
}

// C148, C149.
TEST_F(TransactionTest, ARolledBackChildNeedsNoConfirmation) {
  storage_->Transaction([&] {
    storage_->Transaction([&](StorageTransaction& child) {
      kv().Put("a", 1);
      EXPECT_TRUE(storage_->NeedsConfirmation());
      child.Rollback();
    });
    EXPECT_FALSE(storage_->NeedsConfirmation());
    storage_->Transaction([&] { storage_->Transaction([&] { kv().Put("b", 1); }); });
    EXPECT_TRUE(storage_->NeedsConfirmation());
  });
  EXPECT_FALSE(storage_->NeedsConfirmation());
}

// C146, C147.
TEST_F(TransactionTest, TransactionSyncUndoesItsOwnWritesOnly) {
  kv().Put("before", 1);
  EXPECT_THROW(storage_->TransactionSync([&] {
    Exec("CREATE TABLE t(v)");
    kv().Put("inside", 1);
    throw Thrown();
  }),
               Thrown);
  EXPECT_EQ(kv().Get<int>("before"), 1);
  EXPECT_EQ(kv().Get("inside"), std::nullopt);
  EXPECT_FAILS(Exec("SELECT * FROM t"), "no such table");
  const int result = storage_->TransactionSync([&] {
    kv().Put("outer", 1);
    try {
      storage_->TransactionSync([&] {
        kv().Put("inner", 1);
        throw Thrown();
      });
    } catch (const Thrown&) {
    }
    return 7;
  });
  EXPECT_EQ(result, 7);
  EXPECT_EQ(kv().Get<int>("outer"), 1);
  EXPECT_EQ(kv().Get("inner"), std::nullopt);
  EXPECT_EQ(CommitCount(), 0) << "all of it is the turn's";
  storage_->Commit();
  EXPECT_EQ(CommitCount(), 1);
}

// C058, C059, C061.
TEST_F(TransactionTest, ForeignKeysAreEnforced) {
  Exec(
      "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
      "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id))");
  EXPECT_FAILS(Exec("INSERT INTO child VALUES(1, 5)"), "FOREIGN KEY constraint failed");
  EXPECT_FAILS(storage_->TransactionSync([&] { Exec("INSERT INTO child VALUES(1, 5)"); }),
               "FOREIGN KEY constraint failed");
  storage_->Transaction([&] {
    Exec("PRAGMA defer_foreign_keys=ON");
    Exec("INSERT INTO child VALUES(1, 5)");
    Exec("INSERT INTO parent VALUES(5)");
  });
  EXPECT_EQ(Query("SELECT count(*) FROM child"), "1");
  Exec("PRAGMA foreign_keys=OFF");
  Exec("INSERT INTO child VALUES(2, 6)");
  EXPECT_EQ(Query("PRAGMA foreign_key_check"), "child|2|parent|0");
  Exec("INSERT INTO parent VALUES(6)");
  EXPECT_EQ(Query("PRAGMA foreign_key_check"), "");
}

// C151, and the violation that an implicit commit finds.
TEST_F(TransactionTest, ACommitThatFailsBreaksTheObject) {
  Exec(
      "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
      "CREATE TABLE child(parent REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)");
  storage_->Commit();
  Exec("INSERT INTO child VALUES(5)");
  EXPECT_FAILS(storage_->Commit(), "FOREIGN KEY constraint failed");
  EXPECT_NE(storage_->broken(), nullptr);
  EXPECT_FAILS(kv().Get("a"), "FOREIGN KEY constraint failed");
  EXPECT_FAILS(Exec("SELECT 1"), "FOREIGN KEY constraint failed");
  EXPECT_FAILS(storage_->Sync(), "FOREIGN KEY constraint failed");
  Open(kTurns);
  EXPECT_EQ(Query("SELECT count(*) FROM child"), "0");
  EXPECT_FAILS(storage_->Transaction([&] { Exec("INSERT INTO child VALUES(5)"); }),
               "FOREIGN KEY constraint failed");
  EXPECT_NE(storage_->broken(), nullptr);
  Open(kTurns);
  EXPECT_EQ(Query("SELECT count(*) FROM child"), "0");
}

class FullDatabaseTest : public TransactionTest {
 protected:
  void SetUp() override {
    TransactionTest::SetUp();
    Open(Small());
    Exec("CREATE TABLE t(v); INSERT INTO t VALUES('committed')");
    storage_->Commit();
  }
  static StorageOptions Small() {
    return {.commit_mode = CommitMode::kTurn, .limits = {.database_bytes = 8 * 4096}};
  }
  void Fill() {
    for (int i = 0; i < 20; ++i) Exec("INSERT INTO t VALUES(zeroblob(4000))");
  }
};

// C124, C136, C152, C332.
TEST_F(FullDatabaseTest, BreaksTheObjectWithEverythingOfTheTurn) {
  kv().Put("lost", 1);
  EXPECT_EQ(MessageOf([&] { Fill(); }), "database or disk is full: SQLITE_FULL");
  EXPECT_EQ(MessageOf([&] { Exec("SELECT 1"); }), "database or disk is full: SQLITE_FULL");
  EXPECT_EQ(MessageOf([&] { kv().Get("a"); }), "database or disk is full: SQLITE_FULL");
  EXPECT_EQ(MessageOf([&] { storage_->Sync(); }), "database or disk is full: SQLITE_FULL");
  EXPECT_EQ(MessageOf([&] { storage_->Commit(); }), "database or disk is full: SQLITE_FULL");
  Open(Small());
  EXPECT_EQ(Query("SELECT v FROM t"), "committed");
  EXPECT_EQ(kv().Get("lost"), std::nullopt);
}

// C153, C154.
TEST_F(FullDatabaseTest, InsideATransactionSyncItCannotBeSwallowed) {
  EXPECT_FAILS(storage_->TransactionSync([&] {
    try {
      Fill();
    } catch (const Error&) {
    }
  }),
               "earlier SQL critical error: database or disk is full: SQLITE_FULL");
  Open(Small());
  EXPECT_THROW(storage_->TransactionSync([&] {
    try {
      Fill();
    } catch (const Error&) {
    }
    throw Thrown();
  }),
               Thrown);
  EXPECT_NE(storage_->broken(), nullptr);
  Open(Small());
  EXPECT_EQ(Query("SELECT v FROM t"), "committed");
}

// C152, where each call is a commit: a turn of one write is broken as a longer one is, and what
// broke it is all that is lost. An error that is not critical breaks nothing.
TEST_F(FullDatabaseTest, BreaksTheObjectWhereEachCallIsACommit) {
  StorageOptions options = Small();
  options.commit_mode = CommitMode::kEachCall;
  Open(options);
  EXPECT_FAILS(Exec("INSERT INTO t VALUES(1, 2)"), "has 1 columns but 2 values");
  EXPECT_EQ(storage_->broken(), nullptr);
  kv().Put("kept", 1);
  EXPECT_EQ(ErrorOf([&] { Fill(); })->sqlite_code(), SQLITE_FULL);
  EXPECT_EQ(MessageOf([&] { kv().Get("kept"); }), "database or disk is full: SQLITE_FULL");
  EXPECT_EQ(MessageOf([&] { Exec("SELECT 1"); }), "database or disk is full: SQLITE_FULL");
  Open(options);
  EXPECT_EQ(kv().Get<int>("kept"), 1);
  EXPECT_NE(Query("SELECT count(*) FROM t"), "0");
  Exec("DELETE FROM t");
  Exec("INSERT INTO t VALUES(1)");
  EXPECT_EQ(Query("SELECT v FROM t"), "1");
}

// C157: memory is the process's here, and when it ends the rules are those of a full disk.
TEST_F(TransactionTest, MemoryThatRunsOutBreaksTheObject) {
  Exec("CREATE TABLE t(v)");
  storage_->Commit();
  kv().Put("lost", 1);
  sqlite3_hard_heap_limit64(sqlite3_memory_used() + 500'000);
  const auto error = ErrorOf([&] { Exec("INSERT INTO t VALUES(zeroblob(1900000) || 'x')"); });
  sqlite3_hard_heap_limit64(0);
  EXPECT_EQ(error->sqlite_code() & 0xff, SQLITE_NOMEM);
  EXPECT_EQ(error->code(), StatusCode::kOutOfMemory);
  EXPECT_EQ(MessageOf([&] { kv().Get("lost"); }), error->what());
  Open(kTurns);
  EXPECT_EQ(kv().Get("lost"), std::nullopt);
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "0");
}

// C331.
TEST_F(TransactionTest, AnOrdinaryErrorLeavesTheTurn) {
  kv().Put("a", 1);
  EXPECT_FAILS(Exec("SELECT syntax error"), "SQLITE_ERROR");
  kv().Put("b", 1);
  storage_->Commit();
  Open(kTurns);
  EXPECT_EQ(kv().Get<int>("a"), 1);
  EXPECT_EQ(kv().Get<int>("b"), 1);
}

// C162.
TEST_F(TransactionTest, ASecondStorageOfTheObjectIsRefused) {
  EXPECT_EQ(ErrorOf([&] { ObjectStorage::Open(*store_, "ns", "object"); })->code(),
            StatusCode::kBusy);
}

// C334, C342.
TEST_F(TransactionTest, ObjectsAreSeparate) {
  auto other = ObjectStorage::Open(*store_, "ns", "other", kTurns);
  kv().Put("k", "mine");
  other->kv().Put("k", "its");
  storage_->Commit();
  EXPECT_EQ(kv().Get("k"), "mine");
  other->Rollback();
  EXPECT_EQ(other->kv().Get("k"), std::nullopt);
  other.reset();
  ReopenStore();
  EXPECT_EQ(kv().Get("k"), "mine");
}

// Goal: nested transactions are as a stack of maps. Method: random begins, writes, commits and
// rollbacks, of both kinds, in both modes; a reopening now and then shows what was committed.
TEST_F(TransactionTest, NestsAsAStackOfMapsDoes) {
  std::mt19937_64 random(TestSeed());
  using Map = std::map<std::string, std::string>;
  for (const CommitMode mode : {CommitMode::kTurn, CommitMode::kEachCall}) {
    const StorageOptions options{.commit_mode = mode, .durability = Durability::kPipelined};
    Open(options);
    storage_->DeleteAll();
    if (mode == CommitMode::kTurn) storage_->Commit();
    Map committed;
    Map now;
    struct Level {
      StorageTransaction transaction;
      Map before;
    };
    std::vector<Level> levels;
    const auto settle = [&] {  // at the end of a call
      if (levels.empty() && mode == CommitMode::kEachCall) committed = now;
    };
    for (int step = 0; step < 2000; ++step) {
      SCOPED_TRACE(step);
      switch (random() % 8) {
        case 0:
        case 1: {
          if (levels.size() == 5) break;
          if (levels.empty()) committed = now;  // the turn is committed first
          levels.push_back({storage_->BeginTransaction(), now});
          break;
        }
        case 2: {
          if (levels.empty()) {
            storage_->Commit();
            committed = now;
            break;
          }
          levels.back().transaction.Commit();
          levels.pop_back();
          if (levels.empty()) committed = now;
          break;
        }
        case 3: {
          if (levels.empty()) {
            if (mode == CommitMode::kTurn) {
              storage_->Rollback();
              now = committed;
            }
            break;
          }
          levels.back().transaction.Rollback();
          now = levels.back().before;
          levels.pop_back();
          break;
        }
        case 4: {
          const Map before = now;
          const bool fails = random() % 2 == 0;
          const std::string key(1, static_cast<char>('a' + random() % 8));
          try {
            storage_->TransactionSync([&] {
              kv().Put(key, std::to_string(step));
              now[key] = std::to_string(step);
              if (fails) throw Thrown();
            });
          } catch (const Thrown&) {
            now = before;
          }
          settle();
          break;
        }
        default: {
          const std::string key(1, static_cast<char>('a' + random() % 8));
          if (random() % 3 == 0) {
            kv().Delete(key);
            now.erase(key);
          } else {
            kv().Put(key, std::to_string(step));
            now[key] = std::to_string(step);
          }
          settle();
        }
      }
      if (levels.empty() && random() % 50 == 0) {
        Open(options);
        now = committed;
      }
      const auto entries = kv().List().ToVector();
      ASSERT_EQ(Map(entries.begin(), entries.end()), now);
    }
    levels.clear();
  }
}

}  // namespace
}  // namespace tidemark::testing
