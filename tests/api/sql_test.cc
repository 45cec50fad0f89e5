// SQL inside an object: statements, cursors, bindings and errors.

#include <sqlite3.h>

#include <ranges>

#include "api/internal/statement.h"
#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;

class SqlTest : public ApiTest {};

static_assert(std::ranges::input_range<Cursor>);

// C001.
TEST_F(SqlTest, ALiteralIsAColumnOfItsName) {
  Cursor cursor = Exec("SELECT 123");
  EXPECT_THAT(cursor.ColumnNames(), ElementsAre("123"));
  EXPECT_EQ(cursor.One<int64_t>(), 123);
  EXPECT_THAT(Exec("SELECT 123").Raw().ToVector(), ElementsAre(ElementsAre(Value(int64_t{123}))));
}

// C002.
TEST_F(SqlTest, LiteralsKeepTheirTypes) {
  EXPECT_EQ(Exec("SELECT 'hello'").One<std::string>(), "hello");
  EXPECT_EQ(Exec("SELECT x'ff' AS blob").One<Blob>(), Blob({std::byte{255}}));
  EXPECT_EQ(Exec("SELECT 1.5").One<double>(), 1.5);
  EXPECT_EQ(Exec("SELECT NULL").One<std::optional<int64_t>>(), std::nullopt);
}

// C003.
TEST_F(SqlTest, BindingsStandForParameters) {
  Cursor cursor = Exec("SELECT ?", 456);
  EXPECT_THAT(cursor.ColumnNames(), ElementsAre("?"));
  EXPECT_EQ(cursor.One<int64_t>(), 456);
  EXPECT_EQ(Exec("SELECT ? + ?", 123, 456).One<int64_t>(), 579);
  EXPECT_EQ(Exec("SELECT ? || ?", std::tuple("a", std::string("b"))).One<std::string>(), "ab");
}

// C021, C022, C023: integers are integers here, not doubles, and so a bound whole number is one.
TEST_F(SqlTest, EveryTypeThatCanBeBoundComesBack) {
  const Blob blob(12, std::byte{7});
  EXPECT_EQ(Exec("SELECT ?", blob).One<Blob>(), blob);
  EXPECT_EQ(Exec("SELECT ?", BlobView(blob).first(3)).One<Blob>().size(), 3u);
  EXPECT_EQ(Exec("SELECT ?", BlobView()).One<Blob>().size(), 0u);
  EXPECT_EQ(Exec("SELECT zeroblob(10)").One<Blob>().size(), 10u);
  EXPECT_EQ(Query("SELECT NULL"), "NULL");
  EXPECT_EQ(Exec("SELECT ? IS NULL", nullptr).One<bool>(), true);
  EXPECT_EQ(Exec("SELECT ? IS NULL", std::optional<std::string>()).One<bool>(), true);
  EXPECT_EQ(Exec("SELECT ?", std::optional(5)).One<int>(), 5);
  EXPECT_EQ(Exec("SELECT ?", (int64_t{1} << 53) + 1).One<int64_t>(), (int64_t{1} << 53) + 1);
  EXPECT_EQ(Exec("SELECT ?", INT64_MIN).One<int64_t>(), INT64_MIN);
  EXPECT_EQ(Exec("SELECT typeof(?), typeof(?), typeof(?)", 1, 1.0, true).Raw().ToVector().at(0),
            (std::vector<Value>{"integer", "real", "integer"}));
  EXPECT_EQ(Exec("SELECT ?", Value("text")).One<Value>(), Value("text"));
  EXPECT_EQ(Exec("SELECT ?", std::string_view("a\0b", 3)).One<std::string>(),
            std::string("a\0b", 3));
  EXPECT_EQ(ErrorOf([&] { Exec("SELECT ?", UINT64_MAX); })->code(), StatusCode::kOutOfRange);
}

TEST_F(SqlTest, TypesAreStrictAndErrorsNameTheColumn) {
  EXPECT_FAILS(Exec("SELECT 'x' AS name").One<int64_t>(),
               "column \"name\" is TEXT, not an integer");
  EXPECT_FAILS(Exec("SELECT 300 AS n").One<uint8_t>(), "column \"n\" is INTEGER 300");
  EXPECT_FAILS(Exec("SELECT NULL AS n").One<double>(), "column \"n\" is NULL, not a number");
  EXPECT_FAILS(Exec("SELECT 2").One<bool>(), "not a bool");
  EXPECT_FAILS((Exec("SELECT 1, 2").One<int>()), "1 columns were asked for, and the rows have 2");
  EXPECT_EQ(Exec("SELECT 3").One<double>(), 3.0);
}

// C004.
TEST_F(SqlTest, RowsComeInOrderAndEndOnce) {
  const char* three = "SELECT 1 AS v UNION ALL SELECT 2 UNION ALL SELECT 3";
  EXPECT_THAT(Exec(three).ToVector<int>(), ElementsAre(1, 2, 3));
  std::vector<int> seen;
  for (const RowView row : Exec(three)) seen.push_back(row.Get<int>("v"));
  for (const int v : Exec(three).Rows<int>()) seen.push_back(v);
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 1, 2, 3));
  Cursor cursor = Exec(three);
  EXPECT_TRUE(cursor.Next());
  EXPECT_TRUE(cursor.Next());
  EXPECT_TRUE(cursor.Next());
  EXPECT_FALSE(cursor.Next());
  EXPECT_FALSE(cursor.Next());
  EXPECT_FAILS(cursor.Column(0), "stands on no row");
}

// C006, C007.
TEST_F(SqlTest, OneIsExactlyOne) {
  Cursor cursor = Exec("SELECT 1 AS a, 'x' AS b");
  const Row row = cursor.One();
  EXPECT_EQ(row["a"], Value(int64_t{1}));
  EXPECT_EQ(row.Get<std::string>("b"), "x");
  EXPECT_FALSE(cursor.Next());
  EXPECT_FAILS(Exec("SELECT 1 UNION ALL SELECT 2").One(), "multiple results");
  EXPECT_FAILS(Exec("SELECT 1 WHERE 0").One(), "no results");
  const auto [a, b] = Exec("SELECT 1, 'x'").One<int, std::string>();
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, "x");
}

// C008.
TEST_F(SqlTest, TheCursorIsTheLastStatements) {
  Cursor cursor = Exec("SELECT 1; SELECT 2;");
  EXPECT_THAT(cursor.ColumnNames(), ElementsAre("2"));
  EXPECT_THAT(cursor.ToVector<int>(), ElementsAre(2));
}

// C009.
TEST_F(SqlTest, OneTextMayCreateFillAndAsk) {
  const char* text =
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v);"
      "INSERT INTO t VALUES(1,'a'); INSERT INTO t VALUES(2,'b'); SELECT v FROM t ORDER BY id";
  EXPECT_THAT(Exec(text).ToVector<std::string>(), ElementsAre("a", "b"));
  Exec("DROP TABLE t");
  Exec("PRAGMA case_sensitive_like=true");  // every statement is compiled anew
  EXPECT_THAT(Exec(text).ToVector<std::string>(), ElementsAre("a", "b"));
}

// C011.
TEST_F(SqlTest, ATextWithoutAStatementIsAnError) {
  for (const char* text : {"", ";", "  ", "-- nothing", "SELECT 1; -- nothing", "SELECT 1;;"}) {
    EXPECT_FAILS(Exec(text), "did not contain a statement") << text;
  }
}

// C012.
TEST_F(SqlTest, WhiteSpaceAfterTheLastStatementIsNothing) {
  for (const char* space : {" ", "\t", "\n", "\r", "\v", "\f", "\r\n"}) {
    EXPECT_EQ(Exec(std::string("SELECT 1;") + space).One<int>(), 1);
  }
}

// C013.
TEST_F(SqlTest, SyntaxErrorsTellTheirOffset) {
  auto error = ErrorOf([&] { Exec("SELECT ;"); });
  EXPECT_STREQ(error->what(), "near \";\": syntax error at offset 7: SQLITE_ERROR");
  EXPECT_EQ(error->offset(), 7);
  EXPECT_EQ(error->sqlite_code(), 1);
  EXPECT_EQ(ErrorOf([&] { Exec("SELECT -;"); })->offset(), 8);
  EXPECT_EQ(ErrorOf([&] { Exec("SELECT 1; SELECT -;"); })->offset(), 18) << "of the whole text";
}

// C014.
TEST_F(SqlTest, TheNumberOfBindingsMustBeRight) {
  EXPECT_FAILS(Exec("SELECT ?"), "Wrong number of parameter bindings");
  EXPECT_FAILS(Exec("SELECT ?", 1, 2), "Wrong number of parameter bindings");
  EXPECT_FAILS(Exec("SELECT 1", 1), "Wrong number of parameter bindings");
  EXPECT_FAILS(Exec("SELECT ?; SELECT 1"), "Wrong number of parameter bindings");
  EXPECT_EQ(Exec("SELECT ?", 1).One<int>(), 1) << "the cached statement is fine";
}

// C016, C018.
TEST_F(SqlTest, CursorsOfTheSameTextAreIndependent) {
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1),(2),(3)");
  Cursor a = Exec("SELECT v FROM t");
  Cursor b = Exec("SELECT v FROM t");
  EXPECT_TRUE(a.Next());
  EXPECT_THAT(b.ToVector<int>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(a.ToVector<int>(), ElementsAre(2, 3));
  std::string pairs;
  for (const int outer : Exec("SELECT v FROM t").Rows<int>()) {
    Cursor inner = Exec("SELECT v FROM t");
    while (inner.Next()) {
      pairs += std::to_string(outer) + std::to_string(inner.Get<int>("v")) + " ";
    }
    EXPECT_EQ(inner.RowsRead(), 3u);
  }
  EXPECT_EQ(pairs, "11 12 13 21 22 23 31 32 33 ");
}

// C017.
TEST_F(SqlTest, ACursorAtItsEndStaysThere) {
  Cursor done = Exec("SELECT 1");
  EXPECT_THAT(done.ToVector<int>(), ElementsAre(1));
  EXPECT_EQ(Exec("SELECT 1").One<int>(), 1);
  EXPECT_FALSE(done.Next());
  EXPECT_THAT(done.ColumnNames(), ElementsAre("1")) << "names stay";
}

// C019.
TEST_F(SqlTest, ARepeatedColumnNameMeansTheLast) {
  Exec(
      "CREATE TABLE a(id, x); CREATE TABLE b(id, y);"
      "INSERT INTO a VALUES(1,2); INSERT INTO b VALUES(3,4)");
  Cursor cursor = Exec("SELECT * FROM a, b");
  EXPECT_THAT(cursor.ColumnNames(), ElementsAre("id", "x", "id", "y"));
  ASSERT_TRUE(cursor.Next());
  EXPECT_EQ(cursor.Get<int>("id"), 3);
  EXPECT_EQ(cursor.Get<int>(0), 1);
  EXPECT_EQ(Exec("SELECT * FROM a, b").One().Get<int>("id"), 3);
  EXPECT_EQ(Exec("SELECT * FROM a, b").Raw().ToVector().at(0).size(), 4u);
  EXPECT_FAILS(cursor.Get<int>("nowhere"), "the columns are: id, x, id, y");
}

// C024.
TEST_F(SqlTest, ACachedStatementSurvivesChangesOfTheSchema) {
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1)");
  EXPECT_EQ(Exec("SELECT * FROM t").ColumnCount(), 1u);
  Exec("ALTER TABLE t ADD COLUMN w DEFAULT 5");
  EXPECT_EQ(Query("SELECT * FROM t"), "1|5");
}

// C024: the same text is the same compiled statement, however its value is written; what was used
// last stays when the texts take more than they may.
TEST_F(SqlTest, TheStatementCacheKeepsTexts) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(":memory:", &connection), SQLITE_OK);
  {
    internal::StatementCache cache(20);
    const auto add = [&](const char* sql) {
      internal::Statement statement;
      sqlite3_stmt* compiled = nullptr;
      EXPECT_EQ(sqlite3_prepare_v2(connection, sql, -1, &compiled, nullptr), SQLITE_OK);
      statement.handle = internal::StatementHandle(compiled);
      statement.sql = sql;
      return cache.Add(std::move(statement));
    };
    const auto first = add("SELECT 1");
    internal::StatementCache::Place place;
    EXPECT_FALSE(cache.Take("SELECT 1", &place)) << "in use";
    cache.Release(first);
    cache.Release(add("SELECT 2"));
    EXPECT_EQ(cache.bytes(), 16u);
    ASSERT_TRUE(cache.Take("SELECT 1", &place));
    EXPECT_EQ(place, first);
    cache.Release(place);
    EXPECT_FALSE(cache.Take("SELECT  1", &place)) << "another text";
    cache.Release(add("SELECT 3"));
    EXPECT_EQ(cache.bytes(), 16u);
    EXPECT_FALSE(cache.Take("SELECT 2", &place)) << "used longest ago";
    ASSERT_TRUE(cache.Take("SELECT 1", &place));
    cache.Release(add("SELECT 'longer than all of it'"));
    EXPECT_EQ(cache.bytes(), 16u);
    cache.Release(place);
  }
  EXPECT_EQ(sqlite3_close(connection), SQLITE_OK) << "no statement is left";
}

TEST_F(SqlTest, TheStatementCacheIsBounded) {
  Open({.statement_cache_bytes = 64});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Exec("SELECT " + std::to_string(i % 10)).One<int>(), i % 10);
  }
  const std::string longer = "SELECT '" + std::string(100, 'x') + "'";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Exec(longer).One<std::string>().size(), 100u);
}

// C026.
TEST_F(SqlTest, ACursorOutlivesTheStorageAndSaysSo) {
  Cursor cursor = Exec("SELECT 1 UNION ALL SELECT 2");
  EXPECT_TRUE(cursor.Next());
  storage_.reset();
  EXPECT_FAILS(cursor.Next(), "canceled because the object's storage was closed");
  Open();
  EXPECT_EQ(Exec("SELECT 5").One<int>(), 5);
}

// C027, C029.
TEST_F(SqlTest, ErrorsHaveSqlitesCodes) {
  Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL)");
  const char* insert = "INSERT INTO t VALUES(?, ?)";
  Exec(insert, 1, "a");
  const auto error = ErrorOf([&] { Exec(insert, 1, "b"); });
  EXPECT_STREQ(error->what(),
               "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: "
               "SQLITE_CONSTRAINT_PRIMARYKEY)");
  EXPECT_EQ(error->code(), StatusCode::kInvalidArgument);
  EXPECT_FAILS(Exec(insert, 2, nullptr), "(extended: SQLITE_CONSTRAINT_NOTNULL)");
  Exec(insert, 2, "b");
  EXPECT_EQ(MessageOf([&] { Exec("SELECT * FROM nowhere"); }),
            "no such table: nowhere: SQLITE_ERROR");
}

// C028.
TEST_F(SqlTest, WhatStandsBeforeAFailureStays) {
  Exec("CREATE TABLE t(v)");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FAILS(Exec("SELECT 1; INSERT INTO t VALUES('x'); SELECT * FROM nowhere"),
                 "no such table");
  }
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "3");
}

TEST_F(SqlTest, ReturningGivesItsRows) {
  Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  Cursor cursor = Exec("INSERT INTO t(v) VALUES('a'),('b') RETURNING id, v");
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "2") << "it has run to its end";
  EXPECT_THAT(cursor.ColumnNames(), ElementsAre("id", "v"));
  EXPECT_THAT((cursor.ToVector<int, std::string>()),
              ElementsAre(std::tuple(1, "a"), std::tuple(2, "b")));
  EXPECT_EQ(cursor.RowsWritten(), 2u);
}

// C046.
TEST_F(SqlTest, JsonWorks) {
  EXPECT_EQ(Exec("SELECT '{\"a\":{\"b\":1}}' -> 'a'").One<std::string>(), "{\"b\":1}");
  Exec("CREATE TABLE t(x, y)");
  EXPECT_EQ(Exec("SELECT json_group_array(json_object('name', name)) FROM pragma_table_info('t')")
                .One<std::string>(),
            "[{\"name\":\"x\"},{\"name\":\"y\"}]");
  EXPECT_EQ(Exec("SELECT json_group_array(json_object('type', type, 'name', name)) "
                 "FROM sqlite_master")
                .One<std::string>(),
            "[{\"type\":\"table\",\"name\":\"t\"}]");
}

// C047.
TEST_F(SqlTest, DatesWork) {
  EXPECT_THAT(Exec("SELECT current_timestamp").One<std::string>(),
              ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"));
  EXPECT_THAT(Exec("SELECT current_date").One<std::string>(),
              ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}"));
  EXPECT_THAT(Exec("SELECT current_time").One<std::string>(),
              ::testing::MatchesRegex("[0-9]{2}:[0-9]{2}:[0-9]{2}"));
}

// C053.
TEST_F(SqlTest, FullTextSearchWorks) {
  Exec(
      "CREATE VIRTUAL TABLE doc USING fts5(body, tokenize='porter');"
      "INSERT INTO doc VALUES('some content'),('the contents of a box'),('nothing')");
  EXPECT_EQ(Query("SELECT count(*) FROM doc WHERE doc MATCH 'content'"), "2");
  EXPECT_EQ(Query("SELECT highlight(doc, 0, '<', '>') FROM doc WHERE doc MATCH 'box'"),
            "the contents of a <box>");
  EXPECT_EQ(Query("SELECT rowid FROM doc WHERE doc MATCH 'content' ORDER BY bm25(doc)"), "1 2")
      << "the shorter text first";
  EXPECT_EQ(Query("SELECT snippet(doc, 0, '<', '>', '...', 2) FROM doc WHERE doc MATCH 'box'"),
            "...a <box>");
  Exec("DROP TABLE doc");

  // An index beside its table, kept in step by triggers.
  Exec(
      "CREATE TABLE note(id INTEGER PRIMARY KEY, body);"
      "CREATE VIRTUAL TABLE note_index USING fts5(body, content='note', content_rowid='id');"
      "CREATE TRIGGER note_i AFTER INSERT ON note BEGIN "
      "INSERT INTO note_index(rowid, body) VALUES(new.id, new.body); END;"
      "CREATE TRIGGER note_d AFTER DELETE ON note BEGIN INSERT INTO note_index(note_index, rowid, "
      "body) VALUES('delete', old.id, old.body); END;"
      "CREATE TRIGGER note_u AFTER UPDATE ON note BEGIN INSERT INTO note_index(note_index, rowid, "
      "body) VALUES('delete', old.id, old.body);"
      "INSERT INTO note_index(rowid, body) VALUES(new.id, new.body); END;"
      "INSERT INTO note(body) VALUES('high tide'),('low tide'),('a storm')");
  const char* found = "SELECT rowid FROM note_index WHERE note_index MATCH 'tide' ORDER BY rowid";
  EXPECT_EQ(Query(found), "1 2");
  Exec("UPDATE note SET body = 'spring tide' WHERE id = 3; DELETE FROM note WHERE id = 1");
  EXPECT_EQ(Query(found), "2 3");
  EXPECT_EQ(Query("SELECT body FROM note_index WHERE note_index MATCH 'spring'"), "spring tide");
}

// C054.
TEST_F(SqlTest, RTreesWork) {
  Exec("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES(1,0,5),(2,10,15)");
  EXPECT_EQ(Query("SELECT id FROM r WHERE x0 >= 8"), "2");
  EXPECT_EQ(Query("SELECT rtreecheck('r')"), "ok");
}

// C056.
TEST_F(SqlTest, ACheckMayBeIgnoredAndIsFoundLater) {
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1),(2)");
  EXPECT_FAILS(Exec("ALTER TABLE t ADD COLUMN w CHECK(v > 5)"), "CHECK constraint failed");
  Exec("PRAGMA ignore_check_constraints=ON");
  Exec("ALTER TABLE t ADD COLUMN w CHECK(v > 5)");
  Exec("PRAGMA ignore_check_constraints=OFF");
  EXPECT_EQ(Query("PRAGMA quick_check"),
            "CHECK constraint failed in t CHECK constraint failed in t");
}

// C057.
TEST_F(SqlTest, DeleteMayHaveALimit) {
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1),(2),(3),(4),(5)");
  Exec("DELETE FROM t LIMIT 2");
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "3");
}

// C062.
TEST_F(SqlTest, DatabaseSizeFollowsTables) {
  Exec("CREATE TABLE t(v)");
  const int64_t before = sql().DatabaseSize();
  Exec("CREATE TABLE u(v)");
  EXPECT_EQ(sql().DatabaseSize(), before + 4096);
  Exec("DROP TABLE u");
  EXPECT_EQ(sql().DatabaseSize(), before);
}

}  // namespace
}  // namespace tidemark::testing
