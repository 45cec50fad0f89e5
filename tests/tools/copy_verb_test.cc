// `tidemark copy`: an object in another store, as it is or with its history.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class CopyVerbTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
    ASSERT_DONE(Tool({"label", store(), "rooms/lobby", "three"}));
    ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values('four')"}));
  }
  std::string other() const { return Path("other"); }
  std::string CountIn(const std::string& store, const std::string& object,
                      const std::string& at = "now") {
    return ToolJson({"sql", store, object, "--at", at,
                     "select count(*) from t"})["results"][0]["rows"][0][0]
        .dump();
  }

  std::string first_;
};

TEST_F(CopyVerbTest, ThePresentState) {
  EXPECT_ENDS(Tool({"copy", store(), "rooms/lobby", other()}), 1, "--create makes it");
  EXPECT_FALSE(std::filesystem::exists(other()));
  const nlohmann::json done =
      ToolJson({"copy", store(), "rooms/lobby", other(), "--create", "--as", "halls/hall"});
  EXPECT_EQ(done["commits"], 1);
  EXPECT_EQ(done["other_object"], "halls/hall");
  EXPECT_EQ(done["from"]["bytes"], done["result"]["bytes"]);
  EXPECT_EQ(CountIn(other(), "halls/hall"), "4");
  const ProcessResult again = Tool({"copy", store(), "rooms/lobby", other(), "--as", "halls/hall"});
  ASSERT_DONE(again);
  EXPECT_NE(again.out.find("nothing to do"), std::string::npos) << again.out;
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  EXPECT_ENDS(Tool({"copy", store(), "rooms/lobby", other(), "--as", "halls/hall"}), 1,
              "is not what rooms/lobby is");
  EXPECT_EQ(CountIn(other(), "halls/hall"), "4");
  // Into a store that has others.
  ASSERT_DONE(Tool({"copy", store(), "rooms/lobby", other()}));
  EXPECT_EQ(CountIn(other(), "rooms/lobby"), "0");
}

TEST_F(CopyVerbTest, TheHistory) {
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", "three"}));
  const nlohmann::json done =
      ToolJson({"copy", store(), "rooms/lobby", other(), "--history", "--create"});
  EXPECT_EQ(done["commits"], 3);
  EXPECT_EQ(done["labels"], 1);
  EXPECT_EQ(CountIn(other(), "rooms/lobby", "three"), "3");
  const nlohmann::json from = ToolJson({"log", store(), "rooms/lobby"})["commits"];
  const nlohmann::json to = ToolJson({"log", other(), "rooms/lobby"})["commits"];
  ASSERT_EQ(from.size(), to.size());
  for (size_t i = 0; i < from.size(); ++i) {
    const std::string time = from[i]["time"];
    EXPECT_EQ(to[i]["time"], time);
    EXPECT_EQ(to[i]["schema_changed"], from[i]["schema_changed"]);
    EXPECT_EQ(CountIn(other(), "rooms/lobby", time), CountIn(store(), "rooms/lobby", time));
  }
  // It goes on, and is not in the way of the clock.
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values('more')"}));
  const ProcessResult more = Tool({"copy", store(), "rooms/lobby", other(), "--history"});
  ASSERT_DONE(more);
  EXPECT_NE(more.out.find("1 commit copied, 3 were there, 1 label"), std::string::npos) << more.out;
  EXPECT_EQ(ToolJson({"stat", other()})["paused"], false);
  EXPECT_ENDS(Tool({"copy", store(), "rooms/lobby", other(), "--history", "--as", "rooms/b"}), 1,
              "a store of its own");
}

TEST_F(CopyVerbTest, WrongUse) {
  EXPECT_ENDS(Tool({"copy", store(), "rooms/lobby", store()}), 2, "tidemark fork");
  EXPECT_ENDS(Tool({"copy", store(), "rooms/nobody", other(), "--create"}), 1, "nobody");
  EXPECT_FALSE(std::filesystem::exists(other()));
  EXPECT_ENDS(Tool({"copy", store(), "rooms/lobby"}), 2, "only 2 of 3 arguments");
}

}  // namespace
}  // namespace tidemark::testing
