#include "tests/tools/process.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "engine/check.h"

namespace tidemark::testing {

namespace {

// Files in memory, so that neither side ever waits for the other as with pipes.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("tidemark-test", MFD_CLOEXEC)) { CHECK(fd_ >= 0); }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }

  void Fill(const std::string& text) {
    CHECK(::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }

  std::string Read() const {
    const off_t size = ::lseek(fd_, 0, SEEK_END);
    std::string text(static_cast<size_t>(size), '\0');
    CHECK(::pread(fd_, text.data(), text.size(), 0) == size);
    return text;
  }

 private:
  int fd_;
};

void KillAfter(pid_t child, std::chrono::milliseconds delay) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  CHECK(fd >= 0);
  pollfd end{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&end, 1, static_cast<int>(delay.count())) == 0) {
    CHECK(::kill(child, SIGKILL) == 0);
  }
  ::close(fd);
}

}  // namespace

ProcessResult RunProcess(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  MemoryFile in;
  MemoryFile out;
  MemoryFile err;
  in.Fill(options.input);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::unsetenv("TIDEMARK_STORE");
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    ::dup2(in.fd(), STDIN_FILENO);
    ::dup2(out.fd(), STDOUT_FILENO);
    ::dup2(err.fd(), STDERR_FILENO);
    if (options.before_exec) options.before_exec();
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  if (options.kill_after.count() > 0) KillAfter(child, options.kill_after);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = out.Read(),
          .err = err.Read()};
}

}  // namespace tidemark::testing
