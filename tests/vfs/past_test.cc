// The past through SQLite: read-only views, and what open connections see of a restore.

#include <string>

#include "engine/clock.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class PastTest : public VfsTest {
 protected:
  void SetUp() override { OpenStore({.create_if_missing = true, .clock = &clock_}); }

  // A commit at the clock's next second; returns its bookmark.
  Bookmark CommitSql(Database& db, const std::string& sql) {
    clock_.Advance(std::chrono::seconds(1));
    Exec(db, sql);
    return *db.object().CurrentBookmark();
  }

  ManualClock clock_;
};

// Goal: at=POINT shows the database as it was, by bookmark or by time, and stays that way.
// Method: three states, each looked at while the next ones are committed.
TEST_F(PastTest, ShowsAnEarlierCommit) {
  Database db = Open("o");
  const Bookmark one = CommitSql(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  const Timestamp one_time = clock_.Now();
  const Bookmark two = CommitSql(db, "UPDATE t SET x = 2");
  Database past = Open("o", {.at = one});
  EXPECT_EQ(Query(past, "SELECT x FROM t"), "1");
  CommitSql(db, "UPDATE t SET x = 3; CREATE TABLE u(y)");
  EXPECT_EQ(Query(past, "SELECT x FROM t; SELECT count(*) FROM sqlite_schema"), "1\n1");
  Database by_time = Open("o", {.at = one_time});
  EXPECT_EQ(Query(by_time, "SELECT x FROM t"), "1");

  Connection by_uri(Uri("o", "&at=" + two.ToString()));
  ASSERT_EQ(by_uri.code(), SQLITE_OK);
  EXPECT_EQ(Query(by_uri.handle(), "SELECT x FROM t"), "2");
  ASSERT_OK(db.object().SetLabel("two", two));
  Connection by_label(Uri("o", "&at=two"));
  ASSERT_EQ(by_label.code(), SQLITE_OK);
  EXPECT_EQ(Query(by_label.handle(), "SELECT x FROM t"), "2");
  Connection by_words(Uri("o", "&at=1%20second%20ago"));
  ASSERT_EQ(by_words.code(), SQLITE_OK);
  EXPECT_EQ(Query(by_words.handle(), "SELECT x FROM t"), "2");
}

// Goal: what a label names is opened when its bookmark has long expired.
TEST_F(PastTest, ALabelsCommitDoesNotExpire) {
  Database db = Open("o");
  const Bookmark one = CommitSql(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  ASSERT_OK(db.object().SetLabel("one", one));
  CommitSql(db, "UPDATE t SET x = 2");
  clock_.Advance(store_->options().retention + std::chrono::hours(1));
  const Bookmark two = CommitSql(db, "UPDATE t SET x = 3");
  CommitSql(db, "UPDATE t SET x = 4");
  clock_.Advance(store_->options().retention + std::chrono::hours(1));
  ASSERT_OK(store_->Prune());
  EXPECT_ERROR(Database::Open(*store_, "ns", "o", {.at = two}), StatusCode::kExpired, "");
  Database past = Open("o", {.at = Label{"one"}});
  EXPECT_EQ(Query(past, "SELECT x FROM t"), "1");
  Exec(db, "PRAGMA tidemark_restore='one'");
  EXPECT_EQ(Query(db, "SELECT x FROM t"), "1");
}

// Goal: the past cannot be written, and nor can a read-only connection.
// Method: writes through each.
TEST_F(PastTest, CannotBeWritten) {
  Database db = Open("o");
  const Bookmark point = CommitSql(db, "CREATE TABLE t(x)");
  for (const DatabaseOptions& options :
       {DatabaseOptions{.at = point}, DatabaseOptions{.read_only = true},
        DatabaseOptions{.read_only = true, .locking = Locking::kExclusive}}) {
    Database reader = Open("o", options);
    EXPECT_EQ(Try(reader, "INSERT INTO t VALUES(1)"), SQLITE_READONLY);
    EXPECT_EQ(reader.ErrorStatus().code(), StatusCode::kReadOnly);
    EXPECT_EQ(Query(reader, "SELECT count(*) FROM t"), "0");
  }
  EXPECT_EQ(CommitCount("o"), 1);
}

// Goal: a missing object, a wrong bookmark and a wrong name are errors that say so.
// Method: open each by Database::Open and, where a name can say it, by URI.
TEST_F(PastTest, WrongNamesAndPoints) {
  Database a = Open("a");
  Database b = Open("b");
  Exec(b, "CREATE TABLE t(x)");
  const Bookmark of_a = CommitSql(a, "CREATE TABLE t(x)");
  EXPECT_ERROR(Database::Open(*store_, "ns", "none", {.if_missing = IfMissing::kFail}),
               StatusCode::kNotFound, "ns/none");
  EXPECT_ERROR(Database::Open(*store_, "ns", "none", {.read_only = true}), StatusCode::kNotFound,
               "ns/none");
  EXPECT_ERROR(Database::Open(*store_, "ns", ""), StatusCode::kInvalidArgument, "");
  EXPECT_ERROR(Database::Open(*store_, "ns", "b", {.at = of_a}), StatusCode::kForeign, "");

  EXPECT_EQ(Connection("file:ns/a?vfs=tidemark").code(), SQLITE_CANTOPEN) << "no store";
  EXPECT_EQ(Connection(Uri("a", "&at=nonsense")).code(), SQLITE_CANTOPEN);
  EXPECT_EQ(Connection("file:a?vfs=tidemark&store=" + store_->directory()).code(), SQLITE_CANTOPEN);
  EXPECT_EQ(Connection("file:ns/a?vfs=tidemark&store=/nowhere/store").code(), SQLITE_CANTOPEN);
  EXPECT_EQ(Connection(Uri("none"), SQLITE_OPEN_READWRITE).code(), SQLITE_CANTOPEN);
  EXPECT_EQ(Connection(Uri("a"), SQLITE_OPEN_READWRITE).code(), SQLITE_OK);
}

// Goal: a store is found by its directory while it is attached or a Database is open, and two
// stores of one directory are not mixed up.
// Method: attach, detach and attach twice; detach under a connection, which must go on.
TEST_F(PastTest, StoresAreFoundWhileAttached) {
  { Exec(Open("o"), "CREATE TABLE t(x)"); }
  EXPECT_EQ(Connection(Uri("o")).code(), SQLITE_CANTOPEN);
  ASSERT_OK(AttachStore(store_.get()));
  EXPECT_ERROR(AttachStore(store_.get()), StatusCode::kExists, store_->directory());
  { Database db = Open("o"); }
  EXPECT_EQ(Connection(Uri("o")).code(), SQLITE_OK);
  EXPECT_EQ(Connection("file:ns/o?vfs=tidemark&store=" + directory_.path() + "/./store/").code(),
            SQLITE_OK);
  {
    const Connection open(Uri("o"));
    EXPECT_ERROR(DetachStore(store_.get()), StatusCode::kBusy, "1 open database");
    Exec(open.handle(), "INSERT INTO t VALUES(1)");
  }
  EXPECT_OK(DetachStore(store_.get()));
  EXPECT_EQ(Connection(Uri("o")).code(), SQLITE_CANTOPEN);
}

// Goal: past points of an object and of others are attached beside the live one and joined with it;
// they stay what they were while it changes, and cannot be written. Method: two pasts of one object
// and one of another, by URI; a difference between past and present is written into the present.
TEST_F(PastTest, PastsAttachBesideThePresent) {
  Database db = Open("o");
  const Bookmark one = CommitSql(db,
                                 "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
                                 "INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')");
  const Bookmark two = CommitSql(db, "UPDATE t SET x = 'B' WHERE id = 2");
  CommitSql(db, "DELETE FROM t WHERE id = 3");
  Database other = Open("other");
  const Bookmark of_other = CommitSql(other, "CREATE TABLE u(id, y); INSERT INTO u VALUES(1, 'y')");
  CommitSql(other, "DROP TABLE u");

  Exec(db, "ATTACH '" + Uri("o", "&at=" + one.ToString()) +
               "' AS past;"
               "ATTACH '" +
               Uri("o", "&at=" + two.ToString()) +
               "' AS later;"
               "ATTACH '" +
               Uri("other", "&at=" + of_other.ToString()) + "' AS other");
  const std::string all =
      "SELECT past.t.x, later.t.x, main.t.x, y FROM past.t LEFT JOIN later.t USING(id) "
      "LEFT JOIN main.t USING(id) LEFT JOIN other.u USING(id) ORDER BY id";
  EXPECT_EQ(Query(db, all), "a|a|a|y\nb|B|B|NULL\nc|c|NULL|NULL");
  Exec(db,
       "BEGIN; INSERT INTO t SELECT * FROM past.t WHERE id NOT IN (SELECT id FROM main.t);"
       "UPDATE t SET x = 'changed' WHERE id = 1; COMMIT");
  EXPECT_EQ(Query(db, all), "a|a|changed|y\nb|B|B|NULL\nc|c|c|NULL");
  EXPECT_EQ(Try(db, "UPDATE past.t SET x = 'no'"), SQLITE_READONLY);
  EXPECT_EQ(Try(db, "BEGIN; UPDATE t SET x = 'no'; DELETE FROM other.u; COMMIT"), SQLITE_READONLY);
  Exec(db, "ROLLBACK");
  Exec(db, "DETACH past; ATTACH '" + Uri("o", "&at=" + two.ToString()) + "' AS past");
  EXPECT_EQ(Query(db, "SELECT x FROM past.t; SELECT x FROM t"), "a\nB\nc\nchanged\nB\nc");

  // A past may also be the main database, and the present attached to it.
  const Connection past(Uri("o", "&at=" + one.ToString()));
  Exec(past.handle(), "ATTACH '" + Uri("o") +
                          "' AS present;"
                          "INSERT INTO present.t SELECT id + 10, x FROM main.t");
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "6");
  EXPECT_EQ(Try(past.handle(), "DELETE FROM main.t"), SQLITE_READONLY);
}

// Goal: a restore and its undo are seen by connections that are open, caches and all.
// Method: restore under two connections with warm caches, the database smaller afterwards.
TEST_F(PastTest, RestoreIsSeenByOpenConnections) {
  Database a = Open("o");
  Database b = Open("o");
  const Bookmark one = CommitSql(a, "CREATE TABLE t(x); INSERT INTO t VALUES('one')");
  CommitSql(a, "UPDATE t SET x = 'two'; INSERT INTO t VALUES(hex(zeroblob(20000)))");
  EXPECT_EQ(Query(b, "SELECT count(*), min(x) FROM t"), Query(a, "SELECT count(*), min(x) FROM t"));
  ASSERT_OK_AND_ASSIGN(const RestoreInfo restore, a.object().Restore(one));
  EXPECT_EQ(Query(a, "SELECT x FROM t; PRAGMA integrity_check"), "one\nok");
  EXPECT_EQ(Query(b, "SELECT x FROM t"), "one");
  Exec(b, "INSERT INTO t VALUES('three')");
  EXPECT_EQ(Query(a, "SELECT count(*) FROM t"), "2");
  ASSERT_OK(a.object().Restore(restore.undo));
  EXPECT_EQ(Query(b, "SELECT count(*), max(x) FROM t; PRAGMA integrity_check"), "2|two\nok");
}

// Goal: a restore in the middle of a read transaction does not change what it reads, and a write
// transaction and a restore exclude each other.
// Method: both orders.
TEST_F(PastTest, RestoreAndTransactions) {
  Database a = Open("o");
  const Bookmark one = CommitSql(a, "CREATE TABLE t(x); INSERT INTO t VALUES('one')");
  CommitSql(a, "UPDATE t SET x = 'two'");
  Exec(a, "BEGIN; SELECT * FROM t");
  ASSERT_OK(a.object().Restore(one));
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "two");
  EXPECT_EQ(Try(a, "UPDATE t SET x = 'three'"), SQLITE_BUSY_SNAPSHOT);
  Exec(a, "ROLLBACK; BEGIN IMMEDIATE; UPDATE t SET x = 'four'");
  EXPECT_ERROR(a.object().Restore(one), StatusCode::kBusy, "ns/o");
  Exec(a, "COMMIT");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "four");
}

// Goal: after a restore no connection uses a schema of the commits that were left behind, though
// SQLite recognises schemas by a number that counts up the same way again.
// Method: one connection learns a schema; then a restore, and another connection makes as many
// changes of the schema, to something else.
TEST_F(PastTest, RestoreDoesNotMixUpSchemas) {
  Database a = Open("o");
  Database b = Open("o");
  const Bookmark one = CommitSql(a, "CREATE TABLE base(x)");
  CommitSql(a, "CREATE TABLE t(first, second); INSERT INTO t VALUES(1, 2)");
  EXPECT_EQ(Query(a, "SELECT second FROM t"), "2");
  ASSERT_OK(b.object().Restore(one));
  CommitSql(b, "CREATE TABLE other(p); ");
  CommitSql(b, "DROP TABLE other");
  ASSERT_OK(b.object().Restore(one));
  CommitSql(b, "CREATE TABLE u(only); INSERT INTO u VALUES(7)");
  EXPECT_EQ(Query(a, "SELECT name FROM sqlite_schema"), "base\nu");
  EXPECT_EQ(Try(a, "SELECT second FROM t"), SQLITE_ERROR) << "no such table";
  EXPECT_EQ(Query(a, "SELECT only FROM u"), "7");
  // And what such a connection writes is right for everyone else.
  Exec(a, "CREATE TABLE v(y); INSERT INTO v VALUES(8)");
  EXPECT_EQ(Query(b, "SELECT y FROM v; PRAGMA integrity_check"), "8\nok");
  EXPECT_EQ(Query(Open("o"), "SELECT y FROM v"), "8");
}

}  // namespace
}  // namespace tidemark::testing
