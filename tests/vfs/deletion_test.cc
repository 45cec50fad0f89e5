// Objects that are deleted, undeleted and forked under open connections.

#include <gmock/gmock.h>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

class DeletionTest : public VfsTest {
 protected:
  std::shared_ptr<Object> Find(const std::string& name) {
    return store_->OpenObject("ns", name, IfMissing::kDeleted).value();
  }
};

// Goal: readers keep what they read, writers keep a deletion out, and whoever had the database open
// does not write to what is left of it.
TEST_F(DeletionTest, UnderOpenConnections) {
  Database reader = Open("o");
  Exec(reader, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  Database writer = Open("o");
  Exec(writer, "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)");
  EXPECT_ERROR(Find("o")->Delete(), StatusCode::kBusy, "ns/o");
  Exec(writer, "ROLLBACK");
  Exec(reader, "BEGIN; SELECT * FROM t");
  ASSERT_OK(Find("o")->Delete());
  EXPECT_EQ(Query(reader, "SELECT x FROM t"), "1");
  EXPECT_EQ(Try(reader, "INSERT INTO t VALUES(3)"), SQLITE_BUSY_SNAPSHOT);
  Exec(reader, "COMMIT");

  for (Database* database : {&reader, &writer}) {
    EXPECT_EQ(Query(*database, "SELECT count(*) FROM sqlite_schema"), "0");
    EXPECT_EQ(Try(*database, "CREATE TABLE u(x)"), SQLITE_READONLY_DBMOVED);
    EXPECT_THAT(database->ErrorStatus().ToString(), HasSubstr("ns/o was deleted at"));
    EXPECT_EQ(Try(*database, "BEGIN IMMEDIATE"), SQLITE_READONLY_DBMOVED);
  }
  EXPECT_FALSE(Find("o")->exists());

  ASSERT_OK(Find("o")->Undelete());
  Exec(writer, "INSERT INTO t VALUES(4)");
  EXPECT_EQ(Query(reader, "SELECT x FROM t; PRAGMA integrity_check"), "1\n4\nok");
}

// Goal: a connection that is opened afterwards begins the database anew, and those that were open
// follow it.
TEST_F(DeletionTest, BegunAnew) {
  Database old = Open("o");
  Exec(old, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  const RestoreInfo deleted = Find("o")->Delete().value();
  EXPECT_ERROR(Database::Open(*store_, "ns", "o", {.if_missing = IfMissing::kFail}),
               StatusCode::kNotFound, "tidemark undelete");
  EXPECT_EQ(Connection(Uri("o"), SQLITE_OPEN_READWRITE).code(), SQLITE_CANTOPEN);
  {
    Database fresh = Open("o");
    Exec(fresh, "PRAGMA page_size=1024; CREATE TABLE u(y); INSERT INTO u VALUES(2)");
    EXPECT_EQ(Query(old, "SELECT y FROM u"), "2");
    Exec(old, "INSERT INTO u VALUES(3)");
    EXPECT_EQ(Query(fresh, "SELECT y FROM u; PRAGMA integrity_check"), "2\n3\nok");
  }
  EXPECT_ERROR(Find("o")->Undelete(), StatusCode::kExists, deleted.undo.ToString());
  ASSERT_OK(Find("o")->Restore(deleted.undo));
  EXPECT_EQ(Query(old, "SELECT x FROM t; PRAGMA integrity_check"), "1\nok");
}

// Goal: an exclusive connection has the write lock, and keeps a deletion out.
TEST_F(DeletionTest, ExclusiveConnection) {
  Database database = Open("o", {.locking = Locking::kExclusive});
  Exec(database, "CREATE TABLE t(x)");
  EXPECT_ERROR(Find("o")->Delete(), StatusCode::kBusy, "ns/o");
  Exec(database, "INSERT INTO t VALUES(1)");
}

// Goal: the past of a deleted database can be read, by the library and by name.
TEST_F(DeletionTest, PastOfADeletedDatabase) {
  {
    Database database = Open("o");
    Exec(database, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  }
  const RestoreInfo deleted = Find("o")->Delete().value();
  Database past = Open("o", {.at = deleted.undo});
  EXPECT_EQ(Query(past, "SELECT x FROM t"), "1");
  Connection by_name(Uri("o", "&at=" + deleted.undo.ToString()));
  EXPECT_EQ(Query(by_name.handle(), "SELECT x FROM t"), "1");
  EXPECT_ERROR(Database::Open(*store_, "ns", "o", {.at = deleted.result.time}),
               StatusCode::kNotFound, "was deleted");
}

// Goal: a fork is a database of its own. Method: fork under an open transaction, write both sides,
// promote under an open connection of the parent.
TEST_F(DeletionTest, ForksAndPromotes) {
  Database parent = Open("o");
  Exec(parent, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  Database early = Open("fork");  // of nothing yet
  EXPECT_EQ(Query(early, "SELECT count(*) FROM sqlite_schema"), "0");
  Exec(parent, "BEGIN; INSERT INTO t VALUES(2)");
  const auto object = Find("o");
  ASSERT_OK_AND_ASSIGN(const auto fork,
                       store_->Fork(*object, object->CurrentBookmark().value(), "ns", "fork"));
  Exec(parent, "COMMIT");
  Exec(early, "INSERT INTO t VALUES(10)");
  EXPECT_EQ(Query(early, "SELECT x FROM t; PRAGMA integrity_check"), "1\n10\nok");
  EXPECT_EQ(Query(parent, "SELECT x FROM t; PRAGMA integrity_check"), "1\n2\nok");

  EXPECT_ERROR(object->Promote(*fork), StatusCode::kExists, "has a commit");
  Exec(parent, "BEGIN; SELECT * FROM t");
  ASSERT_OK(object->Promote(*fork, IfNewer::kReplace));
  EXPECT_EQ(Query(parent, "SELECT x FROM t"), "1\n2") << "its snapshot";
  Exec(parent, "COMMIT");
  EXPECT_EQ(Query(parent, "SELECT x FROM t; PRAGMA integrity_check"), "1\n10\nok");
  Exec(parent, "ALTER TABLE t ADD COLUMN y; INSERT INTO t VALUES(20, 21)");
  EXPECT_EQ(Query(early, "SELECT * FROM t; PRAGMA integrity_check"), "1\n10\nok");
}

// Goal: a transaction that makes an object keeps a fork out, cleanly, and one that read nothing
// before the fork cannot write over it.
TEST_F(DeletionTest, ForkAgainstATransaction) {
  {
    Database source = Open("o");
    Exec(source, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  }
  const auto object = Find("o");
  const Bookmark now = object->CurrentBookmark().value();
  Database maker = Open("new");
  Exec(maker, "BEGIN; CREATE TABLE own(x)");
  EXPECT_ERROR(store_->Fork(*object, now, "ns", "new"), StatusCode::kExists, "being created");
  Exec(maker, "ROLLBACK; BEGIN; SELECT count(*) FROM sqlite_schema");
  ASSERT_OK(store_->Fork(*object, now, "ns", "new"));
  EXPECT_EQ(Try(maker, "CREATE TABLE own(x)"), SQLITE_BUSY_SNAPSHOT);
  Exec(maker, "ROLLBACK");
  EXPECT_EQ(Query(maker, "SELECT x FROM t"), "1");
}

}  // namespace
}  // namespace tidemark::testing
