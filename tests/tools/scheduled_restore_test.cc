// A restore that waits for a session, as the command line tells of it.

#include <gtest/gtest.h>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

using ScheduledRestoreVerbTest = ToolsTest;

// Goal: restores tells what waits, and the undo bookmark that was given is one to restore to once
// the session has begun.
TEST_F(ScheduledRestoreVerbTest, RestoresTellsOfIt) {
  MakeStore();
  const std::string first = MakeObject("rooms/lobby");
  MakeObject("rooms/hall");
  EXPECT_EQ(ToolJson({"restores", store(), "rooms/lobby"})["scheduled"], nullptr);
  const auto as_a_program = [&](auto work) {
    ASSERT_OK_AND_ASSIGN(const auto opened, Store::Open(store(), {}));
    {
      ASSERT_OK_AND_ASSIGN(const auto lobby,
                           opened->OpenObject("rooms", "lobby", IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const auto hall, opened->OpenObject("rooms", "hall", IfMissing::kFail));
      work(*lobby, *hall);
    }
    ASSERT_OK(opened->Close());
  };
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  std::string undo;
  as_a_program([&](Object& lobby, Object&) {
    undo = lobby.ScheduleRestore(Bookmark::Parse(first).value()).value().ToString();
  });
  nlohmann::json waits = ToolJson({"restores", store(), "rooms/lobby"})["scheduled"];
  EXPECT_EQ(waits["to"], first);
  EXPECT_EQ(waits["source"], nullptr);
  EXPECT_EQ(waits["undo_bookmark"], undo);
  EXPECT_ENDS(Tool({"restores", store(), "rooms/lobby"}), 0, "next session");
  EXPECT_ENDS(Tool({"restore", store(), "rooms/lobby", "--to", undo}), 1, "has not ended");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "0");
  as_a_program([](Object& lobby, Object&) { EXPECT_TRUE(lobby.BeginSession().value()); });
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", undo}));
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "0");
  EXPECT_EQ(ToolJson({"restores", store(), "rooms/lobby"})["scheduled"], nullptr);
  as_a_program(
      [&](Object& lobby, Object& hall) { ASSERT_OK(lobby.ScheduleRestore(hall, hall.head())); });
  waits = ToolJson({"restores", store(), "rooms/lobby"})["scheduled"];
  EXPECT_EQ(waits["source"], "rooms/hall");
  EXPECT_ENDS(Tool({"purge", store(), "rooms/hall", "--yes"}), 1, "rooms/lobby waits");
}

}  // namespace
}  // namespace tidemark::testing
