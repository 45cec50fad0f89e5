// What goes over a control socket, against streams that are cut, too long, or no frames at all.

#include "tools/control_wire.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>
#include <string>
#include <string_view>

#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::tools {
namespace {

ControlRequest SomeRequest() {
  return {.program = "/usr/bin/tidemark",
          .directory = "/home/someone",
          .environment_store = "",
          .time_zone = "Europe/Berlin",
          .arguments = {"sql", "/var/lib/rooms", "rooms/lobby", "", "select '\xff'"}};
}

// Goal: frames come out as they went in, wherever the stream is cut. Method: byte by byte.
TEST(ControlWireTest, FramesComeWholeByteByByte) {
  const std::string stream = EncodeFrame(FrameKind::kOut, "hello") +
                             EncodeFrame(FrameKind::kWantInput, "") +
                             EncodeFrame(FrameKind::kExit, std::string_view("\3", 1));
  FrameReader reader;
  std::string seen;
  for (const char byte : stream) {
    reader.Append(std::string_view(&byte, 1));
    ASSERT_OK_AND_ASSIGN(const auto frame, reader.Next());
    if (frame) seen += std::to_string(static_cast<int>(frame->kind)) + ":" + frame->bytes + ";";
  }
  EXPECT_EQ(seen, "3:hello;5:;6:\3;");
  EXPECT_TRUE(reader.empty());
}

// Goal: a length above the limit of its kind is refused before its bytes are taken.
TEST(ControlWireTest, LengthsAreBounded) {
  const auto refused = [](std::string_view header) {
    FrameReader reader;
    reader.Append(header);
    return reader.Next().status().code() == StatusCode::kMalformed;
  };
  using std::string_view_literals::operator""sv;
  EXPECT_TRUE(refused("\xff\xff\xff\xff\x01"sv));  // a request
  EXPECT_TRUE(refused("\x01\x00\x40\x00\x01"sv));
  EXPECT_FALSE(refused("\x00\x00\x40\x00\x01"sv));
  EXPECT_TRUE(refused("\x01\x00\x01\x00\x02"sv));  // input
  EXPECT_FALSE(refused("\x00\x00\x01\x00\x02"sv));
  EXPECT_TRUE(refused("\x01\x00\x00\x00\x05"sv));  // a wish for input has no bytes
  EXPECT_TRUE(refused("\x00\x00\x00\x00\x06"sv));  // an exit has one
  EXPECT_TRUE(refused("\x00\x00\x00\x00\x00"sv));
  EXPECT_TRUE(refused("\x00\x00\x00\x00\x08"sv));
}

TEST(ControlWireTest, RequestsComeBack) {
  const ControlRequest request = SomeRequest();
  ASSERT_OK_AND_ASSIGN(const ControlRequest decoded, DecodeRequest(EncodeRequest(request)));
  EXPECT_EQ(decoded.program, request.program);
  EXPECT_EQ(decoded.directory, request.directory);
  EXPECT_EQ(decoded.environment_store, request.environment_store);
  EXPECT_EQ(decoded.time_zone, request.time_zone);
  EXPECT_EQ(decoded.arguments, request.arguments);
  ControlRequest without = request;
  without.time_zone.reset();
  ASSERT_OK_AND_ASSIGN(const ControlRequest again, DecodeRequest(EncodeRequest(without)));
  EXPECT_EQ(again.time_zone, std::nullopt);
}

// Goal: a request that is cut, longer, of another version, or has a NUL is refused.
TEST(ControlWireTest, BadRequestsAreRefused) {
  const std::string good = EncodeRequest(SomeRequest());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(DecodeRequest(good.substr(0, size)).status().code(), StatusCode::kMalformed) << size;
  }
  EXPECT_EQ(DecodeRequest(good + "x").status().code(), StatusCode::kMalformed);
  std::string other = good;
  other[0] = 2;
  EXPECT_EQ(DecodeRequest(other).status().code(), StatusCode::kUnsupportedVersion);
  ControlRequest request = SomeRequest();
  request.arguments[3] = std::string("a\0b", 3);
  EXPECT_EQ(DecodeRequest(EncodeRequest(request)).status().code(), StatusCode::kMalformed);
  request.arguments.assign(kMaxArguments + 1, "x");
  EXPECT_EQ(DecodeRequest(EncodeRequest(request)).status().code(), StatusCode::kMalformed);
}

// Goal: whatever bytes come, a reader ends or waits for more, and holds no more than came. Method:
// random bytes, and good streams with a byte changed.
TEST(ControlWireTest, BearsRandomBytes) {
  std::mt19937_64 random(testing::TestSeed());
  const std::string good = EncodeFrame(FrameKind::kRequest, EncodeRequest(SomeRequest()));
  for (int round = 0; round < 20'000; ++round) {
    std::string stream = good;
    if (round % 2 == 0) {
      stream.resize(random() % 64);
      for (char& byte : stream) byte = static_cast<char>(random() % 8);
    } else {
      stream[random() % stream.size()] = static_cast<char>(random());
    }
    FrameReader reader;
    reader.Append(stream);
    while (true) {
      auto frame = reader.Next();
      if (!frame.ok() || !*frame) break;
      EXPECT_LE((*frame)->bytes.size(), stream.size());
      if ((*frame)->kind == FrameKind::kRequest) {
        static_cast<void>(DecodeRequest((*frame)->bytes));
      }
    }
  }
}

// Goal: a peer that takes nothing, or sends nothing, is waited for only so long; one that closed is
// found out.
TEST(ControlWireTest, WaitsAreBounded) {
  int pair[2] = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const OwnedFd here(pair[0]);
  FrameReader reader;
  {
    const OwnedFd there(pair[1]);
    const std::string much(16 << 20, 'x');
    EXPECT_EQ(SendAll(here.get(), much, std::chrono::milliseconds(1)).code(), StatusCode::kIoError);
    EXPECT_EQ(ReceiveFrame(here.get(), reader, std::chrono::milliseconds(1)).status().code(),
              StatusCode::kIoError);
  }
  EXPECT_EQ(ReceiveFrame(here.get(), reader, std::nullopt).status().code(), StatusCode::kIoError);
  EXPECT_EQ(SendAll(here.get(), "x", std::nullopt).code(), StatusCode::kIoError);
}

}  // namespace
}  // namespace tidemark::tools
