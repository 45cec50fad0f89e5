#include "tools/served_console.h"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "tools/failure.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {
constexpr size_t kHeldBytes = 32 * 1024;
}  // namespace

ServedConsole::ServedConsole(int socket, FrameReader* reader, const std::atomic<bool>* stopping,
                             std::chrono::milliseconds stall_timeout, size_t max_input_bytes)
    : socket_(socket),
      reader_(*reader),
      stopping_(*stopping),
      stall_timeout_(stall_timeout),
      input_left_(max_input_bytes) {}

void ServedConsole::Out(std::string_view bytes) {
  held_ += bytes;
  if (held_.size() >= kHeldBytes) Flush();
}

void ServedConsole::Err(std::string_view bytes) {
  Flush();
  Send(FrameKind::kErr, bytes);
}

void ServedConsole::Flush() {
  Send(FrameKind::kOut, held_);
  held_.clear();
}

void ServedConsole::Exit(int code) {
  Flush();
  const char byte = static_cast<char>(code);
  Send(FrameKind::kExit, std::string_view(&byte, 1));
}

void ServedConsole::Send(FrameKind kind, std::string_view bytes) {
  while (!bytes.empty()) {
    if (gone_ || stopping_) GiveUp("nobody waits for it");
    const std::string_view part = bytes.substr(0, kMaxFrameBytes);
    const Status sent = SendAll(socket_, EncodeFrame(kind, part), stall_timeout_);
    if (!sent.ok()) GiveUp(sent.message());
    bytes.remove_prefix(part.size());
  }
}

size_t ServedConsole::Read(char* buffer, size_t size) {
  if (input_.empty() && !input_ended_) {
    Flush();
    if (gone_ || stopping_) GiveUp("nobody waits for it");
    const Status asked = SendAll(socket_, EncodeFrame(FrameKind::kWantInput, ""), stall_timeout_);
    if (!asked.ok()) GiveUp(asked.message());
    auto frame = ReceiveFrame(socket_, reader_, std::nullopt);
    if (!frame.ok()) GiveUp(frame.status().message());
    if (frame->kind != FrameKind::kInput) GiveUp("it sends what was not asked for");
    if (frame->bytes.size() > input_left_) {
      throw Failure(StatusCodeName(StatusCode::kLimitExceeded), kExitFailed,
                    "the standard input is longer than the process that has the store open takes",
                    "nothing was changed; give it in parts");
    }
    input_ended_ = frame->bytes.empty();
    input_left_ -= frame->bytes.size();
    input_ = std::move(frame->bytes);
  }
  const size_t taken = std::min(size, input_.size());
  std::memcpy(buffer, input_.data(), taken);
  input_.erase(0, taken);
  return taken;
}

bool ServedConsole::Gone() {
  if (gone_ || stopping_) return true;
  pollfd look{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  gone_ = poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  return gone_;
}

void ServedConsole::GiveUp(const std::string& why) {
  gone_ = true;
  throw Failure("interrupted", kExitFailed, "the client is given up: " + why, "");
}

}  // namespace tidemark::tools
