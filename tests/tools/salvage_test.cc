// `tidemark rebuild` and `tidemark salvage`: what they say of a store that is damaged, and bring
// back.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/test_seed.h"
#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

class SalvageVerbTest : public ToolsTest {
 protected:
  std::string Index() const { return store() + "/index/data.mdb"; }
  std::string Log() const { return store() + "/log/00000001.seg"; }
  // Bytes of the log that hold `text` become others.
  void Damage(const std::string& text) {
    std::string log = ReadFile(Log());
    const size_t at = log.find(text);
    ASSERT_NE(at, std::string::npos);
    log.replace(at, text.size(), std::string(text.size(), '?'));
    WriteFile(Log(), log);
  }
};

TEST_F(SalvageVerbTest, RebuildMakesTheIndexAnew) {
  MakeStore();
  MakeObject("rooms/lobby");
  const std::string index = ReadFile(Index());
  for (const std::string& bytes :
       {std::string(20000, 'x'), index.substr(0, 4096) + std::string(index.size() - 4096, '\0'),
        std::string("short")}) {
    WriteFile(Index(), bytes);
    // Every verb says how to go on, as a command that can be pasted.
    const ProcessResult refused = Tool({"ls", store()});
    EXPECT_ENDS(refused, 3, "rebuild " + store());
    EXPECT_ENDS(Tool({"verify", store()}), 3, "rebuild " + store());
    const ProcessResult rebuilt = Tool({"rebuild", store()});
    ASSERT_DONE(rebuilt);
    EXPECT_NE(rebuilt.out.find("1 object"), std::string::npos) << rebuilt.out;
    EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
    ASSERT_DONE(Tool({"verify", store()}));
  }
  fs::remove_all(store() + "/index");
  const auto report = ToolJson({"rebuild", store()});
  EXPECT_EQ(report["objects"], 1);
  EXPECT_EQ(report["damaged_objects"], 0);
  EXPECT_TRUE(report["old_index"].is_null());
  EXPECT_ENDS(Tool({"rebuild", Path("none")}), 1, "none");
}

TEST_F(SalvageVerbTest, OfAWholeStoreEverything) {
  MakeStore();
  MakeObject("rooms/lobby");
  MakeObject("rooms/attic");
  const std::string before = BookmarkOf("rooms/lobby");
  ASSERT_DONE(Tool({"label", store(), "rooms/lobby", "three-rows"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/twin"}));
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", before}));
  ASSERT_DONE(Tool({"hold", store(), "rooms/attic", "--reason", "case 7"}));
  ASSERT_DONE(Tool({"retention", store(), "--keep", "90d"}));
  const std::string fresh = Path("fresh");
  const ProcessResult done = Tool({"salvage", store(), fresh});
  ASSERT_DONE(done);
  EXPECT_NE(done.out.find("every object is whole"), std::string::npos) << done.out;
  const auto value = [&](const std::string& object, const std::string& at) {
    std::vector<std::string> words = {"sql", fresh, object, "select count(*) from t", "--csv"};
    if (!at.empty()) words.insert(words.end(), {"--at", at});
    return Tool(words).out;
  };
  EXPECT_NE(value("rooms/lobby", "").find("3"), std::string::npos);
  EXPECT_NE(value("rooms/twin", "").find("0"), std::string::npos);
  EXPECT_NE(value("rooms/lobby", "three-rows").find("3"), std::string::npos);
  EXPECT_NE(Tool({"retention", fresh}).out.find("90"), std::string::npos);
  EXPECT_NE(Tool({"retention", fresh, "rooms/attic"}).out.find("case 7"), std::string::npos);
  ASSERT_DONE(Tool({"verify", fresh}));
  EXPECT_ENDS(Tool({"salvage", store(), fresh}), 1, "is not empty");
  EXPECT_ENDS(Tool({"salvage", Path("none"), Path("other")}), 1, "none");
  EXPECT_FALSE(fs::exists(Path("other")));
}

TEST_F(SalvageVerbTest, NamesWhatIsLost) {
  MakeStore();
  MakeObject("rooms/lobby");
  MakeObject("rooms/attic");
  ASSERT_DONE(
      Tool({"sql", store(), "rooms/lobby", "insert into t values(9, 'twelve words in a row')"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/attic", "insert into t values(9, 'other words')"}));
  Damage("twelve words in a row");
  fs::remove_all(store() + "/index");
  const std::string fresh = Path("fresh");
  const ProcessResult done = Tool({"salvage", store(), fresh});
  EXPECT_ENDS(done, 3, "is lost");
  EXPECT_NE(done.out.find("rooms/lobby"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("1 later commit lost"), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find("rooms/attic"), std::string::npos) << done.out;
  EXPECT_NE(Tool({"sql", fresh, "rooms/lobby", "select count(*) from t"}).out.find("3"),
            std::string::npos);
  EXPECT_NE(Tool({"sql", fresh, "rooms/attic", "select count(*) from t"}).out.find("4"),
            std::string::npos);
  const ProcessResult json = Tool({"salvage", store(), Path("again"), "--json"});
  EXPECT_EQ(json.exit_code, 3);
  const auto report = nlohmann::json::parse(json.out);
  EXPECT_FALSE(report["whole"]);
  for (const auto& object : report["objects"]) {
    const bool lobby = object["object"] == "rooms/lobby";
    EXPECT_EQ(object["outcome"], lobby ? "older" : "whole");
    EXPECT_EQ(object["lost_newer"], lobby ? 1 : 0);
  }
  // Nothing at all.
  WriteFile(Log(), std::string(9000, 'x'));
  EXPECT_ENDS(Tool({"salvage", store(), Path("nothing")}), 1, "nothing could be brought");
}

// Goal: a salvage that is killed leaves the damaged store as it is, and nothing that is taken for a
// store; the next one, elsewhere, brings all. Method: kill -9 of the command, a little later each
// time, from its begin to about its end.
TEST_F(SalvageVerbTest, IsKilledAgainAndAgain) {
  MakeStore();
  MakeObject("rooms/lobby");
  for (int i = 0; i < 4; ++i) {
    ASSERT_DONE(Tool({"sql", store(), "rooms/lobby",
                      "with recursive n(i) as (select 1 union all select i + 1 from n where i < "
                      "3000) insert into t(text) select hex(randomblob(100)) from n"}));
  }
  const auto rows = [&](const std::string& fresh) {
    return Tool({"sql", fresh, "rooms/lobby", "select count(*) from t", "--csv"}).out;
  };
  const std::string expected = rows(store());
  ASSERT_NE(expected.find("12003"), std::string::npos) << expected;
  const std::string log = ReadFile(Log());
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_DONE(Tool({"salvage", store(), Path("whole")}));
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  const auto kills = static_cast<int>(Scaled(20));
  int killed = 0;
  int unfinished = 0;
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(::testing::Message() << "kill " << i << " of " << kills);
    const std::string fresh = Path("fresh-" + std::to_string(i));
    const std::chrono::milliseconds delay(1 + whole.count() * i / kills);
    const ProcessResult result = Tool({"salvage", store(), fresh}, {.kill_after = delay});
    ASSERT_TRUE(result.exit_code == 0 || result.exit_code == 128 + SIGKILL) << result.err;
    killed += result.exit_code != 0;
    const ProcessResult opened = Tool({"ls", fresh});
    if (opened.exit_code == 0) {  // it was killed behind its end
      EXPECT_EQ(rows(fresh), expected);
      ASSERT_DONE(Tool({"verify", fresh}));
    } else {
      ++unfinished;
      ASSERT_NE(result.exit_code, 0) << opened.err;
    }
  }
  std::printf("salvage: killed %d times, %d of them unfinished\n", killed, unfinished);
  EXPECT_GT(killed, 0);
  EXPECT_TRUE(ReadFile(Log()) == log);
  ASSERT_DONE(Tool({"salvage", store(), Path("last")}));
  EXPECT_EQ(rows(Path("last")), expected);
  ASSERT_DONE(Tool({"verify", Path("last")}));
}

}  // namespace
}  // namespace tidemark::testing
