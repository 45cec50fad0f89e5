// SQL inside an object that would take a processor, or memory, for ever.

#include <sqlite3.h>

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

class ExhaustionTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    kv().Put("k", "v");
    Exec("CREATE TABLE leak(v)");
  }
  void ExpectUnharmed() {
    EXPECT_EQ(Query("SELECT count(*) FROM leak"), "0");
    EXPECT_EQ(kv().Get("k"), "v");
    EXPECT_EQ(Query("PRAGMA quick_check"), "ok");
  }
};

// Goal: what would run, or grow, for ever ends, with an error that says why, and does no harm.
// Method: each way to it, with a limit of operations that takes a moment.
TEST_F(ExhaustionTest, WhatNeverEndsIsEnded) {
  Open({.limits = {.operations_per_row = 3'000'000}});
  const std::string forever = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) ";
  for (const std::string& text : {
           forever + "SELECT max(x) FROM r",
           forever + "SELECT x FROM r WHERE x < 0",
           std::string(
               "WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT count(*) "
               "FROM r"),
           forever + "SELECT count(*) FROM r AS a, r AS b",
           forever + "SELECT x FROM r ORDER BY x DESC",
           forever + "SELECT (SELECT max(x) FROM r)",
           forever + "SELECT count(DISTINCT x % 100) FROM r",
       }) {
    SCOPED_TRACE(text);
    const auto error = ErrorOf([&] { Query(text); });
    EXPECT_EQ(error->sqlite_code(), SQLITE_INTERRUPT);
    EXPECT_EQ(error->code(), StatusCode::kLimitExceeded);
    EXPECT_THAT(error->what(), ::testing::HasSubstr("3000000 operations without a row"));
    EXPECT_EQ(storage_->broken(), nullptr) << "nothing was being written";
  }
  // Where nobody gets the rows they make no difference.
  EXPECT_EQ(ErrorOf([&] { sql().Ingest(forever + "SELECT x FROM r;"); })->code(),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(ErrorOf([&] { Exec(forever + "SELECT x FROM r; SELECT 1"); })->code(),
            StatusCode::kLimitExceeded);
  // The limit is from row to row, and each statement's own.
  Cursor rows = Exec(forever + "SELECT x FROM r");
  int64_t last = 0;
  for (int i = 0; i < 500'000 && rows.Next(); ++i) last = rows.Get<int64_t>(0);
  EXPECT_EQ(last, 500'000);
  ExpectUnharmed();
  EXPECT_EQ(ErrorOf([&] { Exec(forever + "INSERT INTO leak SELECT x FROM r"); })->sqlite_code(),
            SQLITE_INTERRUPT);
  EXPECT_NE(storage_->broken(), nullptr) << "a write that was under way";
  Open();
  ExpectUnharmed();
}

// The same of what has a limit of its own: depth, length, values, triggers that set each other off.
TEST_F(ExhaustionTest, WhatGrowsIsRefused) {
  std::string deep = "1";
  for (int i = 0; i < 101; ++i) deep += "+1";
  EXPECT_FAILS(Query("SELECT " + deep), "Expression tree is too large");
  std::string terms;
  for (int i = 0; i < 5000; ++i) terms += (i == 0 ? "" : ",") + std::string("abs(random())");
  EXPECT_ANY_THROW(Query("SELECT " + terms));
  for (const char* text : {
           "SELECT zeroblob(2000000000)",
           "SELECT randomblob(2000000000)",
           "SELECT hex(zeroblob(2000000))",
           "SELECT quote(zeroblob(2000000))",
           "SELECT replace(hex(zeroblob(500000)), '0', '0000')",
           "WITH RECURSIVE r(x) AS (SELECT 'xxxxxxxx' UNION ALL SELECT x||x FROM r) "
           "SELECT max(length(x)) FROM r",
           "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 5000) "
           "SELECT length(group_concat(format('%1000d', x))) FROM r",
           "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 5000) "
           "SELECT length(json_group_array(format('%1000d', x))) FROM r",
           "INSERT INTO leak VALUES(zeroblob(2097152))",
           "SELECT printf('%.*c', 2000000000, 'x')",
           "SELECT format('%2000000000d', 1)",
           "SELECT printf('%d %% %-*.*s', 1, 5, 100001, 'x')",
           "SELECT printf('%s %.99999999999999999999f', 1, 2)",
           "SELECT printf('%*d', -2147483648, 1)",
           "SELECT printf('%*d', 4294967295, 1)",
       }) {
    SCOPED_TRACE(text);
    const auto error = ErrorOf([&] { Query(text); });
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->sqlite_code(), SQLITE_TOOBIG) << error->what();
    EXPECT_EQ(error->code(), StatusCode::kLimitExceeded);
    EXPECT_EQ(storage_->broken(), nullptr);
  }
  Exec(
      "CREATE TABLE a(v); PRAGMA recursive_triggers=ON;"
      "CREATE TRIGGER x AFTER INSERT ON a BEGIN INSERT INTO a VALUES(new.v + 1); END");
  EXPECT_FAILS(Exec("INSERT INTO a VALUES(1)"), "too many levels of trigger recursion");
  EXPECT_EQ(Query("SELECT count(*) FROM a"), "0");
  ExpectUnharmed();
}

// The printf() that has bounds is SQLite's otherwise. Method: formats of all kinds, against a plain
// connection.
TEST_F(ExhaustionTest, PrintfIsSqlitesOwn) {
  for (const char* call : {
           "printf('%d|%5d|%-5d|%05d|%+d|% d|%,d', 1, 2, 3, 4, 5, 6, 1234567)",
           "printf('%s|%10s|%-10s|%.2s|%*.*s|', 'a', 'b', 'c', 'defg', 7, 2, 'hij')",
           "format('%f|%.3f|%e|%g|%10.2f|%!g', 1.5, 2.25, 3e10, 0.0001, 5.5, 0.1)",
           "printf('%q|%Q|%w|%c|%x|%X|%o|%%|%lld', 'it''s', NULL, 'a\"b', 'xyz', 255, 255, 8, 9)",
           "printf('no conversion')",
           "printf('%d and nothing')",
           "printf('%')",
           "printf(NULL)",
           "printf('%s', x'414243')",
           "printf()",
           "format('%.100000c', 'y')",
           "printf('%y %d', 1, 2)",
           "printf('%n%d', 3)",
           "hex(printf('%s', char(228)))",
           "printf('%*d', -5, 1)",
           "typeof(printf('%d', 1))",
       }) {
    const std::string text = "SELECT ifnull(" + std::string(call) + ", 'null')";
    EXPECT_EQ(Query(text), AskSqlite(text.c_str()).at(0)) << call;
  }
  Exec("CREATE TABLE p(v, CHECK(printf('%d', v) <> '5')); CREATE INDEX pi ON p(format('%03d', v))");
  Exec("INSERT INTO p VALUES(7)");
  EXPECT_FAILS(Exec("INSERT INTO p VALUES(5)"), "CHECK constraint failed");
  EXPECT_EQ(Query("SELECT v FROM p WHERE format('%03d', v) = '007'"), "7");
}

}  // namespace
}  // namespace tidemark::testing
