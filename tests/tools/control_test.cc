// The command against a store that another process has open: this one has it, and serves it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"
#include "tools/control_server.h"
#include "tools/control_wire.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

class ControlTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
  }
  void TearDown() override {
    control_.reset();
    if (store_) {
      EXPECT_OK(store_->Close());
    }
  }

  void OpenStore() { ASSERT_OK_AND_ASSIGN(store_, Store::Open(store(), {})); }
  void Serve(const ControlOptions& options = {}) {
    if (!store_) OpenStore();
    ASSERT_OK_AND_ASSIGN(control_, ControlServer::Start(*store_, options));
  }
  std::string socket_path() const { return store() + "/" + tools::kControlSocketName; }
  Database Open() { return Database::Open(*store_, "rooms", "lobby").value(); }

  std::string first_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ControlServer> control_;
};

std::string Count(const Database& database) { return Query(database, "select count(*) from t"); }

// Goal: what verbs print, on stdout and stderr, and their exit codes are the same to the byte with
// and without an owner, for JSON and for people. Method: each command before the store is opened
// here, and after.
TEST_F(ControlTest, VerbsPrintTheSameBytes) {
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t where id = 2"}));
  ASSERT_DONE(Tool({"label", store(), "rooms/lobby", "kept"}));
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first_}));
  const std::vector<std::vector<std::string>> commands = {
      {"log", store(), "rooms/lobby"},
      {"log", store(), "rooms/lobby", "--limit", "1"},
      {"labels", store(), "rooms/lobby"},
      {"ls", store()},
      {"restores", store(), "rooms/lobby"},
      {"bookmark", store(), "rooms/lobby", "--at", "kept"},
      {"bookmark", store(), "rooms/lobby"},
      {"alarms", store()},
      {"retention", store()},
      {"sql", store(), "rooms/lobby", "select id, text, x'00ff', 1.5, null from t"},
      {"sql", store(), "rooms/lobby", "--at", "kept", "select * from t"},
      {"restore", store(), "rooms/lobby", "--to", "kept", "--dry-run"},
      // And what fails.
      {"sql", store(), "rooms/lobby", "select * from nothing"},
      {"sql", store(), "rooms/lobby", "--at", "kept", "delete from t"},
      {"log", store(), "rooms/nobody"},
      {"restore", store(), "rooms/lobby", "--to", "no-such-label"},
      {"restore", store(), "rooms/lobby"},
      {"fork", store(), "rooms/lobby", "rooms/lobby"},
  };
  const auto run_all = [&] {
    std::vector<ProcessResult> results;
    for (std::vector<std::string> command : commands) {
      results.push_back(Tool(command));
      command.push_back("--json");
      results.push_back(Tool(command));
    }
    return results;
  };
  const std::vector<ProcessResult> alone = run_all();
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::vector<ProcessResult> served = run_all();
  for (size_t i = 0; i < alone.size(); ++i) {
    SCOPED_TRACE(commands[i / 2][0] + (i % 2 == 0 ? "" : " --json"));
    EXPECT_EQ(served[i].exit_code, alone[i].exit_code);
    EXPECT_EQ(served[i].out, alone[i].out);
    EXPECT_EQ(served[i].err, alone[i].err);
  }
}

// Goal: what a verb changes is changed in the open store, durably, with the same commands to undo
// it.
TEST_F(ControlTest, VerbsWorkOnTheOpenStore) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const Database database = Open();
  const ProcessResult insert =
      Tool({"sql", store(), "rooms/lobby", "insert into t(text) values('four')"});
  ASSERT_DONE(insert);
  EXPECT_EQ(Count(database), "4");
  const size_t undo = insert.err.find("undo: ");
  ASSERT_NE(undo, std::string::npos) << insert.err;
  std::string command = insert.err.substr(undo + 6);
  command.pop_back();
  ASSERT_DONE(Paste(command));
  EXPECT_EQ(Count(database), "3");
  EXPECT_EQ(store_->durable_lsn(), store_->Stats().last_lsn);

  ASSERT_DONE(Tool({"label", store(), "rooms/lobby", "here"}));
  ASSERT_DONE(Tool({"fork", store(), "rooms/lobby", "rooms/try", "--at", "here"}));
  EXPECT_EQ(Value("rooms/try", "select count(*) from t"), "3");
  ASSERT_DONE(Tool({"delete", store(), "rooms/try"}));
  EXPECT_ERROR(store_->OpenObject("rooms", "try", IfMissing::kFail), StatusCode::kNotFound, "");
  ASSERT_DONE(Tool({"undelete", store(), "rooms/try"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "vacuum"}));
  EXPECT_EQ(ToolJson({"stat", store()})["last_lsn"], store_->Stats().last_lsn.value);
}

// Goal: the standard input goes over, in parts of whatever size, up to the limit.
TEST_F(ControlTest, StandardInputIsPassedOn) {
  ASSERT_NO_FATAL_FAILURE(Serve({.max_input_bytes = 1 << 20}));
  const std::string long_text(200'000, 'x');
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "-"},
                   {.input = "insert into t(text) values('" + long_text + "')"}));
  EXPECT_EQ(Value("rooms/lobby", "select max(length(text)) from t"), "200000");
  EXPECT_ENDS(Tool({"sql", store(), "rooms/lobby", "-"}, {.input = std::string(1 << 21, ' ')}), 1,
              "longer than the process");
}

// Goal: a large result, of many frames, comes whole.
TEST_F(ControlTest, LargeResultsComeWhole) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const ProcessResult result =
      Tool({"sql", store(), "rooms/lobby", "--csv",
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) "
            "select i from n"});
  ASSERT_DONE(result);
  std::string expected = "i\n";
  for (int i = 1; i <= 300'000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(result.out == expected) << result.out.size();
}

// Goal: an object that the application writes is busy for the command, as for any connection.
TEST_F(ControlTest, ABusyObjectIsAnError) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  Database database = Open();
  ASSERT_OK(database.Exec("begin immediate"));
  const std::string insert = "insert into t(text) values('late')";
  EXPECT_ENDS(Tool({"sql", store(), "rooms/lobby", insert}), 1, "lobby");
  const ProcessResult json = Tool({"sql", store(), "rooms/lobby", insert, "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.err)["error"]["code"], "busy") << json.err;
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3") << "reading does not wait";
  ASSERT_OK(database.Exec("rollback"));
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", insert}));
}

// Goal: a verb that needs the store or files to itself says so; without a server it is the error
// with the pid, as ever.
TEST_F(ControlTest, OtherVerbsSayWhoHasTheStore) {
  ASSERT_NO_FATAL_FAILURE(OpenStore());
  const std::string pid = std::to_string(::getpid());
  const ProcessResult alone = Tool({"log", store(), "rooms/lobby"});
  EXPECT_ENDS(alone, 1, pid);
  EXPECT_ENDS(alone, 1, "wait for that process or end it");
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string file = Path("out.sqlite");
  const ProcessResult refused = Tool({"export", store(), "rooms/lobby", "-o", file});
  EXPECT_ENDS(refused, 1, pid);
  EXPECT_ENDS(refused, 1, "but not this one");
  EXPECT_FALSE(std::filesystem::exists(file));
  control_.reset();
  EXPECT_FALSE(std::filesystem::exists(socket_path()));
  EXPECT_ENDS(Tool({"log", store(), "rooms/lobby"}), 1, "wait for that process or end it");
}

// Goal: SQL that runs in the owner reaches no file, and no setting of the whole process.
TEST_F(ControlTest, SqlStaysInItsObject) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string file = Path("other.sqlite");
  for (const std::string& sql : {"attach '" + file + "' as other", "vacuum into '" + file + "'",
                                 std::string("pragma temp_store_directory = '/'"),
                                 std::string("pragma Hard_Heap_Limit = 1000")}) {
    EXPECT_ENDS(Tool({"sql", store(), "rooms/lobby", sql}), 1, "it attaches no files") << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

// Goal: who is somewhere else is understood: another directory, TIDEMARK_STORE, a path longer than
// a socket's address can be.
TEST_F(ControlTest, PathsAreTheClients) {
  std::string deep = Path("deep");
  for (int i = 0; i < 10; ++i) deep += "/a-directory-with-a-long-name";
  std::filesystem::create_directories(deep);
  std::filesystem::rename(store(), deep + "/store");
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(deep + "/store", {}));
  ASSERT_NO_FATAL_FAILURE(Serve());
  const ProcessResult relative =
      Tool({"labels", "store", "rooms/lobby", "--json"}, {.directory = deep});
  ASSERT_DONE(relative);
  EXPECT_EQ(nlohmann::json::parse(relative.out)["store"], deep + "/store");
  const ProcessResult environment =
      Tool({"labels", "rooms/lobby", "--json"},
           {.environment = {{"TIDEMARK_STORE", "../a-directory-with-a-long-name/store"}},
            .directory = deep});
  ASSERT_DONE(environment);
  EXPECT_EQ(environment.out, relative.out);
}

// Goal: a time is never read in another zone than its writer's.
TEST_F(ControlTest, AnotherTimeZoneMustBeNamed) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const ProcessOptions tokyo{.environment = {{"TZ", "Asia/Tokyo"}}};
  for (const char* local : {"2050-01-01", "2050-01-01 10:00", "2050-01-01T10:00:05"}) {
    EXPECT_ENDS(Tool({"bookmark", store(), "rooms/lobby", "--at", local}, tokyo), 2, "zone");
  }
  for (const char* named : {"2050-01-01T10:00:05Z", "2050-01-01 10:00+09:00", "now"}) {
    EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", named}, tokyo).out, first_ + "\n");
  }
  EXPECT_NE(Tool({"log", store(), "rooms/lobby"}, tokyo).out.find("+00:00"), std::string::npos);
}

// Goal: the socket is the owner's user's alone.
TEST_F(ControlTest, OnlyTheSameUserIsServed) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  struct stat info {};
  ASSERT_EQ(::stat(socket_path().c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_uid, ::geteuid());
  if (::geteuid() != 0) GTEST_SKIP() << "only root can try as another user";
  // Even where the modes would let him.
  for (std::filesystem::path path = store(); path != path.root_path(); path = path.parent_path()) {
    std::filesystem::permissions(path, std::filesystem::perms::others_exec,
                                 std::filesystem::perm_options::add);
  }
  ASSERT_EQ(::chmod(socket_path().c_str(), 0666), 0);
  const ProcessResult other = Tool({"sql", store(), "rooms/lobby", "select 1"}, {.before_exec = [] {
                                     if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
                                   }});
  EXPECT_NE(other.exit_code, 0);
  EXPECT_NE(other.exit_code, 99);
  EXPECT_EQ(other.out, "");
}

// Goal: the socket of an owner that was killed harms nobody: the command opens the store itself,
// and the next owner puts his in its place.
TEST_F(ControlTest, AStaleSocketIsReplaced) {
  int ready[2] = {-1, -1};
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t owner = ::fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    auto opened = Store::Open(store(), {});
    if (!opened.ok()) ::_exit(1);
    auto control = ControlServer::Start(**opened);
    if (!control.ok() || ::write(ready[1], "x", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  // While it lives it serves another process than this.
  EXPECT_EQ(BookmarkOf("rooms/lobby"), first_);
  EXPECT_ERROR(Store::Open(store(), {}), StatusCode::kInUse, std::to_string(owner));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(socket_path()));
  EXPECT_EQ(BookmarkOf("rooms/lobby"), first_) << "by opening the store";
  ASSERT_NO_FATAL_FAILURE(Serve());
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values('four')"}));
  EXPECT_EQ(Count(Open()), "4");
}

}  // namespace
}  // namespace tidemark::testing
