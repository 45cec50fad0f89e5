// Writes that are not one page of the usual size: the backup API, VACUUM, and databases in WAL
// mode.

#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

constexpr char kFill[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE INDEX i ON t(x);"
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<500) "
    "INSERT INTO t SELECT i, 'row ' || i || hex(zeroblob(i % 90)) FROM n;";

class OddWriteTest : public VfsTest {
 protected:
  std::string MakeFile(const std::string& name, int page_size, const std::string& sql = kFill) {
    const std::string path = directory_ / name;
    Connection file(path);
    Exec(file.handle(), "PRAGMA page_size=" + std::to_string(page_size) + ";" + sql);
    return path;
  }

  void ExpectWhole(const Database& db) {
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Query(db, "PRAGMA page_count"), std::to_string(db.object().head().page_count));
    auto snapshot = db.object().OpenSnapshot();
    ASSERT_OK(snapshot);
    EXPECT_OK(snapshot->Verify());
  }
};

// Goal: the backup API copies a database of any page size into an empty object, page size included,
// and out again.
// Method: there and back, contents compared.
TEST_F(OddWriteTest, BackupIntoAnEmptyObjectAndOut) {
  for (const int page_size : {512, 4096, 65536}) {
    const std::string name = std::to_string(page_size);
    Connection file(MakeFile(name, page_size));
    Database db = Open(name);
    ASSERT_EQ(Backup(db.handle(), file.handle()), SQLITE_DONE);
    EXPECT_EQ(CommitCount(name), 1);
    EXPECT_EQ(Head(name).page_size, static_cast<uint32_t>(page_size));
    EXPECT_EQ(Dump(db.handle()), Dump(file.handle()));
    ExpectWhole(db);
    Connection out(directory_ / (name + ".out"));
    ASSERT_EQ(Backup(out.handle(), db.handle()), SQLITE_DONE);
    EXPECT_EQ(Dump(out.handle()), Dump(file.handle()));
    EXPECT_EQ(Query(out.handle(), "PRAGMA integrity_check"), "ok");
  }
}

// Goal: the backup API replaces a database by one of another page size, in one commit; another
// connection that is open sees it; a restore brings back the one before.
// Method: from each page size to each other, shrinking and growing.
TEST_F(OddWriteTest, BackupOverAnotherPageSize) {
  for (const int from : {512, 4096, 32768}) {
    for (const int to : {512, 1024, 4096, 65536}) {
      const std::string name = std::to_string(from) + "-" + std::to_string(to);
      SCOPED_TRACE(name);
      Connection source(MakeFile(name, to));
      Database db = Open(name);
      Exec(db, "PRAGMA page_size=" + std::to_string(from) +
                   "; CREATE TABLE old(x); INSERT INTO old VALUES(zeroblob(70001))");
      Database other = Open(name);
      EXPECT_EQ(Query(other, "SELECT length(x) FROM old"), "70001");
      const int commits = CommitCount(name);
      const Bookmark before = *db.object().CurrentBookmark();
      ASSERT_EQ(Backup(db.handle(), source.handle()), SQLITE_DONE) << db.ErrorStatus().ToString();
      EXPECT_EQ(CommitCount(name), commits + 1);
      EXPECT_EQ(Head(name).page_size, static_cast<uint32_t>(to));
      EXPECT_EQ(Dump(db.handle()), Dump(source.handle()));
      EXPECT_EQ(Dump(other.handle()), Dump(source.handle()));
      ExpectWhole(db);
      Exec(other, "UPDATE t SET x = 'changed' WHERE id = 7");
      EXPECT_EQ(Query(db, "SELECT x FROM t WHERE id = 7"), "changed");
      ASSERT_OK(db.object().Restore(before));
      EXPECT_EQ(Query(other, "SELECT length(x) FROM old"), "70001");
      EXPECT_EQ(Query(db, "PRAGMA integrity_check; PRAGMA page_size"),
                "ok\n" + std::to_string(from));
    }
  }
}

// Goal: VACUUM keeps the content, with the same page size and with a new one, in both locking
// modes. Method: contents compared around it, and after a further change.
TEST_F(OddWriteTest, Vacuum) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    for (const int to : {1024, 4096, 16384}) {
      const std::string name =
          std::to_string(to) + (locking == Locking::kNormal ? "-normal" : "-exclusive");
      SCOPED_TRACE(name);
      Database db = Open(name, {.locking = locking});
      Exec(db, kFill);
      Exec(db, "DELETE FROM t WHERE id % 2");
      const std::string before = Dump(db.handle());
      Exec(db, "PRAGMA page_size=" + std::to_string(to) + "; VACUUM");
      EXPECT_EQ(Query(db, "PRAGMA page_size"), std::to_string(to));
      EXPECT_EQ(Head(name).page_size, static_cast<uint32_t>(to));
      EXPECT_EQ(Dump(db.handle()), before);
      ExpectWhole(db);
      Exec(db, "INSERT INTO t(x) VALUES('after')");
      ExpectWhole(db);
    }
  }
}

// Goal: a database in WAL mode arrives as one without, and opens and writes as any other.
// Method: copy one in, use it through the same and through a new connection.
TEST_F(OddWriteTest, WalDatabaseCopiedIn) {
  Connection file(directory_ / "wal");
  Exec(file.handle(), "PRAGMA journal_mode=WAL");
  Exec(file.handle(), kFill);
  Database db = Open("o");
  ASSERT_EQ(Backup(db.handle(), file.handle()), SQLITE_DONE);
  EXPECT_EQ(Dump(db.handle()), Dump(file.handle()));
  EXPECT_EQ(Query(db, "PRAGMA journal_mode"), "persist");
  Exec(db, "INSERT INTO t(x) VALUES('mine')");
  Database other = Open("o");
  EXPECT_EQ(Query(other, "SELECT count(*) FROM t WHERE x = 'mine'; PRAGMA integrity_check"),
            "1\nok");
}

// Goal: WAL and OFF are not set, however they are asked for, and the answer is the mode in force,
// as SQLite gives it for a file that cannot have a mode; what else the pragma does still works.
// Method: all spellings that SQLite accepts, in both locking modes.
TEST_F(OddWriteTest, WalAndOffAreNotSet) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    Database db = Open(locking == Locking::kNormal ? "n" : "e", {.locking = locking});
    Exec(db, "CREATE TABLE t(x)");
    const std::string in_force = Query(db, "PRAGMA journal_mode");
    EXPECT_TRUE(in_force == "persist" || in_force == "delete") << in_force;
    for (const char* mode : {"WAL", "wal", "'Wal'", "\"off\"", "OFF", "w", "o"}) {
      EXPECT_EQ(Query(db, std::string("PRAGMA journal_mode=") + mode), in_force) << mode;
      EXPECT_EQ(Query(db, std::string("PRAGMA main.journal_mode(") + mode + ")"), in_force);
    }
    EXPECT_EQ(Query(db, "PRAGMA journal_mode"), in_force);
    // Without a journal this could not be rolled back.
    Exec(db, "BEGIN; INSERT INTO t VALUES(2); ROLLBACK");
    EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(Query(db, "PRAGMA journal_mode=Delete"), "delete");
    Exec(db, "INSERT INTO t VALUES(1)");
  }
}

// Goal: plain files are reachable from a connection to an object by naming their VFS, and without
// that a name is no plain file by accident. Method: VACUUM INTO and ATTACH, both ways.
TEST_F(OddWriteTest, PlainFilesByName) {
  Database db = Open("o");
  Exec(db, kFill);
  const std::string path = directory_ / "plain";
  Exec(db, "VACUUM INTO 'file:" + path + "?vfs=unix'");
  Connection plain(path);
  EXPECT_EQ(Dump(plain.handle()), Dump(db.handle()));
  EXPECT_EQ(Query(plain.handle(), "PRAGMA integrity_check"), "ok");
  Exec(db, "ATTACH 'file:" + path + "?vfs=unix' AS plain; INSERT INTO plain.t(x) VALUES('new')");
  EXPECT_EQ(Query(plain.handle(), "SELECT count(*) FROM t"), "501");
  EXPECT_EQ(Try(db, "VACUUM INTO '" + path + "2'") & 0xff, SQLITE_CANTOPEN);
  EXPECT_EQ(Try(db, "ATTACH '" + path + "' AS again") & 0xff, SQLITE_CANTOPEN);
}

// Goal: user-visible odds and ends of a database file work: the file name, the VFS's name, schema
// and user versions, the change counter rising for others' commits (PRAGMA data_version).
// Method: one look at each.
TEST_F(OddWriteTest, WhatSqliteTellsAboutTheFile) {
  Database db = Open("dir/o");
  Database other = Open("dir/o");
  Exec(db, "PRAGMA user_version=7; CREATE TABLE t(x)");
  EXPECT_EQ(Query(other, "PRAGMA user_version"), "7");
  const std::string version = Query(other, "PRAGMA data_version");
  EXPECT_EQ(Query(other, "PRAGMA data_version"), version);
  Exec(db, "INSERT INTO t VALUES(1)");
  EXPECT_NE(Query(other, "PRAGMA data_version"), version);
  EXPECT_EQ(std::string(sqlite3_db_filename(db.handle(), "main")),
            store_->directory() + "//ns/dir/o");
  char* vfs_name = nullptr;
  sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_VFSNAME, &vfs_name);
  EXPECT_STREQ(vfs_name, "tidemark");
  sqlite3_free(vfs_name);
  Exec(db, "CREATE TEMP TABLE mine(x); INSERT INTO mine SELECT x FROM t");
  EXPECT_EQ(Query(db, "SELECT count(*) FROM mine"), "1");
}

}  // namespace
}  // namespace tidemark::testing
