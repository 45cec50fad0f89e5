// The loadable extension in the sqlite3 shell.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/extension/host_fixture.h"

namespace tidemark::testing {

ProcessResult ShellTest::Shell(const std::string& script,
                               const std::map<std::string, std::string>& environment) {
  const char* const other = std::getenv("TIDEMARK_TEST_SHELL");  // newer_shell_test's
  return RunProcess(
      {other == nullptr ? TIDEMARK_SHELL : other, "-batch", "-bail", "-init", "/dev/null"},
      {.input = std::string(".load ") + kExtension + "\n" + script, .environment = environment});
}

std::string ShellTest::Print(const std::string& script,
                             const std::map<std::string, std::string>& environment) {
  const ProcessResult result = Shell(script, environment);
  EXPECT_EQ(result.exit_code, 0) << script << "\n" << result.out << result.err;
  EXPECT_EQ(result.err, "") << script;
  return result.out;
}

namespace {

using ::testing::HasSubstr;

// All kinds of things that a database can hold, after changes that move pages around.
constexpr char kWorkload[] = R"sql(
PRAGMA page_size=1024;
PRAGMA auto_vacuum=INCREMENTAL;
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, born REAL, photo BLOB,
                    upper_name TEXT GENERATED ALWAYS AS (upper(name)) STORED);
CREATE UNIQUE INDEX person_name ON person(name COLLATE NOCASE) WHERE id > 10;
CREATE TABLE pair(a, b, c, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE VIRTUAL TABLE note USING fts5(title, body);
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1);
CREATE VIEW names AS SELECT name FROM person ORDER BY name;
CREATE TRIGGER noted AFTER INSERT ON person BEGIN
  INSERT INTO note VALUES(new.name, 'born ' || coalesce(new.born, 'never'));
END;
WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
  INSERT INTO person(id, name, born, photo)
  SELECT i, 'n' || i, CASE i % 7 WHEN 0 THEN NULL ELSE i / 3.0 END, zeroblob(i % 90) FROM n;
INSERT INTO pair SELECT id % 10, id, name FROM person;
INSERT INTO box SELECT id, id, id + 1, -id, 1 - id FROM person WHERE id < 50;
INSERT INTO person(id, name, photo) VALUES(1000, 'large', zeroblob(100000)), (1001, x'c3a9', x'00ff');
BEGIN; DELETE FROM person WHERE id % 3 = 0; SAVEPOINT s; DROP TABLE pair; ROLLBACK TO s; COMMIT;
BEGIN; DELETE FROM person; ROLLBACK;
ALTER TABLE pair RENAME COLUMN c TO label;
PRAGMA incremental_vacuum(5);
UPDATE person SET photo = NULL WHERE id = 1000;
VACUUM;
PRAGMA user_version=7;
)sql";

// Goal: after the same SQL an object holds exactly what a stock file holds, in the eyes of all that
// the shell has: .dump, .sha3sum, .recover, and .backup and VACUUM INTO to a file.
// Method: each of them on both, compared as text.
TEST_F(ShellTest, AgreesWithAStockFile) {
  const std::string stock = Path("stock.db");
  const std::string object = "'" + Uri("rooms/lobby") + "'";
  Print(".open " + stock + "\n" + kWorkload);
  Print(".open " + object + "\n" + kWorkload);
  const std::string check = "PRAGMA integrity_check; PRAGMA user_version; PRAGMA page_size;\n";
  std::vector<std::string> commands = {".dump\n", ".sha3sum\n", check,
                                       "SELECT count(*), sum(length(photo)) FROM person;\n"};
  // The shell of some distributions, Debian 12's too, is built without what .recover reads with.
  if (Shell(".open " + stock + "\n.recover\n").exit_code == 0) {
    commands.push_back(".recover\n");
  } else {
    std::cout << "left out: this shell's .recover does not work, on stock files neither\n";
  }
  for (const std::string& command : commands) {
    const std::string expected = Print(".open " + stock + "\n" + command);
    EXPECT_GT(expected.size(), 5u) << command;
    EXPECT_EQ(Print(".open " + object + "\n" + command), expected) << command;
  }
  const std::string sums = Print(".open " + stock + "\n.sha3sum\n" + check);
  Print(".open " + object + "\n.backup " + Path("backup.db") +
        "\nVACUUM INTO 'file:" + Path("into.db") + "?vfs=unix';\n");
  EXPECT_EQ(Print(".open " + Path("backup.db") + "\n.sha3sum\n" + check), sums);
  EXPECT_EQ(Print(".open " + Path("into.db") + "\n.sha3sum\n" + check), sums);
  // And the other way round: a file into an object.
  Print(".open '" + Uri("rooms/copy") + "'\n.restore " + stock + "\n");
  EXPECT_EQ(Print(".open '" + Uri("rooms/copy") + "'\n.sha3sum\n" + check), sums);
}

// Goal: sqldiff, which loads the extension into the SQLite that is built into it, finds an object
// to be what a stock file is, and nothing else. Method: the same SQL on both, then one row more.
TEST_F(ShellTest, SqldiffFindsNoDifference) {
  if (*TIDEMARK_SQLDIFF == '\0') GTEST_SKIP() << "there is no sqldiff: install sqlite3-tools";
  const std::string stock = Path("stock.db");
  const std::string object = Uri("rooms/lobby");
  Print(".open " + stock + "\n" + kWorkload);
  Print(".open '" + object + "'\n" + kWorkload);
  const auto difference = [&] {
    return RunProcess({TIDEMARK_SQLDIFF, "--lib", kExtension, "--primarykey", stock, object}, {});
  };
  const ProcessResult same = difference();
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(same.out, "");
  Print(".open '" + object + "'\nINSERT INTO pair VALUES('a', 'b', 'c');\n");
  EXPECT_THAT(difference().out, HasSubstr("INSERT INTO pair(a,b,label) VALUES('a','b','c');"));
}

// Goal: what one process wrote is there for the next, and the past beside it, attached and joined.
// Method: a shell for each step.
TEST_F(ShellTest, ThePastBesideThePresent) {
  const std::string open = ".open '" + Uri("rooms/lobby") + "'\n";
  std::string before = Print(open +
                             "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
                             "INSERT INTO t VALUES(1, 'a'), (2, 'b'); PRAGMA tidemark_durable;\n");
  ASSERT_EQ(before.size(), 60u) << before;
  before.pop_back();
  Print(open + "DELETE FROM t WHERE id = 1;\n");
  const std::string attach = "ATTACH '" + Uri("rooms/lobby", "&at=" + before) + "' AS past;\n";
  EXPECT_EQ(Print(open + attach +
                  "SELECT id, x FROM past.t EXCEPT SELECT id, x FROM main.t;\n"
                  "PRAGMA past.tidemark_bookmark;\n"),
            "1|a\n" + before + "\n");
  std::string undo = Print(open + "PRAGMA tidemark_restore='" + before + "';\n");
  undo.pop_back();
  EXPECT_EQ(Print(open + "SELECT count(*) FROM t; PRAGMA tidemark_restore='" + undo +
                  "'; SELECT count(*) FROM t;\n")
                .substr(0, 2),
            "2\n");
  EXPECT_EQ(Print(open + "SELECT count(*) FROM t;\n"), "1\n");
}

// Goal: made the default, the VFS serves plain names, and what the shell does with files works.
// Method: relative and absolute names, .save, .clone by ATTACH, temporary tables.
TEST_F(ShellTest, AsDefault) {
  const std::map<std::string, std::string> environment = {{"TIDEMARK_STORE", store()},
                                                          {"TIDEMARK_DEFAULT_VFS", "1"}};
  Print(
      ".open data.db\nCREATE TABLE t(x); INSERT INTO t VALUES(1);\n"
      "ATTACH '/srv/other.db' AS other; CREATE TABLE other.u AS SELECT x + 1 AS y FROM t;\n"
      "CREATE TEMP TABLE tt(z); INSERT INTO tt VALUES(3);\n"
      "ATTACH ':memory:' AS m; CREATE TABLE m.v AS SELECT * FROM tt;\n"
      ".save saved.db\nVACUUM INTO 'vacuumed.db';\n",
      environment);
  for (const char* name : {"data.db", "saved.db", "vacuumed.db", "./x/../data.db"}) {
    EXPECT_EQ(Print(std::string(".open ") + name + "\nSELECT x FROM t;\n", environment), "1\n");
  }
  EXPECT_EQ(Print(".open '" + Uri("files//srv/other.db") + "'\nSELECT y FROM u;\n"), "2\n");
  const ProcessResult outside = Shell(".open ../data.db\n", environment);
  EXPECT_THAT(outside.err, HasSubstr("\"../data.db\" leads out of the store"));
  EXPECT_FALSE(std::filesystem::exists("data.db"));
  // Stock files stay within reach.
  Print(".open 'file:" + Path("stock.db") + "?vfs=unix'\nCREATE TABLE s(x);\n", environment);
  EXPECT_TRUE(std::filesystem::exists(Path("stock.db")));
}

// Goal: what is deleted is not overwritten first, in whatever way SQLite was built: the history has
// it anyway. Who wants that can have it. Method: the pragma's answers, also for an attached object.
TEST_F(ShellTest, SecureDeleteIsOff) {
  EXPECT_EQ(Print(".open '" + Uri("rooms/lobby") + "'\nPRAGMA secure_delete;\nATTACH '" +
                  Uri("rooms/other") +
                  "' AS other;\nPRAGMA other.secure_delete;\nPRAGMA secure_delete=ON;\n"),
            "0\n0\n1\n");
}

// Goal: settings that contradict each other do not load, and say why. Method: each of them.
TEST_F(ShellTest, WrongSettings) {
  EXPECT_THAT(Shell("", {{"TIDEMARK_DEFAULT_VFS", "1"}}).err,
              HasSubstr("needs TIDEMARK_STORE=DIR"));
  EXPECT_THAT(Shell("", {{"TIDEMARK_DEFAULT_VFS", "yes"}}).err, HasSubstr("is neither 0 nor 1"));
  EXPECT_EQ(Print("SELECT 1;\n", {{"TIDEMARK_DEFAULT_VFS", "0"}}), "1\n");
  // A host that goes on after that is none the worse for it.
  const ProcessResult result =
      RunProcess({TIDEMARK_SHELL, "-batch", "-init", "/dev/null"},
                 {.input = std::string(".load ") + kExtension + "\n.open '" + Path("stock.db") +
                           "'\nCREATE TABLE t(x);\n.open '" + Path("stock.db") +
                           "'\nSELECT name FROM sqlite_schema;\n",
                  .environment = {{"TIDEMARK_DEFAULT_VFS", "1"}}});
  EXPECT_EQ(result.out, "t\n") << result.err;
}

// Goal: a database that cannot be opened says why: by sqlite3_errmsg for sqlite3_open and ATTACH,
// and by tidemark_error(). Method: an object that is not there.
TEST_F(ShellTest, ReasonsAreShown) {
  Print(".open '" + Uri("rooms/lobby") + "'\nCREATE TABLE t(x);\n");
  EXPECT_THAT(Shell(".open '" + Uri("rooms/none", "&mode=rw") + "'\n").err,
              HasSubstr("tidemark: object rooms/none does not exist"));
  const ProcessResult attach =
      RunProcess({TIDEMARK_SHELL, "-batch", "-init", "/dev/null"},
                 {.input = std::string(".load ") + kExtension + "\nSELECT tidemark_error();\n" +
                           ".print -\nATTACH '" + Uri("rooms/none", "&mode=rw") +
                           "' AS none;\nSELECT tidemark_error();\n"});
  EXPECT_THAT(attach.err, HasSubstr("(tidemark: object rooms/none does not exist"));
  EXPECT_THAT(attach.out, ::testing::StartsWith("\n-\nnot_found: object rooms/none"));
}

}  // namespace
}  // namespace tidemark::testing
