// `tidemark shell`: as a person uses it, through a pseudo-terminal, and as a script.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/tools/terminal.h"
#include "tests/tools/tools_fixture.h"
#include "tools/shell_completion.h"

namespace tidemark::testing {
namespace {

using ::testing::AssertionResult;

class ShellTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
  }

  ProcessResult Script(const std::string& text, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"shell", store(), "rooms/lobby"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Tool(arguments, {.input = text});
  }

  std::string Count() { return Value("rooms/lobby", "select count(*) from t"); }

  std::string first_;
};

// Goal: a script runs statements over several lines and commands, prints what `tidemark sql` does,
// and says nothing else; what it wrote stands in the store.
TEST_F(ShellTest, RunsAScript) {
  const ProcessResult result = Script(
      "insert into t(text)\n"
      "  values ('four'); -- and a remark\n"
      "\n"
      "select count(*) as n\nfrom t;\n"
      ".mode csv\n"
      "select id, text from t where id > 3;\n"
      ".mode json\n"
      "select 1 as a; select 'x;y' as b;\n"
      ".tables\n"
      "select ';' as last");
  ASSERT_DONE(result);
  EXPECT_EQ(result.out,
            "n\n4\n"
            "id,text\n4,four\n"
            "{\"columns\":[\"a\"],\"rows\":[\n[1]]}\n"
            "{\"columns\":[\"b\"],\"rows\":[\n[\"x;y\"]]}\n"
            "{\"columns\":[\"name\",\"type\"],\"rows\":[\n[\"t\",\"table\"]]}\n"
            "{\"columns\":[\"last\"],\"rows\":[\n[\";\"]]}\n");
  EXPECT_NE(result.err.find("to undo all of this session: "), std::string::npos) << result.err;
  EXPECT_EQ(Count(), "4");
  ASSERT_DONE(Paste(result.err.substr(result.err.find(": ") + 2)));
  EXPECT_EQ(Count(), "3");
}

// Goal: a script ends at its first error, with that one's exit code and its line; what was
// committed before stays, and a transaction that is open does not.
TEST_F(ShellTest, ScriptEndsAtTheFirstError) {
  const std::string begin = "insert into t(text) values('four');\n";
  ProcessResult result = Script(begin + "select *\nfrom t where;\ndelete from t;\n");
  EXPECT_ENDS(result, 1, "syntax error at offset 57 (line 3, column 13)");
  EXPECT_ENDS(Script("select 1;\n\nselect abs();\n"), 1, "at offset 18 (line 3, column 8)");
  EXPECT_EQ(Count(), "4");
  EXPECT_ENDS(Script("select 1;\n\nselect\nabs(-9223372036854775808);\n"), 1,
              "line 3: integer overflow");
  EXPECT_ENDS(Script(".nonsense\ndelete from t;\n"), 2, "line 1: there is no command .nonsense");
  EXPECT_ENDS(Script(".at 2001-01-01\ndelete from t;\n"), 1, "line 1: ");
  EXPECT_ENDS(Script(".mode\n"), 2, ".mode table|json|csv");
  EXPECT_ENDS(Script(".log many\n"), 2, "no number of commits");
  EXPECT_ENDS(Script(".now then\n"), 2, "takes nothing");
  EXPECT_ENDS(Script("begin;\ndelete from t;\nselect * from nowhere;\n"), 1,
              "the transaction that was open is rolled back");
  EXPECT_ENDS(Script("begin;\ndelete from t;\n"), 1, "ends inside a transaction");
  EXPECT_ENDS(Script("begin;\ndelete from t;\n.restore " + first_ + "\n"), 1,
              "a transaction is open");
  EXPECT_ENDS(Script(std::string("select 1;\nselect '\0';\n", 22)), 2, "NUL byte");
  EXPECT_ENDS(Script("delete from t where; select 1;\n"), 1, "syntax error");
  EXPECT_EQ(Count(), "4");
  result = Script("select * from nowhere;\n", {"--json"});
  EXPECT_EQ(nlohmann::json::parse(result.err)["error"]["code"], "sql") << result.err;
  EXPECT_ENDS(Tool({"shell", store(), "rooms/none"}, {.input = "select 1;"}), 1, "rooms/none");
  ASSERT_DONE(Tool({"shell", store(), "rooms/new", "--create"}, {.input = "create table t(a);"}));
  EXPECT_EQ(Value("rooms/new", "select count(*) from t"), "0");
}

// Goal: what differs is shown from where the session began, from what is looked at, and between
// points; a point may have blanks.
TEST_F(ShellTest, ShowsWhatDiffers) {
  const std::string inserted =
      "table t\n  + id=4, text='four'\n  1 row inserted, 0 deleted, 0 changed\n";
  const ProcessResult result = Script(
      "insert into t(text) values('four');\n"
      ".diff\n"
      ".label four\n"
      ".at " +
      first_ +
      "\n"
      ".diff\n"
      ".diff 'four' " +
      first_ +
      "\n"
      ".diff \"0 seconds ago\" four\n"
      ".diff 0 seconds ago\n"
      ".mode json\n"
      ".diff four four\n");
  ASSERT_DONE(result);
  const std::string deleted =
      "table t\n  - id=4, text='four'\n  0 rows inserted, 1 deleted, 0 changed\n";
  const size_t json = result.out.find('{');
  EXPECT_EQ(result.out.substr(0, json),
            inserted + inserted + deleted + "nothing differs\nnothing differs\n");
  EXPECT_EQ(nlohmann::json::parse(result.out.substr(json))["tables"].size(), 0u);
  EXPECT_ENDS(Script(".diff nowhere\n"), 1, "line 1: ");
}

// Goal: the past can be looked at but not written; a restore, a label and their undoing work, and
// statements that may take away too much leave an automatic label.
TEST_F(ShellTest, GoesToThePastAndBack) {
  ProcessResult result = Script("delete from t;\n");
  ASSERT_DONE(result);
  EXPECT_NE(result.err.find("label before-delete-"), std::string::npos) << result.err;
  const std::string emptied = BookmarkOf("rooms/lobby");
  result = Script(
      ".mode csv\n"
      ".at " +
      first_ +
      "\n"
      "select count(*) from t;\n"
      ".bookmark\n"
      ".label full\n"
      ".now\n"
      "select count(*) from t;\n"
      ".bookmark\n"
      ".at \"full\"\n"
      ".restore\n"
      "select count(*) from t;\n"
      ".restore " +
      emptied +
      "\n"
      "select count(*) from t;\n");
  ASSERT_DONE(result);
  EXPECT_EQ(result.out, "count(*)\n3\n" + first_ + "\ncount(*)\n0\n" + emptied +
                            "\ncount(*)\n3\ncount(*)\n0\n");
  EXPECT_ENDS(Script(".at full\ndelete from t;\n"), 1, "this is the past: .now goes back");
  EXPECT_ENDS(Script(".at nowhere\n"), 1, ".log lists the commits");
  EXPECT_ENDS(Script(".label full\n"), 1, "choose another name");
  EXPECT_ENDS(Script(".label 1\n"), 2, "");
  EXPECT_ENDS(Script(".restore\n"), 2, "needs a POINT");
  result = Script(".log 2\n");
  ASSERT_DONE(result);
  EXPECT_NE(result.out.find("restore of " + emptied), std::string::npos) << result.out;
  EXPECT_NE(result.err.find(".log 0 all"), std::string::npos) << result.err;
  result = Script(".log 1\n", {"--json"});
  EXPECT_EQ(nlohmann::json::parse(result.out)["commits"].size(), 1u) << result.out;
}

TEST_F(ShellTest, PrintsSchemas) {
  ASSERT_DONE(
      Script("create table \"a\nb\"(x);\ncreate view v as select 1;\n"
             "create index i on t(text);\n"));
  EXPECT_EQ(Script(".schema T\n").out,
            "CREATE TABLE t(id integer primary key, text);\nCREATE INDEX i on t(text);\n");
  EXPECT_EQ(Script(".schema v\n").out, "CREATE VIEW v as select 1;\n");
  EXPECT_NE(Script(".schema\n").out.find("CREATE TABLE \"a\nb\"(x);\n"), std::string::npos);
  EXPECT_ENDS(Script(".schema none\n"), 1, "there is no table none");
  EXPECT_NE(Script(".help\n").out.find(".restore [POINT]"), std::string::npos);
}

// ---- at a terminal ----

class ShellTerminalTest : public ShellTest {
 protected:
  std::map<std::string, std::string> Environment() {
    return {{"XDG_STATE_HOME", Path("state")}, {"HOME", Path("home")}};
  }
  std::vector<std::string> Command() { return {TIDEMARK_BINARY, "shell", store(), "rooms/lobby"}; }
};

// Goal: a person types a statement over lines, makes mistakes, looks at the past, restores, and
// leaves; each answer is there before the next prompt.
TEST_F(ShellTerminalTest, ServesAPerson) {
  Terminal terminal(Command(), Environment());
  ASSERT_TRUE(terminal.WaitFor(".help lists commands"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("insert into t(text)\n");
  ASSERT_TRUE(terminal.WaitFor("...> "));
  terminal.Type("values('four');\n");
  ASSERT_TRUE(terminal.WaitFor("1 row changed; undo: .restore " + first_));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("select * frm t;\n");
  ASSERT_TRUE(terminal.WaitFor("syntax error"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type(".at " + first_ + "\n");
  ASSERT_TRUE(terminal.WaitFor("this is " + first_));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby @20"));
  terminal.Type("select count(*) as n from t;\n");
  ASSERT_TRUE(terminal.WaitFor("n\r\n3\r\n"));
  terminal.Type(".restore\n");
  ASSERT_TRUE(terminal.WaitFor("goes to  " + first_));
  ASSERT_TRUE(terminal.WaitFor("[y/N] "));
  terminal.Type("n\n");
  ASSERT_TRUE(terminal.WaitFor("nothing was changed"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby @20"));
  terminal.Type(".restore\n");
  ASSERT_TRUE(terminal.WaitFor("[y/N] "));
  terminal.Type("y\n");
  ASSERT_TRUE(terminal.WaitFor("done; undo: .restore "));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("begin;\n");
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby*> "));
  terminal.Type("delete from t;\n");
  ASSERT_TRUE(terminal.WaitFor("label before-delete-"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby*> "));
  terminal.Type("select * from nowhere;\n");
  ASSERT_TRUE(terminal.WaitFor("the transaction is still open"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby*> "));
  terminal.Type(kCtrlD);
  ASSERT_TRUE(terminal.WaitFor("the transaction that was open is rolled back"));
  EXPECT_EQ(terminal.WaitForEnd(), 0) << terminal.passed();
  EXPECT_EQ(Count(), "3");
}

// Goal: Ctrl-C ends a statement that would run for ever, and the transaction it is in is rolled
// back or stays as SQLite leaves it; at the prompt it clears what was typed. Neither ends the
// session.
TEST_F(ShellTerminalTest, CtrlCInterrupts) {
  Terminal terminal(Command(), Environment());
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  // Progress shows, after a second, that the statement runs.
  terminal.Type(
      "with recursive r(i) as (select 1 union all select i + 1 from r) select sum(i) from r;\n");
  ASSERT_TRUE(terminal.WaitFor("running "));
  terminal.Type(kCtrlC);
  ASSERT_TRUE(terminal.WaitFor("interrupted"));
  ASSERT_TRUE(terminal.WaitFor("nothing was changed"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("begin; delete from t;\n");
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby*> "));
  terminal.Type(
      "insert into t(text) with recursive r(i) as (select 1 union all select i + 1 from r)"
      " select i from r;\n");
  ASSERT_TRUE(terminal.WaitFor("running "));
  terminal.Type(kCtrlC);
  ASSERT_TRUE(terminal.WaitFor("the transaction was rolled back"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("select 'typed in vain' from");
  ASSERT_TRUE(terminal.WaitFor("in vain' from"));
  terminal.Type(kCtrlC);
  ASSERT_TRUE(terminal.WaitFor("^C"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("select count(*)\n");
  ASSERT_TRUE(terminal.WaitFor("...> "));
  terminal.Type(kCtrlC);
  ASSERT_TRUE(terminal.WaitFor("^C"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("select count(*) + 40 from t;\n");
  ASSERT_TRUE(terminal.WaitFor("\n43\r\n"));
  terminal.Type(".quit\n");
  EXPECT_EQ(terminal.WaitForEnd(), 0) << terminal.passed();
  EXPECT_EQ(Count(), "3");
}

// Goal: TAB completes commands, points, tables and columns, and lists what there is if it cannot
// know; the arrows bring back what was typed, in this session and in the next, from a file that is
// nobody else's to read and is not in the store.
TEST_F(ShellTerminalTest, CompletesAndRemembers) {
  ASSERT_DONE(
      Script("create table purchases(customer, amount);\n"
             "insert into purchases values('ann', 5);\n.label golden\n"));
  {
    Terminal terminal(Command(), Environment());
    ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
    terminal.Type(std::string("select cust") + kTab + ", amo" + kTab + " from purch" + kTab +
                  ";\n");
    ASSERT_TRUE(terminal.WaitFor("customer"));
    ASSERT_TRUE(terminal.WaitFor("ann       5"));
    ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
    terminal.Type(std::string(".at gol") + kTab + "\n");
    ASSERT_TRUE(terminal.WaitFor("rooms/lobby @golden> "));
    terminal.Type(std::string(".s") + kTab);
    ASSERT_TRUE(terminal.WaitFor("chema"));
    terminal.Type(std::string(" p") + kTab + "\n");
    ASSERT_TRUE(terminal.WaitFor("CREATE TABLE purchases(customer, amount);"));
    ASSERT_TRUE(terminal.WaitFor("> "));
    terminal.Type(std::string(".") + kTab);
    ASSERT_TRUE(terminal.WaitFor(".at  .bookmark  .diff  .help  .label  .log"));
    terminal.Type(kCtrlC);
    ASSERT_TRUE(terminal.WaitFor("^C"));
    ASSERT_TRUE(terminal.WaitFor("> "));
    terminal.Type(" select 'secret';\n");
    ASSERT_TRUE(terminal.WaitFor("secret\r\n"));
    ASSERT_TRUE(terminal.WaitFor("> "));
    terminal.Type("select 'märz';\n");
    ASSERT_TRUE(terminal.WaitFor("\nmärz\r\n"));
    ASSERT_TRUE(terminal.WaitFor("> "));
    terminal.Type(kCtrlD);
    EXPECT_EQ(terminal.WaitForEnd(), 0) << terminal.passed();
  }
  const std::string history = Path("state/tidemark/shell_history");
  struct stat file {};
  ASSERT_EQ(::stat(history.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777u, 0600u);
  struct stat directory {};
  ASSERT_EQ(::stat(Path("state/tidemark").c_str(), &directory), 0);
  EXPECT_EQ(directory.st_mode & 0777u, 0700u);
  EXPECT_EQ(ReadFile(history).find("secret"), std::string::npos) << ReadFile(history);

  Terminal terminal(Command(), Environment());
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type(kUp);
  ASSERT_TRUE(terminal.WaitFor("select 'märz';"));
  terminal.Type("\n");
  ASSERT_TRUE(terminal.WaitFor("\nmärz\r\n"));
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type(kCtrlD);
  EXPECT_EQ(terminal.WaitForEnd(), 0) << terminal.passed();
}

// Goal: a session works where its history cannot be written.
TEST_F(ShellTerminalTest, NeedsNoHistory) {
  WriteFile(Path("state"), "no directory");
  Terminal terminal(Command(), Environment());
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type("select 6 * 7;\n");
  ASSERT_TRUE(terminal.WaitFor("42"));
  terminal.Type(kUp);
  ASSERT_TRUE(terminal.WaitFor("select 6 * 7;"));
  terminal.Type(kCtrlC);
  ASSERT_TRUE(terminal.WaitFor("^C"));
  ASSERT_TRUE(terminal.WaitFor("rooms/lobby> "));
  terminal.Type(kCtrlD);
  EXPECT_EQ(terminal.WaitForEnd(), 0) << terminal.passed();
}

// ---- completion by itself ----

std::vector<std::string> Offered(const std::string& before, bool continues = false) {
  tools::CompletionSources sources;
  sources.commands = {".at", ".now"};
  sources.points = [] { return std::vector<std::string>{"golden", "grey"}; };
  sources.tables = [] { return std::vector<std::string>{"Orders", "order", "two words"}; };
  sources.columns = [] { return std::vector<std::string>{"origin", "or\x1b[2J", "a\"b"}; };
  return tools::CompleteShellLine(before, continues, sources).candidates;
}

TEST(ShellCompletionTest, OffersWhatFits) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(Offered(".a"), Names({".at"}));
  EXPECT_EQ(Offered(".at g"), Names({"golden", "grey"}));
  EXPECT_EQ(Offered(".restore go"), Names({"golden"}));
  EXPECT_EQ(Offered(".mode j"), Names({"json"}));
  EXPECT_EQ(Offered(".now x"), Names());
  EXPECT_EQ(Offered("select ori"), Names({"origin"}));
  // In whatever case, keywords in that of the word; a name that moves the cursor is not offered.
  EXPECT_EQ(Offered("select or"), Names({"Orders", "or", "order", "origin"}));
  EXPECT_EQ(Offered("select OR"), Names({"OR", "ORDER", "Orders", "origin"}));
  EXPECT_EQ(Offered("select o.or"), Names({"Orders", "origin"}));
  // What is not a plain name comes in quotes.
  EXPECT_EQ(Offered("from \"tw"), Names({"\"two words\""}));
  EXPECT_EQ(Offered("from \"a"), Names({"\"a\"\"b\""}));
  EXPECT_EQ(Offered("from \"ord"), Names({"\"order\""}));
  EXPECT_EQ(Offered(".a", /*continues=*/true), Names());
}

}  // namespace
}  // namespace tidemark::testing
