// fork, promote, delete, undelete on the command line: the text, the JSON, the state afterwards,
// and what is wrong use.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class ForkVerbsTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
  }
  std::string Count(const std::string& object) { return Value(object, "select count(*) from t"); }

  std::string first_;  // of rooms/lobby, with three rows
};

// Goal: fork, write, promote, undo: each prints what it did and the commands that go on.
TEST_F(ForkVerbsTest, ForkAndPromote) {
  const nlohmann::json fork = ToolJson({"fork", store(), "rooms/lobby", "tests/try"});
  EXPECT_EQ(fork["object"], "tests/try");
  EXPECT_EQ(fork["source"], "rooms/lobby");
  EXPECT_EQ(fork["from"]["bookmark"], first_);
  EXPECT_EQ(fork["result"]["kind"], "fork");
  EXPECT_EQ(fork["result"]["bookmark"], BookmarkOf("tests/try"));
  ASSERT_DONE(Tool({"sql", store(), "tests/try", "delete from t where id = 1"}));
  EXPECT_EQ(Count("rooms/lobby"), "3");
  const nlohmann::json log = ToolJson({"log", store(), "tests/try"});
  EXPECT_EQ(log["commits"][1]["kind"], "fork");
  EXPECT_EQ(log["commits"][1]["restored"], first_);
  EXPECT_EQ(log["commits"][1]["source"], "rooms/lobby");
  EXPECT_EQ(log["commits"][0]["source"], nullptr);
  EXPECT_NE(Tool({"log", store(), "tests/try"}).out.find("fork of rooms/lobby at " + first_),
            std::string::npos);

  ASSERT_DONE(Paste(fork["promote"].get<std::string>()));
  EXPECT_EQ(Count("rooms/lobby"), "2");
  const nlohmann::json promoted = ToolJson({"promote", store(), "tests/try"});
  EXPECT_EQ(promoted["object"], "rooms/lobby");
  EXPECT_EQ(promoted["result"]["kind"], "promote");
  EXPECT_EQ(promoted["to"]["bookmark"], BookmarkOf("tests/try"));
  EXPECT_EQ(ToolJson({"log", store(), "rooms/lobby"})["commits"][0]["source"], "tests/try");
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first_}));
  EXPECT_EQ(Count("rooms/lobby"), "3");
  EXPECT_EQ(Count("tests/try"), "2");

  const ProcessResult newer = Tool({"promote", store(), "tests/try"});
  EXPECT_ENDS(newer, 1, "rooms/lobby has a commit");
  EXPECT_ENDS(newer, 1, "--force");
  const ProcessResult forced = Tool({"promote", store(), "tests/try", "--force"});
  ASSERT_DONE(forced);
  EXPECT_EQ(Count("rooms/lobby"), "2");
  const size_t undo = forced.out.find("  ", forced.out.find("To undo:"));
  ASSERT_DONE(Paste(forced.out.substr(undo)));
  EXPECT_EQ(Count("rooms/lobby"), "3");
  ASSERT_DONE(Paste(fork["undo"].get<std::string>()));
  EXPECT_ENDS(Tool({"sql", store(), "tests/try", "select 1"}), 1, "was deleted at");
}

// Goal: a fork of a past point, and of a fork, promoted over the generations.
TEST_F(ForkVerbsTest, OfThePastAndIntoAncestors) {
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/old", "--at", first_}));
  EXPECT_EQ(Count("rooms/old"), "3");
  ASSERT_DONE(Tool({"fork", store(), "rooms/old", "rooms/older"}));
  EXPECT_ENDS(Tool({"promote", store(), "rooms/older", "--into", "rooms/lobby"}), 1,
              "has a commit");
  ASSERT_DONE(Tool({"promote", store(), "rooms/older", "--into", "rooms/lobby", "--force"}));
  EXPECT_EQ(Count("rooms/lobby"), "3");
  const nlohmann::json restores = ToolJson({"restores", store(), "rooms/lobby"})["restores"];
  ASSERT_EQ(restores.size(), 1u);
  EXPECT_EQ(restores[0]["kind"], "promote");
  EXPECT_EQ(restores[0]["to"], BookmarkOf("rooms/older"));
}

// Goal: a deleted object is listed apart, can be read in the past, and comes back.
TEST_F(ForkVerbsTest, DeleteAndUndelete) {
  MakeObject("rooms/attic");
  const nlohmann::json deleted = ToolJson({"delete", store(), "rooms/lobby"});
  EXPECT_EQ(deleted["done"], true);
  EXPECT_EQ(deleted["undo_bookmark"], first_);
  EXPECT_EQ(deleted["result"]["kind"], "delete");
  EXPECT_EQ(deleted["result"]["bytes"], 0);
  const nlohmann::json there = ToolJson({"ls", store()});
  ASSERT_EQ(there["objects"].size(), 1u);
  EXPECT_EQ(there["objects"][0]["object"], "rooms/attic");
  const nlohmann::json gone = ToolJson({"ls", store(), "--deleted"});
  ASSERT_EQ(gone["objects"].size(), 1u);
  EXPECT_EQ(gone["objects"][0]["object"], "rooms/lobby");
  EXPECT_EQ(gone["objects"][0]["last_change"], deleted["result"]["time"]);
  EXPECT_EQ(Tool({"ls", store(), "--deleted"}).out.find("OBJECT       COMMITS  DELETED"), 0u);
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"sql", store(), "rooms/lobby", "select 1"},
                                             {"bookmark", store(), "rooms/lobby"},
                                             {"export", store(), "rooms/lobby", "-o", Path("x")},
                                             {"fork", store(), "rooms/lobby", "rooms/new"}}) {
    EXPECT_ENDS(Tool(verb), 1, "rooms/lobby was deleted at");
    EXPECT_ENDS(Tool(verb), 1, "undelete " + store() + " rooms/lobby");
  }
  EXPECT_EQ(ValueAt("rooms/lobby", first_, "select count(*) from t"), "3");
  ASSERT_DONE(Tool({"export", store(), "rooms/lobby", "--at", first_, "-o", Path("x")}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/saved", "--at", first_}));
  EXPECT_EQ(Count("rooms/saved"), "3");
  EXPECT_EQ(ToolJson({"log", store(), "rooms/lobby"})["commits"].size(), 2u);
  EXPECT_EQ(ToolJson({"delete", store(), "rooms/lobby"})["done"], false);

  ASSERT_DONE(Paste(deleted["undo"].get<std::string>()));
  EXPECT_EQ(Count("rooms/lobby"), "3");
  EXPECT_ENDS(Tool({"undelete", store(), "rooms/lobby"}), 1, "is not deleted");
  const nlohmann::json restores = ToolJson({"restores", store(), "rooms/lobby"})["restores"];
  ASSERT_EQ(restores.size(), 2u);
  EXPECT_EQ(restores[0]["kind"], "undelete");
  EXPECT_EQ(restores[1]["kind"], "delete");
  EXPECT_EQ(restores[1]["to"], nullptr);
}

// Goal: a name that was used again keeps undelete out, which says the way.
TEST_F(ForkVerbsTest, UndeleteOfWhatBeganAnew) {
  ASSERT_DONE(Tool({"delete", store(), "rooms/lobby"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "--create", "create table other(x)"}));
  const ProcessResult refused = Tool({"undelete", store(), "rooms/lobby"});
  EXPECT_ENDS(refused, 1, "restore it to " + first_);
  EXPECT_ENDS(refused, 1, "restore " + store() + " rooms/lobby --to");
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from other"), "0");
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first_}));
  EXPECT_EQ(Count("rooms/lobby"), "3");
}

// Goal: wrong use is told with what to do.
TEST_F(ForkVerbsTest, WrongUse) {
  MakeObject("rooms/attic");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby"}), 2, "2 of 3 arguments");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "new"}), 2, "NAMESPACE/NAME");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/"}), 2, "object name is empty");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/attic"}), 1, "rooms/attic exists");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/lobby"}), 1, "rooms/lobby exists");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/none", "rooms/new"}), 1, "rooms/none does not exist");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/new", "--at", "tea time"}), 2,
              "tea time");
  EXPECT_ENDS(Tool({"fork", store(), "rooms/lobby", "rooms/new", "--at", "2 hours ago"}), 1,
              "did not exist");
  const ProcessResult foreign =
      Tool({"fork", store(), "rooms/attic", "rooms/new", "--at", first_, "--json"});
  EXPECT_ENDS(foreign, 1, "\"code\":\"foreign\"");
  EXPECT_ENDS(Tool({"sql", store(), "rooms/new", "select 1"}), 1, "does not exist");

  EXPECT_ENDS(Tool({"promote", store(), "rooms/lobby"}), 1, "rooms/lobby is no fork");
  EXPECT_ENDS(Tool({"promote", store(), "rooms/none"}), 1, "does not exist");
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/new"}));
  EXPECT_ENDS(Tool({"promote", store(), "rooms/new", "--into", "rooms/attic"}), 1,
              "no fork of rooms/attic");
  EXPECT_ENDS(Tool({"promote", store(), "rooms/new", "--into", "attic"}), 2, "NAMESPACE/NAME");
  EXPECT_ENDS(Tool({"delete", store(), "rooms/none"}), 1, "does not exist");
  EXPECT_ENDS(Tool({"delete", store()}), 2, "");
  EXPECT_ENDS(Tool({"undelete", store(), "rooms/none"}), 1, "does not exist");
}

}  // namespace
}  // namespace tidemark::testing
