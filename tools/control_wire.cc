#include "tools/control_wire.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/check.h"

namespace tidemark::tools {

namespace {

constexpr size_t kHeaderBytes = 5;

void AppendU32(uint32_t value, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) *out += static_cast<char>(value >> shift);
}

// Of the first four bytes, which must be there.
uint32_t ReadU32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// The most bytes that a frame may have; none for a kind that there is not.
std::optional<size_t> LimitOf(uint8_t kind) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kRequest: return kMaxRequestBytes;
    case FrameKind::kInput:
    case FrameKind::kOut:
    case FrameKind::kErr:
    case FrameKind::kRefused: return kMaxFrameBytes;
    case FrameKind::kWantInput: return 0;
    case FrameKind::kExit: return 1;
  }
  return std::nullopt;
}

Status Malformed(const std::string& what) {
  return Status(StatusCode::kMalformed, "what came over the control socket is malformed: " + what);
}

void AppendText(std::string_view text, std::string* out) {
  AppendU32(static_cast<uint32_t>(text.size()), out);
  *out += text;
}

// Takes texts and numbers off the front of a request.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : rest_(bytes) {}

  std::optional<uint32_t> Number() {
    if (rest_.size() < 4) return std::nullopt;
    const uint32_t value = ReadU32(rest_);
    rest_.remove_prefix(4);
    return value;
  }

  bool Text(std::string* text) {
    const auto size = Number();
    if (!size || *size > rest_.size()) return false;
    text->assign(rest_.substr(0, *size));
    rest_.remove_prefix(*size);
    return text->find('\0') == std::string::npos;  // none of these can have one
  }

  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Status Gone(const std::string& why) { return Status(StatusCode::kIoError, why); }

// When a wait that begins now is over.
class Deadline {
 public:
  explicit Deadline(std::optional<std::chrono::milliseconds> timeout)
      : end_(std::chrono::steady_clock::now() + timeout.value_or(std::chrono::milliseconds(0))),
        none_(!timeout) {}

  // Waits for `events` on the socket. Errors: kIoError once it is over.
  Status Wait(int socket, short events) const {
    while (true) {
      int milliseconds = -1;
      if (!none_) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
        if (left.count() <= 0) return Gone("the other side of the control socket does not answer");
        milliseconds = static_cast<int>(std::min<int64_t>(left.count(), 1'000'000));
      }
      pollfd wait{.fd = socket, .events = events, .revents = 0};
      const int ready = poll(&wait, 1, milliseconds);
      if (ready > 0) return OkStatus();  // also with an error, which the next call tells
      if (ready < 0 && errno != EINTR) return Gone(std::strerror(errno));
    }
  }

 private:
  const std::chrono::steady_clock::time_point end_;
  const bool none_;
};

}  // namespace

std::string EncodeFrame(FrameKind kind, std::string_view bytes) {
  CHECK(bytes.size() <= LimitOf(static_cast<uint8_t>(kind)).value_or(0));
  std::string frame;
  frame.reserve(kHeaderBytes + bytes.size());
  AppendU32(static_cast<uint32_t>(bytes.size()), &frame);
  frame += static_cast<char>(kind);
  frame += bytes;
  return frame;
}

Result<std::optional<Frame>> FrameReader::Next() {
  if (buffer_.size() < kHeaderBytes) return std::optional<Frame>();
  const size_t length = ReadU32(buffer_);
  const auto kind = static_cast<uint8_t>(buffer_[4]);
  const std::optional<size_t> limit = LimitOf(kind);
  if (!limit) return Malformed("a frame of kind " + std::to_string(kind));
  if (length > *limit) {
    return Malformed("a frame of " + std::to_string(length) + " bytes, where " +
                     std::to_string(*limit) + " are allowed");
  }
  if (buffer_.size() < kHeaderBytes + length) return std::optional<Frame>();
  Frame frame{.kind = static_cast<FrameKind>(kind), .bytes = buffer_.substr(kHeaderBytes, length)};
  if (frame.kind == FrameKind::kExit && length != 1) return Malformed("no exit code");
  buffer_.erase(0, kHeaderBytes + length);
  return std::optional<Frame>(std::move(frame));
}

std::string EncodeRequest(const ControlRequest& request) {
  std::string bytes;
  AppendU32(kControlVersion, &bytes);
  AppendText(request.program, &bytes);
  AppendText(request.directory, &bytes);
  AppendText(request.environment_store, &bytes);
  AppendU32(request.time_zone ? 1 : 0, &bytes);
  AppendText(request.time_zone.value_or(""), &bytes);
  AppendU32(static_cast<uint32_t>(request.arguments.size()), &bytes);
  for (const std::string& argument : request.arguments) AppendText(argument, &bytes);
  return bytes;
}

Result<ControlRequest> DecodeRequest(std::string_view bytes) {
  Parser parser(bytes);
  const auto version = parser.Number();
  if (!version) return Malformed("a request without a version");
  if (*version != kControlVersion) {
    return Status(StatusCode::kUnsupportedVersion,
                  "the control socket speaks version " + std::to_string(kControlVersion) +
                      ", the command version " + std::to_string(*version) +
                      ": use the release of tidemark that the application is built with");
  }
  ControlRequest request;
  std::string time_zone;
  bool ok = parser.Text(&request.program) && parser.Text(&request.directory) &&
            parser.Text(&request.environment_store);
  const auto has_time_zone = ok ? parser.Number() : std::nullopt;
  ok = has_time_zone && *has_time_zone <= 1 && parser.Text(&time_zone);
  if (ok && *has_time_zone == 1) request.time_zone = std::move(time_zone);
  const auto count = ok ? parser.Number() : std::nullopt;
  ok = count && *count <= kMaxArguments;
  for (uint32_t i = 0; ok && i < *count; ++i) {
    ok = parser.Text(&request.arguments.emplace_back());
  }
  if (!ok || !parser.AtEnd()) return Malformed("a request");
  return request;
}

std::optional<std::string> TimeZoneOfEnvironment() {
  const char* const value = std::getenv("TZ");
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

Status SendAll(int socket, std::string_view bytes,
               std::optional<std::chrono::milliseconds> timeout) {
  const Deadline deadline(timeout);
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      TIDEMARK_RETURN_IF_ERROR(deadline.Wait(socket, POLLOUT));
    } else if (errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
  return OkStatus();
}

Result<Frame> ReceiveFrame(int socket, FrameReader& reader,
                           std::optional<std::chrono::milliseconds> timeout) {
  const Deadline deadline(timeout);
  std::array<char, 16384> buffer{};
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(std::optional<Frame> frame, reader.Next());
    if (frame) return *std::move(frame);
    const ssize_t received = recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received > 0) {
      reader.Append(std::string_view(buffer.data(), static_cast<size_t>(received)));
    } else if (received == 0) {
      return Gone("the other side of the control socket has closed it");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      TIDEMARK_RETURN_IF_ERROR(deadline.Wait(socket, POLLIN));
    } else if (errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
}

std::string ControlAddress(const OwnedFd& directory) {
  return "/proc/self/fd/" + std::to_string(directory.get()) + "/" + kControlSocketName;
}

}  // namespace tidemark::tools
