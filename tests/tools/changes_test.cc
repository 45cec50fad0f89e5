// changes on the command line: lines that lead to each other, and what is wrong use.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class ChangesVerbTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  static std::vector<nlohmann::json> Parse(const std::string& text) {
    std::vector<nlohmann::json> lines;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      lines.push_back(nlohmann::json::parse(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    return lines;
  }
};

// Goal: lines of an object and of a namespace, and each line's position leads to the same rest.
TEST_F(ChangesVerbTest, LinesLeadToTheRest) {
  const std::string first = MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t where id = 2"}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/twin"}));
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first}));
  const ProcessResult since = Tool({"changes", store(), "rooms/lobby", "--since", first});
  ASSERT_DONE(since);
  const std::vector<nlohmann::json> two = Parse(since.out);
  ASSERT_EQ(two.size(), 2u) << since.out;
  EXPECT_EQ(two[0]["kind"], "commit");
  EXPECT_EQ(two[0]["before"], first);
  EXPECT_EQ(two[0]["tables"][0]["table"], "t");
  EXPECT_EQ(two[0]["tables"][0]["rows"][0]["change"], "deleted");
  EXPECT_EQ(two[0]["tables"][0]["rows"][0]["before"]["id"], 2);
  EXPECT_EQ(two[1]["kind"], "restore");
  EXPECT_EQ(two[1]["tables"][0]["rows"][0]["change"], "inserted");
  const std::string all = Tool({"changes", store(), "rooms", "--since", "@0"}).out;
  const std::vector<nlohmann::json> lines = Parse(all);
  ASSERT_GE(lines.size(), 4u);
  EXPECT_EQ(lines[0]["before"], nullptr);
  EXPECT_EQ(lines[0]["schema"][0]["name"], "t");
  EXPECT_EQ(lines[lines.size() - 2]["object"], "rooms/twin");
  EXPECT_EQ(lines[lines.size() - 2]["kind"], "fork");
  std::string rest = all;
  for (const nlohmann::json& line : lines) {
    rest = rest.substr(rest.find('\n') + 1);
    const ProcessResult resumed =
        Tool({"changes", store(), "rooms", "--since", line["position"].get<std::string>()});
    ASSERT_DONE(resumed);
    EXPECT_EQ(resumed.out, rest);
  }
}

// Goal: --follow tells what there is, waits, and ends well when it is interrupted. Method: a shell
// that interrupts it when the first line is there.
TEST_F(ChangesVerbTest, FollowEndsWhenInterrupted) {
  MakeObject("rooms/lobby");
  const std::string out = Path("lines");
  const ProcessResult result =
      RunProcess({"/bin/sh", "-c",
                  TIDEMARK_BINARY " changes " + store() + " rooms --since @0 --follow > " + out +
                      " & while ! grep -q position " + out + "; do :; done; kill -INT $!; wait $!"},
                 {.kill_after = std::chrono::minutes(1)});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Parse(ReadFile(out))[0]["object"], "rooms/lobby");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");  // the store was closed
}

// Goal: each wrong use says what is wrong, and with what exit code.
TEST_F(ChangesVerbTest, WrongUse) {
  const std::string first = MakeObject("rooms/lobby");
  EXPECT_ENDS(Tool({"changes", store(), "rooms/lobby"}), 2, "--since");
  EXPECT_ENDS(Tool({"changes", store(), "rooms", "--since", first}), 2, "of one object");
  EXPECT_ENDS(Tool({"changes", store(), "rooms", "--since", "@999999"}), 1, "is ahead of all");
  EXPECT_ENDS(Tool({"changes", store(), "halls", "--since", "@0"}), 1, "halls");
  EXPECT_ENDS(Tool({"changes", store(), "rooms/kitchen", "--since", "@0"}), 1, "rooms/kitchen");
  EXPECT_ENDS(Tool({"changes", store(), "rooms/lobby", "--since", "@x"}), 2, "@x");
}

}  // namespace
}  // namespace tidemark::testing
