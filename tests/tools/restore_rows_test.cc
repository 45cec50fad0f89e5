// restore --table on the command line: the text, the JSON, the rows afterwards, and wrong use.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class RestoreRowsTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    then_ = MakeObject("rooms/lobby");
    ASSERT_DONE(Tool({"sql", store(), "rooms/lobby",
                      "begin; delete from t where id = 1; update t set text = 'new' where id = 2;"
                      "insert into t values (4, 'four'); commit"}));
  }
  std::string Rows() {
    return Value("rooms/lobby", "select group_concat(id || '=' || text, ' ') from t");
  }
  std::vector<std::string> Restore(const std::vector<std::string>& more) {
    std::vector<std::string> command = {"restore", store(), "rooms/lobby", "--to", then_};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  std::string then_;  // with rows 1, 2 and 3
};

// Goal: a dry run shows the rows; the restore brings them back and prints what undoes it.
TEST_F(RestoreRowsTest, BringsRowsBack) {
  const ProcessResult dry = Tool(Restore({"--table", "t", "--dry-run"}));
  ASSERT_DONE(dry);
  for (const char* part : {"table t: 1 inserted, 1 replaced, 1 the same", "inserted  id = 1",
                           "replaced  id = 2, text = 'two' (was 'new')", "dry run: nothing"}) {
    EXPECT_NE(dry.out.find(part), std::string::npos) << part << "\n" << dry.out;
  }
  EXPECT_EQ(Rows(), "\"2=new 3=three 4=four\"");
  const std::string before = BookmarkOf("rooms/lobby");
  const ProcessResult done = Tool(Restore({"--table", "t"}));
  ASSERT_DONE(done);
  EXPECT_EQ(Rows(), "\"1=one 2=two 3=three 4=four\"");
  EXPECT_EQ(ToolJson({"restores", store(), "rooms/lobby"})["restores"].size(), 0u);
  EXPECT_NE(Tool(Restore({"--table", "t"})).out.find("nothing to do"), std::string::npos);
  ASSERT_DONE(Paste(done.out.substr(done.out.find("  ", done.out.find("To undo:")))));
  EXPECT_EQ(Rows(), "\"2=new 3=three 4=four\"");

  const nlohmann::json all = ToolJson(Restore({"--table", "t", "--delete-new"}));
  EXPECT_EQ(all["done"], true);
  EXPECT_EQ(all["to"]["bookmark"], then_);
  EXPECT_EQ(all["result"]["kind"], "commit");
  EXPECT_EQ(all["tables"][0]["deleted"], 1);
  EXPECT_EQ(all["tables"][0]["samples"][0]["change"], "deleted");
  EXPECT_EQ(all["tables"][0]["samples"][0]["now"]["text"], "'four'");
  EXPECT_EQ(all["tables"][0]["samples"][0]["then"], nullptr);
  EXPECT_EQ(Rows(), "\"1=one 2=two 3=three\"");
  ASSERT_DONE(Paste(all["undo"].get<std::string>()));
  ASSERT_DONE(Tool({"restore", store(), "--table", "t", "rooms/lobby", "--where", "id > 1",
                    "--on-conflict", "keep", "--to", then_}));
  EXPECT_EQ(Rows(), "\"2=new 3=three 4=four\"");
}

// Goal: wrong use is told with what to do, and changes nothing.
TEST_F(RestoreRowsTest, WrongUse) {
  const std::string before = BookmarkOf("rooms/lobby");
  EXPECT_ENDS(Tool(Restore({"--where", "id = 1"})), 2, "--where is about rows");
  EXPECT_ENDS(Tool(Restore({"--on-conflict", "keep"})), 2, "--on-conflict is about rows");
  EXPECT_ENDS(Tool(Restore({"--delete-new"})), 2, "--delete-new is about rows");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--alarms", "keep"})), 2, "--alarms is for a whole");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--where", ""})), 2, "--where is empty");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--on-conflict", "x"})), 2, "not \"x\"");
  EXPECT_ENDS(Tool(Restore({"--table", "u"})), 1, "there is no table u; there are: t");
  EXPECT_ENDS(Tool(Restore({"--table", "u"})), 1, "select name, sql from sqlite_schema");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--where", "1; drop table t"})), 2, "semicolon");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--where", "load_extension('x')"})), 2,
              "load_extension()");
  EXPECT_ENDS(Tool(Restore({"--table", "t", "--on-conflict", "fail", "--json"})), 1,
              "the row id = 2 of t is there");
  EXPECT_EQ(BookmarkOf("rooms/lobby"), before);
}

}  // namespace
}  // namespace tidemark::testing
