// What SQL inside an object may not do, and each way out of it.

#include <sqlite3.h>

#include <filesystem>

#include "tests/api/api_fixture.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

class AuthorizerTest : public ApiTest {};

// C031.
TEST_F(AuthorizerTest, TheLibrarysTablesCannotBeRead) {
  kv().Put("k", "v");
  EXPECT_FAILS(Exec("SELECT * FROM _cf_KV"), "access to _cf_KV.key is prohibited");
  EXPECT_FAILS(Exec("SELECT count(*) FROM _CF_kv"), "SQLITE_AUTH");
  EXPECT_FAILS(Exec("CREATE VIEW v AS SELECT * FROM _cf_KV"), "not authorized");
  EXPECT_FAILS(Exec("PRAGMA table_info(_cf_KV)"), "not authorized: SQLITE_AUTH");
  EXPECT_FAILS(Exec("SELECT * FROM pragma_table_info('_cf_KV')"), "not authorized");
}

// C032, C034, C052.
TEST_F(AuthorizerTest, TheLibrarysNamesCannotBeTaken) {
  kv().Put("k", "v");
  Exec("CREATE TABLE t(v)");
  for (const char* text : {
           "CREATE TABLE _cf_x(v)",
           "CREATE TABLE _CF_x(v)",
           "CREATE VIEW _cf_v AS SELECT 1",
           "CREATE INDEX _cf_i ON t(v)",
           "CREATE INDEX i ON _cf_KV(value)",
           "CREATE TRIGGER _cf_t AFTER INSERT ON t BEGIN SELECT 1; END",
           "CREATE TRIGGER x AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
           "CREATE VIRTUAL TABLE _cf_x USING fts5(v)",
           "CREATE VIRTUAL TABLE _Cf_X USING fts5(v)",
           "CREATE VIRTUAL TABLE f USING fts5abcd(v)",
           "CREATE VIRTUAL TABLE f USING fts4(v)",
           "DROP TABLE _cf_KV",
           "INSERT INTO _cf_KV VALUES('a','b')",
           "UPDATE _cf_KV SET value=1",
           "DELETE FROM _cf_KV",
           "ALTER TABLE _cf_KV RENAME TO mine",
       }) {
    EXPECT_EQ(ErrorOf([&] { Exec(text); })->sqlite_code(), SQLITE_AUTH) << text;
  }
  Exec(
      "CREATE VIRTUAL TABLE my_fts USING FtS5(id);"
      "CREATE VIRTUAL TABLE c USING fTs5VoCaB(my_fts, col);"
      "CREATE VIRTUAL TABLE r USING fts5vocab(my_fts, row);"
      "CREATE VIRTUAL TABLE n USING fts5vocab(my_fts, instance);"
      "DROP TABLE c; DROP TABLE my_fts");
  EXPECT_EQ(kv().Get("k"), "v");
}

// C033.
TEST_F(AuthorizerTest, NothingIsRenamedToTheLibrarysNames) {
  Exec("CREATE TABLE x(v)");
  for (const char* text : {"ALTER TABLE x RENAME TO _cf_y", "ALTER TABLE x RENAME TO \"_CF_y\"",
                           "SELECT 1; ALTER /* a comment */ TABLE x RENAME TO [_cf_y]; SELECT 2"}) {
    EXPECT_EQ(MessageOf([&] { Exec(text); }), "not authorized: SQLITE_AUTH") << text;
    EXPECT_EQ(Query("SELECT name FROM sqlite_schema"), "x");
  }
  Exec(
      "ALTER TABLE x RENAME TO y; ALTER TABLE y RENAME COLUMN v TO w;"
      "ALTER TABLE y ADD COLUMN z; ALTER TABLE y DROP COLUMN w");
  EXPECT_EQ(Query("SELECT name FROM sqlite_schema"), "y");
}

// C049.
TEST_F(AuthorizerTest, TransactionsAreNotForSql) {
  for (const char* text : {"BEGIN TRANSACTION", "BEGIN IMMEDIATE", "COMMIT", "END", "ROLLBACK",
                           "SAVEPOINT foo", "RELEASE foo", "ROLLBACK TO foo"}) {
    EXPECT_FAILS(Exec(text), "TransactionSync()") << text;
  }
}

// C051.
TEST_F(AuthorizerTest, NothingIsTemporary) {
  Exec("CREATE TABLE t(v)");
  for (const char* text :
       {"CREATE TEMP TABLE x(v)", "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", "CREATE TABLE temp.x(v)"}) {
    EXPECT_EQ(ErrorOf([&] { Exec(text); })->sqlite_code(), SQLITE_AUTH) << text;
  }
}

// C036, C037, C038, C039, C041, C042.
TEST_F(AuthorizerTest, PragmasThatAreAllowed) {
  Exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b)");
  EXPECT_EQ(Query("SELECT name FROM pragma_table_info('t')"), "a b");
  EXPECT_EQ(Exec("PRAGMA table_info(t)").ToVector().size(), 2u);
  EXPECT_EQ(Exec("PRAGMA table_xinfo(t)").ToVector().size(), 2u);
  kv().Put("k", "v");
  Exec("CREATE VIRTUAL TABLE f USING fts5(v)");
  EXPECT_EQ(Query("SELECT name, type FROM pragma_table_list WHERE name IN ('t', 'f', '_cf_KV') "
                  "ORDER BY name"),
            "_cf_KV|table f|virtual t|table");
  EXPECT_EQ(Query("PRAGMA index_info(i)"), "0|1|b");
  EXPECT_EQ(Exec("PRAGMA index_list(t)").ToVector().size(), 1u);
  EXPECT_GE(Exec("PRAGMA data_version").One<int>(), 1);
  EXPECT_EQ(Query("PRAGMA page_size"), "4096");
  for (const char* text : {"PRAGMA quick_check", "PRAGMA quick_check(1)", "PRAGMA quick_check(100)",
                           "PRAGMA quick_check(t)"}) {
    EXPECT_EQ(Query(text), "ok") << text;
  }
  for (const char* text : {"PRAGMA optimize", "PRAGMA optimize=0x10002", "PRAGMA optimize(-1)",
                           "PRAGMA optimize(0x7fffffff)", "ANALYZE"}) {
    EXPECT_NO_THROW(Query(text)) << text;
  }
  Exec("DROP TABLE sqlite_stat1; DROP TABLE f; INSERT INTO t VALUES(1, 'x')");
  Query("SELECT * FROM t WHERE b = 'x'");  // without statistics: they would have been of use
  EXPECT_THAT(Query("PRAGMA optimize(-1)"), ::testing::HasSubstr("ANALYZE \"main\".\"t\""))
      << "what it would run";
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'"), "0");
}

TEST_F(AuthorizerTest, PragmasThatAreNot) {
  for (const char* text :
       {"PRAGMA user_version",    "PRAGMA user_version=1",         "PRAGMA journal_mode",
        "PRAGMA page_count",      "PRAGMA max_page_count=1",       "PRAGMA page_size=8192",
        "PRAGMA data_version=1",  "PRAGMA hard_heap_limit=1",      "PRAGMA integrity_check",
        "PRAGMA synchronous=OFF", "PRAGMA cache_size=1",           "PRAGMA auto_vacuum=1",
        "PRAGMA wal_checkpoint",  "PRAGMA writable_schema=ON",     "PRAGMA locking_mode=NORMAL",
        "PRAGMA temp_store=1",    "PRAGMA tidemark_restore='now'", "PRAGMA tidemark_fork='x'",
        "PRAGMA function_list",   "PRAGMA database_list",          "PRAGMA trusted_schema=ON",
        "PRAGMA schema_version"}) {
    EXPECT_EQ(ErrorOf([&] { Exec(text); })->sqlite_code(), SQLITE_AUTH) << text;
  }
}

// C043, C044.
TEST_F(AuthorizerTest, BooleanPragmas) {
  for (const char* word :
       {"true", "false", "ON", "off", "Yes", "no", "1", "0", "'true'", "\"off\"", "' on '"}) {
    EXPECT_NO_THROW(Query(std::string("PRAGMA recursive_triggers=") + word)) << word;
  }
  EXPECT_FAILS(Exec("PRAGMA recursive_triggers=abcd"), "not authorized");
  EXPECT_FAILS(Exec("PRAGMA recursive_triggers=\"foo\""), "not authorized");
  EXPECT_FAILS(Exec("PRAGMA recursive_triggers=\"true"), "unrecognized token");
  storage_->Transaction([&] {
    Exec("PRAGMA defer_foreign_keys=true");
    EXPECT_EQ(Query("PRAGMA defer_foreign_keys"), "1");
  });
}

TEST_F(AuthorizerTest, FunctionsAreThoseOfTheList) {
  EXPECT_EQ(Query("SELECT abs(-1), upper('a'), round(1.0), length('abc')").substr(0, 3), "1|A");
  for (const char* call :
       {"sqlite_version()", "sqlite_source_id()", "sqlite_compileoption_get(0)", "sqlite_offset(1)",
        "fts3_tokenizer('simple')", "power(2,2)", "writefile('/tmp/x','y')",
        "readfile('/etc/passwd')", "tidemark_error()", "edit('x')"}) {
    const auto error = ErrorOf([&] { Exec(std::string("SELECT ") + call); });
    EXPECT_NE(std::string(error->what()).find("SQLITE_"), std::string::npos) << call;
  }
  EXPECT_FAILS(Exec("SELECT sqlite_version()"), "not authorized to use function: sqlite_version");
}

// Goal: no statement reaches a file or another object. Method: each that could.
TEST_F(AuthorizerTest, NoStatementReachesAnythingElse) {
  auto other = ObjectStorage::Open(*store_, "ns", "other");
  other->kv().Put("secret", "s");
  other.reset();
  TempDirectory directory;
  const std::string file = directory.path() + "/out";
  for (const std::string& text : {
           "ATTACH '" + file + "' AS a",
           std::string("ATTACH ':memory:' AS a"),
           std::string("ATTACH 'file:ns/other?vfs=tidemark&store=data' AS a"),
           std::string("DETACH main"),
           "VACUUM INTO '" + file + "'",
           std::string("VACUUM"),
           std::string("SELECT load_extension('/tmp/x.so')"),
           std::string("SELECT * FROM dbstat"),
           std::string("SELECT * FROM sqlite_stmt"),
           std::string("SELECT * FROM sqlite_dbpage"),
           std::string("SELECT * FROM fts3tokenize"),
           std::string("CREATE VIRTUAL TABLE c USING csv(filename='/etc/passwd')"),
           std::string("CREATE VIRTUAL TABLE c USING dbstat"),
           std::string("UPDATE sqlite_schema SET sql='x'"),
       }) {
    EXPECT_NE(ErrorOf([&] { Exec(text); })->sqlite_code(), 0) << text;
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(Exec("SELECT 1").One<int>(), 1);
}

// ---- Limits -------------------------------------------------------------------

std::string Repeat(const std::string& text, int count, const std::string& between = ",") {
  std::string all;
  for (int i = 0; i < count; ++i) all += (i == 0 ? "" : between) + text;
  return all;
}

// C312.
TEST_F(AuthorizerTest, ColumnsAndBindingsHaveLimits) {
  std::string columns;
  for (int i = 0; i < 100; ++i) columns += (i == 0 ? "c" : ",c") + std::to_string(i);
  Exec("CREATE TABLE t(" + columns + ")");
  EXPECT_FAILS(Exec("CREATE TABLE u(" + columns + ",more)"), "too many columns");
  const std::vector<ValueView> hundred(100, ValueView(int64_t{1}));
  EXPECT_EQ(sql().Run("SELECT " + Repeat("?", 100), hundred).ColumnCount(), 100u);
  EXPECT_FAILS(Exec("SELECT max(" + Repeat("?", 101) + ")"), "too many SQL variables");
}

// C313.
TEST_F(AuthorizerTest, PatternsHaveALimit) {
  EXPECT_EQ(Exec("SELECT 'x' LIKE ?", std::string(50, 'x')).One<int>(), 0);
  EXPECT_FAILS(Exec("SELECT 'x' LIKE ?", std::string(51, 'x')), "pattern too complex");
  EXPECT_FAILS(Exec("SELECT 'x' GLOB ?", std::string(51, 'x')), "pattern too complex");
}

// C314.
TEST_F(AuthorizerTest, StatementsHaveALimit) {
  const std::string text = "SELECT '" + std::string(100000 - 9, 'x') + "'";
  ASSERT_EQ(text.size(), 100000u);
  EXPECT_EQ(Exec(text).One<std::string>().size(), 100000u - 9);
  EXPECT_EQ(ErrorOf([&] { Exec(text + " "); })->sqlite_code(), SQLITE_TOOBIG);
}

// C316, with the documented limit.
TEST_F(AuthorizerTest, FunctionArgumentsHaveALimit) {
  EXPECT_EQ(Exec("SELECT max(" + Repeat("1", 32) + ")").One<int>(), 1);
  EXPECT_FAILS(Exec("SELECT max(" + Repeat("1", 33) + ")"), "too many arguments");
}

// C048, C319.
TEST_F(AuthorizerTest, CompoundSelectsHaveALimit) {
  EXPECT_EQ(Exec(Repeat("SELECT 1", 5, " UNION ALL ")).ToVector<int>().size(), 5u);
  EXPECT_FAILS(Exec(Repeat("SELECT 1", 6, " UNION ALL ")), "too many terms in compound SELECT");
  const std::string five = "SELECT * FROM (" + Repeat("SELECT 1", 5, " UNION ALL ") + ")";
  EXPECT_EQ(Exec(Repeat(five, 5, " UNION ALL ")).ToVector<int>().size(), 25u);
}

// C317.
TEST_F(AuthorizerTest, ValuesHaveALimit) {
  Open({.limits = {.row_bytes = 1000}});
  EXPECT_EQ(Exec("SELECT length(?)", std::string(1000, 'x')).One<int>(), 1000);
  const auto error = ErrorOf([&] { Exec("SELECT length(?)", std::string(1001, 'x')); });
  EXPECT_EQ(error->sqlite_code(), SQLITE_TOOBIG);
  EXPECT_EQ(error->code(), StatusCode::kLimitExceeded);
  EXPECT_EQ(Exec("SELECT 1").One<int>(), 1) << "the object is not broken";
}

// C318.
TEST_F(AuthorizerTest, TheDatabaseHasALimit) {
  const StorageOptions small{.commit_mode = CommitMode::kTurn,
                             .limits = {.database_bytes = 10 * 4096}};
  Open(small);
  Exec("CREATE TABLE t(v)");
  storage_->Commit();
  const auto fill = [&] {
    for (int i = 0; i < 20; ++i) Exec("INSERT INTO t VALUES(zeroblob(3000))");
  };
  EXPECT_EQ(ErrorOf(fill)->sqlite_code(), SQLITE_FULL);
  EXPECT_EQ(ErrorOf([&] { Exec("SELECT 1"); })->sqlite_code(), SQLITE_FULL) << "broken";
  Open(small);
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "0");
  for (int i = 0; i < 5; ++i) Exec("INSERT INTO t VALUES(zeroblob(3000))");
  Exec("DELETE FROM t");
  for (int i = 0; i < 5; ++i) Exec("INSERT INTO t VALUES(zeroblob(3000))");
  storage_->Commit();
}

}  // namespace
}  // namespace tidemark::testing
