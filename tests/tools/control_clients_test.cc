// Clients of a control socket that stall, die, come in crowds or send what is no request: each
// harms itself only.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"
#include "tests/tools/tools_fixture.h"
#include "tools/control_server.h"
#include "tools/control_wire.h"

namespace tidemark::testing {
namespace {

using tools::EncodeFrame;
using tools::FrameKind;
using tools::FrameReader;
using tools::OwnedFd;
using tools::ReceiveFrame;

constexpr char kEndlessSql[] =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";

class ControlClientsTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(store(), {}));
  }
  void TearDown() override {
    control_.reset();
    EXPECT_OK(store_->Close());
  }
  void Serve(const ControlOptions& options) {
    ASSERT_OK_AND_ASSIGN(control_, ControlServer::Start(*store_, options));
  }

  OwnedFd Connect() const {
    OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = store() + "/" + tools::kControlSocketName;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    return socket;
  }
  // Sends a request; the answer's first frame has come when it returns.
  OwnedFd Ask(const std::vector<std::string>& arguments, FrameReader* reader) const {
    OwnedFd socket = Connect();
    const std::string request =
        tools::EncodeRequest({.program = "tidemark", .directory = "/", .arguments = arguments});
    EXPECT_OK(tools::SendAll(socket.get(), EncodeFrame(FrameKind::kRequest, request), {}));
    const auto frame = ReceiveFrame(socket.get(), *reader, {});
    EXPECT_OK(frame);
    EXPECT_TRUE(frame.ok() && frame->kind == FrameKind::kOut);
    return socket;
  }
  // The command, until it is not refused for lack of a place.
  ProcessResult ToolWhenThereIsRoom(const std::vector<std::string>& arguments) {
    while (true) {
      ProcessResult result = Tool(arguments);
      if (result.err.find("commands already") == std::string::npos) return result;
    }
  }
  void ExpectServes() {
    EXPECT_EQ(ToolWhenThereIsRoom({"bookmark", store(), "rooms/lobby"}).out, first_ + "\n");
  }

  std::string first_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ControlServer> control_;
};

// Goal: a client that says nothing is given up, and its place is another's. Until then the next one
// is told that there is none.
TEST_F(ControlClientsTest, OneThatSaysNothingIsGivenUp) {
  ASSERT_NO_FATAL_FAILURE(
      Serve({.max_clients = 1, .stall_timeout = std::chrono::milliseconds(300)}));
  const OwnedFd silent = Connect();
  ExpectServes();
}

TEST_F(ControlClientsTest, ThereIsAnEndToPlaces) {
  ASSERT_NO_FATAL_FAILURE(Serve({.max_clients = 2}));
  FrameReader reader;
  const OwnedFd first = Ask({"sql", store(), "rooms/lobby", "-"}, &reader);
  {
    FrameReader other;
    const OwnedFd second = Ask({"sql", store(), "rooms/lobby", "-"}, &other);
    const ProcessResult third = Tool({"bookmark", store(), "rooms/lobby"});
    EXPECT_ENDS(third, 1, "serves 2 commands already");
  }
  ExpectServes();
}

// Goal: a client that does not take its output is given up, what it had changed is rolled back, and
// the object can be written again. Method: a result larger than all buffers, inside a transaction.
TEST_F(ControlClientsTest, OneThatDoesNotReadIsGivenUp) {
  ASSERT_NO_FATAL_FAILURE(
      Serve({.max_clients = 1, .stall_timeout = std::chrono::milliseconds(300)}));
  FrameReader reader;
  const OwnedFd stalled = Ask(
      {"sql", store(), "rooms/lobby",
       "insert into t(text) values('lost'); with recursive n(i) as (select 1 union all select i "
       "+ 1 from n where i < 1000000) select i, 'some more text for the line' from n"},
      &reader);
  ASSERT_DONE(
      ToolWhenThereIsRoom({"sql", store(), "rooms/lobby", "insert into t(text) values('stays')"}));
  EXPECT_EQ(Value("rooms/lobby", "select group_concat(text) from t"), "\"one,two,three,stays\"");
}

// Goal: the statement of a client that died ends. Method: one that has no end, in the only place.
TEST_F(ControlClientsTest, TheStatementOfADeadClientEnds) {
  ASSERT_NO_FATAL_FAILURE(Serve({.max_clients = 1}));
  {
    FrameReader reader;
    const OwnedFd dies = Ask({"sql", store(), "rooms/lobby", kEndlessSql}, &reader);
  }
  ExpectServes();
}

// Goal: the server ends though a statement has no end, a client stalls and another types; the
// clients learn that it did not come to its end.
TEST_F(ControlClientsTest, TheServerEndsInTheMidst) {
  ASSERT_NO_FATAL_FAILURE(Serve({}));
  FrameReader reader, other;
  const OwnedFd computes = Ask({"sql", store(), "rooms/lobby", kEndlessSql}, &reader);
  const OwnedFd types = Ask({"sql", store(), "rooms/lobby", "-"}, &other);
  const OwnedFd silent = Connect();
  ASSERT_OK_AND_ASSIGN(const auto object, store_->OpenObject("rooms", "lobby", IfMissing::kFail));
  const Lsn before = object->head().lsn;
  ProcessResult ended;
  std::thread command([&] {
    const std::string sql = std::string("begin; create table seen(n); commit; ") + kEndlessSql;
    ended = ToolWhenThereIsRoom({"sql", store(), "rooms/lobby", sql, "--json"});
  });
  // Until the command, too, is served.
  while (object->head().lsn == before) std::this_thread::yield();
  control_.reset();
  command.join();
  EXPECT_ENDS(ended, 1, "did not bring this to its end");
  EXPECT_ENDS(ended, 1, "\"code\":\"interrupted\"");
  ASSERT_OK_AND_ASSIGN(const Bookmark now, object->CurrentBookmark());
  first_ = now.ToString();
  ASSERT_NO_FATAL_FAILURE(Serve({}));
  ExpectServes();
}

// Goal: what is no request is refused, and the next one is served. Method: random bytes, requests
// with a byte changed, other frames first, and connections that end anywhere.
TEST_F(ControlClientsTest, BearsWhatIsNoRequest) {
  ASSERT_NO_FATAL_FAILURE(
      Serve({.max_clients = 1, .stall_timeout = std::chrono::milliseconds(20)}));
  std::mt19937_64 random(TestSeed());
  const std::string good =
      EncodeFrame(FrameKind::kRequest,
                  tools::EncodeRequest({.program = "tidemark",
                                        .directory = "/",
                                        .arguments = {"bookmark", store(), "rooms/lobby"}}));
  for (int round = 0; round < 100; ++round) {
    std::string bytes = good.substr(0, random() % good.size());
    if (round % 2 == 0) {
      for (char& byte : bytes) byte = static_cast<char>(random() % 9);
    } else if (!bytes.empty()) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 + random() % 255);
    }
    const OwnedFd socket = Connect();
    static_cast<void>(tools::SendAll(socket.get(), bytes, {}));
  }
  const OwnedFd wrong = Connect();
  static_cast<void>(tools::SendAll(wrong.get(), EncodeFrame(FrameKind::kInput, "x"), {}));
  ExpectServes();
}

// Goal: a verb that is not served is refused there, too, whoever asks for it.
TEST_F(ControlClientsTest, VerbsWithFilesAreRefused) {
  ASSERT_NO_FATAL_FAILURE(Serve({}));
  FrameReader reader;
  const OwnedFd socket = Ask({"export", store(), "rooms/lobby", "-o", Path("out.sqlite")}, &reader);
  ASSERT_OK_AND_ASSIGN(const auto error, ReceiveFrame(socket.get(), reader, {}));
  EXPECT_NE(error.bytes.find("`export` is not served"), std::string::npos) << error.bytes;
  ASSERT_OK_AND_ASSIGN(const auto code, ReceiveFrame(socket.get(), reader, {}));
  EXPECT_EQ(code.bytes, "\1");
}

// Goal: a child of fork() that ends well takes nothing from its parent: not the socket, not a
// client.
TEST_F(ControlClientsTest, AChildHasNoPartInIt) {
  ASSERT_NO_FATAL_FAILURE(Serve({}));
  FrameReader reader;
  const OwnedFd types = Ask({"sql", store(), "rooms/lobby", "-"}, &reader);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    control_.reset();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ExpectServes();
  ASSERT_OK_AND_ASSIGN(const auto want, ReceiveFrame(types.get(), reader, {}));
  EXPECT_EQ(want.kind, FrameKind::kWantInput);
}

TEST_F(ControlClientsTest, BadOptionsAreRefused) {
  EXPECT_ERROR(ControlServer::Start(*store_, {.max_clients = 0}), StatusCode::kInvalidArgument, "");
  EXPECT_ERROR(ControlServer::Start(*store_, {.max_clients = 65}), StatusCode::kInvalidArgument,
               "");
  EXPECT_ERROR(ControlServer::Start(*store_, {.stall_timeout = std::chrono::milliseconds(0)}),
               StatusCode::kInvalidArgument, "");
}

}  // namespace
}  // namespace tidemark::testing
