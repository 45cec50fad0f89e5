// What goes over a control socket: frames, and the request that comes first.
//
//   Frame   offset  size  field
//                0     4  length   bytes that follow the kind, little-endian
//                4     1  kind
//                5     -  bytes
//
// A client sends one kRequest, and a kInput after each kWantInput (an empty one is the end of its
// standard input). The server answers with kRefused, or with an empty kOut before it begins; then
// it sends kOut and kErr as they come, and ends with kExit. A reader refuses a kind it does not
// know, and a length above that kind's limit before it takes the bytes. Both sides are of one
// machine and one user (tools/control_server.h).

#ifndef TIDEMARK_TOOLS_CONTROL_WIRE_H_
#define TIDEMARK_TOOLS_CONTROL_WIRE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/result.h"

namespace tidemark::tools {

inline constexpr char kControlSocketName[] = "control.sock";
inline constexpr uint32_t kControlVersion = 1;
inline constexpr size_t kMaxFrameBytes = 64 * 1024;
inline constexpr size_t kMaxRequestBytes = 4 * 1024 * 1024;  // Linux lets a process have half of it
inline constexpr size_t kMaxArguments = 1024;

enum class FrameKind : uint8_t {
  kRequest = 1,
  kInput = 2,
  kOut = 3,
  kErr = 4,
  kWantInput = 5,  // no bytes
  kExit = 6,       // one byte, the exit code
  kRefused = 7,    // why, in a sentence; nothing was done
};

struct Frame {
  FrameKind kind;
  std::string bytes;
};

// `bytes` must be within the limit of the kind.
std::string EncodeFrame(FrameKind kind, std::string_view bytes);

// Takes frames out of a stream. Holds at most one frame and what was appended behind it.
class FrameReader {
 public:
  void Append(std::string_view bytes) { buffer_ += bytes; }
  // None if it is not whole yet. Errors: kMalformed; the stream is of no use from there on.
  Result<std::optional<Frame>> Next();
  bool empty() const { return buffer_.empty(); }

 private:
  std::string buffer_;
};

struct ControlRequest {
  std::string program{};                   // the client's argv[0]
  std::string directory{};                 // its working directory
  std::string environment_store{};         // its TIDEMARK_STORE, or empty
  std::optional<std::string> time_zone{};  // its TZ
  std::vector<std::string> arguments{};    // those behind argv[0]
};

std::string EncodeRequest(const ControlRequest& request);
// Errors: kMalformed; kUnsupportedVersion.
Result<ControlRequest> DecodeRequest(std::string_view bytes);

// This process's TZ.
std::optional<std::string> TimeZoneOfEnvironment();

// A file descriptor that is closed at the end.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// All of `bytes`. Errors: kIoError: the other side is gone, or did not take them in `timeout`
// (none: it has for ever).
Status SendAll(int socket, std::string_view bytes,
               std::optional<std::chrono::milliseconds> timeout);
// The next frame, through `reader`. Errors: kIoError as above, also at the end of the stream;
// kMalformed.
Result<Frame> ReceiveFrame(int socket, FrameReader& reader,
                           std::optional<std::chrono::milliseconds> timeout);

// The address of the control socket in the directory that `directory` is open on: short whatever
// the length of its path.
std::string ControlAddress(const OwnedFd& directory);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_CONTROL_WIRE_H_
