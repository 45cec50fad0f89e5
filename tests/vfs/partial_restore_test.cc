// RestoreRows: which rows come back, what it leaves alone, and what it refuses.

#include "vfs/partial_restore.h"

#include <string>
#include <vector>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class PartialRestoreTest : public VfsTest {
 protected:
  // Makes object "o" by `sql`; returns the bookmark.
  Bookmark Make(const std::string& sql) {
    db_.emplace(Open("o"));
    return Commit(sql);
  }
  Bookmark Commit(const std::string& sql) {
    Exec(*db_, sql);
    return *db_->object().CurrentBookmark();
  }
  std::string Show(const std::string& sql) { return Query(*db_, sql); }

  Result<PartialRestoreInfo> Restore(const Bookmark& to, const PartialRestoreOptions& options) {
    const auto object = store_->OpenObject("ns", "o", IfMissing::kFail);
    EXPECT_OK(object);
    return RestoreRows(*store_, *object, to, options);
  }
  // "i 1 r 2 k 0 s 3 d 0" of the only table.
  std::string Counts(const Bookmark& to, const PartialRestoreOptions& options) {
    const auto info = Restore(to, options);
    EXPECT_OK(info);
    if (!info.ok()) return info.status().ToString();
    const TableRestore& table = info->tables.at(0);
    return "i " + std::to_string(table.inserted) + " r " + std::to_string(table.replaced) + " k " +
           std::to_string(table.kept) + " s " + std::to_string(table.same) + " d " +
           std::to_string(table.deleted);
  }

  void TearDown() override {
    db_.reset();
    VfsTest::TearDown();
  }

  std::optional<Database> db_;
};

constexpr char kRows[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE other(x);"
    "INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c'),(4,'d'); INSERT INTO other VALUES(1)";
constexpr char kChange[] =
    "BEGIN; DELETE FROM t WHERE id = 1; UPDATE t SET v = 'new' WHERE id = 2;"
    "INSERT INTO t VALUES(9,'z'); UPDATE other SET x = 2; COMMIT";

// Goal: deleted and changed rows come back in one ordinary commit; all else stays, and the bookmark
// of before undoes it.
TEST_F(PartialRestoreTest, BringsRowsBack) {
  const Bookmark then = Make(kRows);
  const Bookmark before = Commit(kChange);
  ASSERT_OK_AND_ASSIGN(const PartialRestoreInfo info, Restore(then, {.tables = {"T"}}));
  EXPECT_EQ(Show("SELECT * FROM t; SELECT x FROM other"), "1|a\n2|b\n3|c\n4|d\n9|z\n2");
  ASSERT_EQ(info.tables.size(), 1u);
  EXPECT_EQ(info.tables[0].table, "t");
  EXPECT_EQ(info.undo, before);
  EXPECT_EQ(info.from.lsn, before.lsn);
  EXPECT_EQ(info.to.lsn, then.lsn);
  EXPECT_EQ(info.result.kind, CommitKind::kCommit);
  EXPECT_EQ(info.result, db_->object().head());
  EXPECT_EQ(info.label.find("before-restore-"), 0u);
  EXPECT_EQ(store_->ListRestores(db_->object())->size(), 0u);
  EXPECT_EQ(info.tables[0].inserted, 1u);
  EXPECT_EQ(info.tables[0].replaced, 1u);
  EXPECT_EQ(info.tables[0].same, 2u);
  ASSERT_EQ(info.tables[0].samples.size(), 2u);
  const RowSample& inserted = info.tables[0].samples[0];
  EXPECT_EQ(inserted.change, RowRestore::kInserted);
  EXPECT_EQ(inserted.columns, (std::vector<std::string>{"id", "v"}));
  EXPECT_EQ(inserted.then, (std::vector<std::string>{"1", "'a'"}));
  EXPECT_TRUE(inserted.now.empty());
  EXPECT_EQ(info.tables[0].samples[1].now, (std::vector<std::string>{"2", "'new'"}));
  ASSERT_OK(db_->object().Restore(info.undo));
  EXPECT_EQ(Show("SELECT * FROM t"), "2|new\n3|c\n4|d\n9|z");
}

// Goal: WHERE says which rows, by the past; delete_new by the present; the rest is not touched.
TEST_F(PartialRestoreTest, Where) {
  const Bookmark then = Make(kRows);
  Commit(kChange);
  EXPECT_EQ(Counts(then, {.tables = {"t"}, .where = "v = 'b' -- was"}), "i 0 r 1 k 0 s 0 d 0");
  EXPECT_EQ(Show("SELECT * FROM t"), "2|b\n3|c\n4|d\n9|z");
  EXPECT_EQ(Counts(then, {.tables = {"t"}, .where = "id > 3", .delete_new = true}),
            "i 0 r 0 k 0 s 1 d 1");
  EXPECT_EQ(Show("SELECT * FROM t"), "2|b\n3|c\n4|d");
  EXPECT_EQ(Counts(then, {.tables = {"t"},
                          .where = "id = (SELECT min(id) FROM t) AND ')' <> /* ; */ '('"}),
            "i 1 r 0 k 0 s 0 d 0");
  // Nothing to do makes no commit.
  const Bookmark same = *db_->object().CurrentBookmark();
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, {.tables = {"t"}}));
  EXPECT_FALSE(info.changes());
  EXPECT_EQ(info.result.kind, CommitKind::kNone);
  EXPECT_EQ(*db_->object().CurrentBookmark(), same);
}

// Goal: what becomes of rows that are there and differ, by each of the three ways.
TEST_F(PartialRestoreTest, Conflicts) {
  const Bookmark then = Make(kRows);
  const Bookmark before = Commit(kChange);
  EXPECT_ERROR(Restore(then, {.tables = {"t"}, .on_conflict = OnConflict::kFail}),
               StatusCode::kExists, "the row id = 2 of t");
  EXPECT_EQ(*db_->object().CurrentBookmark(), before);
  EXPECT_EQ(Counts(then, {.tables = {"t"}, .on_conflict = OnConflict::kKeep}),
            "i 1 r 0 k 1 s 2 d 0");
  EXPECT_EQ(Show("SELECT * FROM t WHERE id < 3"), "1|a\n2|new");
  EXPECT_EQ(Counts(then, {.tables = {"t"}, .where = "id = 1", .on_conflict = OnConflict::kFail}),
            "i 0 r 0 k 0 s 1 d 0");
}

// Goal: a dry run says what would be, and changes nothing.
TEST_F(PartialRestoreTest, DryRun) {
  const Bookmark then = Make(kRows);
  const Bookmark before = Commit(kChange);
  PartialRestoreOptions options{.tables = {"t"}, .delete_new = true, .dry_run = true, .samples = 1};
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, options));
  EXPECT_TRUE(info.changes());
  EXPECT_EQ(info.result.kind, CommitKind::kNone);
  EXPECT_EQ(info.tables[0].samples.size(), 3u);
  EXPECT_EQ(*db_->object().CurrentBookmark(), before);
  EXPECT_EQ(db_->object().ListLabels()->size(), 0u);
}

void Writes(sqlite3_context*, int, sqlite3_value**) {}
int AddFunctions(sqlite3* connection, char**, const void*) {
  return sqlite3_create_function(connection, "writes", 0, SQLITE_UTF8, nullptr, Writes, nullptr,
                                 nullptr);
}

// Goal: an expression can do nothing but look, whatever its text.
TEST_F(PartialRestoreTest, RefusesWhatIsNoExpression) {
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(AddFunctions));
  const Bookmark then = Make(kRows);
  const Bookmark before = Commit(kChange);
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"1; DELETE FROM t", "semicolon"},
      {"1) OR (1", "closes too much"},
      {"(1", "not closed"},
      {"'a", "a quote does not end"},
      {"[a", "a quote does not end"},
      {"1 /* x", "comment does not end"},
      {" -- nothing", "empty"},
      {"id = ?1", "parameter"},
      {"load_extension('x')", "load_extension()"},
      {"random() > 0", "random()"},
      {"writes()", "writes()"},
      {"nonsense()", "nonsense"},
      {"id IN (SELECT busy FROM pragma_wal_checkpoint)", "wal_checkpoint"},
      {"id = ", "syntax error"},
      {"nobody = 1", "nobody"},
      {"\"nobody\" = 1", "nobody"},
      {"(DELETE FROM t)", "syntax error"},
  };
  for (const auto& [where, why] : refused) {
    for (const bool delete_new : {false, true}) {
      EXPECT_ERROR(Restore(then, {.tables = {"t"}, .where = where, .delete_new = delete_new}),
                   StatusCode::kInvalidArgument, why)
          << where;
    }
  }
  for (const char* allowed : {"exists (SELECT 1 FROM pragma_table_info('t') WHERE name = 'v')",
                              "v LIKE '%;%' OR abs(id) = 2 OR \"v\" GLOB '*)*'"}) {
    EXPECT_OK(Restore(then, {.tables = {"t"}, .where = allowed, .dry_run = true})) << allowed;
  }
  EXPECT_EQ(*db_->object().CurrentBookmark(), before);
  sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(AddFunctions));
}

// Goal: rows that exchanged what is UNIQUE of them get it back, with what was added since.
TEST_F(PartialRestoreTest, ExchangedUniqueValues) {
  const Bookmark then = Make(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE ON CONFLICT REPLACE);"
      "INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c'),(4,'d')");
  Commit(
      "BEGIN; ALTER TABLE t ADD COLUMN n NOT NULL DEFAULT 7; UPDATE t SET v = id, n = id * 10;"
      "UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' WHEN 3 THEN 'a' END WHERE id < 4;"
      "DELETE FROM t WHERE id = 4; INSERT INTO t VALUES(5, 'd', 1); COMMIT");
  const Bookmark before = *db_->object().CurrentBookmark();
  EXPECT_ERROR(Restore(then, {.tables = {"t"}}), StatusCode::kExists,
               "UNIQUE constraint failed: t.v");
  EXPECT_ERROR(Restore(then, {.tables = {"t"}}), StatusCode::kExists, "the row id = 4 of t");
  EXPECT_EQ(*db_->object().CurrentBookmark(), before);
  EXPECT_EQ(Counts(then, {.tables = {"t"}, .on_conflict = OnConflict::kKeep}),
            "i 0 r 0 k 4 s 0 d 0");
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, {.tables = {"t"}, .delete_new = true}));
  EXPECT_EQ(info.tables[0].columns_added, std::vector<std::string>{"n"});
  EXPECT_EQ(Show("SELECT * FROM t"), "1|a|10\n2|b|20\n3|c|30\n4|d|7");
  EXPECT_EQ(Show("PRAGMA integrity_check"), "ok");
}

// Goal: the rowid tells rows apart where there is no key, and where a key has a NULL.
TEST_F(PartialRestoreTest, KeysOfEachKind) {
  const Bookmark then = Make(
      "CREATE TABLE bare(a); INSERT INTO bare(rowid, a) VALUES(1,'x'),(2,'x'),(7,'y');"
      "CREATE TABLE word(k TEXT PRIMARY KEY COLLATE NOCASE, v);"
      "INSERT INTO word(rowid, k, v) VALUES(5,'Abc',1),(6,NULL,2),(7,NULL,3),(8,'gone',4);"
      "CREATE TABLE pair(b INT, a TEXT, v, PRIMARY KEY(a, b)) WITHOUT ROWID;"
      "INSERT INTO pair VALUES(1,'x',1),(2,'x',2),(1,'y',3);"
      "CREATE TABLE odd(rowid TEXT, oid INT, v); INSERT INTO odd VALUES('r',1,2)");
  Commit(
      "BEGIN; DELETE FROM bare WHERE rowid = 2; UPDATE bare SET a = 'z' WHERE rowid = 7;"
      "INSERT INTO bare VALUES('new'); DELETE FROM word WHERE k = 'gone';"
      "UPDATE word SET k = 'ABC', v = 9 WHERE rowid = 5; UPDATE word SET v = 9 WHERE rowid = 6;"
      "DELETE FROM word WHERE rowid = 7; INSERT INTO word(rowid, k) VALUES(8, 'other');"
      "DELETE FROM pair WHERE b = 2; UPDATE pair SET v = 9; INSERT INTO pair VALUES(3,'x',0);"
      "UPDATE odd SET v = 3; COMMIT");
  EXPECT_EQ(Counts(then, {.tables = {"bare"}}), "i 1 r 1 k 0 s 1 d 0");
  EXPECT_EQ(Show("SELECT rowid, a FROM bare"), "1|x\n2|x\n7|y\n8|new");
  EXPECT_EQ(Counts(then, {.tables = {"word"}}), "i 2 r 2 k 0 s 0 d 0");
  EXPECT_EQ(Show("SELECT rowid, k, v FROM word"),
            "5|Abc|1\n6|NULL|2\n7|NULL|3\n8|other|NULL\n"
            "9|gone|4");
  EXPECT_EQ(Counts(then, {.tables = {"pair"}, .delete_new = true}), "i 1 r 2 k 0 s 0 d 1");
  EXPECT_EQ(Show("SELECT b, a, v FROM pair ORDER BY a, b"), "1|x|1\n2|x|2\n1|y|3");
  EXPECT_EQ(Counts(then, {.tables = {"odd"}}), "i 0 r 1 k 0 s 0 d 0");
  EXPECT_EQ(Show("SELECT * FROM odd; PRAGMA integrity_check"), "r|1|2\nok");
}

// Goal: values come back as they were, of every type; AUTOINCREMENT goes on; generated columns are
// computed.
TEST_F(PartialRestoreTest, ValuesAndGeneratedColumns) {
  const Bookmark then = Make(
      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v, g AS (v || '!'), "
      "h AS (id * 2) STORED);"
      "INSERT INTO t(v) VALUES(1),(1.0),('1'),(x'31'),(NULL),(''),(zeroblob(5000))");
  const std::string all = "SELECT id, typeof(v), quote(v), g, h FROM t";
  const std::string was = Show(all);
  Commit("INSERT INTO t(v) VALUES('last'); DELETE FROM t WHERE id <> 2; UPDATE t SET v = 1");
  EXPECT_EQ(Counts(then, {.tables = {"t"}}), "i 6 r 1 k 0 s 0 d 0");
  EXPECT_EQ(Show(all), was);
  EXPECT_EQ(Show("SELECT seq FROM sqlite_sequence"), "8");
}

// Goal: triggers do not fire and foreign keys take no action; a row without a parent is an error,
// but not one that had none before.
TEST_F(PartialRestoreTest, ChangesNothingBehindTheBack) {
  const Bookmark then = Make(
      "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE log(what);"
      "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE);"
      "CREATE TRIGGER c_in AFTER INSERT ON c BEGIN INSERT INTO log VALUES('in'); END;"
      "CREATE TRIGGER p_del AFTER DELETE ON p BEGIN DELETE FROM log; END;"
      "INSERT INTO p VALUES(1),(2); INSERT INTO c VALUES(10,1),(20,2),(30,77)");
  Commit(
      "BEGIN; DELETE FROM c WHERE id < 30; DELETE FROM p; INSERT INTO p VALUES(3);"
      "INSERT INTO c VALUES(40,3); DELETE FROM log; INSERT INTO log VALUES('kept'); COMMIT");
  const Bookmark before = *db_->object().CurrentBookmark();
  EXPECT_ERROR(Restore(then, {.tables = {"c"}}), StatusCode::kInvalidArgument,
               "the row with rowid 10 of c would refer to a row of p");
  // Of the parents one goes to which a row refers.
  EXPECT_ERROR(Restore(then, {.tables = {"p"}, .delete_new = true}), StatusCode::kInvalidArgument,
               "rowid 40 of c");
  EXPECT_EQ(*db_->object().CurrentBookmark(), before);
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, {.tables = {"c", "p", "C"}}));
  EXPECT_EQ(info.tables.size(), 2u);
  EXPECT_EQ(Show("SELECT * FROM c; SELECT * FROM p; SELECT * FROM log"),
            "10|1\n20|2\n30|77\n40|3\n1\n2\n3\nkept");
  Commit("DROP TABLE c; DROP TABLE p");
  EXPECT_ERROR(Restore(then, {.tables = {"c"}}), StatusCode::kInvalidArgument, "rowid 10 of c");
}

// Goal: columns are matched by name; what was dropped or added since is said.
TEST_F(PartialRestoreTest, ChangedColumns) {
  const Bookmark then =
      Make("CREATE TABLE t(id INTEGER PRIMARY KEY, old, v); INSERT INTO t VALUES(1,'o','a')");
  Commit(
      "BEGIN; ALTER TABLE t DROP COLUMN old; ALTER TABLE t ADD COLUMN fresh DEFAULT 'f';"
      "DELETE FROM t; COMMIT");
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, {.tables = {"t"}, .where = "old = 'o'"}));
  EXPECT_EQ(info.tables[0].columns_gone, std::vector<std::string>{"old"});
  EXPECT_EQ(info.tables[0].columns_added, std::vector<std::string>{"fresh"});
  EXPECT_EQ(Show("SELECT * FROM t"), "1|a|f");
  Commit("DROP TABLE t; CREATE TABLE t(id, v, must NOT NULL)");
  EXPECT_ERROR(Restore(then, {.tables = {"t"}}), StatusCode::kInvalidArgument,
               "NOT NULL constraint failed: t.must");
  Commit("DROP TABLE t; CREATE TABLE t(other PRIMARY KEY, v)");
  EXPECT_ERROR(Restore(then, {.tables = {"t"}}), StatusCode::kInvalidArgument,
               "the key of t has the column other");
}

// Goal: a table that was dropped comes back with its indexes and triggers.
TEST_F(PartialRestoreTest, DroppedTable) {
  const Bookmark then = Make(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE INDEX i ON t(v);"
      "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE id < 0; END;"
      "CREATE TABLE u(x); INSERT INTO t VALUES(1,'a'),(2,'b')");
  Commit("DROP TABLE t");
  ASSERT_OK_AND_ASSIGN(const auto info, Restore(then, {.tables = {"t"}, .where = "id = 2"}));
  EXPECT_TRUE(info.tables[0].created);
  EXPECT_EQ(Show("SELECT * FROM t; SELECT name FROM sqlite_schema ORDER BY name; "
                 "PRAGMA integrity_check"),
            "2|b\ni\nr\nt\nu\nok");
}

// Goal: what is no table of then is refused, naming what there was.
TEST_F(PartialRestoreTest, RefusesOtherTables) {
  const Bookmark then = Make(
      "CREATE TABLE one(x); CREATE TABLE two(x PRIMARY KEY); CREATE VIEW v AS SELECT * FROM one;"
      "CREATE VIRTUAL TABLE f USING fts5(x); CREATE TABLE a(i INTEGER PRIMARY KEY AUTOINCREMENT)");
  Commit("CREATE TABLE three(x); DROP TABLE two; CREATE TABLE two(rowid, oid, _rowid_)");
  EXPECT_ERROR(Restore(then, {.tables = {"three"}}), StatusCode::kNotFound,
               "there is no table three; there are: a, one, two");
  EXPECT_ERROR(Restore(then, {.tables = {"v"}}), StatusCode::kInvalidArgument, "a view");
  EXPECT_ERROR(Restore(then, {.tables = {"f"}}), StatusCode::kInvalidArgument, "a virtual table");
  EXPECT_ERROR(Restore(then, {.tables = {"f_data"}}), StatusCode::kInvalidArgument, "a part of");
  EXPECT_ERROR(Restore(then, {.tables = {"sqlite_sequence"}}), StatusCode::kInvalidArgument,
               "SQLite's own");
  EXPECT_ERROR(Restore(then, {.tables = {"sqlite_schema"}}), StatusCode::kInvalidArgument,
               "SQLite's own");
  EXPECT_ERROR(Restore(then, {.tables = {"two"}}), StatusCode::kInvalidArgument,
               "cannot be told apart");
  EXPECT_ERROR(Restore(then, {}), StatusCode::kInvalidArgument, "no table is named");
  Exec(*db_, "BEGIN IMMEDIATE");
  EXPECT_ERROR(Restore(then, {.tables = {"one"}}), StatusCode::kBusy, "");
  Exec(*db_, "ROLLBACK");
  db_.reset();
  ASSERT_OK((*store_->OpenObject("ns", "o", IfMissing::kFail))->Delete());
  const auto object = store_->OpenObject("ns", "o", IfMissing::kDeleted);
  EXPECT_ERROR(RestoreRows(*store_, *object, then, {.tables = {"one"}}), StatusCode::kNotFound,
               "was deleted");
}

}  // namespace
}  // namespace tidemark::testing
