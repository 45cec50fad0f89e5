// blame on the command line: the text, the JSON, keys of several columns, and wrong use.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class BlameVerbTest : public ToolsTest {
 protected:
  void Sql(const std::string& sql) { ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", sql})); }
};

// Goal: each change with what was and what became, back to the insertion.
TEST_F(BlameVerbTest, ListsChanges) {
  MakeStore();
  const std::string made = MakeObject("rooms/lobby");
  Sql("update t set text = 'zwei' where id = 2");
  const std::string changed = BookmarkOf("rooms/lobby");
  Sql("update t set text = 'x' where id = 1");
  Sql("delete from t where id = 2");
  const std::string deleted = BookmarkOf("rooms/lobby");
  const nlohmann::json all = ToolJson({"blame", store(), "rooms/lobby", "t", "2"});
  ASSERT_EQ(all["changes"].size(), 3u);
  EXPECT_EQ(all["changes"][0]["bookmark"], deleted);
  EXPECT_EQ(all["changes"][0]["after"], nullptr);
  EXPECT_EQ(all["changes"][1]["bookmark"], changed);
  EXPECT_EQ(all["changes"][1]["before"]["text"], "'two'");
  EXPECT_EQ(all["changes"][1]["after"]["text"], "'zwei'");
  EXPECT_EQ(all["changes"][2]["bookmark"], made);
  EXPECT_EQ(all["changes"][2]["before"], nullptr);
  EXPECT_EQ(all["end"], "creation");
  EXPECT_EQ(all["table"], "t");

  const ProcessResult text = Tool({"blame", store(), "rooms/lobby", "t", "2", "-n", "2"});
  ASSERT_TRUE(EndsWith(text, 0, "older changes are not shown"));
  EXPECT_EQ(text.out.find(deleted), 0u) << text.out;
  EXPECT_NE(text.out.find("deleted   id = 2, text = 'zwei'"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("text: 'two' -> 'zwei'"), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("inserted"), std::string::npos) << text.out;
  EXPECT_EQ(ToolJson({"blame", store(), "rooms/lobby", "t", "2", "-n", "2"})["end"], "limit");
  EXPECT_EQ(
      ToolJson({"blame", store(), "rooms/lobby", "t", "2", "--at", changed})["changes"].size(), 2u);
  EXPECT_NE(Tool({"blame", store(), "rooms/lobby", "t", "77"}).out.find("never such a row"),
            std::string::npos);
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/try"}));
  EXPECT_NE(Tool({"blame", store(), "rooms/try", "t", "1"}).out.find("was forked at"),
            std::string::npos);
}

// Goal: a key of two columns, with STORE given and left out; and what is wrong.
TEST_F(BlameVerbTest, KeysAndWrongUse) {
  MakeStore();
  MakeObject("rooms/lobby");
  Sql("create table p(a, b text, v, primary key(a, b)); insert into p values (1, 'x', 2)");
  const ProcessOptions options{.environment = {{"TIDEMARK_STORE", store()}}};
  for (const ProcessResult& result :
       {Tool({"blame", store(), "rooms/lobby", "p", "1", "x"}),
        Tool({"blame", "rooms/lobby", "p", "1", "x"}, options),
        Tool({"blame", store(), "rooms/lobby", "p", "1", "x"}, options)}) {
    ASSERT_DONE(result);
    EXPECT_NE(result.out.find("inserted  a = 1, b = 'x', v = 2"), std::string::npos) << result.out;
  }
  EXPECT_ENDS(Tool({"blame", store(), "rooms/lobby", "p", "1"}), 2, "(a, b): give 2 values");
  EXPECT_ENDS(Tool({"blame", "rooms/lobby", "t"}, options), 2, "KEY is missing");
  EXPECT_ENDS(Tool({"blame", store(), "rooms/lobby", "t"}), 2, "3 of 4 arguments");
  EXPECT_ENDS(Tool({"blame", store(), "rooms/lobby", "u", "1"}), 1, "there are: p, t");
  EXPECT_ENDS(Tool({"blame", store(), "rooms/none", "t", "1"}), 1, "does not exist");
}

}  // namespace
}  // namespace tidemark::testing
