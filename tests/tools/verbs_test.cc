// What each verb promises when all goes well: the text, the JSON, and the state afterwards.

#include <gtest/gtest.h>

#include "tests/tools/tools_fixture.h"

namespace tidemark::testing {
namespace {

class VerbsTest : public ToolsTest {};

// Goal: a stranger finds every verb, and an example for each. Method: --help of all of them.
TEST_F(VerbsTest, EveryVerbHasHelpWithAnExample) {
  const ProcessResult all = Tool({"--help"});
  ASSERT_DONE(all);
  for (const char* verb : {"init", "import", "export", "sql", "ls", "log", "bookmark", "restore",
                           "restores", "fork", "promote", "delete", "undelete", "verify", "drill", "stat", "shell", "report"}) {
    SCOPED_TRACE(verb);
    EXPECT_NE(all.out.find("\n  " + std::string(verb) + " "), std::string::npos);
    const ProcessResult help = Tool({verb, "--help"});
    ASSERT_DONE(help);
    EXPECT_NE(help.out.find("Example:\n  tidemark " + std::string(verb)), std::string::npos);
    EXPECT_NE(help.out.find("--json prints:"), std::string::npos);
  }
}

// Goal: init makes a store that the other verbs open, and never touches what is there.
TEST_F(VerbsTest, InitMakesAnEmptyStoreOnce) {
  const nlohmann::json made = ToolJson({"init", store()});
  EXPECT_EQ(made["store"], store());
  EXPECT_EQ(made["store_id"].get<std::string>().size(), 16u);
  EXPECT_EQ(ToolJson({"ls", store()})["objects"], nlohmann::json::array());
  EXPECT_ENDS(Tool({"init", store()}), 1, "hint: nothing was changed");
  EXPECT_EQ(ToolJson({"stat", store()})["store_id"], made["store_id"]);
}

// Goal: ls shows size, commits and time of each object, by name, and of one namespace alone.
TEST_F(VerbsTest, LsListsObjectsByName) {
  MakeStore();
  MakeObject("rooms/lobby");
  MakeObject("rooms/Attic");
  MakeObject("users/ann/settings");  // only the first slash divides
  const nlohmann::json all = ToolJson({"ls", store()});
  ASSERT_EQ(all["objects"].size(), 3u);
  EXPECT_EQ(all["objects"][0]["object"], "rooms/Attic");
  EXPECT_EQ(all["objects"][1]["object"], "rooms/lobby");
  EXPECT_EQ(all["objects"][2]["namespace"], "users");
  EXPECT_EQ(all["objects"][2]["name"], "ann/settings");
  EXPECT_EQ(all["objects"][1]["commits"], 1);
  EXPECT_EQ(all["objects"][1]["bytes"], 8192);
  EXPECT_EQ(all["objects"][1]["last_change"].get<std::string>().back(), 'Z');

  EXPECT_EQ(ToolJson({"ls", store(), "users"})["objects"].size(), 1u);
  const ProcessResult table = Tool({"ls", store()});
  ASSERT_DONE(table);
  EXPECT_EQ(table.out.find("OBJECT "), 0u) << table.out;
  EXPECT_NE(table.out.find("\nrooms/lobby "), std::string::npos) << table.out;
  EXPECT_NE(table.out.find(" 8 KiB "), std::string::npos) << table.out;
}

// Goal: log gives every commit a bookmark, newest first; bookmark gives the same one, now and for a
// time that log printed. Method: three commits; each point read back gives what was there then.
TEST_F(VerbsTest, LogAndBookmarkNameTheSameCommits) {
  MakeStore();
  MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('four')"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('five')"}));
  const nlohmann::json log = ToolJson({"log", store(), "rooms/lobby"});
  ASSERT_EQ(log["commits"].size(), 3u);
  EXPECT_EQ(log["more"], false);
  EXPECT_EQ(log["commits"][0]["bookmark"], BookmarkOf("rooms/lobby"));
  for (size_t i = 0; i < 3; ++i) {
    const nlohmann::json& commit = log["commits"][i];
    SCOPED_TRACE(commit.dump());
    EXPECT_EQ(commit["kind"], "commit");
    EXPECT_GE(commit["pages_changed"], 1);
    EXPECT_GT(commit["log_bytes"], 0);
    const std::string count = std::to_string(5 - i);
    EXPECT_EQ(ValueAt("rooms/lobby", commit["bookmark"], "select count(*) from t"), count);
    EXPECT_EQ(ValueAt("rooms/lobby", commit["time"], "select count(*) from t"), count);
    const nlohmann::json at =
        ToolJson({"bookmark", store(), "rooms/lobby", "--at", commit["time"]});
    EXPECT_EQ(at["bookmark"], commit["bookmark"]);
    EXPECT_EQ(at["lsn"], commit["lsn"]);
  }

  const nlohmann::json one = ToolJson({"log", store(), "rooms/lobby", "--limit", "1"});
  EXPECT_EQ(one["commits"].size(), 1u);
  EXPECT_EQ(one["more"], true);
  EXPECT_ENDS(Tool({"log", store(), "rooms/lobby", "--limit", "2"}), 0, "--limit 0 all");
}

// Goal: times in tables are local, with their zone, and can be pasted as a POINT.
TEST_F(VerbsTest, TimesOfTheTableWorkAsPoints) {
  MakeStore();
  const std::string bookmark = MakeObject("rooms/lobby");
  const ProcessResult table =
      Tool({"log", store(), "rooms/lobby"}, {.environment = {{"TZ", "IST-5:30"}}});
  ASSERT_DONE(table);
  const size_t line = table.out.find('\n') + 1;
  const std::string time = table.out.substr(line + 59 + 2, 32);
  EXPECT_EQ(time.substr(26), "+05:30") << time;
  EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", time}).out, bookmark + "\n");
}

// Goal: the first slice's promise: a mistake is undone, and the undo is, too, by the commands that
// were printed, pasted in another directory. Method: a wrong DELETE in a store whose path and an
// object whose name need quotes.
TEST_F(VerbsTest, RestoreAndItsUndoByPastedCommands) {
  const std::string store_path = Path("it's a store");
  const std::string object = "rooms/ann's lobby";
  ASSERT_DONE(Tool({"init", store_path}));
  ASSERT_DONE(Tool({"sql", store_path, object, "--create",
                    "create table t(a); insert into t values (1),(2),(3)"}));
  const auto count = [&] {
    return Tool({"sql", store_path, object, "--csv", "select count(*) from t"}).out;
  };
  const ProcessResult mistake = Tool({"sql", store_path, object, "delete from t"});
  ASSERT_DONE(mistake);
  EXPECT_NE(mistake.err.find("3 rows changed"), std::string::npos) << mistake.err;
  EXPECT_EQ(count(), "count(*)\n0\n");
  const size_t undo = mistake.err.find("undo: ");
  ASSERT_NE(undo, std::string::npos) << mistake.err;

  const ProcessResult restored = Paste(mistake.err.substr(undo + 6));
  ASSERT_DONE(restored);
  EXPECT_EQ(count(), "count(*)\n3\n");
  const size_t again = restored.out.find("To undo:\n");
  ASSERT_NE(again, std::string::npos) << restored.out;
  ASSERT_DONE(Paste(restored.out.substr(again + 9)));
  EXPECT_EQ(count(), "count(*)\n0\n");
}

// Goal: a dry run says what a restore would do and changes nothing; a restore that was done already
// is not done again, so that a script can be run twice.
TEST_F(VerbsTest, RestoreDryRunAndTwice) {
  MakeStore();
  const std::string bookmark = MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  const std::string deleted = BookmarkOf("rooms/lobby");

  const std::vector<std::string> restore = {"restore", store(), "rooms/lobby", "--to", bookmark};
  std::vector<std::string> dry_run = restore;
  dry_run.push_back("--dry-run");
  nlohmann::json result = ToolJson(dry_run);
  EXPECT_EQ(result["done"], false);
  EXPECT_EQ(result["to"]["bookmark"], bookmark);
  EXPECT_EQ(result["result"], nullptr);
  EXPECT_EQ(BookmarkOf("rooms/lobby"), deleted);

  result = ToolJson(restore);
  EXPECT_EQ(result["done"], true);
  EXPECT_EQ(result["from"]["bookmark"], deleted);
  EXPECT_EQ(result["undo_bookmark"], deleted);
  const std::string restored = BookmarkOf("rooms/lobby");
  EXPECT_EQ(result["result"]["bookmark"], restored);
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");

  result = ToolJson(restore);
  EXPECT_EQ(result["done"], false);
  EXPECT_EQ(result["undo"], nullptr);
  EXPECT_EQ(BookmarkOf("rooms/lobby"), restored);

  const nlohmann::json log = ToolJson({"log", store(), "rooms/lobby"});
  ASSERT_EQ(log["commits"].size(), 3u);
  EXPECT_EQ(log["commits"][0]["kind"], "restore");
  EXPECT_EQ(log["commits"][0]["restored"], bookmark);
}

// Goal: restores lists each restore, newest first, with a command that undoes it; of an object that
// was never restored it lists none.
TEST_F(VerbsTest, RestoresListsTheJournal) {
  MakeStore();
  const std::string first = MakeObject("rooms/lobby");
  EXPECT_EQ(ToolJson({"restores", store(), "rooms/lobby"})["restores"], nlohmann::json::array());
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  const std::string deleted = BookmarkOf("rooms/lobby");
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first}));
  const std::string restored = BookmarkOf("rooms/lobby");
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", deleted}));

  const nlohmann::json restores = ToolJson({"restores", store(), "rooms/lobby"})["restores"];
  ASSERT_EQ(restores.size(), 2u);
  EXPECT_EQ(restores[0]["from"], restored);
  EXPECT_EQ(restores[0]["to"], deleted);
  EXPECT_EQ(restores[1]["from"], deleted);
  EXPECT_EQ(restores[1]["to"], first);
  EXPECT_GT(restores[0]["lsn"], restores[1]["lsn"]);
  const ProcessResult table = Tool({"restores", store(), "rooms/lobby"});
  ASSERT_DONE(table);
  EXPECT_LT(table.out.find(restored), table.out.find(first));
  const size_t undo = table.err.find("latest: ");
  ASSERT_NE(undo, std::string::npos) << table.err;
  ASSERT_DONE(Paste(table.err.substr(undo + 8)));
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
  EXPECT_ENDS(Tool({"restores", store(), "rooms/attic"}), 1, "does not exist");
}

// Goal: log shows the commits between two points, both included, whether they are bookmarks or
// times, and goes on behind damage. Method: five commits; every pair of bounds.
TEST_F(VerbsTest, LogSinceAndUntil) {
  MakeStore();
  MakeObject("rooms/lobby");
  for (int i = 0; i < 4; ++i) {
    ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('more')"}));
  }
  const nlohmann::json all = ToolJson({"log", store(), "rooms/lobby"})["commits"];
  ASSERT_EQ(all.size(), 5u);
  for (const char* field : {"bookmark", "time"}) {
    for (size_t newest = 0; newest < all.size(); ++newest) {
      for (size_t oldest = newest; oldest < all.size(); ++oldest) {
        SCOPED_TRACE(::testing::Message() << field << " " << newest << " to " << oldest);
        const nlohmann::json some =
            ToolJson({"log", store(), "rooms/lobby", "--since", all[oldest][field], "--until",
                      all[newest][field]})["commits"];
        ASSERT_EQ(some.size(), oldest - newest + 1);
        EXPECT_EQ(some.front(), all[newest]);
        EXPECT_EQ(some.back(), all[oldest]);
      }
    }
  }
  const auto count = [&](const std::vector<std::string>& bounds) {
    std::vector<std::string> command = {"log", store(), "rooms/lobby"};
    command.insert(command.end(), bounds.begin(), bounds.end());
    return ToolJson(command)["commits"].size();
  };
  EXPECT_EQ(count({"--since", "2 days ago"}), 5u);
  EXPECT_EQ(count({"--since", "2100-01-01T00:00:00Z"}), 0u);
  EXPECT_EQ(count({"--until", "2100-01-01T00:00:00Z", "--limit", "2"}), 2u);
  EXPECT_EQ(count({"--since", all[1]["bookmark"], "--until", all[3]["bookmark"]}), 0u);
  EXPECT_ENDS(Tool({"log", store(), "rooms/lobby", "--until", "2 days ago"}), 1, "did not exist");
  EXPECT_ENDS(Tool({"log", store(), "rooms/lobby", "--since", "very soon"}), 2, "very soon");
}

// Goal: verify reads everything and says so; stat counts what is there.
TEST_F(VerbsTest, VerifyAndStatCount) {
  MakeStore();
  MakeObject("rooms/lobby");
  MakeObject("users/ann");
  const nlohmann::json report = ToolJson({"verify", store()});
  EXPECT_EQ(report["whole"], true);
  EXPECT_EQ(report["damage"], nlohmann::json::array());
  EXPECT_EQ(report["objects"], 2);
  EXPECT_GE(report["page_versions"], 4);
  const nlohmann::json stats = ToolJson({"stat", store()});
  EXPECT_EQ(stats["objects"], 2);
  EXPECT_EQ(stats["namespaces"], 2);
  EXPECT_GE(stats["durable_lsn"], 4);
  EXPECT_GT(stats["index_bytes"], 0);
  const ProcessResult text = Tool({"verify", store()});
  ASSERT_DONE(text);
  EXPECT_NE(text.out.find("every hash is right"), std::string::npos);
  EXPECT_NE(Tool({"stat", store()}).out.find("2 in 2 namespaces"), std::string::npos);
}

// Goal: drill says what it restored, stat remembers it, and so it does of a verify; a state that
// cannot be had is exit code 3 and names the object.
TEST_F(VerbsTest, DrillAndStatOfHealth) {
  MakeStore();
  EXPECT_EQ(ToolJson({"drill", store()})["drills"], 0);
  EXPECT_EQ(ToolJson({"stat", store()})["last_drill_ok"], nullptr);
  MakeObject("rooms/lobby");
  const nlohmann::json report = ToolJson({"drill", store(), "--count", "20"});
  EXPECT_EQ(report["drills"], 20);
  EXPECT_EQ(report["failures"], 0);
  EXPECT_EQ(report["failure"], nullptr);
  EXPECT_GT(report["bytes"], 0);
  nlohmann::json stats = ToolJson({"stat", store()});
  EXPECT_EQ(stats["last_drill_ok"], true);
  EXPECT_EQ(stats["oldest_verified_restorable_time"], report["oldest_verified_restorable_time"]);
  EXPECT_NE(stats["oldest_verified_restorable_time"], nullptr);
  EXPECT_EQ(stats["last_scrub"], nullptr);
  ASSERT_DONE(Tool({"verify", store()}));
  stats = ToolJson({"stat", store()});
  EXPECT_NE(stats["last_scrub"], nullptr);
  EXPECT_EQ(stats["scrub_damage"], 0);
  const ProcessResult text = Tool({"drill", store(), "--count", "3"});
  ASSERT_DONE(text);
  EXPECT_NE(text.out.find("every state hash is right"), std::string::npos);

  DamageCommit(BookmarkOf("rooms/lobby"));
  EXPECT_ENDS(Tool({"drill", store(), "--count", "20"}), 3, "rooms/lobby");
}

// Goal: a damaged commit is listed as one, the others as always, and the exit code says that there
// is damage. Method: three commits; the second one's frame is damaged.
TEST_F(VerbsTest, LogNamesADamagedCommit) {
  MakeStore();
  MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('four')"}));
  const std::string bookmark = BookmarkOf("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('five')"}));
  const nlohmann::json whole = ToolJson({"log", store(), "rooms/lobby"});
  DamageCommit(bookmark);

  const ProcessResult result = Tool({"log", store(), "rooms/lobby", "--json"});
  EXPECT_ENDS(result, 3, "1 damaged commit");
  const nlohmann::json log = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_EQ(log["commits"].size(), 3u) << result.out;
  EXPECT_EQ(log["commits"][0], whole["commits"][0]);
  EXPECT_EQ(log["commits"][2], whole["commits"][2]);
  EXPECT_EQ(log["commits"][1]["lsn"], whole["commits"][1]["lsn"]);
  EXPECT_EQ(log["commits"][1]["bookmark"], nullptr);
  EXPECT_NE(log["commits"][1]["damage"].get<std::string>().find("segment 1, offset"),
            std::string::npos);
  const ProcessResult text = Tool({"log", store(), "rooms/lobby"});
  EXPECT_ENDS(text, 3, "restore to one of them");
  EXPECT_NE(text.out.find("is damaged"), std::string::npos);
  EXPECT_ENDS(Tool({"log", store(), "rooms/lobby", "--limit", "1"}), 0, "--limit 0 all");
}

// Goal: an object whose latest commit is damaged is listed as damaged, not with a size of 0, the
// others as always, and the exit code says that there is damage.
TEST_F(VerbsTest, LsNamesADamagedObject) {
  MakeStore();
  MakeObject("rooms/attic");
  MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('four')"}));
  const nlohmann::json whole = ToolJson({"ls", store()});
  DamageCommit(BookmarkOf("rooms/lobby"));

  const ProcessResult result = Tool({"ls", store(), "--json"});
  EXPECT_ENDS(result, 3, "rooms/lobby");
  const nlohmann::json listed = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_EQ(listed["objects"].size(), 2u) << result.out;
  EXPECT_EQ(listed["objects"][0], whole["objects"][0]);
  EXPECT_NE(listed["objects"][1]["damage"].get<std::string>().find("segment 1, offset"),
            std::string::npos);
  EXPECT_EQ(listed["objects"][1]["bytes"], nullptr);
  EXPECT_EQ(listed["objects"][1]["lsn"], whole["objects"][1]["lsn"]);
  const ProcessResult table = Tool({"ls", store()});
  EXPECT_ENDS(table, 3, "tidemark log");
  EXPECT_NE(table.out.find("damaged"), std::string::npos);
}

// Goal: TIDEMARK_STORE stands for STORE exactly when one argument is missing. Method: each verb's
// shape with and without STORE, the variable naming another store.
TEST_F(VerbsTest, StoreMayComeFromTheEnvironment) {
  MakeStore();
  MakeObject("rooms/lobby");
  const std::string other = Path("other");
  ASSERT_DONE(Tool({"init", other}));
  const ProcessOptions environment = {.environment = {{"TIDEMARK_STORE", store()}}};
  const ProcessOptions elsewhere = {.environment = {{"TIDEMARK_STORE", other}}};

  EXPECT_NE(Tool({"ls"}, environment).out.find("rooms/lobby"), std::string::npos);
  EXPECT_NE(Tool({"ls", "rooms"}, environment).out.find("rooms/lobby"), std::string::npos);
  EXPECT_NE(Tool({"ls", store()}, elsewhere).out.find("rooms/lobby"), std::string::npos);
  EXPECT_NE(Tool({"ls", store(), "rooms"}, elsewhere).out.find("rooms/lobby"), std::string::npos);
  EXPECT_EQ(Tool({"ls"}, elsewhere).out.find("rooms/lobby"), std::string::npos);
  const std::string sql = "select count(*) from t";
  EXPECT_EQ(Tool({"sql", "rooms/lobby", sql, "--csv"}, environment).out, "count(*)\n3\n");
  EXPECT_EQ(Tool({"sql", store(), "rooms/lobby", sql, "--csv"}, elsewhere).out, "count(*)\n3\n");
  EXPECT_EQ(Tool({"bookmark", "rooms/lobby"}, environment).out, BookmarkOf("rooms/lobby") + "\n");
  EXPECT_ENDS(Tool({"verify"}, environment), 0, "");
}

}  // namespace
}  // namespace tidemark::testing
