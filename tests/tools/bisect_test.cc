// bisect on the command line: what it prints, commands that go on, and wrong use.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

using BisectVerbTest = ToolsTest;

// Goal: the commit, the one before, and a restore that can be pasted.
TEST_F(BisectVerbTest, FindsTheCommit) {
  MakeStore();
  const std::string good = MakeObject("rooms/lobby");
  std::vector<std::string> commits = {good};
  for (int i = 4; i < 9; ++i) {
    ASSERT_DONE(Tool(
        {"sql", store(), "rooms/lobby", "insert into t values (" + std::to_string(i) + ", 'x')"}));
    commits.push_back(BookmarkOf("rooms/lobby"));
  }
  const std::string predicate = "select count(*) > 5 from t";
  const nlohmann::json found =
      ToolJson({"bisect", store(), "rooms/lobby", "--good", good, predicate});
  EXPECT_EQ(found["first"]["bookmark"], commits[3]);
  EXPECT_EQ(found["first"]["kind"], "commit");
  EXPECT_EQ(found["before"]["bookmark"], commits[2]);
  EXPECT_GT(found["looks"], 0);
  const ProcessResult text =
      Tool({"bisect", store(), "rooms/lobby", "--good", good, "--bad", commits[4], predicate});
  ASSERT_DONE(text);
  EXPECT_NE(text.out.find("first true at  " + commits[3]), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("not true at    " + commits[2]), std::string::npos) << text.out;
  EXPECT_NE(Paste(found["log"].get<std::string>()).out.find(commits[3]), std::string::npos);
  ASSERT_DONE(Paste(found["restore"].get<std::string>()));
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "5");

  const auto wrong = [&](const std::string& a, const std::string& b, const std::string& what) {
    return Tool({"bisect", store(), "rooms/lobby", "--good", a, "--bad", b, what});
  };
  EXPECT_ENDS(wrong(commits[3], commits[2], predicate), 1, "is not before the bad one");
  EXPECT_ENDS(wrong(good, commits[1], predicate), 1, "not true at the bad point");
  EXPECT_ENDS(wrong(commits[3], commits[4], predicate), 1, "true already at the good point");
  EXPECT_ENDS(wrong(good, commits[4], "drop table t"), 1, "syntax error");
  EXPECT_ENDS(wrong(good, commits[4], "(select max(id) from t where id > 100)"), 1, "NULL");
  EXPECT_ENDS(wrong("2 hours ago", commits[4], predicate), 1, "did not exist");
  EXPECT_ENDS(Tool({"bisect", store(), "rooms/lobby", predicate}), 2, "--good");
  EXPECT_ENDS(Tool({"bisect", store(), "rooms/lobby", "--good", good}), 2, "2 of 3 arguments");
  EXPECT_ENDS(Tool({"bisect", store(), "rooms/none", "--good", "now", "1"}), 1, "does not exist");
}

}  // namespace
}  // namespace tidemark::testing
