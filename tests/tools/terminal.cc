#include "tests/tools/terminal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "engine/check.h"

namespace tidemark::testing {

namespace {

// A deadline for tests that fail, not one that those that pass come near.
constexpr auto kPatience = std::chrono::seconds(30);

// Moves what is no escape sequence from `raw` to `shown`; one that has not ended stays.
void TakeText(std::string* raw, std::string* shown) {
  size_t i = 0;
  while (i < raw->size()) {
    if ((*raw)[i] != '\x1b') {
      *shown += (*raw)[i++];
      continue;
    }
    if (i + 1 == raw->size()) break;
    size_t end = i + 2;
    if ((*raw)[i + 1] == '[') {
      while (end < raw->size() && ((*raw)[end] < '@' || (*raw)[end] > '~')) ++end;
      if (end == raw->size()) break;
      ++end;
    }
    i = end;
  }
  raw->erase(0, i);
}

int MillisecondsUntil(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return left.count() < 0 ? 0 : static_cast<int>(left.count());
}

}  // namespace

Terminal::Terminal(const std::vector<std::string>& arguments,
                   const std::map<std::string, std::string>& environment) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  winsize size{.ws_row = 50, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
  child_ = ::forkpty(&fd_, nullptr, nullptr, &size);
  CHECK(child_ >= 0);
  if (child_ == 0) {
    ::unsetenv("TIDEMARK_STORE");
    ::setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
}

Terminal::~Terminal() {
  ::close(fd_);
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

void Terminal::Type(const std::string& keys) {
  size_t written = 0;
  while (written < keys.size()) {
    const ssize_t size = ::write(fd_, keys.data() + written, keys.size() - written);
    CHECK(size > 0);
    written += static_cast<size_t>(size);
  }
}

bool Terminal::Read(int timeout_ms) {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, timeout_ms) <= 0) return false;
  char buffer[4096];
  const ssize_t size = ::read(fd_, buffer, sizeof(buffer));
  if (size <= 0) return false;  // EIO: nobody has the other side open any more
  raw_.append(buffer, static_cast<size_t>(size));
  TakeText(&raw_, &shown_);
  return true;
}

bool Terminal::WaitFor(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    if (const size_t at = shown_.find(text); at != std::string::npos) {
      passed_ = shown_.substr(0, at);
      shown_.erase(0, at + text.size());
      return true;
    }
    if (!Read(MillisecondsUntil(deadline))) break;
  }
  ADD_FAILURE() << "waited for \"" << text << "\", but there is:\n" << shown_;
  return false;
}

int Terminal::WaitForEnd() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (Read(MillisecondsUntil(deadline))) {
  }
  if (MillisecondsUntil(deadline) == 0) {
    ADD_FAILURE() << "the program goes on; it showed:\n" << shown_;
    return -1;
  }
  passed_ = std::move(shown_);
  shown_.clear();
  int status = 0;
  CHECK(::waitpid(child_, &status, 0) == child_);
  child_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace tidemark::testing
