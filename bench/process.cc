#include "bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bench/workload.h"

extern char** environ;

namespace tidemark::bench {

namespace {

// With `output` and `errors` in the place of what it prints, and nothing to read.
pid_t Start(const std::string& program, const std::vector<std::string>& arguments, int output,
            int errors) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, program.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Fail("starting " + program, std::strerror(error));
  return pid;
}

}  // namespace

ProcessEnd RunProcess(const std::string& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) Fail("a pipe", std::strerror(errno));
  const pid_t pid = Start(program, arguments, ends[1], STDERR_FILENO);
  close(ends[1]);

  ProcessEnd end;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) != 0;) {
    if (got > 0) {
      end.output.append(buffer.data(), static_cast<size_t>(got));
    } else if (errno != EINTR) {
      Fail("reading what " + program + " printed", std::strerror(errno));
    }
  }
  close(ends[0]);
  if (waitpid(pid, &end.status, 0) != pid) Fail("waiting for " + program, std::strerror(errno));
  return end;
}

ProcessEnd RunSelf(const std::vector<std::string>& arguments) {
  return RunProcess("/proc/self/exe", arguments);
}

BackgroundProcess::BackgroundProcess(const std::string& program,
                                     const std::vector<std::string>& arguments) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) Fail("opening /dev/null", std::strerror(errno));
  pid_ = Start(program, arguments, nowhere, nowhere);
  close(nowhere);
}

BackgroundProcess::~BackgroundProcess() {
  if (!running()) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

bool BackgroundProcess::running() {
  if (pid_ != 0 && waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = 0;
  return pid_ != 0;
}

}  // namespace tidemark::bench
