// Several connections of one process: snapshots, the write lock, and threads.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class ConcurrencyTest : public VfsTest {};

// Goal: a reader keeps its snapshot while others commit, and blocks nobody.
// Method: a read transaction open across commits of another connection.
TEST_F(ConcurrencyTest, ReaderKeepsItsSnapshot) {
  Database writer = Open("o");
  Exec(writer, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  Database reader = Open("o");
  Exec(reader, "BEGIN; SELECT * FROM t");
  Exec(writer, "UPDATE t SET x = 2");
  Exec(writer, "PRAGMA cache_size=1; INSERT INTO t VALUES(zeroblob(100000))");
  EXPECT_EQ(Query(reader, "SELECT x FROM t"), "1");
  Exec(reader, "COMMIT");
  EXPECT_EQ(Query(reader, "SELECT x FROM t LIMIT 1"), "2");
}

// Goal: nobody sees what is not committed, spilled pages included.
// Method: read from a second connection in the middle of a transaction that outgrew its cache.
TEST_F(ConcurrencyTest, UncommittedPagesAreNotSeen) {
  Database writer = Open("o");
  Exec(writer, "PRAGMA cache_size=2; CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  Database reader = Open("o");
  Exec(writer, "BEGIN; UPDATE t SET x = 2; INSERT INTO t VALUES(zeroblob(100000))");
  EXPECT_EQ(Query(reader, "SELECT x FROM t; PRAGMA integrity_check"), "1\nok");
  Exec(writer, "COMMIT");
  EXPECT_EQ(Query(reader, "SELECT count(*) FROM t"), "2");
}

// Goal: one writer at a time; the second one is told SQLITE_BUSY, and may retry afterwards.
// Method: two connections, both begin to write.
TEST_F(ConcurrencyTest, SecondWriterIsBusy) {
  Database a = Open("o");
  Exec(a, "CREATE TABLE t(x)");
  Database b = Open("o");
  Exec(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
  EXPECT_EQ(Try(b, "INSERT INTO t VALUES(2)"), SQLITE_BUSY);
  EXPECT_EQ(b.ErrorStatus().code(), StatusCode::kBusy) << b.ErrorStatus().ToString();
  Exec(a, "COMMIT");
  Exec(b, "INSERT INTO t VALUES(2)");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "1\n2");
}

// Goal: what was computed from an old snapshot is never written over a newer commit.
// Method: read, let another connection commit, then write in the same transaction.
TEST_F(ConcurrencyTest, WriteOnAnOldSnapshotIsBusySnapshot) {
  Database a = Open("o");
  Exec(a, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  Database b = Open("o");
  Exec(b, "BEGIN; SELECT * FROM t");
  Exec(a, "UPDATE t SET x = 2");
  EXPECT_EQ(Try(b, "UPDATE t SET x = x + 10"), SQLITE_BUSY_SNAPSHOT);
  EXPECT_ERROR(b.ErrorStatus(), StatusCode::kBusy, "ns/o has changed");
  Exec(b, "ROLLBACK; UPDATE t SET x = x + 10");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "12");
}

// Goal: EXCLUSIVE locking keeps the write lock until the connection closes; others read on.
// Method: one such connection, a second one that tries both.
TEST_F(ConcurrencyTest, ExclusiveKeepsTheWriteLock) {
  Database reader = Open("o");
  {
    Database owner = Open("o", {.locking = Locking::kExclusive});
    Exec(owner, "CREATE TABLE t(x)");
    for (int i = 1; i <= 3; ++i) {
      Exec(owner, "INSERT INTO t VALUES(" + std::to_string(i) + ")");
      EXPECT_EQ(Query(reader, "SELECT max(x) FROM t"), std::to_string(i));
    }
    EXPECT_EQ(Try(reader, "INSERT INTO t VALUES(4)"), SQLITE_BUSY);
    EXPECT_ERROR(Database::Open(*store_, "ns", "o", {.locking = Locking::kExclusive}),
                 StatusCode::kBusy, "");
    // Giving up the mode gives up the lock with the next transaction.
    Exec(owner, "PRAGMA locking_mode=NORMAL; SELECT * FROM t");
    Exec(reader, "INSERT INTO t VALUES(4)");
    EXPECT_EQ(Query(owner, "SELECT max(x) FROM t"), "4");
    Exec(owner, "PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t VALUES(5)");
    EXPECT_EQ(Try(reader, "INSERT INTO t VALUES(6)"), SQLITE_BUSY);
  }
  Exec(reader, "INSERT INTO t VALUES(6)");
  EXPECT_EQ(Query(reader, "SELECT count(*) FROM t"), "6");
}

// Goal: closing a connection in the middle of a transaction drops it and frees the lock.
// Method: a statement still open at sqlite3_close_v2 time is finalized first, as SQLite demands.
TEST_F(ConcurrencyTest, CloseDropsTheTransaction) {
  Database other = Open("o");
  Exec(other, "CREATE TABLE t(x)");
  {
    Database db = Open("o");
    Exec(db, "PRAGMA cache_size=1; BEGIN; INSERT INTO t VALUES(zeroblob(50000))");
  }
  Exec(other, "INSERT INTO t VALUES(1)");
  EXPECT_EQ(Query(other, "SELECT x FROM t; PRAGMA integrity_check"), "1\nok");
}

// Goal: threads with a connection each lose no update and see no torn state.
// Method: each adds 1 to one of two counters and takes it from the other, with a busy handler; the
// sum must be 0 whenever a reader looks, and each addition counted at the end.
TEST_F(ConcurrencyTest, ThreadsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 150;
  Database db = Open("o", {.synchronous = Synchronous::kNormal});
  Exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES(1, 0), (2, 0)");
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Database mine = Open("o", {.synchronous = Synchronous::kNormal});
      sqlite3_busy_timeout(mine.handle(), 60000);
      for (int round = 0; round < kRounds; ++round) {
        int code = SQLITE_BUSY;
        while (code == SQLITE_BUSY || code == SQLITE_BUSY_SNAPSHOT) {
          code = Try(mine,
                     "BEGIN IMMEDIATE; UPDATE t SET x = x + 1 WHERE id = 1;"
                     "UPDATE t SET x = x - 1 WHERE id = 2; COMMIT");
          if (code != SQLITE_OK && sqlite3_get_autocommit(mine.handle()) == 0) {
            Exec(mine, "ROLLBACK");
          }
        }
        ASSERT_EQ(code, SQLITE_OK) << mine.ErrorStatus().ToString();
      }
      ++done;
    });
  }
  while (done < kThreads && !::testing::Test::HasFailure()) {
    ASSERT_EQ(Query(db, "SELECT sum(x) FROM t"), "0");
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Query(db, "SELECT x FROM t WHERE id = 1"), std::to_string(kThreads * kRounds));
}

}  // namespace
}  // namespace tidemark::testing
