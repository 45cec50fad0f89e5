// `tidemark purge`: what it says, refuses and leaves behind.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class PurgeVerbTest : public ToolsTest {
 protected:
  // Does any file of the store hold the text?
  bool IsAnywhere(const std::string& text) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store())) {
      if (entry.is_regular_file() &&
          ReadFile(entry.path().string()).find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }
};

TEST_F(PurgeVerbTest, NothingIsLeft) {
  MakeStore();
  MakeObject("rooms/lobby");
  MakeObject("rooms/secret-room");
  ASSERT_DONE(Tool({"sql", store(), "rooms/secret-room",
                    "insert into t values (9, 'a word that nobody else says')"}));
  ASSERT_DONE(Tool({"label", store(), "rooms/secret-room", "secret-label"}));
  ASSERT_DONE(Tool({"delete", store(), "rooms/secret-room"}));
  for (const char* const text : {"secret-room", "secret-label", "that nobody else says"}) {
    EXPECT_TRUE(IsAnywhere(text)) << text;
  }
  const ProcessResult done = Tool({"purge", store(), "rooms/secret-room", "--yes"});
  ASSERT_DONE(done);
  EXPECT_NE(done.out.find("rooms/secret-room is gone for good"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("nothing of it is there"), std::string::npos) << done.out;
  for (const char* const text : {"secret-room", "secret-label", "that nobody else says"}) {
    EXPECT_FALSE(IsAnywhere(text)) << text;
  }
  EXPECT_ENDS(Tool({"undelete", store(), "rooms/secret-room"}), 1, "does not exist");
  EXPECT_ENDS(Tool({"purge", store(), "rooms/secret-room", "--yes"}), 1, "does not exist");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
  ASSERT_DONE(Tool({"verify", store()}));
  MakeObject("rooms/secret-room");
  EXPECT_EQ(ToolJson({"log", store(), "rooms/secret-room"})["commits"].size(),
            ToolJson({"log", store(), "rooms/lobby"})["commits"].size());
}

TEST_F(PurgeVerbTest, RefusesAndSaysWhatToDo) {
  MakeStore();
  MakeObject("rooms/lobby");
  EXPECT_ENDS(Tool({"purge", store(), "rooms/lobby"}), 2, "--yes");
  EXPECT_ENDS(Tool({"purge", store(), "lobby", "--yes"}), 2, "NAMESPACE/NAME");
  EXPECT_ENDS(Tool({"purge", store(), "rooms/none", "--yes"}), 1, "rooms/none");
  EXPECT_ENDS(Tool({"purge", Path("none"), "rooms/lobby", "--yes"}), 1, "none");
  ASSERT_DONE(Tool({"hold", store(), "rooms/lobby", "--reason", "case 7"}));
  EXPECT_ENDS(Tool({"purge", store(), "rooms/lobby", "--yes"}), 1, "case 7");
  ASSERT_DONE(Tool({"hold", store(), "rooms/lobby", "--release"}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/copy"}));
  EXPECT_ENDS(Tool({"purge", store(), "rooms/lobby", "--yes"}), 1, "rooms/copy");
  EXPECT_ENDS(Tool({"purge", store(), "rooms/lobby", "--yes", "--json"}), 1, "\"code\":\"exists\"");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");

  const nlohmann::json purged = ToolJson({"purge", store(), "rooms/copy", "--yes"});
  EXPECT_EQ(purged["object"], "rooms/copy");
  EXPECT_EQ(purged["continued"], false);
  EXPECT_EQ(purged["id"].get<std::string>().size(), 64u);
  EXPECT_GE(purged["files"], 1);
  EXPECT_GT(purged["searched_bytes"], 0);
  EXPECT_GT(purged["bytes_before"], purged["bytes_after"]);
  ASSERT_DONE(Tool({"purge", store(), "rooms/lobby", "--yes"}));
  EXPECT_EQ(ToolJson({"ls", store()})["objects"].size(), 0u);
}

}  // namespace
}  // namespace tidemark::testing
