// Runs a program on a pseudo-terminal, as a person does: types, and waits for what it shows.

#ifndef TIDEMARK_TESTS_TOOLS_TERMINAL_H_
#define TIDEMARK_TESTS_TOOLS_TERMINAL_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace tidemark::testing {

// The keys of a terminal that are no text.
inline constexpr char kCtrlC[] = "\x03";
inline constexpr char kCtrlD[] = "\x04";
inline constexpr char kTab[] = "\t";
inline constexpr char kUp[] = "\x1b[A";

class Terminal {
 public:
  // `environment` is added to the test's own, without its TIDEMARK_STORE.
  Terminal(const std::vector<std::string>& arguments,
           const std::map<std::string, std::string>& environment);
  // Ends a program that still runs.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Type(const std::string& keys);
  // Waits until `text` is shown behind what was waited for before, and passes over it. False, with
  // a test failure that shows what came instead, if the program ends before or half a minute goes
  // by.
  bool WaitFor(const std::string& text);
  // What was shown between the last two places that were waited for, or behind the last to the end.
  const std::string& passed() const { return passed_; }
  // Waits for the program's end and returns its exit code, or 128 plus the signal; -1 after a test
  // failure if half a minute goes by.
  int WaitForEnd();

 private:
  // Reads what is there, waiting for it until the deadline; false at the end.
  bool Read(int timeout_ms);

  int fd_ = -1;
  pid_t child_ = -1;
  std::string shown_;  // not passed over yet, without escape sequences
  std::string raw_;    // that may go on with an escape sequence
  std::string passed_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_TOOLS_TERMINAL_H_
