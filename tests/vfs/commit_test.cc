// What a commit through SQLite is: when it happens, what it stores, and what a rollback undoes.

#include <string>
#include <tuple>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class CommitTest : public VfsTest {};

// Goal: each committing statement is one commit of the object, a rollback is none.
// Method: count the object's commits around statements.
TEST_F(CommitTest, OneTransactionIsOneCommit) {
  Database db = Open("a");
  EXPECT_EQ(CommitCount("a"), 0) << "opening writes nothing";
  Exec(db, "CREATE TABLE t(x)");
  EXPECT_EQ(CommitCount("a"), 1);
  Exec(db, "BEGIN; INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); COMMIT");
  EXPECT_EQ(CommitCount("a"), 2);
  Exec(db, "BEGIN; INSERT INTO t VALUES(3); ROLLBACK");
  EXPECT_EQ(CommitCount("a"), 2);
  EXPECT_EQ(Query(db, "SELECT x FROM t"), "1\n2");
}

// Goal: a commit is marked as changing the schema if it does, and only then. Method: each kind of
// change, others of page 1, changes that were undone; in both locking modes, behind another
// connection's commit, and behind a restore, when SQLite is served another cookie than is stored.
TEST_F(CommitTest, ChangesOfTheSchemaAreMarked) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    const std::string name = locking == Locking::kNormal ? "n" : "e";
    SCOPED_TRACE(name);
    Database db = Open(name, {.locking = locking});
    const auto changes = [&](const std::string& sql) {
      const Lsn before = Head(name).lsn;
      Exec(db, sql);
      EXPECT_GT(Head(name).lsn, before) << sql;
      return Head(name).schema_changed;
    };
    Exec(db, "CREATE TABLE t(x)");
    EXPECT_TRUE(Head(name).schema_changed);
    EXPECT_FALSE(changes("INSERT INTO t VALUES(1)"));
    EXPECT_FALSE(changes("PRAGMA user_version = 7"));
    EXPECT_FALSE(changes("INSERT INTO t SELECT randomblob(9000)"));  // grows: page 1 is written
    const CommitInfo plain = Head(name);
    EXPECT_TRUE(changes("CREATE INDEX i ON t(x)"));
    EXPECT_FALSE(changes("DELETE FROM t WHERE x <> 1"));
    EXPECT_TRUE(changes("ALTER TABLE t ADD COLUMN y"));
    EXPECT_TRUE(changes("VACUUM"));
    Exec(db, "BEGIN; DROP TABLE t; ROLLBACK");
    EXPECT_FALSE(changes("PRAGMA user_version = 8"));
    EXPECT_FALSE(changes("BEGIN; SAVEPOINT s; DROP INDEX i; ROLLBACK TO s; DELETE FROM t; COMMIT"));
    EXPECT_TRUE(changes("BEGIN; DELETE FROM t; DROP INDEX i; COMMIT"));
    if (locking == Locking::kExclusive) continue;

    EXPECT_FALSE(changes("INSERT INTO t(x) VALUES(2)"));
    Exec(Open(name), "CREATE TABLE u(x)");
    EXPECT_TRUE(Head(name).schema_changed);
    EXPECT_FALSE(changes("PRAGMA user_version = 9"));
    ASSERT_OK(db.object().Restore(db.object().BookmarkOf(plain)));
    EXPECT_FALSE(Head(name).schema_changed);
    EXPECT_FALSE(changes("PRAGMA user_version = 10"));
    EXPECT_TRUE(changes("CREATE TABLE v(x)"));
    EXPECT_TRUE(changes("PRAGMA page_size = 8192; VACUUM"));
    EXPECT_FALSE(changes("PRAGMA user_version = 11"));
  }
}

// Goal: a transaction that changes no byte makes no commit, in both locking modes.
// Method: updates that come back to what is there (SQLite writes the pages all the same), updates
// that SQLite itself drops, empty transactions, and reads.
TEST_F(CommitTest, NothingChangedIsNoCommit) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    const std::string name = locking == Locking::kNormal ? "n" : "e";
    Database db = Open(name, {.locking = locking});
    Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES('aa')");
    const Lsn before = Head(name).lsn;
    Exec(db, "BEGIN; UPDATE t SET x = 'bb'; UPDATE t SET x = 'aa'; COMMIT");
    Exec(db, "UPDATE t SET x = 'aa'");
    Exec(db, "BEGIN IMMEDIATE; COMMIT; BEGIN; SELECT * FROM t; COMMIT");
    EXPECT_EQ(Head(name).lsn, before) << name;
  }
}

// Goal: a transaction without a change is never taken for a later commit of someone else.
// SQLite remembers the change counter it wrote; if the next commit of another connection showed
// the same number, the first connection would go on reading its stale cache.
// Method: two connections, the first makes such a transaction, the second a commit.
TEST_F(CommitTest, CommitAfterOneWithoutChangesIsSeen) {
  Database a = Open("o");
  Exec(a, "CREATE TABLE t(x); INSERT INTO t VALUES('aa')");
  Database b = Open("o");
  EXPECT_EQ(Query(b, "SELECT x FROM t"), "aa");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "aa");
  Exec(a, "BEGIN; UPDATE t SET x = 'bb'; UPDATE t SET x = 'aa'; COMMIT");
  Exec(b, "UPDATE t SET x = 'cc'");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "cc");
}

// Goal: nor is a transaction that was rolled back to its beginning and went on: no update of
// another connection is lost. SQLite then writes page 1 with nothing new in it but its counter.
// Method: ROLLBACK TO the savepoint that began the transaction, then a change, or none; an update
// by another connection; an update by the first.
TEST_F(CommitTest, CommitAfterRollbackToTheBeginningIsSeen) {
  Database a = Open("o");
  Exec(a, "CREATE TABLE t(x); INSERT INTO t VALUES(10)");
  Database b = Open("o");
  for (const std::string change : {"x + 1", "x"}) {
    Exec(a, "UPDATE t SET x = 10");
    Exec(b, "SAVEPOINT s; UPDATE t SET x = 50; ROLLBACK TO s; UPDATE t SET x = " + change +
                "; RELEASE s");
    const int before = std::stoi(Query(a, "SELECT x FROM t"));
    Exec(a, "UPDATE t SET x = x + 1");
    Exec(b, "UPDATE t SET x = x + 1");
    EXPECT_EQ(Query(b, "SELECT x FROM t"), std::to_string(before + 2)) << change;
    EXPECT_EQ(Query(a, "SELECT x FROM t"), std::to_string(before + 2)) << change;
  }
}

// Goal: synchronous decides whether a commit returns before it is durable.
// Method: with background work by hand nothing becomes durable unless the commit waits for it.
TEST(SynchronousTest, DecidesWhetherACommitIsWaitedFor) {
  TempDirectory directory;
  StoreOptions options{.create_if_missing = true, .background_work = BackgroundWork::kManual};
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(directory / "store", options));
  {
    ASSERT_OK_AND_ASSIGN(Database db, Database::Open(*store, "ns", "o"));
    const auto is_durable = [&] { return store->durable_lsn() >= db.object().head().lsn; };
    Exec(db, "CREATE TABLE t(x)");
    EXPECT_TRUE(is_durable()) << "FULL is the default";
    for (const char* lazy : {"NORMAL", "OFF", "1", "0", "no", "nonsense"}) {
      Exec(db, std::string("PRAGMA synchronous=") + lazy + "; INSERT INTO t VALUES(1)");
      EXPECT_FALSE(is_durable()) << lazy;
    }
    for (const char* eager : {"FULL", "'extra'", "2", "3"}) {
      Exec(db, "PRAGMA synchronous=OFF; INSERT INTO t VALUES(1)");
      EXPECT_FALSE(is_durable()) << eager;
      Exec(db, std::string("PRAGMA main.synchronous=") + eager + "; INSERT INTO t VALUES(2)");
      EXPECT_TRUE(is_durable()) << eager;
    }
    // SQLite refuses to change it inside a transaction, so it must not have changed for us either.
    Exec(db, "PRAGMA synchronous=NORMAL; BEGIN; INSERT INTO t VALUES(3)");
    EXPECT_EQ(Try(db, "PRAGMA synchronous=FULL"), SQLITE_ERROR);
    Exec(db, "COMMIT");
    EXPECT_FALSE(is_durable());
  }
  {
    ASSERT_OK_AND_ASSIGN(Database db,
                         Database::Open(*store, "ns", "o", {.synchronous = Synchronous::kNormal}));
    Exec(db, "INSERT INTO t VALUES(4)");
    EXPECT_LT(store->durable_lsn(), db.object().head().lsn);
    EXPECT_OK(store->Sync());
    EXPECT_GE(store->durable_lsn(), db.object().head().lsn);
  }
  EXPECT_OK(store->Close());
}

// Every page size, locking mode and journal mode: the same work gives the same content, survives
// rollbacks after cache spills, and is whole after reopening the store.
using Mode = std::tuple<int, Locking, std::string>;
class ModeTest : public VfsTest, public ::testing::WithParamInterface<Mode> {};

// Goal: as above. Method: fill more than the cache holds, roll back to savepoints and wholly,
// shrink, and compare with what the SQL says must be there.
TEST_P(ModeTest, CommitsAndRollsBack) {
  const auto& [page_size, locking, journal_mode] = GetParam();
  {
    Database db = Open("o", {.locking = locking, .synchronous = Synchronous::kNormal});
    Exec(db, "PRAGMA page_size=" + std::to_string(page_size) +
                 "; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA cache_size=5");
    EXPECT_EQ(Query(db, "PRAGMA journal_mode=" + journal_mode), journal_mode);
    Exec(db,
         "CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE TABLE large(x);"
         "INSERT INTO large VALUES(zeroblob(300000))");
    EXPECT_EQ(Query(db, "PRAGMA page_size"), std::to_string(page_size));
    EXPECT_EQ(Head("o").page_size, static_cast<uint32_t>(page_size));
    const std::string many =
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<2000) ";
    Exec(db, "INSERT INTO t(x) " + many + "SELECT 'value ' || i FROM n");
    const std::string sum = "SELECT count(*), sum(length(x)), min(x), max(x) FROM t";
    const std::string before = Query(db, sum);
    const Lsn lsn = Head("o").lsn;

    Exec(db, "BEGIN; UPDATE t SET x = x || ' changed'; DELETE FROM t WHERE id % 3 = 0; ROLLBACK");
    EXPECT_EQ(Query(db, sum), before);
    EXPECT_EQ(Head("o").lsn, lsn);

    Exec(db,
         "BEGIN; UPDATE t SET x = 'one' WHERE id = 1; SAVEPOINT s;"
         "UPDATE t SET x = x || ' changed'; INSERT INTO t(x) " +
             many +
             "SELECT zeroblob(50) FROM n; ROLLBACK TO s; UPDATE t SET x = 'two' WHERE id = 2;"
             "COMMIT");
    EXPECT_EQ(Query(db, "SELECT x FROM t WHERE id < 4"), "one\ntwo\nvalue 3");
    EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "2000");
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");

    const uint32_t pages = Head("o").page_count;
    Exec(db, "DELETE FROM t WHERE id > 10; DELETE FROM large; PRAGMA incremental_vacuum");
    EXPECT_LT(Head("o").page_count, pages);
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Query(db, "PRAGMA page_count"), std::to_string(Head("o").page_count));
    Exec(db, "INSERT INTO t(x) " + many + "SELECT 'again ' || i FROM n");
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
  }
  ASSERT_OK(store_->Close());
  OpenStore({});
  Database db = Open("o", {.if_missing = IfMissing::kFail});
  EXPECT_EQ(Query(db, "SELECT count(*), min(id), max(x) FROM t"), "2010|1|value 9");
  EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
  auto snapshot = db.object().OpenSnapshot();
  ASSERT_OK(snapshot);
  EXPECT_OK(snapshot->Verify());
}

std::string ModeName(const ::testing::TestParamInfo<Mode>& info) {
  const auto& [page_size, locking, journal_mode] = info.param;
  return std::to_string(page_size) + (locking == Locking::kNormal ? "Normal_" : "Exclusive_") +
         journal_mode;
}

INSTANTIATE_TEST_SUITE_P(PageSizes, ModeTest,
                         ::testing::Combine(::testing::Values(512, 1024, 4096, 65536),
                                            ::testing::Values(Locking::kNormal,
                                                              Locking::kExclusive),
                                            ::testing::Values("persist")),
                         ModeName);
INSTANTIATE_TEST_SUITE_P(JournalModes, ModeTest,
                         ::testing::Combine(::testing::Values(4096),
                                            ::testing::Values(Locking::kNormal,
                                                              Locking::kExclusive),
                                            ::testing::Values("delete", "truncate", "memory")),
                         ModeName);

// Goal: a rollback after pages were spilled leaves nothing behind for the next commit.
// Method: EXCLUSIVE locking, where nothing is unlocked in between; the state hash is checked.
TEST_F(CommitTest, RollbackAfterSpillLeavesNothingStaged) {
  for (const char* mode : {"persist", "memory"}) {
    Database db = Open(mode, {.locking = Locking::kExclusive});
    Exec(db, std::string("PRAGMA journal_mode=") + mode + "; PRAGMA cache_size=3");
    Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    Exec(db, "BEGIN; INSERT INTO t VALUES(zeroblob(200000)); ROLLBACK");
    Exec(db, "INSERT INTO t VALUES(2)");
    EXPECT_EQ(Head(mode).page_count, 2u);
    EXPECT_EQ(Query(db, "SELECT x FROM t; PRAGMA integrity_check"), "1\n2\nok");
    auto snapshot = db.object().OpenSnapshot();
    ASSERT_OK(snapshot);
    EXPECT_OK(snapshot->Verify());
  }
}

// Goal: the same without any journal. OFF is refused, but a pragma that names no database reaches
// an attached object only through the main database, which may be another VFS's. Method: a stock
// file with an object attached, EXCLUSIVE locking, a rollback after spills.
TEST_F(CommitTest, RollbackWithoutAJournalLeavesNothingStaged) {
  Database db = Open("o");
  Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  {
    Connection stock(directory_ / "stock");
    Exec(stock.handle(), "ATTACH '" + Uri("o") +
                             "' AS o; PRAGMA locking_mode=EXCLUSIVE;"
                             "PRAGMA journal_mode=OFF; PRAGMA o.cache_size=3");
    EXPECT_EQ(Query(stock.handle(), "PRAGMA o.journal_mode"), "off");
    Exec(stock.handle(), "BEGIN; INSERT INTO o.t VALUES(zeroblob(200000)); ROLLBACK");
    Exec(stock.handle(), "INSERT INTO o.t VALUES(2)");
  }
  EXPECT_EQ(Query(db, "SELECT x FROM t; PRAGMA integrity_check"), "1\n2\nok");
  EXPECT_EQ(Head("o").page_count, 2u);
}

// Goal: a transaction larger than the engine's memory for it commits and rolls back as a whole.
// Method: 64 KiB of transaction memory, 8 MB of rows with a small cache; also over existing pages,
// so that the journal spills, too.
TEST(LargeTransactionTest, GoesThroughBatches) {
  TempDirectory directory;
  StoreOptions options{.create_if_missing = true, .transaction_memory_bytes = 64 << 10};
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(directory / "store", options));
  {
    ASSERT_OK_AND_ASSIGN(Database db, Database::Open(*store, "ns", "o"));
    Exec(db, "PRAGMA cache_size=20; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    const std::string many =
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<8000) ";
    Exec(db, "BEGIN; INSERT INTO t " + many + "SELECT i, randomblob(1000) FROM n; COMMIT");
    EXPECT_EQ(Query(db, "SELECT count(*), sum(length(x)) FROM t"), "8000|8000000");
    Exec(db, "CREATE TABLE sums AS SELECT id, hex(x) AS h FROM t WHERE id % 100 = 0");
    const Lsn lsn = db.object().head().lsn;
    Exec(db, "BEGIN; UPDATE t SET x = randomblob(1000); ROLLBACK");
    EXPECT_EQ(db.object().head().lsn, lsn);
    EXPECT_EQ(Query(db, "SELECT count(*) FROM t JOIN sums USING(id) WHERE hex(x) = h"), "80");
    Exec(db, "UPDATE t SET x = zeroblob(1000)");
    EXPECT_EQ(Query(db, "SELECT count(*) FROM t WHERE x = zeroblob(1000)"), "8000");
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
    auto snapshot = db.object().OpenSnapshot();
    ASSERT_OK(snapshot);
    EXPECT_OK(snapshot->Verify());
  }
  EXPECT_OK(store->Close());
}

// Goal: own commits keep SQLite's page cache, in both locking modes.
// Method: count the pages SQLite reads from the file during one-row transactions.
TEST_F(CommitTest, OwnCommitsKeepTheCache) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    Database db = Open(locking == Locking::kNormal ? "n" : "e", {.locking = locking});
    Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    int misses = 0;
    int highest = 0;
    sqlite3_db_status(db.handle(), SQLITE_DBSTATUS_CACHE_MISS, &misses, &highest, 1);
    for (int i = 0; i < 10; ++i) Exec(db, "UPDATE t SET x = x + 1");
    Exec(db, "UPDATE t SET x = x");
    Exec(db, "UPDATE t SET x = x + 1");
    sqlite3_db_status(db.handle(), SQLITE_DBSTATUS_CACHE_MISS, &misses, &highest, 0);
    EXPECT_EQ(misses, 0);
  }
}

// Goal: in a transaction over two objects each commits; a rollback undoes both.
// Method: ATTACH one object to another; SQLite then uses a super-journal.
TEST_F(CommitTest, AttachedObjectsCommitTogether) {
  Database a = Open("a");
  Database b = Open("b");
  Exec(a, "CREATE TABLE t(x)");
  Exec(b, "CREATE TABLE u(x)");
  Exec(a, "ATTACH '" + Uri("b") + "' AS b");
  Exec(a, "BEGIN; INSERT INTO t VALUES(1); INSERT INTO b.u VALUES(2); COMMIT");
  EXPECT_EQ(CommitCount("a"), 2);
  EXPECT_EQ(CommitCount("b"), 2);
  Exec(a, "BEGIN; INSERT INTO t VALUES(3); INSERT INTO b.u VALUES(4); ROLLBACK");
  EXPECT_EQ(Query(a, "SELECT t.x, u.x FROM t, b.u"), "1|2");
  EXPECT_EQ(Query(b, "SELECT x FROM u"), "2");
}

}  // namespace
}  // namespace tidemark::testing
