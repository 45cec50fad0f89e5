// `tidemark standby`: two processes, one that writes and one that follows, either of them killed.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"
#include "tools/control_server.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

class StandbyVerbTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }
  std::string standby() const { return Path("standby"); }
  ProcessResult Standby(const std::vector<std::string>& more, const ProcessOptions& options = {}) {
    std::vector<std::string> arguments = {"standby"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Tool(arguments, options);
  }
  // What a store holds of an object that WriteForEver writes: the rows, which must be 1, 2, 3, ...
  static int64_t CountRows(const std::string& directory) {
    auto store = Store::Open(directory, {}).value();
    int64_t count = 0;
    {
      const Database database = Database::Open(*store, "rooms", "lobby").value();
      const std::string rows = Query(database, "select count(*), coalesce(max(id), 0) from t");
      count = std::stoll(rows);
      EXPECT_EQ(rows, std::to_string(count) + "|" + std::to_string(count)) << "no prefix";
    }
    const auto verified = store->Verify();
    EXPECT_OK(verified);
    EXPECT_TRUE(verified.ok() && verified->damage.empty());
    EXPECT_OK(store->Close());
    return count;
  }
};

// Goal: status, lag, promotion and its refusals, as a user sees them.
TEST_F(StandbyVerbTest, IsKeptShownAndPromoted) {
  MakeObject("rooms/lobby");
  EXPECT_ENDS(Standby({standby(), "--status"}), 1, "is no standby");
  EXPECT_ENDS(Standby({store()}), 2, "DIR is missing");
  EXPECT_ENDS(Standby({store(), standby(), "--follow", "--status"}), 2, "excludes");
  ASSERT_DONE(Standby({store(), standby()}));
  EXPECT_ENDS(Tool({"ls", standby()}), 1, "not a tidemark store");
  EXPECT_ENDS(Tool({"ls", standby()}), 1, "--promote");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values('four')"}));
  const nlohmann::json behind = ToolJson({"standby", standby(), "--status"});
  EXPECT_GT(behind["lag_records"], 0);
  EXPECT_GT(behind["lag_bytes"], 0);
  EXPECT_GE(behind["lag_seconds"], 0.0);
  EXPECT_EQ(behind["store"], store());
  const ProcessResult now = Standby({store(), standby()});
  ASSERT_DONE(now);
  EXPECT_NE(now.out.find("nothing is behind"), std::string::npos) << now.out;
  std::filesystem::rename(store(), Path("lost"));
  EXPECT_EQ(ToolJson({"standby", standby(), "--status"})["source_lost"], true);
  const nlohmann::json promoted = ToolJson({"standby", standby(), "--promote"});
  EXPECT_EQ(promoted["objects"], 1);
  EXPECT_ENDS(Standby({standby(), "--promote"}), 1, "a store of its own");
  std::filesystem::rename(Path("lost"), store());
  EXPECT_GT(promoted["epoch"], ToolJson({"stat", store()})["epoch"].get<int>() - 2);
  EXPECT_ENDS(Standby({store(), standby()}), 1, "a store of its own");
  const nlohmann::json rows =
      ToolJson({"sql", standby(), "rooms/lobby", "select count(*) from t"})["results"][0]["rows"];
  EXPECT_EQ(rows[0][0], 4);
}

// Goal: the owner's word, by its control socket, ends the lag of an idle store.
TEST_F(StandbyVerbTest, AnOwnerThatServesLeavesNoLag) {
  ASSERT_OK_AND_ASSIGN(const auto owner, Store::Open(store(), {}));
  {
    const Database database = Database::Open(*owner, "rooms", "lobby").value();
    Exec(database, "create table t(id integer primary key)");
    Exec(database, "insert into t values(1)");
    EXPECT_GT(ToolJson({"standby", store(), standby()})["lag_records"], 0);
    ASSERT_OK_AND_ASSIGN(const auto control, ControlServer::Start(*owner));
    EXPECT_EQ(ToolJson({"standby", store(), standby()})["lag_records"], 0);
  }
  ASSERT_OK(owner->Close());
}

// Goal: whenever the follower is killed, what is there is a first part of what the owner confirmed,
// and the next one goes on. Method: a thread here commits and packs; followers live a little longer
// each; copies of the standby are promoted.
TEST_F(StandbyVerbTest, AFollowerIsKilledAgainAndAgain) {
  ASSERT_OK_AND_ASSIGN(const auto owner, Store::Open(store(), {.segment_size_bytes = 1 << 20}));
  std::atomic<bool> stop = false;
  std::atomic<int64_t> confirmed = 0;
  std::thread writer([&] {
    const Database database = Database::Open(*owner, "rooms", "lobby").value();
    Exec(database, "create table t(id integer primary key, text)");
    for (int64_t id = 1; !stop; ++id) {
      Exec(database, "insert into t values(" + std::to_string(id) + ", hex(randomblob(2000)))");
      confirmed = id;
      if (id % 400 == 0) {
        EXPECT_OK(owner->Reclaim(ReclaimWhat::kEverything));
      }
    }
  });
  int64_t last = 0;
  for (int round = 1; round <= 12; ++round) {
    SCOPED_TRACE(round);
    const ProcessResult killed = Standby({store(), standby(), "--follow"},
                                         {.kill_after = std::chrono::milliseconds(40 * round)});
    EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
    if (!std::filesystem::exists(standby() + "/STANDBY")) continue;
    const std::string copy = Path("copy");
    std::filesystem::copy(standby(), copy, std::filesystem::copy_options::recursive);
    ASSERT_DONE(Standby({copy, "--promote"}));
    const int64_t rows = CountRows(copy);
    EXPECT_GE(rows, last);
    EXPECT_LE(rows, confirmed + 1);  // durable before its writer hears of it
    last = rows;
    std::filesystem::remove_all(copy);
  }
  stop = true;
  writer.join();
  ASSERT_OK(owner->Close());
  ASSERT_DONE(Standby({store(), standby()}));
  ASSERT_DONE(Standby({standby(), "--promote"}));
  EXPECT_EQ(CountRows(standby()), confirmed);
}

// Goal: an owner that is killed in the midst loses nothing that the standby has, and the next owner
// is followed on. Method: a child commits until the standby has come on some times, and is killed.
TEST_F(StandbyVerbTest, AnOwnerIsKilledAgainAndAgain) {
  ASSERT_DONE(Tool(
      {"sql", store(), "rooms/lobby", "--create", "create table t(id integer primary key, text)"}));
  ASSERT_DONE(Standby({store(), standby()}));
  for (int round = 1; round <= 5; ++round) {
    SCOPED_TRACE(round);
    const pid_t owner = ::fork();
    ASSERT_GE(owner, 0);
    if (owner == 0) {
      auto opened = Store::Open(store(), {});
      if (!opened.ok()) ::_exit(1);
      const Database database = Database::Open(**opened, "rooms", "lobby").value();
      while (Try(database, "insert into t(text) values(hex(randomblob(500)))") == SQLITE_OK) {
      }
      ::_exit(1);
    }
    nlohmann::json status;
    for (int64_t last = -1, moves = 0; moves < 5;) {
      status = ToolJson({"standby", store(), standby()});
      moves += status["lsn"] > last ? 1 : 0;
      last = status["lsn"];
    }
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    const std::string copy = Path("copy");
    std::filesystem::copy(standby(), copy, std::filesystem::copy_options::recursive);
    ASSERT_DONE(Standby({copy, "--promote"}));
    const int64_t rows = CountRows(copy);
    EXPECT_GT(rows, 0);
    EXPECT_LE(rows, CountRows(store()));
    std::filesystem::remove_all(copy);
  }
  ASSERT_DONE(Standby({store(), standby()}));
  ASSERT_DONE(Standby({standby(), "--promote"}));
  EXPECT_EQ(CountRows(standby()), CountRows(store()));
}

// Goal: Ctrl-C ends a follower well.
TEST_F(StandbyVerbTest, AFollowerEndsWithASignal) {
  MakeObject("rooms/lobby");
  const pid_t follower = ::fork();
  ASSERT_GE(follower, 0);
  if (follower == 0) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    if (::dup2(nowhere, STDOUT_FILENO) < 0 || ::dup2(nowhere, STDERR_FILENO) < 0) ::_exit(126);
    ::execl(TIDEMARK_BINARY, TIDEMARK_BINARY, "standby", store().c_str(), standby().c_str(),
            "--follow", nullptr);
    ::_exit(127);
  }
  while (!std::filesystem::exists(standby() + "/STANDBY")) {
  }
  ::kill(follower, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(follower, &status, 0), follower);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(ToolJson({"standby", standby(), "--status"})["lag_records"], 0);
}

}  // namespace
}  // namespace tidemark::testing
