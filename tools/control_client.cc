#include "tools/control_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

#include "tools/console.h"
#include "tools/control_wire.h"
#include "tools/failure.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

OwnedFd OpenDirectory(const std::string& directory) {
  return OwnedFd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// Not valid if nobody of this user serves there.
OwnedFd Connect(const std::string& directory) {
  const OwnedFd opened = OpenDirectory(directory);
  if (!opened.valid()) return OwnedFd();
  OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string path = ControlAddress(opened);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (!socket.valid() ||
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      peer.uid != geteuid()) {
    return OwnedFd();
  }
  return socket;
}

Failure Lost(const std::string& directory, const std::string& why) {
  return Failure(
      "interrupted", kExitFailed,
      "the process that has " + directory + " open did not bring this to its end: " + why,
      "what it has confirmed stays; look what is there, then run the command again");
}

std::string CurrentDirectory() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::current_path(error);
  return error ? "/" : path.string();
}

// The next part of the standard input; empty at its end.
std::string ReadInput() {
  std::array<char, kMaxFrameBytes> buffer{};
  const size_t size = ThisConsole().Read(buffer.data(), buffer.size());
  return {buffer.data(), size};
}

}  // namespace

std::optional<int> RunAtOwner(const std::string& directory,
                              const std::vector<std::string>& arguments) {
  const OwnedFd socket = Connect(directory);
  if (!socket.valid()) return std::nullopt;
  const std::string request = EncodeRequest({.program = ProgramName(),
                                             .directory = CurrentDirectory(),
                                             .environment_store = StoreFromEnvironment(),
                                             .time_zone = TimeZoneOfEnvironment(),
                                             .arguments = arguments});
  if (request.size() > kMaxRequestBytes || arguments.size() > kMaxArguments) {
    throw Failure(StatusCodeName(StatusCode::kLimitExceeded), kExitFailed,
                  "the command line is too long for the process that has the store open",
                  "nothing was changed; give the SQL by the standard input");
  }
  // If it cannot be sent, what was answered (a refusal) or was not says the rest.
  static_cast<void>(SendAll(socket.get(), EncodeFrame(FrameKind::kRequest, request), std::nullopt));
  FrameReader reader;
  for (bool answered = false;; answered = true) {
    auto frame = ReceiveFrame(socket.get(), reader, std::nullopt);
    // It has closed the store before it read anything: then it can be opened.
    if (!frame.ok() && !answered && reader.empty()) return std::nullopt;
    if (!frame.ok()) throw Lost(directory, frame.status().message());
    switch (frame->kind) {
      case FrameKind::kOut: Print(frame->bytes); break;
      case FrameKind::kErr:
        FlushOutput();
        ThisConsole().Err(frame->bytes);
        break;
      case FrameKind::kWantInput:
        FlushOutput();
        static_cast<void>(
            SendAll(socket.get(), EncodeFrame(FrameKind::kInput, ReadInput()), std::nullopt));
        break;
      case FrameKind::kExit: return static_cast<unsigned char>(frame->bytes[0]);
      case FrameKind::kRefused:
        throw Failure(StatusCodeName(StatusCode::kBusy), kExitFailed, frame->bytes,
                      "nothing was changed; try again in a moment");
      case FrameKind::kRequest:
      case FrameKind::kInput: throw Lost(directory, "it sends what nobody asked for");
    }
  }
}

bool HasControlSocket(const std::string& directory) {
  const OwnedFd opened = OpenDirectory(directory);
  struct stat info {};
  return opened.valid() &&
         fstatat(opened.get(), kControlSocketName, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISSOCK(info.st_mode);
}

}  // namespace tidemark::tools
