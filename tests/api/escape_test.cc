// Ways out of an object's SQL: to the library's tables, to other objects, to files and to the
// engine. Each of them is closed, whatever SQLite this is linked with can do.

#include <sqlite3.h>

#include <set>

#include "tests/api/api_fixture.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

class EscapeTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    kv().Put("k", "SECRET");
    kv().Put("1", "2");
    storage_->SetAlarm("named", clock_.Now() + std::chrono::hours(1));
    Exec(
        "CREATE TABLE t(key TEXT, value BLOB, name TEXT, time_ms); INSERT INTO t(key) VALUES('k');"
        "CREATE TABLE leak(v); CREATE TABLE u(v UNIQUE)");
  }
  // The text is refused, with that code of SQLite's, in each way to run it, and nothing leaks.
  void ExpectRefused(const std::string& text, int sqlite_code) {
    SCOPED_TRACE(text);
    const auto error = ErrorOf([&] { Query(text); });
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->sqlite_code() & 0xff, sqlite_code) << error->what();
    EXPECT_EQ(ErrorOf([&] { sql().Ingest(text + ";"); })->sqlite_code() & 0xff, sqlite_code);
    EXPECT_EQ(ErrorOf([&] { Query("SELECT 1;" + text); })->sqlite_code() & 0xff, sqlite_code);
    EXPECT_EQ(storage_->broken(), nullptr);
  }
  void ExpectUnharmed() {
    EXPECT_EQ(Query("SELECT count(*) FROM leak"), "0");
    EXPECT_EQ(kv().Get("k"), "SECRET");
    EXPECT_EQ(kv().List().ToVector().size(), 2u);
    EXPECT_TRUE(storage_->GetAlarm("named").has_value());
    EXPECT_EQ(Query("PRAGMA quick_check"), "ok");
  }
};

// Goal: what is in the library's tables is not read. Method: each form of SQL that could, also
// those that SQLite asks its authorizer nothing about: columns that NATURAL and USING compare.
TEST_F(EscapeTest, TheLibrarysTablesAreNotRead) {
  for (const char* text : {
           "SELECT value FROM _cf_KV",
           "SELECT 1 FROM main.\"_CF_kv\"",
           "SELECT 1 FROM '_cf_KV'",
           "SELECT 1 FROM [_cf_KV]",
           "SELECT 1 FROM `_cf_ALARM`",
           "SELECT count(*) FROM _cf_KV",
           "SELECT 1 WHERE EXISTS (SELECT 1 FROM _cf_KV)",
           "SELECT 'k' IN (SELECT key FROM _cf_KV)",
           "SELECT ('k', 1) IN _cf_KV",
           "SELECT (SELECT value FROM _cf_KV)",
           "WITH c AS (SELECT value FROM _cf_KV) SELECT * FROM c",
           "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT value FROM _cf_KV) SELECT * FROM c",
           "SELECT * FROM t NATURAL JOIN _cf_KV",
           "SELECT count(*) FROM t NATURAL JOIN _cf_KV",
           "SELECT t.key FROM t JOIN _cf_KV USING(key)",
           "SELECT key, value FROM t NATURAL FULL JOIN _cf_KV",
           "SELECT key, value FROM t FULL OUTER JOIN \"_cf_KV\" USING(key, value)",
           "SELECT key FROM _cf_KV AS s LEFT JOIN t USING(key, value)",
           "SELECT key FROM t RIGHT JOIN _cf_KV USING(key)",
           "SELECT key FROM _cf_KV CROSS JOIN t USING(key)",
           "SELECT * FROM (SELECT key, value FROM t FULL JOIN main . _Cf_Kv USING(key, value))",
           "WITH c AS (SELECT key FROM t NATURAL FULL JOIN _cf_KV) SELECT key FROM c",
           "SELECT name, time_ms FROM t NATURAL FULL JOIN _cf_ALARM",
           "SELECT max(key) OVER () FROM t NATURAL FULL JOIN _cf_KV",
           "INSERT INTO leak SELECT value FROM _cf_KV",
           "INSERT INTO leak SELECT value FROM t FULL JOIN _cf_KV USING(key, value)",
           "INSERT INTO t(key, value) SELECT * FROM _cf_KV",
           "UPDATE leak SET v = value FROM _cf_KV",
           "UPDATE leak SET v = key FROM (SELECT key FROM t NATURAL FULL JOIN _cf_KV)",
           "DELETE FROM t WHERE EXISTS (SELECT 1 FROM leak FULL JOIN t AS u NATURAL JOIN _cf_KV)",
           "INSERT INTO leak VALUES(1) RETURNING (SELECT value FROM _cf_KV)",
           "INSERT INTO leak VALUES((SELECT key FROM t NATURAL FULL JOIN _cf_KV))",
           "INSERT INTO u VALUES(1) ON CONFLICT DO UPDATE SET v=(SELECT key FROM _cf_KV)",
           "INSERT INTO u VALUES(1) ON CONFLICT DO UPDATE SET v=5 WHERE EXISTS (SELECT key FROM t "
           "NATURAL FULL JOIN _cf_KV)",
           "CREATE TABLE copied AS SELECT * FROM _cf_KV",
           "CREATE TABLE copied AS SELECT key FROM t NATURAL FULL JOIN _cf_KV",
           "EXPLAIN SELECT value FROM _cf_KV",
           "PRAGMA table_info(_cf_KV)",
           "PRAGMA table_info('_cf_KV')",
           "PRAGMA main.table_xinfo=[_CF_KV]",
           "PRAGMA index_list(_cf_KV)",
           "PRAGMA foreign_key_list(_cf_KV)",
           "PRAGMA foreign_key_check(_cf_KV)",
           "PRAGMA quick_check(_cf_KV)",
           "SELECT * FROM pragma_table_info('_cf_KV')",
           "SELECT * FROM pragma_quick_check('_cf_KV')",
           "SELECT x.* FROM (SELECT '_cf_KV' AS n) AS y, pragma_table_xinfo(y.n) AS x",
       }) {
    ExpectRefused(text, SQLITE_AUTH);
  }
  ExpectUnharmed();
}

// Goal: what is compiled later, as a part of another text, does not name the library's tables.
// Method: views, triggers and virtual tables that do are not created; foreign keys to them neither,
// also where ALTER TABLE adds one, or a name.
TEST_F(EscapeTest, NothingInTheSchemaNamesTheLibrarysTables) {
  for (const char* text : {
           "CREATE VIEW v AS SELECT key, value FROM t NATURAL FULL JOIN _cf_KV",
           "CREATE VIEW IF NOT EXISTS v AS SELECT * FROM \"_cf_kv\"",
           "CREATE VIEW v AS SELECT * FROM t NATURAL FULL JOIN nowhere, [_CF_KV]",
           "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO leak SELECT value FROM _cf_KV; "
           "END",
           "CREATE TRIGGER x AFTER INSERT ON t WHEN EXISTS (SELECT 1 FROM _cf_KV) BEGIN SELECT 1; "
           "END",
           "CREATE VIRTUAL TABLE f USING fts5(key, value, content='_cf_KV', content_rowid='key')",
           "CREATE VIRTUAL TABLE f USING fts5(key, content = _cf_ALARM)",
           "CREATE VIRTUAL TABLE f USING fts5vocab(main, _cf_KV, row)",
           "CREATE TABLE c(x REFERENCES _cf_KV)",
           "CREATE TABLE c(x REFERENCES _cf_KV(key) ON DELETE CASCADE)",
           "CREATE TABLE c(x, y, FOREIGN KEY(x) REFERENCES '_Cf_ALARM'(name) DEFERRABLE INITIALLY "
           "DEFERRED)",
           "CREATE TABLE IF NOT EXISTS c(x CONSTRAINT \"a\" REFERENCES [_cf_nothing_yet])",
           "ALTER TABLE t ADD COLUMN x REFERENCES _cf_KV(key)",
           "ALTER TABLE t RENAME TO _cf_t",
           "ALTER TABLE t RENAME TO '_CF_t'",
           "ALTER TABLE t RENAME TO \"_cf_ t\"",
           "ALTER TABLE t RENAME TO \"_cf_\"",
           "ALTER TABLE main.t/**/RENAME/**/TO`_cf_KV2`",
           "ALTER TABLE _cf_KV RENAME TO mine",
           "ALTER TABLE _cf_KV RENAME COLUMN key TO k",
           "ALTER TABLE _cf_KV ADD COLUMN x",
           "ALTER TABLE _cf_KV DROP COLUMN value",
           "CREATE INDEX i ON _cf_KV(value)",
           "CREATE INDEX _cf_i ON t(key)",
           "CREATE UNIQUE INDEX IF NOT EXISTS main.\"_cf_\" ON t(key)",
           "DROP TABLE _cf_KV",
           "DROP TABLE IF EXISTS main.'_cf_ALARM'",
           "INSERT INTO _cf_KV VALUES('a','b')",
           "REPLACE INTO _cf_KV VALUES('a','b')",
           "INSERT INTO _cf_KV VALUES('a','b') ON CONFLICT DO NOTHING RETURNING value",
           "UPDATE _cf_KV SET value=1",
           "UPDATE OR REPLACE _cf_ALARM SET time_ms=0",
           "DELETE FROM _cf_KV",
           "REINDEX _cf_KV",
       }) {
    ExpectRefused(text, SQLITE_AUTH);
  }
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '_cf_%'"), "4");
  ExpectUnharmed();
}

// A virtual table's own tables take its name: so a name that ends where theirs goes on is no way.
TEST_F(EscapeTest, ShadowTablesTakeNoneOfTheLibrarysNames) {
  EXPECT_EQ(ErrorOf([&] { Exec("CREATE VIRTUAL TABLE _cf USING fts5(v)"); })->code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorOf([&] { Exec("CREATE VIRTUAL TABLE _CF USING rtree(a, b, c)"); })->code(),
            StatusCode::kInvalidArgument);
  Exec("CREATE VIRTUAL TABLE f USING fts5(v); CREATE VIRTUAL TABLE r USING rtree(a, b, c)");
  ExpectRefused("ALTER TABLE f RENAME TO _cf", SQLITE_AUTH);
  ExpectRefused("ALTER TABLE r RENAME TO [_Cf]", SQLITE_AUTH);
  EXPECT_FAILS(Exec("INSERT INTO f_data VALUES(1, 1)"), "may not be modified");
  EXPECT_FAILS(Exec("DROP TABLE r_node"), "may not be dropped");
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema WHERE lower(name) LIKE '\\_cf\\_%' "
                  "ESCAPE '\\'"),
            "2");
  ExpectUnharmed();
}

// What only speaks of such names is let through, and what a text leaves is what it says.
TEST_F(EscapeTest, NamesInLiteralsAndCommentsAreNoHarm) {
  EXPECT_EQ(Query("SELECT name FROM sqlite_schema WHERE name NOT LIKE '_cf_%' AND type='table'"),
            "t leak u");
  EXPECT_EQ(Query("SELECT '_cf_KV' AS \"_cf_KV\" /* not _cf_KV */"), "_cf_KV");
  EXPECT_EQ(Query("SELECT name FROM sqlite_schema WHERE name IN ('_cf_KV', 't')"), "_cf_KV t");
  EXPECT_EQ(Query("WITH _cf_KV(key) AS (SELECT 'mine') SELECT key FROM _cf_KV"), "mine");
  Exec("CREATE VIEW v AS SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%'");
  Exec("CREATE TABLE d(v DEFAULT '_cf_KV'); INSERT INTO d DEFAULT VALUES");
  Exec("ALTER TABLE d ADD COLUMN w DEFAULT '_cf_KV'");
  EXPECT_EQ(Query("SELECT * FROM d"), "_cf_KV|_cf_KV");
  const std::string longest = "SELECT '_cf_" + std::string(100000 - 13, 'x') + "'";
  ASSERT_EQ(longest.size(), 100000u);
  EXPECT_EQ(Exec(longest).One<std::string>().size(), 100000u - 9);
  EXPECT_THROW(Exec(longest + " "), Error);
}

// Goal: no pragma that is not on the list is let through, with and without an argument, as a
// statement and as a table. Method: all that this SQLite has, and the library's own.
TEST_F(EscapeTest, EveryOtherPragmaIsDenied) {
  const std::set<std::string> allowed = {"case_sensitive_like",
                                         "data_version",
                                         "defer_foreign_keys",
                                         "foreign_key_check",
                                         "foreign_key_list",
                                         "foreign_keys",
                                         "ignore_check_constraints",
                                         "index_info",
                                         "index_list",
                                         "index_xinfo",
                                         "legacy_alter_table",
                                         "optimize",
                                         "page_size",
                                         "quick_check",
                                         "recursive_triggers",
                                         "reverse_unordered_selects",
                                         "table_info",
                                         "table_list",
                                         "table_xinfo"};
  std::vector<std::string> names = AskSqlite("SELECT DISTINCT name FROM pragma_pragma_list");
  for (const char* own : {"tidemark_restore", "tidemark_fork", "tidemark_bookmark",
                          "tidemark_label", "tidemark_log", "no_such_pragma", "key", "rekey"}) {
    names.emplace_back(own);
  }
  size_t denied = 0;
  for (const std::string& name : names) {
    if (allowed.contains(name)) continue;
    for (const std::string& text :
         {"PRAGMA " + name, "PRAGMA " + name + "=1", "PRAGMA main." + name + "('x')",
          "PRAGMA temp." + name, "PRAGMA \"" + name + "\"=off"}) {
      EXPECT_EQ(ErrorOf([&] { Query(text); })->sqlite_code(), SQLITE_AUTH) << text;
    }
    EXPECT_ANY_THROW(Query("SELECT * FROM pragma_" + name)) << name;
    ++denied;
  }
  EXPECT_GE(denied, 40u);
  for (const std::string& name : allowed) {
    EXPECT_EQ(ErrorOf([&] { Query("PRAGMA temp." + name + "(t)"); })->sqlite_code(), SQLITE_AUTH);
  }
  EXPECT_EQ(Query("PRAGMA page_size"), "4096");
  ExpectUnharmed();
}

// The same of functions, those that extensions of this SQLite add included.
TEST_F(EscapeTest, EveryOtherFunctionIsDenied) {
  const std::set<std::string> denied = {"fts3_tokenizer",
                                        "fts5",
                                        "fts5_source_id",
                                        "matchinfo",
                                        "offsets",
                                        "optimize",
                                        "rtreedepth",
                                        "rtreenode",
                                        "sqlite_compileoption_get",
                                        "sqlite_compileoption_used",
                                        "sqlite_log",
                                        "sqlite_source_id",
                                        "sqlite_version",
                                        "sqlite_offset",
                                        "subtype",
                                        "tidemark_error",
                                        "ceiling",
                                        "log10",
                                        "power",
                                        "readfile",
                                        "writefile",
                                        "edit",
                                        "eval",
                                        "load_extension"};
  std::vector<std::string> names = AskSqlite("SELECT DISTINCT name FROM pragma_function_list");
  names.insert(names.end(), denied.begin(), denied.end());
  size_t refused = 0;
  for (const std::string& name : names) {
    if (name.starts_with("-")) continue;  // operators
    bool any = false;
    std::string arguments;
    for (int count = 0; count <= 3 && !any; ++count) {
      try {
        Query("SELECT \"" + name + "\"(" + arguments + ")");
        any = true;
      } catch (const Error& error) {
        const std::string_view message = error.what();
        any = !message.starts_with("not authorized to use function: " + name) &&
              !message.starts_with("no such function") && !message.starts_with("wrong number");
      }
      arguments += count == 0 ? "1" : ",1";
    }
    if (denied.contains(name) && name != "load_extension") {
      EXPECT_FALSE(any) << name;
    }
    refused += any ? 0 : 1;
  }
  EXPECT_GE(refused, denied.size() - 1);
  EXPECT_FAILS(Query("SELECT load_extension('/tmp/x.so')"), "not authorized");
  EXPECT_FAILS(Query("SELECT load_extension('/tmp/x.so', 'init')"), "not authorized");
}

// And of virtual tables: what is not on the list is neither created, nor there by itself.
TEST_F(EscapeTest, EveryOtherModuleIsGone) {
  const std::set<std::string> creatable = {"fts5", "fts5vocab", "rtree", "rtree_i32"};
  std::vector<std::string> names = AskSqlite("SELECT DISTINCT name FROM pragma_module_list");
  for (const char* more :
       {"dbstat", "sqlite_stmt", "sqlite_dbpage", "bytecode", "tables_used", "completion", "csv",
        "fileio", "fsdir", "zipfile", "generate_series", "fts3tokenize", "sqlite_memory_used"}) {
    names.emplace_back(more);
  }
  for (const std::string& name : names) {
    if (name == "json_each" || name == "json_tree" || name.starts_with("pragma_")) continue;
    if (!creatable.contains(name)) {
      EXPECT_EQ(ErrorOf([&] { Exec("CREATE VIRTUAL TABLE x USING " + name); })->sqlite_code(),
                SQLITE_AUTH)
          << name;
    }
    EXPECT_FAILS(Query("SELECT * FROM " + name), "no such table") << name;
    EXPECT_FAILS(Query("SELECT name FROM t NATURAL FULL JOIN " + name), "no such table") << name;
  }
  EXPECT_EQ(Query("SELECT key FROM json_each('[7]')"), "0");
  Exec("CREATE TABLE dbstat(v); INSERT INTO dbstat VALUES(5)");
  EXPECT_EQ(Query("SELECT v FROM dbstat"), "5") << "a name like any other";
}

// Nothing is written where it would outlive the object's own rules: the schema, temporary tables.
TEST_F(EscapeTest, TheSchemaAndTemporaryTablesAreNotWritten) {
  for (const char* text : {
           "CREATE TEMP TABLE x(v)",
           "CREATE TEMPORARY TABLE x AS SELECT 1",
           "CREATE TABLE temp.x(v)",
           "CREATE TABLE \"temp\".x(v)",
           "CREATE TEMP VIEW x AS SELECT 1",
           "CREATE VIEW temp.x AS SELECT 1",
           "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
           "CREATE TRIGGER temp.x AFTER INSERT ON main.t BEGIN SELECT 1; END",
           "CREATE VIRTUAL TABLE temp.x USING fts5(v)",
           "ATTACH ':memory:' AS a",
           "ATTACH '' AS a",
           "ATTACH 'file:x?vfs=unix' AS a",
           "DETACH main",
           "BEGIN",
           "BEGIN IMMEDIATE",
           "COMMIT",
           "END",
           "ROLLBACK",
           "SAVEPOINT s",
           "RELEASE s",
           "ROLLBACK TO s",
           "RELEASE _cf_1",
           "ROLLBACK TO _cf_1",
           "EXPLAIN BEGIN",
       }) {
    ExpectRefused(text, SQLITE_AUTH);
  }
  for (const char* text : {
           "UPDATE sqlite_schema SET sql='x'",
           "UPDATE sqlite_master SET name='x'",
           "DELETE FROM sqlite_schema",
           "INSERT INTO sqlite_schema VALUES('table','x','x',2,'x')",
           "UPDATE sqlite_temp_schema SET sql='x'",
           "INSERT INTO sqlite_temp_master VALUES(1,1,1,1,1)",
           "DROP TABLE sqlite_schema",
           "ALTER TABLE sqlite_schema RENAME TO x",
           "CREATE TABLE sqlite_x(v)",
           "CREATE INDEX i ON sqlite_schema(name)",
           "CREATE TRIGGER x AFTER INSERT ON sqlite_schema BEGIN SELECT 1; END",
           "VACUUM",
           "VACUUM main",
           "VACUUM INTO '/tmp/x'",
           "VACUUM INTO 'file:ns/x?vfs=tidemark'",
           "DROP INDEX sqlite_autoindex__cf_KV_1",
           "SELECT * FROM other.t",
           "SELECT * FROM pragma_table_info('t', 'other')",
       }) {
    EXPECT_ANY_THROW(Query(text)) << text;
    EXPECT_EQ(storage_->broken(), nullptr) << text;
  }
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_temp_schema"), "0");
  ExpectUnharmed();
}

// Goal: a foreign key, or a trigger, that stands on the library's tables (the host, or an imported
// database, may have made it) acts with the application's rights. Method: make them by another
// connection, then have the library's own statements set them off.
TEST_F(EscapeTest, WhatTheHostLetInHasNoMoreRights) {
  for (const char* body :
       {"INSERT INTO leak SELECT value FROM _cf_KV;", "DELETE FROM _cf_KV;",
        "INSERT INTO leak SELECT key FROM _cf_KV;", "UPDATE _cf_KV SET value='changed';"}) {
    SCOPED_TRACE(body);
    storage_.reset();
    {
      ASSERT_OK_AND_ASSIGN(Database host, Database::Open(*store_, "ns", "object"));
      ASSERT_OK(
          host.Exec((std::string("DROP TABLE IF EXISTS child; DROP TRIGGER IF EXISTS y;"
                                 "CREATE TABLE child(x REFERENCES _cf_KV(key) "
                                 "ON DELETE CASCADE); INSERT INTO child VALUES('k');"
                                 "CREATE TRIGGER y AFTER INSERT ON _cf_KV BEGIN ") +
                     body + " END; CREATE TRIGGER x AFTER DELETE ON child BEGIN " + body + " END")
                        .c_str()));
    }
    Open();
    EXPECT_EQ(ErrorOf([&] { kv().Delete("k"); })->sqlite_code(), SQLITE_AUTH);
    EXPECT_EQ(ErrorOf([&] { kv().Put("another", "v"); })->sqlite_code(), SQLITE_AUTH);
    ExpectUnharmed();
  }
}

}  // namespace
}  // namespace tidemark::testing
