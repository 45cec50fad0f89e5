// Retention on the command line: policies and holds set and shown, and what a prune takes.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;

class RetentionVerbsTest : public ToolsTest {
 protected:
  // rooms/lobby with a commit on each of the last `days` days, the last one just now.
  void MakePast(int days, const std::string& sql = "insert into t values (1)") {
    ManualClock clock(Clock::System()->Now() - hours(24 * (days - 1)));
    StoreOptions options;
    options.create_if_missing = true;
    options.clock = &clock;
    options.retention_share = 0;
    ASSERT_OK_AND_ASSIGN(const auto past, Store::Open(store(), options));
    {
      ASSERT_OK_AND_ASSIGN(const Database database, Database::Open(*past, "rooms", "lobby"));
      Exec(database, "create table t(a)");
      for (int day = 1; day < days; ++day) {
        clock.Advance(hours(24));
        Exec(database, sql);
      }
    }
    ASSERT_OK(past->Close());
  }

  nlohmann::json Retention(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"retention", store()});
    return ToolJson(arguments);
  }
  size_t Commits() { return ToolJson({"log", store(), "rooms/lobby"})["commits"].size(); }
};

TEST_F(RetentionVerbsTest, PoliciesAreShownAndSet) {
  MakePast(2);
  nlohmann::json shown = Retention();
  EXPECT_EQ(shown["scope"], "the store");
  EXPECT_EQ(shown["source"], "default");
  EXPECT_EQ(shown["policy"]["keep_seconds"], 30 * 86400);
  EXPECT_EQ(shown["horizon"], nullptr);
  EXPECT_EQ(shown["rules"].size(), 0u);
  EXPECT_EQ(
      Tool({"retention", store()}).out.find("policy    everything for 30d (from the default)"), 0u);

  shown = Retention({"--keep", "2w", "--hourly", "30d", "--daily", "365d"});
  EXPECT_EQ(shown["source"], "store");
  EXPECT_EQ(shown["policy"]["keep_seconds"], 14 * 86400);
  shown = Retention({"rooms", "--keep", "36h"});
  EXPECT_EQ(shown["scope"], "namespace rooms");
  EXPECT_EQ(shown["policy"]["keep_seconds"], 36 * 3600);
  EXPECT_EQ(shown["policy"]["hourly_seconds"], 30 * 86400);
  shown = Retention({"rooms/lobby", "--keep", "90m", "--hourly", "0s", "--daily", "0s"});
  EXPECT_EQ(shown["scope"], "object rooms/lobby");
  EXPECT_EQ(shown["policy"]["keep_seconds"], 5400);
  shown = Retention();
  ASSERT_EQ(shown["rules"].size(), 3u);
  EXPECT_EQ(shown["rules"][0]["scope"], "the store");
  const std::string table = Tool({"retention", store()}).out;
  EXPECT_NE(
      table.find("everything for 14d, one commit of each hour for 30d, one commit of each day "
                 "for 365d (from the store)"),
      std::string::npos)
      << table;
  EXPECT_NE(table.find("object rooms/lobby"), std::string::npos) << table;
  shown = Retention({"rooms/lobby", "--clear"});
  EXPECT_EQ(shown["source"], "namespace");
  EXPECT_EQ(Retention()["rules"].size(), 2u);
}

TEST_F(RetentionVerbsTest, PruneNamesWhatItTakes) {
  MakePast(10);
  EXPECT_EQ(ToolJson({"prune", store()})["objects"].size(), 0u);
  ASSERT_DONE(Tool({"retention", store(), "--keep", "5d"}));
  const nlohmann::json plan = ToolJson({"prune", store(), "--dry-run"});
  EXPECT_EQ(plan["done"], false);
  EXPECT_EQ(plan["commits"], 4);
  ASSERT_EQ(plan["objects"].size(), 1u);
  EXPECT_EQ(plan["objects"][0]["object"], "rooms/lobby");
  EXPECT_EQ(plan["objects"][0]["commits"], 4);
  EXPECT_EQ(Commits(), 10u);
  const std::string oldest = plan["objects"][0]["oldest"];
  ASSERT_DONE(Tool({"bookmark", store(), "rooms/lobby", "--at", oldest}));
  const ProcessResult dry = Tool({"prune", store(), "--dry-run"});
  EXPECT_NE(dry.out.find("4 commits of 1 object would expire, about "), std::string::npos)
      << dry.out;

  ASSERT_DONE(Tool({"hold", store(), "rooms/lobby", "--reason", "case 7"}));
  EXPECT_EQ(ToolJson({"prune", store()})["commits"], 0);
  nlohmann::json shown = Retention({"rooms/lobby"});
  EXPECT_EQ(shown["hold"]["reason"], "case 7");
  EXPECT_EQ(Retention()["rules"][1]["hold"]["reason"], "case 7");
  EXPECT_NE(Tool({"retention", store(), "rooms/lobby"}).out.find("case 7"), std::string::npos);
  const nlohmann::json released = ToolJson({"hold", store(), "rooms/lobby", "--release"});
  EXPECT_EQ(released["hold"], nullptr);

  const ProcessResult done = Tool({"prune", store()});
  EXPECT_NE(done.out.find("4 commits of 1 object have expired"), std::string::npos) << done.out;
  EXPECT_EQ(Commits(), 6u);
  EXPECT_ENDS(Tool({"bookmark", store(), "rooms/lobby", "--at", oldest}), 1, "has expired");
  EXPECT_EQ(Tool({"prune", store()}).out, "nothing is older than it is to be kept\n");
  EXPECT_NE(Retention()["horizon"], nullptr);
  EXPECT_EQ(ToolJson({"stat", store()})["paused"], false);
}

TEST_F(RetentionVerbsTest, ABudget) {
  // What is replaced each day does not pack: 12 MB of it, of which the first segment is sealed.
  MakePast(60, "insert or replace into t(rowid, a) values (1, randomblob(200000))");
  nlohmann::json shown = Retention({"--budget", "3MiB"});
  EXPECT_EQ(shown["budget_bytes"], 3 << 20);
  EXPECT_EQ(shown["source"], "default");
  EXPECT_EQ(shown["rules"].size(), 1u);
  EXPECT_EQ(shown["rules"][0]["policy"], nullptr);
  EXPECT_EQ(shown["rules"][0]["budget_bytes"], 3 << 20);
  EXPECT_EQ(Retention({"--keep", "90d"})["budget_bytes"], 3 << 20);
  EXPECT_NE(Tool({"retention", store()}).out.find("budget    3 MiB for the store's history, "),
            std::string::npos);

  const nlohmann::json plan = ToolJson({"prune", store(), "--dry-run"});
  EXPECT_EQ(plan["budget_bytes"], 3 << 20);
  const uint64_t planned = plan["commits"];
  EXPECT_GT(planned, 15u);
  EXPECT_LT(planned, 45u);
  EXPECT_GT(plan["freed_bytes"], planned * 180'000);
  EXPECT_EQ(Commits(), 60u);
  const nlohmann::json done = ToolJson({"prune", store()});
  EXPECT_EQ(done["commits"], planned);
  EXPECT_EQ(Commits(), 60 - planned);
  EXPECT_LE(done["history_bytes"], 3 << 20);
  EXPECT_EQ(done["budget_unmet"], false);
  EXPECT_EQ(ToolJson({"prune", store()})["commits"], 0);
  nlohmann::json stat = ToolJson({"stat", store()});
  EXPECT_EQ(stat["budget_bytes"], 3 << 20);
  EXPECT_EQ(stat["history_bytes"], done["history_bytes"]);
  EXPECT_EQ(stat["budget_unmet"], false);

  ASSERT_DONE(Tool({"retention", store(), "--budget", "20KiB"}));
  const ProcessResult all = Tool({"prune", store()});
  ASSERT_DONE(all);
  EXPECT_NE(all.out.find("its budget is 20 KiB: history takes more than its budget, and no more"),
            std::string::npos)
      << all.out;
  EXPECT_EQ(ToolJson({"stat", store()})["budget_unmet"], true);
  EXPECT_NE(Tool({"stat", store()}).out.find("OVER "), std::string::npos);
  EXPECT_NE(Tool({"retention", store()}).out.find("OVER "), std::string::npos);
  EXPECT_GE(Commits(), 1u);
  shown = Retention({"--budget", "none"});
  EXPECT_EQ(shown["budget_bytes"], nullptr);
  EXPECT_EQ(shown["policy"]["keep_seconds"], 90 * 86400);
  EXPECT_EQ(ToolJson({"stat", store()})["budget_bytes"], nullptr);
}

TEST_F(RetentionVerbsTest, BadInput) {
  MakePast(2);
  for (const char* const span :
       {"", "30", "d", "-1d", "1.5d", "30 d", "30days", "1y", "99999999999999999999d"}) {
    EXPECT_ENDS(Tool({"retention", store(), "--keep=" + std::string(span)}), 2, "--keep") << span;
  }
  EXPECT_ENDS(Tool({"retention", store(), "--keep", "999999999999d"}), 2, "ten thousand years");
  EXPECT_ENDS(Tool({"retention", store(), "--clear", "--keep", "1d"}), 2, "--clear");
  EXPECT_ENDS(Tool({"retention", store(), "rooms", "--confirm-clock"}), 2, "--confirm-clock");
  for (const char* const size :
       {"", "5", "MiB", "-1MiB", "1.5GiB", "5 GiB", "5GB", "0B", "99999999999TiB", "None"}) {
    EXPECT_ENDS(Tool({"retention", store(), "--budget=" + std::string(size)}), 2, "--budget")
        << size;
  }
  EXPECT_ENDS(Tool({"retention", store(), "rooms", "--budget", "5GiB"}), 2, "whole store");
  EXPECT_ENDS(Tool({"retention", store(), "rooms/lobby", "--budget", "5GiB"}), 2, "whole store");
  EXPECT_ENDS(Tool({"retention", store(), "--clear", "--budget", "none"}), 2, "--clear");
  EXPECT_ENDS(Tool({"retention", store(), "attic"}), 1, "attic");
  EXPECT_ENDS(Tool({"retention", store(), "rooms/none"}), 1, "rooms/none");
  EXPECT_ENDS(Tool({"hold", store(), "rooms/none"}), 1, "rooms/none");
  EXPECT_ENDS(Tool({"hold", store(), "rooms/lobby", "--release"}), 1, "not held");
  EXPECT_ENDS(Tool({"hold", store(), "rooms/lobby", "--release", "--reason", "x"}), 2, "--release");
  EXPECT_ENDS(Tool({"hold", store(), "rooms/lobby", "--reason", std::string(257, 'x')}), 2, "256");
  EXPECT_ENDS(Tool({"prune", Path("none")}), 1, "none");
  ASSERT_DONE(Tool({"retention", store(), "--confirm-clock"}));  // nothing to do
}

}  // namespace
}  // namespace tidemark::testing
