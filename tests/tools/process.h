// Runs a program to its end and returns what it wrote and how it ended.

#ifndef TIDEMARK_TESTS_TOOLS_PROCESS_H_
#define TIDEMARK_TESTS_TOOLS_PROCESS_H_

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tidemark::testing {

struct ProcessResult {
  int exit_code = -1;  // 128 plus the number of the signal that ended it
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input{};  // what it reads from stdin
  std::map<std::string, std::string> environment{};
  std::string directory{};  // to run in; empty: this one's
  std::function<void()>
      before_exec{};  // in the child: limits, another user; async-signal-safe calls
  // Killed with SIGKILL if it lives so long; 0: never.
  std::chrono::milliseconds kill_after{0};
};

// TIDEMARK_STORE of the test's own environment is not passed on.
ProcessResult RunProcess(const std::vector<std::string>& arguments,
                         const ProcessOptions& options = {});

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_TOOLS_PROCESS_H_
