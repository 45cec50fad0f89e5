// Plain file names with TIDEMARK_STORE: what a program that expects files meets.

#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class PlainFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(RegisterVfs());
    ::setenv("TIDEMARK_STORE", directory_.c_str(), 1);
    vfs_ = sqlite3_vfs_find(kVfsName);
    ASSERT_NE(vfs_, nullptr);
  }
  void TearDown() override { ::unsetenv("TIDEMARK_STORE"); }

  static std::string Uri(const std::string& path, const std::string& more = "") {
    return "file:" + path + "?vfs=tidemark" + more;
  }
  bool Exists(const std::string& path) {
    int exists = -1;
    EXPECT_EQ(vfs_->xAccess(vfs_, path.c_str(), SQLITE_ACCESS_EXISTS, &exists), SQLITE_OK);
    return exists == 1;
  }
  int Delete(const std::string& path) { return vfs_->xDelete(vfs_, path.c_str(), 1); }

  TempDirectory parent_;
  const std::string directory_ = parent_ / "store";
  sqlite3_vfs* vfs_ = nullptr;
};

// Goal: a plain name and an absolute path are objects of the namespace "files", under one spelling
// however they are written; and the name that SQLite shows opens the same again.
// Method: written by one spelling, read by others, and by NAMESPACE/NAME.
TEST_F(PlainFileTest, NamesAreObjects) {
  {
    Connection db(Uri("data.db"));
    Exec(db.handle(), "CREATE TABLE t(x); INSERT INTO t VALUES('relative')");
    Exec(db.handle(), "ATTACH '/srv/./data.db' AS a; CREATE TABLE a.u(x)");
    Exec(db.handle(), "INSERT INTO a.u VALUES('absolute')");
    const std::string shown = sqlite3_db_filename(db.handle(), "main");
    EXPECT_EQ(shown, directory_ + "//files/data.db");
    Connection again(Uri("x/../data.db"));
    EXPECT_EQ(Query(again.handle(), "SELECT x FROM t"), "relative");
    Connection by_shown_name(Uri(shown));
    EXPECT_EQ(Query(by_shown_name.handle(), "SELECT x FROM t"), "relative");
  }
  ::unsetenv("TIDEMARK_STORE");
  const std::string store = "&store=" + directory_;
  EXPECT_EQ(Query(Connection(Uri("files/data.db", store)).handle(), "SELECT x FROM t"), "relative");
  EXPECT_EQ(Query(Connection(Uri("files//srv/data.db", store)).handle(), "SELECT x FROM u"),
            "absolute");
}

// Goal: a name that leads out of the store is refused and says so. Method: by errmsg.
TEST_F(PlainFileTest, NoNameLeadsOut) {
  Connection db(Uri("../data.db"));
  EXPECT_EQ(db.code(), SQLITE_CANTOPEN);
  EXPECT_THAT(sqlite3_errmsg(db.handle()), ::testing::HasSubstr("leads out of the store"));
}

// Goal: a file is there from its first commit until it is deleted; then its name is free, and the
// file can be brought back. Journals are never there.
// Method: xAccess and xDelete by hand, as a program does that works on files.
TEST_F(PlainFileTest, ExistsAndDelete) {
  EXPECT_FALSE(Exists("data.db"));
  EXPECT_FALSE(std::filesystem::exists(directory_)) << "looking creates nothing";
  EXPECT_EQ(Delete("data.db"), SQLITE_IOERR_DELETE_NOENT);
  std::string before;
  {
    Connection db(Uri("data.db"));
    EXPECT_FALSE(Exists("data.db"));
    Exec(db.handle(), "CREATE TABLE t(x)");
    EXPECT_TRUE(Exists("data.db"));
    EXPECT_TRUE(Exists("./data.db"));
    Exec(db.handle(), "BEGIN; INSERT INTO t VALUES(1)");
    EXPECT_FALSE(Exists("data.db-journal"));
    EXPECT_FALSE(Exists("data.db-wal"));
    EXPECT_EQ(Delete("data.db"), SQLITE_IOERR_DELETE) << "it is being written";
    EXPECT_EQ(Delete("data.db-journal"), SQLITE_OK);
    Exec(db.handle(), "COMMIT");
    before = Query(db.handle(), "PRAGMA tidemark_bookmark");
  }
  EXPECT_TRUE(Exists("data.db")) << "also while the store is closed";
  EXPECT_EQ(Delete("data.db"), SQLITE_OK);
  EXPECT_FALSE(Exists("data.db"));
  EXPECT_EQ(Delete("data.db"), SQLITE_IOERR_DELETE_NOENT);
  EXPECT_EQ(Connection(Uri("data.db"), SQLITE_OPEN_READWRITE).code(), SQLITE_CANTOPEN);
  EXPECT_EQ(Connection(Uri("data.db", "&mode=ro")).code(), SQLITE_CANTOPEN);

  Connection db(Uri("data.db"));
  EXPECT_EQ(Query(db.handle(), "SELECT count(*) FROM sqlite_schema"), "0");
  Exec(db.handle(), "PRAGMA page_size=1024; CREATE TABLE other(y)");
  Exec(db.handle(), "PRAGMA tidemark_restore='" + before + "'");
  EXPECT_EQ(Query(db.handle(), "SELECT x FROM t; PRAGMA integrity_check"), "1\nok");
}

// Goal: what is not a database is SQLite's own business as ever: temporary databases, tables and
// files, in-memory databases, and databases of other VFSs beside ours.
// Method: one connection that uses them all.
TEST_F(PlainFileTest, OtherFilesAreLeftAlone) {
  Connection db(Uri("data.db"));
  Exec(db.handle(),
       "PRAGMA temp_store=FILE; PRAGMA cache_size=5; CREATE TABLE t(x);"
       "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
       "INSERT INTO t SELECT hex(randomblob(100)) FROM n;"
       "CREATE TEMP TABLE tt AS SELECT * FROM t ORDER BY x DESC;"
       "ATTACH ':memory:' AS m; CREATE TABLE m.c AS SELECT * FROM t;"
       "ATTACH '' AS private; CREATE TABLE private.c AS SELECT * FROM t;");
  const std::string file = parent_ / "stock.db";
  Exec(db.handle(), "ATTACH 'file:" + file + "?vfs=unix' AS stock");
  Exec(db.handle(), "BEGIN; CREATE TABLE stock.c AS SELECT * FROM t; COMMIT; DELETE FROM t");
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_FALSE(std::filesystem::exists(file + "-journal"));
  for (const char* table : {"tt", "m.c", "private.c", "stock.c"}) {
    EXPECT_EQ(Query(db.handle(), std::string("SELECT count(*) FROM ") + table), "3000") << table;
  }
  EXPECT_EQ(Query(Connection(file).handle(), "PRAGMA integrity_check"), "ok");
}

// Goal: names that a program makes itself, without SQLite's memory around them, are read as plain
// text. Method: xFullPathname of a string on its own.
TEST_F(PlainFileTest, FullPathnameOfPlainText) {
  std::array<char, 8192> out;
  const std::string text = "text a/../data.db";
  const char* path = text.c_str() + 5;
  ASSERT_EQ(vfs_->xFullPathname(vfs_, path, out.size(), out.data()), SQLITE_OK);
  EXPECT_EQ(out.data(), directory_ + "//files/data.db");
  EXPECT_EQ(vfs_->xFullPathname(vfs_, path, 8, out.data()), SQLITE_CANTOPEN);
}

}  // namespace
}  // namespace tidemark::testing
