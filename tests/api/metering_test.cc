// What is counted of a statement: rows read and written. Where stock SQLite cannot
// tell what workerd's patched one counts, the test says what is told instead.

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

class MeteringTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    Exec("CREATE TABLE keyed(id INTEGER PRIMARY KEY, v); CREATE TABLE plain(v)");
  }
  struct Counts {
    uint64_t read;
    uint64_t written;
    bool operator==(const Counts&) const = default;
  };
  template <typename... Args>
  Counts Count(std::string_view text, const Args&... args) {
    Cursor cursor = Exec(text, args...);
    while (cursor.Next()) continue;
    return {cursor.RowsRead(), cursor.RowsWritten()};
  }
  void Fill(int rows) {
    Exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO keyed SELECT i, i FROM n",
        rows);
  }
};

// C063: an INTEGER PRIMARY KEY is looked for before it is given; nothing else has such a key.
TEST_F(MeteringTest, AnInsertWritesARow) {
  EXPECT_EQ(Count("INSERT INTO keyed VALUES(1, 1)"), (Counts{1, 1}));
  EXPECT_EQ(Count("INSERT INTO keyed VALUES(2, 1),(3, 1)"), (Counts{2, 2}));
  EXPECT_EQ(Count("INSERT INTO plain VALUES(1)"), (Counts{0, 1}));
  Exec(
      "CREATE TABLE lower(id integer primary key, v); CREATE TABLE int(id INT PRIMARY KEY, v);"
      "CREATE TABLE two(a INTEGER, b, PRIMARY KEY(a, b));"
      "CREATE TABLE down(id INTEGER PRIMARY KEY DESC, v);"
      "CREATE TABLE less(id INTEGER PRIMARY KEY, v) WITHOUT ROWID");
  EXPECT_EQ(Count("INSERT INTO lower VALUES(1, 1)"), (Counts{1, 1}));
  EXPECT_EQ(Count("INSERT INTO int VALUES(1, 1)").read, 0u);
  EXPECT_EQ(Count("INSERT INTO two VALUES(1, 1)").read, 0u);
  EXPECT_EQ(Count("INSERT INTO down VALUES(1, 1)").read, 0u);
  EXPECT_EQ(Count("INSERT INTO less VALUES(1, 1)").read, 0u);
}

// C064.
TEST_F(MeteringTest, ALookUpReadsOneRowAndAScanAll) {
  Fill(50);
  EXPECT_EQ(Count("SELECT * FROM keyed WHERE id = 40"), (Counts{1, 0}));
  EXPECT_EQ(Count("SELECT * FROM keyed WHERE v = 3"), (Counts{50, 0}));
  EXPECT_EQ(Count("SELECT * FROM keyed"), (Counts{50, 0}));
}

// C066.
TEST_F(MeteringTest, ADeleteReadsAndWrites) {
  Fill(5);
  EXPECT_EQ(Count("DELETE FROM keyed WHERE id = 3"), (Counts{1, 1}));
  EXPECT_EQ(Count("DELETE FROM keyed WHERE id = 3"), (Counts{0, 0}));
}

// C067.
TEST_F(MeteringTest, InsertFromSelectAndUpdate) {
  Fill(3);
  EXPECT_EQ(Count("INSERT INTO plain SELECT v FROM keyed"), (Counts{3, 3}));
  EXPECT_EQ(Count("UPDATE keyed SET v = 9 WHERE id <= 2").written, 2u);
}

// C068: each row is found, and its new key looked for.
TEST_F(MeteringTest, AnUpdateOfTheKey) {
  Fill(2);
  const Counts counts = Count("UPDATE keyed SET id = id + 10");
  EXPECT_EQ(counts.written, 2u);
  EXPECT_EQ(counts.read, 4u);
  EXPECT_EQ(Count("UPDATE keyed SET v = 5").read, 2u) << "no key is changed";
}

// C069.
TEST_F(MeteringTest, TriggersWritesCount) {
  Exec(
      "CREATE TRIGGER i AFTER INSERT ON keyed BEGIN INSERT INTO plain VALUES(new.id); END;"
      "CREATE TRIGGER d AFTER DELETE ON keyed BEGIN INSERT INTO plain VALUES(old.id); END");
  EXPECT_EQ(Count("INSERT INTO keyed VALUES(1, 1)").written, 2u);
  Exec("INSERT INTO keyed VALUES(2, 1),(3, 1)");
  EXPECT_EQ(Count("DELETE FROM keyed").written, 6u);
}

// C071.
TEST_F(MeteringTest, AnInListIsNoTable) {
  Fill(2);
  const Counts counts = Count("SELECT id IN (1,2,3,4,5,6) FROM keyed");
  EXPECT_EQ(counts, (Counts{2, 0}));
}

// C072; the cursor stands on the row it returned, so it is not one ahead.
TEST_F(MeteringTest, CountsGrowWithTheCursor) {
  Fill(10);
  Cursor cursor = Exec("SELECT * FROM keyed");
  for (uint64_t returned = 1; cursor.Next(); ++returned) EXPECT_EQ(cursor.RowsRead(), returned);
  EXPECT_EQ(cursor.RowsRead(), 10u);
}

// C073.
TEST_F(MeteringTest, EachExecutionCountsItsOwn) {
  Fill(10);
  Cursor first = Exec("SELECT * FROM keyed");
  while (first.Next()) continue;
  EXPECT_EQ(Count("SELECT * FROM keyed"), (Counts{10, 0}));
  EXPECT_EQ(first.RowsRead(), 10u);
}

// C074.
TEST_F(MeteringTest, IndexEntriesAreWrittenToo) {
  Exec(
      "CREATE TABLE t(a TEXT PRIMARY KEY, b, c); CREATE INDEX i ON t(b);"
      "CREATE INDEX e ON t(abs(c))");
  EXPECT_EQ(Count("INSERT INTO t VALUES('x', 1, 2)").written, 4u) << "row, key, two indexes";
  EXPECT_EQ(Count("UPDATE t SET b = 2").written, 3u) << "row, its index, and the expression's";
  EXPECT_EQ(Count("UPDATE t SET b = 2").written, 2u) << "row, and the expression's";
  EXPECT_EQ(Count("DELETE FROM t").written, 4u);
  Exec("CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID");
  EXPECT_EQ(Count("INSERT INTO w VALUES(1, 2)").written, 1u);
  Exec("CREATE INDEX wi ON w(b)");
  EXPECT_EQ(Count("INSERT INTO w VALUES(2, 2)").written, 2u) << "the schema has changed";
}

TEST_F(MeteringTest, TheObjectsMetricsAddUp) {
  const StorageMetrics before = storage_->Metrics();
  Fill(5);
  Exec("SELECT * FROM keyed").ToVector();
  kv().Put("k", 1);
  const StorageMetrics after = storage_->Metrics();
  EXPECT_EQ(after.rows_written - before.rows_written, 6u);
  EXPECT_GE(after.rows_read - before.rows_read, 5u);
  EXPECT_EQ(after.sql_calls - before.sql_calls, 2u);
  EXPECT_EQ(after.kv_calls - before.kv_calls, 1u);
  EXPECT_EQ(after.commits - before.commits, 2u);
}

// C321, C324.
TEST_F(MeteringTest, HooksAreToldOfStatementsAndCommits) {
  std::vector<std::string> statements;
  int commits = 0;
  uint64_t bytes = 0;
  bool confirmed = false;
  StorageOptions options{.commit_mode = CommitMode::kTurn};
  options.hooks.on_statement = [&](const StatementEvent& event) {
    statements.push_back(std::string(event.sql) + "|" + std::to_string(event.rows_read) + "|" +
                         std::to_string(event.rows_written) + "|" +
                         (event.finished ? "finished" : "not") + "|" +
                         std::to_string(event.sqlite_code));
    EXPECT_GE(event.took.count(), 0);
  };
  options.hooks.on_commit = [&](const CommitEvent& event) {
    ++commits;
    bytes += event.commit.log_bytes;
    confirmed = event.confirmed;
  };
  Open(options);
  Exec("INSERT INTO keyed VALUES(1, 2),(2, 2)");
  Exec("SELECT v FROM keyed").ToVector();
  {
    Cursor dropped = Exec("SELECT id FROM keyed");
    EXPECT_TRUE(dropped.Next());
  }
  EXPECT_FAILS(Exec("INSERT INTO keyed VALUES(1, 1)"), "UNIQUE");
  kv().Put("k", 1);
  storage_->Commit();
  storage_->Commit();
  EXPECT_THAT(
      statements,
      ::testing::ElementsAre("INSERT INTO keyed VALUES(1, 2),(2, 2)|2|2|finished|0",
                             "SELECT v FROM keyed|2|0|finished|0", "SELECT id FROM keyed|1|0|not|0",
                             "INSERT INTO keyed VALUES(1, 1)|0|0|not|1555"));
  EXPECT_EQ(commits, 1);
  EXPECT_TRUE(confirmed);
  EXPECT_GT(bytes, 0u);
  EXPECT_EQ(storage_->Metrics().log_bytes, bytes);
  kv().Put("k", 2, {.allow_unconfirmed = true});
  storage_->GetCurrentBookmark();
  EXPECT_EQ(commits, 2);
  EXPECT_FALSE(confirmed);
  storage_->Transaction([&] { kv().Put("k", 3); });
  EXPECT_EQ(commits, 3);
  EXPECT_TRUE(confirmed);
  options.commit_mode = CommitMode::kEachCall;
  Open(options);
  kv().Put("k", 4, {.allow_unconfirmed = true});
  EXPECT_EQ(commits, 4);
  EXPECT_FALSE(confirmed);
}

// C189, as far as it is the storage's.
TEST_F(MeteringTest, HooksMayRefuseAlarms) {
  StorageOptions options;
  bool may = false;
  const auto in = [&](int hours) { return clock_.Now() + std::chrono::hours(hours); };
  options.hooks.may_set_alarm = [&] {
    return may ? OkStatus() : Status(StatusCode::kInvalidArgument, "nobody would run it");
  };
  Open(options);
  EXPECT_FAILS(storage_->SetAlarm(in(1)), "nobody would run it");
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  may = true;
  storage_->SetAlarm(in(1));
  may = false;
  EXPECT_FAILS(storage_->SetAlarm(in(2)), "nobody would run it");
  storage_->DeleteAlarm();
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
}

}  // namespace
}  // namespace tidemark::testing
