// Transactions over several objects (ATTACH): one commit each, next to each other in the log, all
// or none. What a crash leaves of them is in tests/crash/attached_commit_test.cc.

#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class AttachTest : public VfsTest {
 protected:
  // A connection to "a" with "b" and "c" attached, each with a table of one row.
  Database OpenThree(DatabaseOptions options = {}) {
    for (const char* name : {"a", "b", "c"}) {
      Database db = Open(name);
      Exec(db, "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(0)");
    }
    Database db = Open("a", options);
    Exec(db, "ATTACH '" + Uri("b") + "' AS b; ATTACH '" + Uri("c") + "' AS c");
    return db;
  }
};

// Goal: a transaction over three objects is one commit of each, and these are neighbours in the log
// (so that one group has them), whichever locking mode; with a rollback there is none.
// Method: LSNs of the heads.
TEST_F(AttachTest, CommitsAreNeighbours) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    Database db = OpenThree({.locking = locking});
    Exec(db, "BEGIN; UPDATE t SET x = x + 1; UPDATE b.t SET x = x + 1; UPDATE c.t SET x = x + 1");
    const Lsn before = Head("c").lsn;
    Exec(db, "COMMIT");
    EXPECT_EQ(Head("a").lsn.value + 1, Head("b").lsn.value);
    EXPECT_EQ(Head("b").lsn.value + 1, Head("c").lsn.value);
    EXPECT_EQ(Head("a").lsn.value, before.value + 1);
    EXPECT_GE(store_->durable_lsn(), Head("c").lsn) << "synchronous=FULL has waited";
    const Lsn after = Head("c").lsn;
    Exec(db, "BEGIN; UPDATE t SET x = 7; UPDATE b.t SET x = 7; UPDATE c.t SET x = 7; ROLLBACK");
    EXPECT_EQ(Head("c").lsn, after);
    EXPECT_EQ(Query(db, "SELECT * FROM t; SELECT * FROM b.t; SELECT * FROM c.t"), "1\n1\n1");
    Exec(db, "DELETE FROM t; DELETE FROM b.t; DELETE FROM c.t");
  }
}

// Goal: an object that the transaction only read, or left as it was, has no commit.
TEST_F(AttachTest, UnchangedObjectsHaveNoCommit) {
  Database db = OpenThree();
  const Lsn c = Head("c").lsn;
  const Lsn b = Head("b").lsn;
  Exec(db,
       "BEGIN; UPDATE t SET x = (SELECT max(x) + 5 FROM c.t); UPDATE b.t SET x = 1;"
       "UPDATE b.t SET x = 0; COMMIT");
  EXPECT_EQ(Query(db, "SELECT x FROM t"), "5");
  EXPECT_EQ(Head("b").lsn, b);
  EXPECT_EQ(Head("c").lsn, c);
}

// Goal: a first commit that brings objects and their namespace into being can be one of several.
TEST_F(AttachTest, NewObjects) {
  const std::string uri = "?vfs=tidemark&store=" + store_->directory();
  {
    Database db = Open("a");
    Exec(db, "ATTACH 'file:new/one" + uri + "' AS one; ATTACH 'file:new/two" + uri + "' AS two");
    Exec(db, "BEGIN; CREATE TABLE t(x); CREATE TABLE one.t(x); CREATE TABLE two.t(x); COMMIT");
  }
  ASSERT_OK(store_->Close());
  store_ = nullptr;
  OpenStore({});
  for (const char* name : {"one", "two"}) {
    ASSERT_OK_AND_ASSIGN(Database again,
                         Database::Open(*store_, "new", name, {.if_missing = IfMissing::kFail}));
    EXPECT_EQ(Query(again, "SELECT count(*) FROM t"), "0");
  }
}

// Goal: databases that shrink, and transactions too large for a record of the log, too. SQLite cuts
// the end of a file off behind the commit; it must not become a commit of its own.
TEST_F(AttachTest, ShrinkingAndLarge) {
  ASSERT_OK(store_->Close());
  store_ = nullptr;
  OpenStore({.transaction_memory_bytes = 64 << 10});
  for (const char* name : {"a", "b"})
    Exec(Open(name), "PRAGMA auto_vacuum=FULL; CREATE TABLE t(x)");
  Database db = Open("a");
  Exec(db, "ATTACH '" + Uri("b") + "' AS b");
  const std::string grow =
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<2000)"
      "INSERT INTO %.t SELECT randomblob(1000) FROM n;";
  const auto in = [&](const std::string& schema) {
    return std::string(grow).replace(grow.find('%'), 1, schema);
  };
  Exec(db, "BEGIN;" + in("main") + in("b") + "COMMIT");
  EXPECT_EQ(Head("a").lsn.value + 1, Head("b").lsn.value);
  const int commits = CommitCount("a");
  const uint32_t large = Head("b").page_count;
  Exec(db, "BEGIN; DELETE FROM t WHERE rowid > 5; DELETE FROM b.t WHERE rowid > 5; COMMIT");
  EXPECT_EQ(CommitCount("a"), commits + 1);
  EXPECT_EQ(Head("a").lsn.value + 1, Head("b").lsn.value);
  EXPECT_LE(Head("b").page_count, large / 50);
  EXPECT_EQ(Query(db, "PRAGMA main.integrity_check; PRAGMA b.integrity_check"), "ok\nok");
  Database again = Open("b");
  EXPECT_EQ(Query(again, "SELECT count(*) FROM t; PRAGMA integrity_check"), "5\nok");
  EXPECT_EQ(Query(again, "PRAGMA page_count"), std::to_string(Head("b").page_count));
}

// Goal: where SQLite makes no super-journal, or keeps it elsewhere, all objects have their commit.
// Method: a main database in memory or on the stock VFS, synchronous=OFF, journal_mode=MEMORY.
TEST_F(AttachTest, WithoutASuperJournalOfOurs) {
  OpenThree();
  ASSERT_OK(AttachStore(store_.get()));
  const std::string attach = "ATTACH '" + Uri("b") + "' AS b; ATTACH '" + Uri("c") + "' AS c;";
  const std::string change = "BEGIN; UPDATE b.t SET x = x + 1; UPDATE c.t SET x = x + 1;";
  for (const std::string& main : {std::string(":memory:"), directory_.path() + "/stock.db"}) {
    Connection connection(main);
    Exec(connection.handle(), attach + "CREATE TABLE m(x);" + change +
                                  "INSERT INTO m VALUES(1);"
                                  "COMMIT");
  }
  EXPECT_EQ(Query(Open("b"), "SELECT x FROM t"), "2");
  EXPECT_EQ(Query(Open("c"), "SELECT x FROM t"), "2");
  EXPECT_OK(DetachStore(store_.get()));
  for (const std::string pragma : {"synchronous=OFF", "journal_mode=MEMORY"}) {
    Database db = Open("a");
    Exec(db, attach);
    for (const char* schema : {"main", "b", "c"}) {
      Query(db, "PRAGMA " + std::string(schema) + "." + pragma);
    }
    Exec(db, change + "UPDATE main.t SET x = x + 1; COMMIT");
  }
  EXPECT_EQ(Query(Open("a"), "SELECT x FROM t"), "2");
  EXPECT_EQ(Query(Open("b"), "SELECT x FROM t"), "4");
  EXPECT_EQ(Query(Open("c"), "SELECT x FROM t"), "4");
}

// Goal: objects of two stores in one transaction are committed, each store's together.
TEST_F(AttachTest, TwoStores) {
  ASSERT_OK_AND_ASSIGN(auto other,
                       Store::Open(directory_.path() + "/other", {.create_if_missing = true}));
  {
    ASSERT_OK_AND_ASSIGN(const Database there, Database::Open(*other, "ns", "x"));
    Exec(there, "CREATE TABLE t(x); INSERT INTO t VALUES(0)");
    Database db = OpenThree();
    Exec(db, "ATTACH 'file:ns/x?vfs=tidemark&store=" + other->directory() + "' AS x");
    Exec(db, "BEGIN; UPDATE t SET x = 1; UPDATE b.t SET x = 1; UPDATE x.t SET x = 1; COMMIT");
    EXPECT_EQ(Head("a").lsn.value + 1, Head("b").lsn.value);
    EXPECT_EQ(Query(there, "SELECT x FROM t"), "1");
  }
  EXPECT_OK(other->Close());
}

// Goal: a plain file cannot share a transaction with objects while an object is the main database:
// its journal would name a super-journal that is in no file system, and after a crash SQLite would
// let a half-written file stand. Reading it is fine, and so is changing each by itself.
TEST_F(AttachTest, PlainFilesAreRefused) {
  Database db = OpenThree();
  Exec(db, "ATTACH 'file:" + directory_.path() + "/plain.db?vfs=unix' AS plain");
  Exec(db, "CREATE TABLE plain.p(x); INSERT INTO plain.p VALUES(8)");
  EXPECT_EQ(Try(db, "BEGIN; UPDATE t SET x = 1; UPDATE plain.p SET x = 1; COMMIT"), SQLITE_PERM);
  EXPECT_EQ(Query(db, "SELECT x FROM t; SELECT x FROM plain.p"), "0\n8");
  Exec(db, "BEGIN; UPDATE t SET x = (SELECT x FROM plain.p); UPDATE b.t SET x = 9; COMMIT");
  Exec(db, "UPDATE plain.p SET x = (SELECT x FROM b.t)");
  EXPECT_EQ(Query(db, "SELECT x FROM t; SELECT x FROM b.t; SELECT x FROM plain.p"), "8\n9\n9");
}

// Goal: a past point attaches beside the present and joins with it.
TEST_F(AttachTest, ThePastBesideThePresent) {
  Database db = OpenThree();
  ASSERT_OK_AND_ASSIGN(const Bookmark before, db.object().CurrentBookmark());
  Exec(db, "UPDATE t SET x = 1; INSERT INTO t VALUES(2)");
  Exec(db, "ATTACH '" + Uri("a", "&at=" + before.ToString()) + "' AS past");
  EXPECT_EQ(Query(db,
                  "SELECT now.x, old.x FROM main.t now LEFT JOIN past.t old ON old.rowid = "
                  "now.rowid"),
            "1|0\n2|NULL");
  EXPECT_EQ(Try(db, "UPDATE past.t SET x = 3"), SQLITE_READONLY);
  Exec(db,
       "BEGIN; UPDATE t SET x = (SELECT x FROM past.t) WHERE x = 1; UPDATE b.t SET x = 9; COMMIT");
  EXPECT_EQ(Query(db, "SELECT x FROM t; SELECT x FROM b.t"), "0\n2\n9");
}

}  // namespace
}  // namespace tidemark::testing
