// Alarms through SQLite: Database::SetAlarm comes with the commit of its transaction.

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class AlarmTest : public VfsTest {
 protected:
  std::optional<Timestamp> AlarmOf(const std::string& name) { return Head(name).alarm; }
};

constexpr Timestamp kFirst = ManualClock::kStart;
constexpr Timestamp kSecond = ManualClock::kStart + std::chrono::hours(1);

// Goal: an alarm comes with the commit of its transaction and stays with all that know nothing of
// it. Method: in both locking modes and in each journal mode that has a file.
TEST_F(AlarmTest, ComesWithTheCommit) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    for (const char* const journal : {"DELETE", "TRUNCATE", "PERSIST"}) {
      const std::string name =
          std::string(locking == Locking::kNormal ? "normal-" : "exclusive-") + journal;
      SCOPED_TRACE(name);
      {
        Database db = Open(name, {.locking = locking});
        Query(db, std::string("PRAGMA journal_mode=") + journal);
        Exec(db, "BEGIN; CREATE TABLE t(x)");
        ASSERT_OK(db.SetAlarm(kFirst));
        EXPECT_FALSE(db.object().exists());
        Exec(db, "COMMIT");
        EXPECT_EQ(AlarmOf(name), kFirst);
        EXPECT_EQ(db.object().alarm(), kFirst);
        Exec(db, "INSERT INTO t VALUES(1)");
        EXPECT_EQ(AlarmOf(name), kFirst);
        Exec(db, "BEGIN; INSERT INTO t VALUES(2)");
        ASSERT_OK(db.SetAlarm(kFirst));
        ASSERT_OK(db.SetAlarm(kSecond));  // the last one counts
        Exec(db, "COMMIT");
        EXPECT_EQ(AlarmOf(name), kSecond);
        Exec(db, "BEGIN; INSERT INTO t SELECT randomblob(20000)");
        ASSERT_OK(db.SetAlarm(std::nullopt));
        Exec(db, "COMMIT");
        EXPECT_EQ(AlarmOf(name), std::nullopt);
        Exec(db, "BEGIN; DELETE FROM t WHERE x = 1");
        ASSERT_OK(db.SetAlarm(kSecond));
        Exec(db, "COMMIT; VACUUM");
        EXPECT_EQ(AlarmOf(name), kSecond);
        Exec(db, "PRAGMA page_size = 8192; VACUUM");
        EXPECT_EQ(AlarmOf(name), kSecond);
      }
      Exec(Open(name), "INSERT INTO t VALUES(3)");
      EXPECT_EQ(AlarmOf(name), kSecond);
    }
  }
}

// Goal: a rollback drops it, and no later commit has it. Method: rollbacks of transactions that did
// and did not spill pages, by statement, by a failure and by the end of the connection; and back to
// a savepoint, which does not.
TEST_F(AlarmTest, RollbacksDropIt) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    const std::string name = locking == Locking::kNormal ? "normal" : "exclusive";
    SCOPED_TRACE(name);
    {
      Database db = Open(name, {.locking = locking});
      Exec(db, "CREATE TABLE t(x UNIQUE)");
      for (const char* const work :
           {"INSERT INTO t VALUES(1)",
            "PRAGMA cache_size = 1; INSERT INTO t SELECT randomblob(1000) FROM "
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) "
            "SELECT i FROM n)"}) {
        Exec(db, std::string("BEGIN; ") + work);
        ASSERT_OK(db.SetAlarm(kFirst));
        Exec(db, "ROLLBACK");
        Exec(db, "INSERT INTO t VALUES('after')");
        EXPECT_EQ(AlarmOf(name), std::nullopt);
        Exec(db, "DELETE FROM t");
      }
      Exec(db, "BEGIN; INSERT INTO t VALUES(2)");
      ASSERT_OK(db.SetAlarm(kFirst));
      EXPECT_EQ(Try(db, "INSERT OR ROLLBACK INTO t VALUES(2)"), SQLITE_CONSTRAINT_UNIQUE);
      Exec(db, "INSERT INTO t VALUES(3)");
      EXPECT_EQ(AlarmOf(name), std::nullopt);
      Exec(db, "BEGIN; INSERT INTO t VALUES(4); SAVEPOINT s; INSERT INTO t VALUES(5)");
      ASSERT_OK(db.SetAlarm(kFirst));
      Exec(db, "ROLLBACK TO s; COMMIT");
      EXPECT_EQ(AlarmOf(name), kFirst);
      Exec(db, "BEGIN; INSERT INTO t VALUES(6)");
      ASSERT_OK(db.SetAlarm(kSecond));
    }
    Exec(Open(name), "INSERT INTO t VALUES(7)");
    EXPECT_EQ(AlarmOf(name), kFirst);
  }
}

// Goal: without a transaction that has changed something there is nothing that an alarm could come
// with, and that is said.
TEST_F(AlarmTest, NeedsATransaction) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    const std::string name = locking == Locking::kNormal ? "normal" : "exclusive";
    Database db = Open(name, {.locking = locking});
    Exec(db, "CREATE TABLE t(x)");
    EXPECT_ERROR(db.SetAlarm(kFirst), StatusCode::kInvalidArgument, "ns/" + name);
    for (const char* const begin : {"BEGIN", "BEGIN IMMEDIATE", "BEGIN; SELECT * FROM t"}) {
      Exec(db, begin);
      EXPECT_ERROR(db.SetAlarm(kFirst), StatusCode::kInvalidArgument, "transaction");
      Exec(db, "COMMIT");
    }
    Exec(db, "INSERT INTO t VALUES(1)");
    EXPECT_EQ(AlarmOf(name), std::nullopt);
  }
  Database reader = Open("normal", {.read_only = true});
  EXPECT_ERROR(reader.SetAlarm(kFirst), StatusCode::kInvalidArgument, "ns/normal");
}

// Goal: each object of a transaction over several has its own.
TEST_F(AlarmTest, AttachedObjects) {
  Exec(Open("other"), "CREATE TABLE t(x)");
  Database db = Open("main");
  Exec(db, "CREATE TABLE t(x)");
  Exec(db, "ATTACH '" + Uri("other") + "' AS other");
  Exec(db, "BEGIN; INSERT INTO t VALUES(1); INSERT INTO other.t VALUES(2)");
  ASSERT_OK(db.SetAlarm(kFirst));
  Exec(db, "COMMIT");
  EXPECT_EQ(AlarmOf("main"), kFirst);
  EXPECT_EQ(AlarmOf("other"), std::nullopt);
  EXPECT_EQ(Query(db, "SELECT x FROM other.t"), "2");
}

}  // namespace
}  // namespace tidemark::testing
