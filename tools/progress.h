// Progress: a bar on the terminal for work that takes over a second; and the way to stop such work.

#ifndef TIDEMARK_TOOLS_PROGRESS_H_
#define TIDEMARK_TOOLS_PROGRESS_H_

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace tidemark::tools {

// Draws on one line of `out` and wipes it at the end. Draws nothing when `out` is no terminal, nor
// in the first second, so that quick work and logs stay clean. Used by one thread.
class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Options {
    std::FILE* out = stderr;
    bool terminal = false;
    size_t columns = 80;
    std::function<Time()> now = [] { return std::chrono::steady_clock::now(); };
  };

  // What stderr is; no terminal where it is a client's (tools/console.h).
  static Options Stderr();

  // `label`: what is being done, such as "importing".
  explicit Progress(std::string label, Options options = Stderr());
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0 means that it is not known.
  void Update(uint64_t done, uint64_t total);
  // Wipes the line until the next Update, so that something else can be printed.
  void Hide();

 private:
  std::string label_;
  Options options_;
  Time start_;
  Time last_drawn_;
  bool drawn_ = false;
};

// While one lives, SIGINT, SIGTERM and SIGHUP do not end the process: work that has something to
// clean up asks ThrowIfInterrupted() between its steps. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
  // Throws Failure; `what_holds` says that nothing was changed.
  static void ThrowIfInterrupted(const std::string& what_holds);

 private:
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
  struct sigaction old_hup_ {};
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_PROGRESS_H_
