// What `tidemark sql` promises: three forms of results, one transaction, errors with their place.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class SqlTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  ProcessResult Sql(const std::string& sql, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"sql", store(), "rooms/lobby", sql};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Tool(arguments);
  }
};

constexpr char kEveryType[] =
    "select 9223372036854775807 i, 0.1 r, 2.0 w, 'a,\"b\"' t, '' e, null n, x'00ff' b, "
    "cast(x'ff41' as text) bad, 9e999 inf";

// Goal: no value is lost in JSON: 64-bit integers, reals, NULL, BLOBs, text that is no UTF-8.
TEST_F(SqlTest, JsonKeepsEveryType) {
  MakeObject("rooms/lobby");
  const ProcessResult result = Sql(kEveryType, {"--json"});
  ASSERT_DONE(result);
  EXPECT_NE(result.out.find("[9223372036854775807,0.1,2.0,\"a,\\\"b\\\"\",\"\",null,"
                            "{\"blob\":\"00ff\"},{\"blob\":\"ff41\"},9.0e+999]"),
            std::string::npos)
      << result.out;
}

TEST_F(SqlTest, CsvQuotesAndTellsNullFromEmpty) {
  MakeObject("rooms/lobby");
  EXPECT_EQ(Sql(kEveryType, {"--csv"}).out,
            "i,r,w,t,e,n,b,bad,inf\n"
            "9223372036854775807,0.1,2.0,\"a,\"\"b\"\"\",\"\",,x'00ff',\xff"
            "A,9.0e+999\n");
}

// Goal: a table stays a table whatever the text holds, and columns line up by what is seen.
TEST_F(SqlTest, TableEscapesControlCharactersAndAligns) {
  MakeObject("rooms/lobby");
  EXPECT_EQ(Sql("select 'a' || char(10,27,9) x, 1 y union all select 'éé日', null; select 2 z").out,
            "x          y\n"
            "a\\n\\x1b\\t  1\n"
            "éé日       NULL\n"
            "\n"
            "z\n"
            "2\n");
}

// Goal: statements of one text are one transaction. Method: the third of three fails; what the
// first two did is gone, and the error names statement, offset, line and column.
TEST_F(SqlTest, StatementsAreOneTransaction) {
  MakeObject("rooms/lobby");
  const std::string before = BookmarkOf("rooms/lobby");
  const ProcessResult result =
      Sql("insert into t(text) values ('four');\ndelete from t where id=1;\nselect nope from t");
  EXPECT_ENDS(result, 1, "no such column: nope at offset 70 (line 3, column 8)");
  EXPECT_ENDS(result, 1, "  select nope from t\n         ^\n");
  EXPECT_ENDS(result, 1, "nothing was changed");
  EXPECT_EQ(BookmarkOf("rooms/lobby"), before);

  ASSERT_DONE(Sql("insert into t(text) values ('four'); delete from t where id=1"));
  EXPECT_EQ(ToolJson({"log", store(), "rooms/lobby"})["commits"].size(), 2u);
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
}

// Goal: transactions of the text itself count, and are told when a later one fails.
TEST_F(SqlTest, OwnTransactionsStay) {
  MakeObject("rooms/lobby");
  const ProcessResult result =
      Sql("begin; delete from t where id=1; commit; insert into t(id) values (2)");
  EXPECT_ENDS(result, 1, "UNIQUE constraint failed: t.id");
  EXPECT_ENDS(result, 1, "1 row changed; the bookmark before is ");
  EXPECT_ENDS(result, 1, "the transactions that ended before it stay");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "2");

  EXPECT_ENDS(Sql("begin; delete from t"), 1, "ends inside a transaction");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "2");
}

// Goal: what `sqlite3 .dump` writes can be piped in: PRAGMA, BEGIN and COMMIT included.
TEST_F(SqlTest, DashReadsADumpFromStdin) {
  const ProcessResult result =
      Tool({"sql", store(), "rooms/new", "--create", "-"},
           {.input = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a TEXT);\n"
                     "INSERT INTO t VALUES('semi;colon -- no comment');\n/* end */\nCOMMIT;\n"});
  EXPECT_ENDS(result, 0, "rooms/new: created, 1 row changed");
  EXPECT_EQ(Value("rooms/new", "select a from t"), "\"semi;colon -- no comment\"");
}

// Goal: the JSON of a change has what undoes it, and it works.
TEST_F(SqlTest, JsonNamesBeforeAndUndo) {
  const std::string before = MakeObject("rooms/lobby");
  const nlohmann::json changed =
      ToolJson({"sql", store(), "rooms/lobby", "delete from t where id=2 returning text"});
  EXPECT_EQ(changed["results"][0]["rows"], nlohmann::json::parse("[[\"two\"]]"));
  EXPECT_EQ(changed["changed"], true);
  EXPECT_EQ(changed["rows_changed"], 1);
  EXPECT_EQ(changed["before"], before);
  EXPECT_EQ(changed["bookmark"], BookmarkOf("rooms/lobby"));
  ASSERT_DONE(Paste(changed["undo"]));
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");

  const nlohmann::json read = ToolJson({"sql", store(), "rooms/lobby", "select 1"});
  EXPECT_EQ(read["changed"], false);
  EXPECT_EQ(read["undo"], nullptr);
}

// Goal: a failing statement still leaves one whole JSON document on stdout, and one on stderr.
TEST_F(SqlTest, JsonStaysWholeOnAnError) {
  MakeObject("rooms/lobby");
  const ProcessResult result =
      Sql("select 1 a; select abs(id - 9223372036854775807 - 3) from t; select 2", {"--json"});
  EXPECT_EQ(result.exit_code, 1);
  const auto out = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_FALSE(out.is_discarded()) << result.out;
  EXPECT_EQ(out["results"][0]["rows"][0][0], 1);
  const auto err = nlohmann::json::parse(result.err, nullptr, false);
  ASSERT_FALSE(err.is_discarded()) << result.err;
  EXPECT_EQ(err["error"]["code"], "sql");
  EXPECT_EQ(err["error"]["message"], "integer overflow");

  const ProcessResult syntax = Sql("selct 1", {"--json"});
  EXPECT_EQ(nlohmann::json::parse(syntax.err)["error"]["offset"], 0);
}

// Goal: the past is read-only, and a missing object needs --create, which alone creates nothing.
TEST_F(SqlTest, PastIsReadOnlyAndObjectsAreNotMadeByAccident) {
  const std::string bookmark = MakeObject("rooms/lobby");
  EXPECT_ENDS(Sql("delete from t", {"--at", bookmark}), 1, "cannot be written");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
  EXPECT_ENDS(Tool({"sql", store(), "rooms/nope", "create table t(a)"}), 1,
              "rooms/nope does not exist");
  ASSERT_DONE(Tool({"sql", store(), "rooms/nope", "--create", "select 1"}));
  EXPECT_EQ(ToolJson({"ls", store()})["objects"].size(), 1u);
}

}  // namespace
}  // namespace tidemark::testing
