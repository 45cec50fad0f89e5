// NAMESPACE/ on the command line: bookmark, restore and fork of all objects, killed in the middle,
// and wrong use.

#include <gtest/gtest.h>

#include <map>

#include "engine/store.h"
#include "tests/support/test_seed.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class NamespaceVerbTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  // What each object of a namespace has in t, in order of names.
  std::map<std::string, std::string> Contents(const std::string& ns) {
    std::map<std::string, std::string> contents;
    const auto store = Store::Open(this->store(), {});
    EXPECT_OK(store);
    std::vector<std::string> names;
    EXPECT_OK((*store)->ListObjects(ns, [&](const ObjectSummary& summary) {
      names.push_back(summary.name);
      return true;
    }));
    for (const std::string& name : names) {
      const auto database = Database::Open(**store, ns, name, {.read_only = true});
      EXPECT_OK(database);
      contents[name] = Query(*database, "SELECT group_concat(v) FROM t");
    }
    EXPECT_OK((*store)->Close());
    return contents;
  }
  // Objects from `first` to `last` get a row more; made if they are not there.
  void Write(int first, int last) {
    const auto store = Store::Open(this->store(), {});
    ASSERT_OK(store);
    for (int i = first; i <= last; ++i) {
      const auto database = Database::Open(**store, "rooms", "o" + std::to_string(i),
                                           {.synchronous = Synchronous::kNormal});
      ASSERT_OK(database);
      Exec(*database, "CREATE TABLE IF NOT EXISTS t(v); INSERT INTO t SELECT count(*) FROM t");
    }
    ASSERT_OK((*store)->Close());
  }
  std::string Bookmark() {
    std::string bookmark = Tool({"bookmark", store(), "rooms/"}).out;
    EXPECT_EQ(bookmark.size(), 60u) << bookmark;
    bookmark.resize(59);
    return bookmark;
  }
};

// Goal: there and back, by the commands that are printed; and one object out of it.
TEST_F(NamespaceVerbTest, RestoreAndFork) {
  Write(1, 6);
  const auto then = Contents("rooms");
  const std::string point = Bookmark();
  EXPECT_EQ(ToolJson({"bookmark", store(), "rooms/"})["namespace"], "rooms");
  Write(4, 9);
  ASSERT_DONE(Tool({"delete", store(), "rooms/o1"}));
  const auto changed = Contents("rooms");

  const ProcessResult dry = Tool({"restore", store(), "rooms/", "--to", point, "--dry-run"});
  ASSERT_DONE(dry);
  EXPECT_NE(dry.out.find("3 brought back, 1 undeleted, 3 deleted (they did not exist then), 2 as "
                         "they were"),
            std::string::npos)
      << dry.out;
  EXPECT_EQ(Contents("rooms"), changed);
  ASSERT_DONE(Tool({"fork", store(), "rooms/", "copies/", "--at", point}));
  EXPECT_EQ(Contents("copies"), then);
  EXPECT_EQ(ToolJson({"fork", store(), "rooms/", "copies/", "--at", point})["forked"], 0);
  const nlohmann::json done = ToolJson({"restore", store(), "rooms/", "--to", point});
  EXPECT_EQ(done["done"], true);
  EXPECT_EQ(done["objects"]["deleted"], 3);
  EXPECT_EQ(Contents("rooms"), then);
  const ProcessResult again = Tool({"restore", store(), "rooms/", "--to", point});
  EXPECT_NE(again.out.find("nothing to do"), std::string::npos) << again.out;
  ASSERT_DONE(Paste(done["undo"].get<std::string>()));
  EXPECT_EQ(Contents("rooms"), changed);
  ASSERT_DONE(Tool({"restore", store(), "rooms/o5", "--to", point}));
  EXPECT_EQ(Contents("rooms")["o5"], then.at("o5"));
}

// Goal: killed again and again, the same command ends where it was to end, and the undo command
// that the first one printed brings all of it back.
TEST_F(NamespaceVerbTest, IsKilledAgainAndAgain) {
  Random random(TestSeed());
  const int count = static_cast<int>(Scaled(200));
  Write(1, count);
  const auto then = Contents("rooms");
  const std::string point = Bookmark();
  Write(count / 2, count + 50);
  const auto changed = Contents("rooms");
  const std::string undo = Bookmark();
  for (const auto& [to, goal] : {std::pair(point, then), std::pair(undo, changed)}) {
    ProcessResult result;
    // What a run does is kept, so each goes further; at last it has all the time it needs.
    for (uint64_t time = random.Between(5, 40); result.exit_code != 0;
         time += random.Between(5, 40)) {
      result = Tool({"restore", store(), "rooms/", "--to", to},
                    {.kill_after = std::chrono::milliseconds(time)});
    }
    EXPECT_EQ(Contents("rooms"), goal) << "seed " << TestSeed();
  }
  ASSERT_DONE(Tool({"verify", store()}));
}

// Goal: wrong use is told with what to do.
TEST_F(NamespaceVerbTest, WrongUse) {
  Write(1, 2);
  EXPECT_ENDS(Tool({"restore", store(), "rooms/", "--to", "monday"}), 2, "would be a label");
  EXPECT_ENDS(Tool({"restore", store(), "rooms/", "--to", "tea time"}), 2, "tea time");
  EXPECT_ENDS(Tool({"restore", store(), "none/", "--to", "now"}), 1, "none does not exist");
  EXPECT_ENDS(Tool({"restore", store(), "/", "--to", "now"}), 2, "");
  EXPECT_ENDS(Tool({"restore", store(), "rooms/", "--to", BookmarkOf("rooms/o1")}), 1,
              "names a commit of one object");
  EXPECT_ENDS(Tool({"restore", store(), "rooms/", "--to", Bookmark(), "--table", "t"}), 2,
              "object name is empty");
  EXPECT_ENDS(Tool({"bookmark", store(), "none/"}), 1, "none does not exist");
  EXPECT_ENDS(Tool({"bookmark", store(), "rooms/", "--at", "now"}), 2, "--at is for an object");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/", "copies"}), 2, "names no namespace");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/", "rooms/"}), 2, "into itself");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/o1", "copies/"}), 2, "object name is empty");
  MakeObject("copies/o1");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/", "copies/"}), 1, "copies/o1 exists");
  EXPECT_ENDS(Tool({"log", store(), "rooms/"}), 2, "object name is empty");
}

}  // namespace
}  // namespace tidemark::testing
