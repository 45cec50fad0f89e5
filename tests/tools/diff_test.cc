// diff on the command line: text, JSON, counts, script, and what is wrong use.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class DiffTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");  // t(id, text) of three rows
    ASSERT_DONE(Tool({"sql", store(), "rooms/lobby",
                      "update t set text = 'it''s' where id = 2; delete from t where id = 3; "
                      "create table u(a, b real); insert into u values(1, 1.0), (x'00ff', null)"}));
  }

  std::string first_;
};

// Goal: the schema first, then each table that differs with its rows and counts; backwards, too.
TEST_F(DiffTest, Text) {
  const ProcessResult there = Tool({"diff", store(), "rooms/lobby", first_});
  ASSERT_DONE(there);
  const size_t schema = there.out.find("table u was made");
  const size_t rows = there.out.find("table t\n");
  ASSERT_NE(schema, std::string::npos) << there.out;
  ASSERT_NE(rows, std::string::npos) << there.out;
  EXPECT_LT(schema, rows);
  EXPECT_NE(there.out.find("+ id=2, text='it's'"), std::string::npos) << there.out;
  EXPECT_NE(there.out.find("0 rows inserted, 1 deleted, 1 changed"), std::string::npos);
  EXPECT_NE(there.out.find("a=x'00ff', b=NULL"), std::string::npos) << there.out;
  const ProcessResult back =
      Tool({"diff", store(), "rooms/lobby", BookmarkOf("rooms/lobby"), first_});
  EXPECT_NE(back.out.find("table u was dropped"), std::string::npos) << back.out;
  EXPECT_NE(back.out.find("1 row inserted, 0 deleted, 1 changed"), std::string::npos) << back.out;
  EXPECT_EQ(Tool({"diff", store(), "rooms/lobby", first_, first_}).out, "nothing differs\n");
}

// Goal: rows are told apart by the key's collation, which need not be the column's, and what the
// schema says is whole, also where a remark ends it.
TEST_F(DiffTest, CollationsOfKeysAndRemarks) {
  ASSERT_DONE(Tool({"sql", store(), "rooms/keys", "--create",
                    "create table t(a text collate nocase, v, primary key(a collate binary)) "
                    "without rowid; insert into t values('A', 1), ('a', 2)"}));
  const std::string before = BookmarkOf("rooms/keys");
  ASSERT_DONE(Tool({"sql", store(), "rooms/keys",
                    "update t set v = 99 where a = 'a' collate binary; "
                    "create view w as select 1 as one -- of them"}));
  EXPECT_EQ(ToolJson({"diff", store(), "rooms/keys", before})["tables"][0]["changed"], 1);
  const ProcessResult script = Tool({"diff", store(), "rooms/keys", before, "--sql"});
  ASSERT_DONE(script);
  EXPECT_NE(script.out.find("-- of them\n;\n"), std::string::npos) << script.out;
  EXPECT_NE(script.out.find("=99 WHERE \"a\"='a' COLLATE \"binary\";"), std::string::npos)
      << script.out;
}

// Goal: JSON keeps what text cannot: types, NULL, and which side has what.
TEST_F(DiffTest, Json) {
  const nlohmann::json diff = ToolJson({"diff", store(), "rooms/lobby", first_});
  EXPECT_EQ(diff["from"]["bookmark"], first_);
  EXPECT_EQ(diff["to"]["bookmark"], BookmarkOf("rooms/lobby"));
  ASSERT_EQ(diff["schema"].size(), 1u);
  EXPECT_EQ(diff["schema"][0]["change"], "inserted");
  EXPECT_EQ(diff["schema"][0]["before"], nullptr);
  EXPECT_EQ(diff["schema"][0]["after"], "CREATE TABLE u(a, b real)");
  ASSERT_EQ(diff["tables"].size(), 2u);
  const nlohmann::json& t = diff["tables"][0];
  EXPECT_EQ(t["table"], "t");
  EXPECT_EQ(t["rows"][0]["change"], "changed");
  EXPECT_EQ(t["rows"][0]["after"]["text"], "it's");
  EXPECT_EQ(t["rows"][1]["after"], nullptr);
  EXPECT_EQ(t["deleted"], 1);
  const nlohmann::json& u = diff["tables"][1]["rows"];
  EXPECT_TRUE(u[0]["after"]["a"].is_number_integer());
  EXPECT_TRUE(u[0]["after"]["b"].is_number_float());
  EXPECT_EQ(u[1]["after"]["a"]["blob"], "00ff");
  EXPECT_EQ(u[1]["rowid"], 2);
  const nlohmann::json stat = ToolJson({"diff", store(), "rooms/lobby", first_, "--stat"});
  EXPECT_FALSE(stat["tables"][0].contains("rows"));
  EXPECT_EQ(stat["tables"][1]["inserted"], 2);
}

// Goal: the script, run on a copy of A, makes B; a table alone can be chosen, in whatever case.
TEST_F(DiffTest, Script) {
  const std::string copy = Path("copy.db");
  ASSERT_DONE(Tool({"export", store(), "rooms/lobby", "-o", copy, "--at", first_}));
  const ProcessResult script = Tool({"diff", store(), "rooms/lobby", first_, "--sql"});
  ASSERT_DONE(script);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(copy.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, script.out.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
  ASSERT_DONE(Tool({"import", store(), "rooms/copy", copy}));
  for (const char* sql : {"select group_concat(id || text) from t",
                          "select group_concat(quote(a) || quote(b)) from u"}) {
    EXPECT_EQ(Value("rooms/copy", sql), Value("rooms/lobby", sql));
  }
  const ProcessResult one = Tool({"diff", store(), "rooms/lobby", first_, "--sql", "--table", "T"});
  EXPECT_NE(one.out.find("UPDATE \"t\""), std::string::npos) << one.out;
  EXPECT_EQ(one.out.find("CREATE TABLE u"), std::string::npos) << one.out;
}

// Goal: each wrong use says what is wrong, and with what exit code.
TEST_F(DiffTest, WrongUse) {
  EXPECT_ENDS(Tool({"diff", store(), "rooms/lobby"}), 2, "arguments were given");
  EXPECT_ENDS(Tool({"diff", store(), "rooms/lobby", first_, "--table", "v"}), 1,
              "has no table v at either point");
  EXPECT_ENDS(Tool({"diff", store(), "rooms/lobby", first_, "--sql", "--stat"}), 2, "--sql");
  EXPECT_ENDS(Tool({"diff", store(), "rooms/lobby", "not a point"}), 2, "not a point");
  EXPECT_ENDS(Tool({"diff", store(), "rooms/kitchen", first_}), 1, "rooms/kitchen");
}

}  // namespace
}  // namespace tidemark::testing
