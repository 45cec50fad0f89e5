// Bad input: each gives a clear error that names the thing, the right exit code, and no change.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "engine/clock.h"
#include "engine/format.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"
#include "tools/failure.h"

namespace tidemark::testing {
namespace {

class BadInputTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  std::string Segment() const { return store() + "/log/00000001.seg"; }
};

// Goal: wrong usage is 2, says what is missing, and touches no store.
TEST_F(BadInputTest, WrongUsage) {
  const std::string none = Path("none");
  EXPECT_ENDS(Tool({}), 2, "--help");
  EXPECT_ENDS(Tool({"frobnicate"}), 2, "--help");
  EXPECT_ENDS(Tool({"ls"}), 2, "STORE is missing, and TIDEMARK_STORE is not set");
  EXPECT_ENDS(Tool({"sql", none, "a/b"}), 2, "STORE is missing");
  EXPECT_ENDS(Tool({"sql", none}, {.environment = {{"TIDEMARK_STORE", none}}}), 2,
              "SQL is missing");
  EXPECT_ENDS(Tool({"log", none, "a/b", "c"}), 2, "not expected: c");
  EXPECT_ENDS(Tool({"log", none, "a/b", "--limit", "few"}), 2, "--limit");
  EXPECT_ENDS(Tool({"restore", none, "a/b"}), 2, "--to is required");
  EXPECT_ENDS(Tool({"export", none, "a/b"}), 2, "--output is required");
  EXPECT_ENDS(Tool({"sql", none, "a/b", "select 1", "--json", "--csv"}), 2, "exclude");
  EXPECT_ENDS(Tool({"sql", none, "a/b", "select 1", "--create", "--at", "now"}), 2, "--create");
  EXPECT_FALSE(std::filesystem::exists(none));
}

TEST_F(BadInputTest, PathThatIsNoStore) {
  EXPECT_ENDS(Tool({"ls", Path("none")}), 1, Path("none"));
  EXPECT_ENDS(Tool({"ls", Path("none")}), 1, "init " + Path("none"));
  EXPECT_FALSE(std::filesystem::exists(Path("none")));
  std::filesystem::create_directory(Path("plain"));
  WriteFile(Path("plain/notes.txt"), "mine");
  EXPECT_ENDS(Tool({"stat", Path("plain")}), 1, Path("plain"));
  EXPECT_ENDS(Tool({"stat", Path("plain/notes.txt")}), 1, Path("plain/notes.txt"));
  EXPECT_ENDS(Tool({"init", Path("plain")}), 1, Path("plain"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("plain")), {}), 1);
}

// Goal: a store of a newer format is refused, not misread. Method: both headers of its segment get
// the next version and a right hash.
TEST_F(BadInputTest, NewerFormatVersion) {
  MakeObject("rooms/lobby");
  const std::string original = ReadFile(Segment());
  std::string bytes = original;
  for (const size_t offset : {size_t{0}, size_t{format::kSecondHeaderOffset}}) {
    format::SegmentHeader header{};
    std::memcpy(&header, &bytes[offset], sizeof(header));
    header.version = format::kFormatVersion + 1;
    header.hash = XXH3_64bits(&header, offsetof(format::SegmentHeader, hash));
    std::memcpy(&bytes[offset], &header, sizeof(header));
  }
  WriteFile(Segment(), bytes);
  const ProcessResult result = Tool({"ls", store(), "--json"});
  EXPECT_ENDS(result, 1, "\"code\":\"unsupported_version\"");
  EXPECT_ENDS(result, 1, "format version " + std::to_string(format::kFormatVersion + 1));
  EXPECT_TRUE(ReadFile(Segment()) == bytes);
  WriteFile(Segment(), original);
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
}

TEST_F(BadInputTest, StoreInUseNamesThePid) {
  ASSERT_OK_AND_ASSIGN(const auto owner, Store::Open(store(), StoreOptions{}));
  const ProcessResult result = Tool({"ls", store()});
  EXPECT_ENDS(result, 1, "process " + std::to_string(::getpid()));
  EXPECT_ENDS(result, 1, "hint: one process owns a store at a time");
}

// Goal: a store that this user cannot write is refused as that. Method: as root, whom permissions
// do not bind, the tool runs as another user.
TEST_F(BadInputTest, ReadOnlyDirectory) {
  MakeObject("rooms/lobby");
  ProcessOptions as_stranger;
  // A copy of the command, which another user can reach wherever the build stands.
  const std::string command = Path("tidemark");
  std::filesystem::copy_file(TIDEMARK_BINARY, command);
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), command);
    return RunProcess(arguments, as_stranger);
  };
  if (::geteuid() == 0) {
    // The way to the store is open, the store is not.
    std::filesystem::permissions(Path(""), std::filesystem::perms(0755));
    std::filesystem::permissions(command, std::filesystem::perms(0755));
    as_stranger.before_exec = [] {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(125);
    };
  } else {
    std::filesystem::permissions(store(), std::filesystem::perms(0555));
    std::filesystem::permissions(store() + "/LOCK", std::filesystem::perms(0444));
  }
  EXPECT_ENDS(run({"--version"}), 0, "");
  const ProcessResult result = run({"ls", store(), "--json"});
  EXPECT_ENDS(result, 1, "\"code\":\"read_only\"");
  EXPECT_ENDS(result, 1, store());
  EXPECT_ENDS(run({"init", Path("new")}), ::geteuid() == 0 ? 1 : 0, "");
  std::filesystem::permissions(store(), std::filesystem::perms(0755));
}

TEST_F(BadInputTest, MissingObjectAndBadNames) {
  MakeObject("rooms/lobby");
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"sql", store(), "rooms/attic", "select 1"},
                                             {"log", store(), "rooms/attic"},
                                             {"bookmark", store(), "rooms/attic"},
                                             {"export", store(), "rooms/attic", "-o", Path("x")},
                                             {"restore", store(), "rooms/attic", "--to", "now"}}) {
    EXPECT_ENDS(Tool(verb), 1, "rooms/attic does not exist");
    EXPECT_ENDS(Tool(verb), 1, "ls " + store());
  }
  EXPECT_ENDS(Tool({"ls", store(), "attics"}), 1, "attics");
  EXPECT_ENDS(Tool({"log", store(), "lobby"}), 2, "NAMESPACE/NAME");
  EXPECT_ENDS(Tool({"log", store(), ""}), 2, "NAMESPACE/NAME");
  EXPECT_ENDS(Tool({"log", store(), "/lobby"}), 2, "namespace name is empty");
  EXPECT_ENDS(Tool({"log", store(), "rooms/"}), 2, "object name is empty");
  EXPECT_ENDS(Tool({"log", store(), "rooms/" + std::string(1025, 'x')}), 2, "1024");
  EXPECT_ENDS(Tool({"log", store(), std::string(513, 'x') + "/a"}), 2, "512");
  EXPECT_ENDS(Tool({"log", store(), "rooms/\xff"}), 2, "UTF-8");
  EXPECT_ENDS(Tool({"sql", store(), "rooms/\xff", "--create", "create table t(a)"}), 2, "UTF-8");
  ASSERT_DONE(
      Tool({"sql", store(), "rooms/" + std::string(1024, 'x'), "--create", "create table t(a)"}));
}

// Goal: each way in which a bookmark can be wrong has its own error. Method: four are made from a
// good one by its fields, one is another object's, and one is of a commit before the horizon.
TEST_F(BadInputTest, SixWrongBookmarks) {
  const std::string old = MakeObject("rooms/lobby");
  const std::string foreign = MakeObject("rooms/attic");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  const std::string good = BookmarkOf("rooms/lobby");
  const auto expect = [&](const std::string& bookmark, int exit_code, const std::string& code) {
    SCOPED_TRACE(code);
    for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
             {"restore", store(), "rooms/lobby", "--to", bookmark},
             {"bookmark", store(), "rooms/lobby", "--at", bookmark},
             {"sql", store(), "rooms/lobby", "select 1", "--at", bookmark},
             {"export", store(), "rooms/lobby", "--at", bookmark, "-o", Path("x")}}) {
      const ProcessResult result = Tool([&] {
        auto json = verb;
        json.push_back("--json");
        return json;
      }());
      EXPECT_ENDS(result, exit_code, "\"code\":\"" + code + "\"");
      EXPECT_FALSE(std::filesystem::exists(Path("x")));
    }
    EXPECT_EQ(BookmarkOf("rooms/lobby"), good);
  };
  expect(good.substr(1), 2, "malformed");
  expect(foreign, 1, "foreign");
  // An epoch and an LSN that this store has not come to.
  expect("00ffffff-000fffff" + good.substr(17), 1, "future");
  // The epoch of the first commit with the LSN of a later one: that epoch never confirmed it.
  expect(old.substr(0, 9) + good.substr(9, 17) + old.substr(26), 1, "lost");
  // Another state hash: what it names is not what stands there.
  expect(good.substr(0, 43) + (good.substr(43) == std::string(16, '0') ? "1" : "0") +
             std::string(15, '0'),
         3, "corruption");

  // Two commits, 50 and 40 days ago; the state of the first ended before the horizon.
  const std::string aged = Path("aged");
  std::string expired;
  {
    ManualClock clock(Clock::System()->Now() - std::chrono::hours(24 * 50));
    StoreOptions options;
    options.create_if_missing = true;
    options.clock = &clock;
    ASSERT_OK_AND_ASSIGN(const auto past, Store::Open(aged, options));
    {
      ASSERT_OK_AND_ASSIGN(const Database database, Database::Open(*past, "rooms", "lobby"));
      Exec(database, "create table t(a)");
      ASSERT_OK_AND_ASSIGN(const Bookmark bookmark, database.object().CurrentBookmark());
      expired = bookmark.ToString();
      clock.Advance(std::chrono::hours(24 * 10));
      Exec(database, "insert into t values (1)");
    }
    ASSERT_OK(past->Close());
  }
  ASSERT_DONE(Tool({"bookmark", aged, "rooms/lobby", "--at", expired}));
  // It lay closed for 40 days.
  EXPECT_ENDS(Tool({"prune", aged}), 1, "retention " + aged + " --confirm-clock");
  EXPECT_ENDS(Tool({"prune", aged, "--dry-run", "--json"}), 1, "\"code\":\"paused\"");
  ASSERT_DONE(Tool({"bookmark", aged, "rooms/lobby", "--at", expired}));
  ASSERT_DONE(Tool({"retention", aged, "--confirm-clock"}));
  ASSERT_DONE(Tool({"prune", aged}));
  const ProcessResult result = Tool({"restore", aged, "rooms/lobby", "--to", expired, "--json"});
  EXPECT_ENDS(result, 1, "\"code\":\"expired\"");
  EXPECT_ENDS(Tool({"bookmark", aged, "rooms/lobby", "--at", "49 days ago", "--json"}), 1,
              "\"code\":\"expired\"");
  ASSERT_DONE(Tool({"bookmark", aged, "rooms/lobby", "--at", "20 days ago"}));
}

TEST_F(BadInputTest, TimeBeforeTheObjectExisted) {
  MakeObject("rooms/lobby");
  const ProcessResult result = Tool({"restore", store(), "rooms/lobby", "--to", "2 hours ago"});
  EXPECT_ENDS(result, 1, "rooms/lobby");
  EXPECT_ENDS(result, 1, "log " + store() + " rooms/lobby");
  EXPECT_ENDS(Tool({"restore", store(), "rooms/lobby", "--to", "tea time"}), 2, "tea time");
}

TEST_F(BadInputTest, FilesThatAreNoDatabase) {
  WriteFile(Path("text"), std::string(5000, 'x'));
  WriteFile(Path("empty"), "");
  WriteFile(Path("short"), std::string("SQLite format 3\0", 16));
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("text")}), 1, "is no SQLite database");
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("short")}), 1, "is no SQLite database");
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("empty")}), 1, "is empty");
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("none")}), 1, "No such file");
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("")}), 1, "not a regular file");
  EXPECT_EQ(ToolJson({"ls", store()})["objects"].size(), 0u);
}

// Goal: a damaged source is refused whole, wherever it is damaged. Method: its schema page, a page
// in the middle, its end; a table with a broken index; a transaction that was never finished.
TEST_F(BadInputTest, CorruptSource) {
  const std::string good =
      MakeDatabase("good.db",
                   "create table t(a, b); create index i on t(a);"
                   "with recursive n(x) as (select 1 union all select x+1 from n where x < 2000)"
                   "insert into t select x, 'some text that fills the pages ' || x from n");
  const std::string bytes = ReadFile(good);
  const auto expect = [&](const std::string& damaged) {
    WriteFile(Path("bad.db"), damaged);
    const ProcessResult result = Tool({"import", store(), "a/b", Path("bad.db")});
    EXPECT_ENDS(result, 1, Path("bad.db") + " is a damaged SQLite database");
    EXPECT_ENDS(result, 1, "nothing was imported");
  };
  std::string damaged = bytes;
  damaged.replace(100, 40, 40, '\x55');
  expect(damaged);
  damaged = bytes;
  damaged.replace(bytes.size() / 8192 * 4096, 600, 600, '\x55');
  expect(damaged);
  expect(bytes.substr(0, bytes.size() - 4096 * 3));
  // A key in the index that its row does not have: only a full integrity check sees it.
  {
    const Connection connection(good);
    Exec(connection.handle(),
         "pragma writable_schema=on;"
         "update sqlite_schema set sql='create index i on t(b)' where name='i'");
  }
  expect(ReadFile(good));

  WriteFile(good, bytes);
  {
    const Connection writer(good);
    Exec(writer.handle(), "pragma cache_size=2; begin; update t set b = b || '!'");
    std::filesystem::copy_file(good, Path("hot.db"));
    std::filesystem::copy_file(good + "-journal", Path("hot.db-journal"));
    Exec(writer.handle(), "rollback");
  }
  const std::string hot = ReadFile(Path("hot.db-journal"));
  EXPECT_ENDS(Tool({"import", store(), "a/b", Path("hot.db")}), 1, "never finished");
  EXPECT_TRUE(ReadFile(Path("hot.db-journal")) == hot);
  EXPECT_EQ(ToolJson({"ls", store()})["objects"].size(), 0u);
}

// Goal: damage in the store is found by verify, named with its object, and never read as data;
// other objects go on. Method: one bit of an object's stored page is turned.
TEST_F(BadInputTest, VerifyFindsDamage) {
  MakeObject("rooms/lobby");
  const std::string marker = "a text that zstd and patches leave as it is: qX7#kP2";
  ASSERT_DONE(Tool({"sql", store(), "rooms/attic", "--create",
                    "create table t(a); insert into t values ('" + marker + "')"}));
  std::string bytes = ReadFile(Segment());
  const size_t place = bytes.find("qX7#kP2");
  ASSERT_NE(place, std::string::npos) << "the text is not in the log as it is";
  bytes[place] = static_cast<char>(bytes[place] ^ 1);
  WriteFile(Segment(), bytes);

  const ProcessResult result = Tool({"verify", store(), "--json"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  const auto report = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << result.out;
  EXPECT_EQ(report["whole"], false);
  bool named = false;
  for (const auto& damage : report["damage"]) {
    EXPECT_EQ(damage["segment"], 1);
    EXPECT_NE(damage["object"], "rooms/lobby");
    named = named || damage["object"] == "rooms/attic";
  }
  EXPECT_TRUE(named) << result.out;
  EXPECT_ENDS(Tool({"verify", store()}), 3, "damaged place");

  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
  EXPECT_ENDS(Tool({"sql", store(), "rooms/attic", "select * from t"}), 3, "rooms/attic");
  EXPECT_ENDS(Tool({"export", store(), "rooms/attic", "-o", Path("x")}), 3, "rooms/attic");
  EXPECT_FALSE(std::filesystem::exists(Path("x")));
}

// Goal: when there is no room, a change is refused whole, and the store is usable once there is.
// Method: a limit on the size of files, which every write and allocation meets like a full disk.
TEST_F(BadInputTest, FullDisk) {
  const std::string before = MakeObject("rooms/lobby");
  const ProcessOptions full = {.before_exec = [] {
    ::signal(SIGXFSZ, SIG_IGN);  // EFBIG from write(), not a signal
    const rlimit limit = {.rlim_cur = 10 << 20, .rlim_max = 10 << 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }};
  const ProcessResult result =
      Tool({"sql", store(), "rooms/lobby", "insert into t(text) values (hex(randomblob(20000000)))",
            "--json"},
           full);
  EXPECT_ENDS(result, 1, "\"code\":\"full\"");
  EXPECT_EQ(BookmarkOf("rooms/lobby"), before);
  EXPECT_EQ(ToolJson({"verify", store()})["whole"], true);

  const std::string large =
      MakeDatabase("large.db", "create table t(a); insert into t values (randomblob(30000000))");
  EXPECT_ENDS(Tool({"import", store(), "rooms/large", large, "--json"}, full), 1,
              "\"code\":\"full\"");
  EXPECT_EQ(ToolJson({"ls", store()})["objects"].size(), 1u);
  ASSERT_DONE(Tool({"import", store(), "rooms/large", large}));
  EXPECT_ENDS(Tool({"export", store(), "rooms/large", "-o", Path("out.db"), "--json"}, full), 1,
              "\"code\":\"full\"");
  EXPECT_FALSE(std::filesystem::exists(Path("out.db")));
  EXPECT_EQ(Value("rooms/lobby", "select count(*) from t"), "3");
}

// Goal: an index that may not grow any more is an error that says so, and nothing confirmed is
// lost. Method: through the library, which alone can set the limit; then the tool reads it all.
TEST_F(BadInputTest, FullMap) {
  MakeObject("rooms/lobby");
  StoreOptions options;
  options.background_work = BackgroundWork::kManual;
  options.max_index_bytes = 1 << 20;
  constexpr int kObjects = 3000;
  {
    ASSERT_OK_AND_ASSIGN(const auto small, Store::Open(store(), options));
    for (int i = 0; i < kObjects; ++i) {
      ASSERT_OK_AND_ASSIGN(
          const auto object,
          small->OpenObject("many", std::string(400, 'x') + std::to_string(i), IfMissing::kCreate));
      Transaction transaction(object);
      ASSERT_OK(transaction.Begin());
      ASSERT_OK(transaction.ResetPageSize(512));
      ASSERT_OK(transaction.WritePage(PageNo(1), std::vector<std::byte>(512, std::byte{1})));
      ASSERT_OK(transaction.Commit().status());
    }
    ASSERT_OK(small->Sync());
    const Status status = small->Checkpoint();
    EXPECT_ERROR(status, StatusCode::kFull, "index");
    const tools::Failure failure = tools::Explain(status, {});
    EXPECT_EQ(failure.exit_code, tools::kExitFailed);
    EXPECT_NE(failure.hint.find("make room"), std::string::npos);
  }
  const nlohmann::json all = ToolJson({"ls", store()});
  EXPECT_EQ(all["objects"].size(), size_t{kObjects} + 1);
  EXPECT_EQ(ToolJson({"verify", store()})["whole"], true);
}

}  // namespace
}  // namespace tidemark::testing
