#include "tools/control_server.h"

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

#include "tools/command.h"
#include "tools/console.h"
#include "tools/control_wire.h"
#include "tools/failure.h"
#include "tools/served_console.h"

namespace tidemark {

namespace {

using tools::ControlRequest;
using tools::Frame;
using tools::FrameKind;
using tools::FrameReader;
using tools::OwnedFd;
using tools::SendAll;
using tools::ServedConsole;

constexpr size_t kMostClients = 64;
constexpr int kBacklog = 64;
// Between tries to accept when descriptors or memory have run out.
constexpr int kRetryMilliseconds = 100;

Status SystemError(const std::string& what) {
  const int error = errno;
  const bool denied = error == EACCES || error == EPERM || error == EROFS;
  return Status(denied ? StatusCode::kReadOnly : StatusCode::kIoError,
                what + ": " + std::strerror(error));
}

// While it lives, threads that are made take no signals.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

// While it lives, this thread's character functions know UTF-8, as the command's do.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = uselocale(locale_);
  }
  ~Utf8Locale() {
    if (locale_ == nullptr) return;
    uselocale(before_);
    freelocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t locale_ = nullptr;
  locale_t before_ = nullptr;
};

bool IsOwnUser(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

Result<OwnedFd> Listen(const OwnedFd& directory, const std::string& where) {
  OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return SystemError("cannot make a control socket");
  // What stands there was left by an owner who was killed: the store is this process's.
  if (unlinkat(directory.get(), tools::kControlSocketName, 0) != 0 && errno != ENOENT) {
    return SystemError("cannot remove the old " + where);
  }
  // The mode of the file is that of the socket: it is never open to more.
  if (fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0) return SystemError("cannot make " + where);
  const std::string path = tools::ControlAddress(directory);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    return SystemError("cannot make " + where);
  }
  return socket;
}

}  // namespace

class ControlServer::Impl {
 public:
  Impl(Store& store, const ControlOptions& options) : store_(store), options_(options) {}

  Status Start() {
    if (options_.max_clients < 1 || options_.max_clients > kMostClients ||
        options_.stall_timeout.count() < 1) {
      return Status(StatusCode::kInvalidArgument, "ControlOptions: 1 to " +
                                                      std::to_string(kMostClients) +
                                                      " clients, and a stall_timeout above 0");
    }
    directory_ = OwnedFd(open(store_.directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_.valid()) return SystemError("cannot open " + store_.directory());
    wake_ = OwnedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.valid()) return SystemError("cannot make a control socket");
    const std::string where = store_.directory() + "/" + tools::kControlSocketName;
    TIDEMARK_ASSIGN_OR_RETURN(listener_, Listen(directory_, where));
    try {
      const BlockedSignals blocked;
      acceptor_ = std::thread([this] { Accept(); });
    } catch (const std::system_error& error) {
      unlinkat(directory_.get(), tools::kControlSocketName, 0);
      return Status(StatusCode::kIoError, "cannot make a thread: " + std::string(error.what()));
    }
    return OkStatus();
  }

  void Stop() {
    unlinkat(directory_.get(), tools::kControlSocketName, 0);
    stopping_ = true;
    Wake();
    acceptor_.join();
  }

  // A child of fork() has no threads to wait for, and the socket is its parent's.
  bool is_of_this_process() const { return pid_ == getpid(); }

 private:
  struct Client {
    OwnedFd socket;
    std::thread thread;
    std::atomic<bool> done = false;
  };

  void Wake() const {
    const uint64_t one = 1;
    static_cast<void>(write(wake_.get(), &one, sizeof(one)));
  }

  // The acceptor's thread: it alone knows the clients.
  void Accept() {
    bool rest = false;  // descriptors or memory have run out
    while (!stopping_) {
      std::array<pollfd, 2> waits = {pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
      poll(waits.data(), rest ? 1 : 2, rest ? kRetryMilliseconds : -1);
      rest = false;
      uint64_t count = 0;
      static_cast<void>(read(wake_.get(), &count, sizeof(count)));
      clients_.remove_if([](Client& client) {
        if (!client.done) return false;
        client.thread.join();
        return true;
      });
      if (stopping_ || waits[1].revents == 0) continue;
      OwnedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket.valid()) {
        rest = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
      } else if (IsOwnUser(socket.get())) {
        Admit(std::move(socket));
      }
    }
    for (Client& client : clients_) shutdown(client.socket.get(), SHUT_RDWR);
    for (Client& client : clients_) client.thread.join();
    clients_.clear();
  }

  void Admit(OwnedFd socket) {
    if (clients_.size() == options_.max_clients) {
      return Refuse(socket.get(), "the process that has the store open serves " +
                                      std::to_string(clients_.size()) + " commands already");
    }
    Client& client = clients_.emplace_back();
    client.socket = std::move(socket);
    try {
      client.thread = std::thread([this, &client] {
        Serve(client.socket.get());
        shutdown(client.socket.get(), SHUT_RDWR);
        client.done = true;
        Wake();
      });
    } catch (const std::system_error&) {
      Refuse(client.socket.get(), "the process that has the store open can make no thread for it");
      clients_.pop_back();
    }
  }

  static void Refuse(int socket, const std::string& why) {
    // Fits into the socket's buffer; nobody waits for a client that is gone.
    static_cast<void>(
        SendAll(socket, EncodeFrame(FrameKind::kRefused, why), std::chrono::milliseconds(0)));
  }

  // A client's thread.
  void Serve(int socket) noexcept {
    try {
      FrameReader reader;
      auto frame = ReceiveFrame(socket, reader, options_.stall_timeout);
      if (!frame.ok()) return Refuse(socket, frame.status().message());
      if (frame->kind != FrameKind::kRequest) return Refuse(socket, "it does not begin by asking");
      const auto request = tools::DecodeRequest(frame->bytes);
      if (!request.ok()) return Refuse(socket, request.status().message());
      frame->bytes = std::string();
      Run(*request, socket, &reader);
    } catch (const std::exception&) {
      // Of a client that is gone; or memory has run out even for saying so: it finds its socket
      // closed.
    } catch (const tools::Failure&) {
    }
  }

  void Run(const ControlRequest& request, int socket, FrameReader* reader) {
    const Utf8Locale locale;
    ServedConsole console(socket, reader, &stopping_, options_.stall_timeout,
                          options_.max_input_bytes);
    const tools::Served served{.console = &console,
                               .store = &store_,
                               .program = request.program,
                               .directory = request.directory,
                               .environment_store = request.environment_store,
                               .same_time_zone = request.time_zone == time_zone_};
    // From here on the client knows that something may have been done.
    if (!SendAll(socket, EncodeFrame(FrameKind::kOut, ""), options_.stall_timeout).ok()) return;
    int code = tools::kExitFailed;
    {
      const tools::Scope scope(served);
      code = tools::RunCommand(request.arguments);
    }
    console.Exit(code);
  }

  Store& store_;
  const ControlOptions options_;
  const pid_t pid_ = getpid();
  const std::optional<std::string> time_zone_ = tools::TimeZoneOfEnvironment();
  OwnedFd directory_;
  OwnedFd wake_;
  OwnedFd listener_;
  std::atomic<bool> stopping_ = false;
  std::list<Client> clients_;  // of the acceptor's thread
  std::thread acceptor_;
};

Result<std::unique_ptr<ControlServer>> ControlServer::Start(Store& store,
                                                            const ControlOptions& options) {
  auto impl = std::make_unique<Impl>(store, options);
  TIDEMARK_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() {
  if (impl_->is_of_this_process()) {
    impl_->Stop();
  } else {
    static_cast<void>(impl_.release());  // it ends with that process
  }
}

}  // namespace tidemark
