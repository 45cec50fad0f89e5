// RowDiff and the script of it: what tells two states of a database apart.

#include "vfs/row_diff.h"

#include <string>
#include <vector>

#include "tests/vfs/diff_work.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/diff_script.h"

namespace tidemark::testing {
namespace {

class RowDiffTest : public VfsTest {
 protected:
  std::shared_ptr<Object> TheObject() {
    return store_->OpenObject("ns", "o", IfMissing::kDeleted).value();
  }

  Result<RowDiff> Diff(const CommitInfo& before, const CommitInfo& after) {
    TIDEMARK_ASSIGN_OR_RETURN(Snapshot first, TheObject()->OpenSnapshot(before));
    TIDEMARK_ASSIGN_OR_RETURN(Snapshot second, TheObject()->OpenSnapshot(after));
    return RowDiff::Open(std::move(first), std::move(second));
  }

  static std::string Text(const RowValue& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
    if (const auto* real = std::get_if<double>(&value)) return "real " + std::to_string(*real);
    if (const auto* text = std::get_if<std::string>(&value)) return "'" + *text + "'";
    if (const auto* blob = std::get_if<BlobValue>(&value)) return "blob " + blob->bytes;
    return "NULL";
  }

  // "changed 5: 1, 'a' -> 1, 'b'", a line each row, of all tables.
  static std::string Rows(RowDiff& diff) {
    std::string rows;
    for (const DiffTable& table : diff.tables()) {
      EXPECT_OK(diff.VisitRows(table, [&](const RowChange& row) {
        const auto join = [](const std::vector<RowValue>& values) {
          std::string text;
          for (const RowValue& value : values) text += (text.empty() ? "" : ", ") + Text(value);
          return text;
        };
        rows += table.name + " " + std::string(ChangeKindName(row.kind)) +
                (row.rowid ? " " + std::to_string(*row.rowid) : "") + ": " + join(row.before) +
                (row.kind == ChangeKind::kChanged ? " -> " : "") + join(row.after) + "\n";
        return true;
      }));
    }
    return rows;
  }

  static std::string ScriptOf(RowDiff& diff) {
    std::string script;
    EXPECT_OK(WriteDiffScript(diff, {}, [&](std::string_view sql) { script += sql; }));
    return script;
  }

  // The script makes the one of the other.
  void ExpectScriptTurns(const CommitInfo& before, const CommitInfo& after) {
    ASSERT_OK_AND_ASSIGN(RowDiff diff, Diff(before, after));
    const std::string script = ScriptOf(diff);
    ASSERT_OK_AND_ASSIGN(const Snapshot first, TheObject()->OpenSnapshot(before));
    ASSERT_OK_AND_ASSIGN(const Snapshot second, TheObject()->OpenSnapshot(after));
    const auto from = CopyOf(first);
    const auto to = CopyOf(second);
    const std::string expected = DumpExactly(to->handle());
    EXPECT_EQ(script.empty(), DumpExactly(from->handle()) == expected) << script.substr(0, 4000);
    ASSERT_EQ(Try(from->handle(), script), SQLITE_OK) << sqlite3_errmsg(from->handle()) << "\n"
                                                      << script.substr(0, 4000);
    ASSERT_EQ(DumpExactly(from->handle()), expected) << script.substr(0, 4000);
    EXPECT_EQ(Query(from->handle(), "PRAGMA integrity_check"), "ok");
  }
};

// Goal: what differs is told exactly, table by table: rows that came, went and changed, with their
// values and types; nothing of what was written and is the same. Method: one commit of each kind,
// and the lines by hand.
TEST_F(RowDiffTest, RowsOfEveryKind) {
  Database database = Open("o");
  Exec(database,
       "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'a'),(2,2),(3,'c');"
       "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES('x',1),('y',2);"
       "CREATE TABLE r(a); INSERT INTO r VALUES(7);");
  const CommitInfo before = Head("o");
  Exec(database,
       "BEGIN; UPDATE t SET v = 2.0 WHERE id = 2; DELETE FROM t WHERE id = 3;"
       "INSERT INTO t VALUES(9, x'41'); UPDATE t SET v = 'b' WHERE id = 1;"
       "UPDATE t SET v = 'a' WHERE id = 1; UPDATE w SET v = NULL WHERE k = 'y';"
       "INSERT INTO w VALUES('z', 3); DELETE FROM w WHERE k = 'x'; INSERT INTO r VALUES(8); "
       "COMMIT;");
  ASSERT_OK_AND_ASSIGN(RowDiff diff, Diff(before, Head("o")));
  EXPECT_TRUE(diff.schema_changes().empty());
  EXPECT_EQ(Rows(diff),
            "r inserted 2: 8\n"
            "t changed 2: 2, 2 -> 2, real 2.000000\n"
            "t deleted 3: 3, 'c'\n"
            "t inserted 9: 9, blob A\n"
            "w deleted: 'x', 1\n"
            "w changed: 'y', 2 -> 'y', NULL\n"
            "w inserted: 'z', 3\n");
  ASSERT_OK_AND_ASSIGN(RowDiff same, Diff(before, before));
  EXPECT_EQ(Rows(same), "");
  EXPECT_EQ(ScriptOf(same), "");
}

// Goal: a value that SQLite overwrote in place on its overflow pages, so that the row's own page
// stayed as it was, is told. Method: rows of four pages each, an UPDATE of the same size that
// changes only the end of one; the page of the row must not have been written.
TEST_F(RowDiffTest, ValueChangedInPlace) {
  Database database = Open("o");
  Exec(database,
       "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);"
       "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 30)"
       "INSERT INTO t SELECT i, CAST(printf('%.15000c', 'a') AS BLOB) FROM n;"
       "CREATE TABLE w(k INT PRIMARY KEY, v BLOB) WITHOUT ROWID;"
       "INSERT INTO w SELECT id, v FROM t;");
  const CommitInfo before = Head("o");
  Exec(database, "UPDATE t SET v = CAST(printf('%.14999c', 'a') || 'b' AS BLOB) WHERE id = 17");
  const CommitInfo middle = Head("o");
  EXPECT_EQ(middle.pages_changed, 1u);  // the last of the row's: else nothing was tried
  Exec(database, "UPDATE w SET v = CAST(printf('%.14999c', 'a') || 'b' AS BLOB) WHERE k = 5");
  const CommitInfo after = Head("o");
  const auto told = [&](const CommitInfo& a, const CommitInfo& b) {
    std::string rows;
    Result<RowDiff> diff = Diff(a, b);
    EXPECT_OK(diff);
    for (const DiffTable& table : diff->tables()) {
      EXPECT_OK(diff->VisitRows(table, [&](const RowChange& row) {
        rows += table.name + " " + std::string(ChangeKindName(row.kind)) + " " +
                Text(row.before[0]) + "\n";
        return true;
      }));
    }
    return rows;
  };
  EXPECT_EQ(told(before, middle), "t changed 17\n");
  EXPECT_EQ(told(middle, after), "w changed 5\n");
  EXPECT_EQ(told(before, after), "t changed 17\nw changed 5\n");
  ASSERT_NO_FATAL_FAILURE(ExpectScriptTurns(before, after));
}

// Goal: a fork is compared with its parent as two states of one object are; an object with nothing.
// Method: one row on each side.
TEST_F(RowDiffTest, OtherObjectsAndNothing) {
  Database database = Open("o");
  Exec(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
  ASSERT_OK_AND_ASSIGN(
      const auto fork,
      store_->Fork(*TheObject(), TheObject()->CurrentBookmark().value(), "ns", "f"));
  Exec(database, "INSERT INTO t VALUES(2)");
  {
    ASSERT_OK_AND_ASSIGN(Database other, Database::Open(*store_, "ns", "f"));
    Exec(other, "UPDATE t SET a = 'one'");
  }
  ASSERT_OK_AND_ASSIGN(Snapshot parent_now, TheObject()->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(Snapshot fork_now, fork->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(RowDiff diff, RowDiff::Open(std::move(parent_now), std::move(fork_now)));
  EXPECT_EQ(Rows(diff), "t changed 1: 1 -> 'one'\nt deleted 2: 2\n");
  ASSERT_OK_AND_ASSIGN(Snapshot now, TheObject()->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(RowDiff all, RowDiff::Open(Snapshot(), std::move(now)));
  EXPECT_EQ(Rows(all), "t inserted 1: 1\nt inserted 2: 2\n");
  ASSERT_EQ(all.schema_changes().size(), 1u);
  EXPECT_EQ(all.schema_changes()[0].after, "CREATE TABLE t(a)");
  EXPECT_NE(all.FindTable("T"), nullptr);
  EXPECT_EQ(all.FindTable("u"), nullptr);
}

// Goal: a column that was added was NULL before: rows that have another value in it differ, the
// others do not; a table whose key changed is another one. Method: by hand.
TEST_F(RowDiffTest, ColumnsThatDiffer) {
  Database database = Open("o");
  Exec(database,
       "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 2),(3, 4);"
       "CREATE TABLE k(a PRIMARY KEY, b); INSERT INTO k VALUES(1, 2);");
  const CommitInfo before = Head("o");
  Exec(database,
       "BEGIN; ALTER TABLE t ADD COLUMN c; UPDATE t SET c = 'new' WHERE a = 3;"
       "DROP TABLE k; CREATE TABLE k(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO k VALUES(1, 2); "
       "COMMIT");
  const CommitInfo after = Head("o");
  ASSERT_OK_AND_ASSIGN(RowDiff diff, Diff(before, after));
  EXPECT_EQ(Rows(diff),
            "k deleted 1: 1, 2\n"
            "k inserted: 1, 2\n"
            "t changed 2: 3, 4 -> 3, 4, 'new'\n");
  ASSERT_OK_AND_ASSIGN(RowDiff back, Diff(after, before));
  EXPECT_EQ(Rows(back), "k deleted: 1, 2\nk inserted 1: 1, 2\n");
  ASSERT_NO_FATAL_FAILURE(ExpectScriptTurns(before, after));
  ASSERT_NO_FATAL_FAILURE(ExpectScriptTurns(after, before));
}

// Goal: a full-text index, whose rows are in tables of its own, is brought along by the script.
// Method: made, filled, changed and dropped; each way between the states.
TEST_F(RowDiffTest, VirtualTables) {
  Database database = Open("o");
  Exec(database, "CREATE TABLE t(a)");
  std::vector<CommitInfo> states = {Head("o")};
  for (const char* sql : {"CREATE VIRTUAL TABLE f USING fts5(body)",
                          "INSERT INTO f VALUES('some words'),('other words')",
                          "UPDATE f SET body = 'changed words' WHERE rowid = 1", "DROP TABLE f"}) {
    Exec(database, sql);
    states.push_back(Head("o"));
  }
  for (const CommitInfo& before : states) {
    for (const CommitInfo& after : states) {
      SCOPED_TRACE(::testing::Message() << before.lsn.value << " to " << after.lsn.value);
      ASSERT_NO_FATAL_FAILURE(ExpectScriptTurns(before, after));
    }
  }
}

// Goal: whatever happened between two points, restores and packing included, the script of their
// difference makes the one of the other, to the last type and rowid, in both directions. Method:
// random work on tables of all kinds, random pairs of commits.
TEST_F(RowDiffTest, ScriptTurnsOneIntoTheOther) {
  const uint64_t rounds = Scaled(6);
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t seed = TestSeed() * 1000 + round;
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    DiffWork work(seed);
    const std::string name = "o";
    if (round > 0) {
      ASSERT_OK(TheObject()->Delete());
    }
    std::vector<CommitInfo> commits;
    Database database = Open(name);
    Try(database, work.Setup());
    for (int i = 0; i < 60; ++i) {
      if (work.random().OneIn(20) && !commits.empty()) {
        const CommitInfo& to = commits[work.random().Below(commits.size())];
        ASSERT_OK(TheObject()->Restore(TheObject()->BookmarkOf(to)));
      } else if (Try(database, work.Next()) != SQLITE_OK) {
        Try(database, "ROLLBACK");
      }
      if (work.random().OneIn(20)) {
        ASSERT_OK(store_->Checkpoint());
      }
      if (work.random().OneIn(40)) {
        ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
      }
      if (commits.empty() || commits.back().lsn != Head(name).lsn) commits.push_back(Head(name));
    }
    for (int i = 0; i < 25; ++i) {
      const CommitInfo& a = commits[work.random().Below(commits.size())];
      const CommitInfo& b = commits[work.random().Below(commits.size())];
      SCOPED_TRACE(::testing::Message() << "LSN " << a.lsn.value << " to " << b.lsn.value);
      ASSERT_NO_FATAL_FAILURE(ExpectScriptTurns(a, b));
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
