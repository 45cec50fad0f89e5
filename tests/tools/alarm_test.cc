// alarms on the command line, and what restore and fork do with them.

#include <gtest/gtest.h>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

constexpr Timestamp kPast = ManualClock::kStart;
constexpr Timestamp kFuture{std::chrono::seconds{4'000'000'000}};

class AlarmVerbTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
    MakeObject("rooms/hall");
    Set("lobby", kPast);
    with_alarm_ = BookmarkOf("rooms/lobby");
    Set("hall", kFuture);
  }
  // As a program that uses the store does it.
  void Set(const std::string& name, std::optional<Timestamp> alarm) {
    ASSERT_OK_AND_ASSIGN(const auto opened, Store::Open(store(), {}));
    {
      ASSERT_OK_AND_ASSIGN(auto db, Database::Open(*opened, "rooms", name));
      ASSERT_OK(db.Exec("begin; update t set text = text || '!'"));
      ASSERT_OK(db.SetAlarm(alarm));
      ASSERT_OK(db.Exec("commit"));
    }
    ASSERT_OK(opened->Close());
  }
  nlohmann::json AlarmOf(const std::string& object) {
    return ToolJson({"log", store(), object})["commits"][0]["alarm"];
  }

  std::string first_;  // of rooms/lobby, without an alarm
  std::string with_alarm_;
};

// Goal: alarms are listed in order, up to a time if that is asked for; log and stat tell of them.
TEST_F(AlarmVerbTest, ListsThem) {
  const nlohmann::json all = ToolJson({"alarms", store()})["alarms"];
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["object"], "rooms/lobby");
  EXPECT_EQ(all[0]["due"], "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(all[0]["is_due"], true);
  EXPECT_EQ(all[1]["object"], "rooms/hall");
  EXPECT_EQ(all[1]["is_due"], false);
  const nlohmann::json due = ToolJson({"alarms", store(), "--until", "now"})["alarms"];
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0]["name"], "lobby");
  EXPECT_EQ(ToolJson({"alarms", store(), "--until", "2025-12-31"})["alarms"].size(), 0u);
  const ProcessResult text = Tool({"alarms", store()});
  ASSERT_DONE(text);
  EXPECT_LT(text.out.find("rooms/lobby"), text.out.find("rooms/hall"));
  EXPECT_ENDS(Tool({"alarms", store(), "--until", with_alarm_}), 2, "is none");
  EXPECT_EQ(ToolJson({"stat", store()})["alarms"], 2);
  EXPECT_EQ(AlarmOf("rooms/lobby"), "2026-01-01T00:00:00.000000Z");
  EXPECT_NE(Tool({"log", store(), "rooms/lobby"}).out.find(", alarm "), std::string::npos);
}

// Goal: a restore brings the alarm back, a fork does not, and --alarms says otherwise.
TEST_F(AlarmVerbTest, RestoreAndFork) {
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first_}));
  EXPECT_EQ(AlarmOf("rooms/lobby"), nullptr);
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", with_alarm_}));
  EXPECT_EQ(AlarmOf("rooms/lobby"), "2026-01-01T00:00:00.000000Z");
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/a"}));
  EXPECT_EQ(AlarmOf("rooms/a"), nullptr);
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/b", "--alarms", "restore"}));
  EXPECT_EQ(AlarmOf("rooms/b"), "2026-01-01T00:00:00.000000Z");
  // The same state, but for the alarm.
  const nlohmann::json cleared =
      ToolJson({"restore", store(), "rooms/lobby", "--to", with_alarm_, "--alarms", "clear"});
  EXPECT_EQ(cleared["done"], true);
  EXPECT_EQ(cleared["result"]["alarm"], nullptr);
  EXPECT_EQ(ToolJson({"restore", store(), "rooms/lobby", "--to", with_alarm_, "--alarms",
                      "clear"})["done"],
            false);
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/c", "--alarms", "forget"}), 2, "forget");
}

}  // namespace
}  // namespace tidemark::testing
