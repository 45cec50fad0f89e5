// LineEditor: lines that a person types at a terminal, with editing, history and completion, by
// libedit. (Not GNU readline, whose licence would become that of the whole command.)

#ifndef TIDEMARK_TOOLS_LINE_EDITOR_H_
#define TIDEMARK_TOOLS_LINE_EDITOR_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::tools {

// What may stand in the place of the word before the cursor.
struct Completion {
  size_t word_begin = 0;  // position in the text that was given
  // Each begins with that word, in whatever case.
  std::vector<std::string> candidates;
};

// Reads standard input and draws on standard output, which must be a terminal. One at a time, in
// one thread: it handles signals while a line is read.
class LineEditor {
 public:
  // `complete` is asked when TAB is pressed, with the line up to the cursor. Lines are remembered
  // in the file `history_path` (empty: nowhere), which is made, for this user only, with the
  // directories above it; where that fails they are forgotten at the end.
  LineEditor(std::function<Completion(std::string_view)> complete, std::string history_path);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Read { kLine, kInterrupted, kEnd };
  // Waits for a line, which comes without its line end. kInterrupted: Ctrl-C, what was typed is
  // thrown away; kEnd: Ctrl-D on an empty line, or the terminal is gone. There must be an
  // Interrupts, and none pending.
  Read ReadLine(const std::string& prompt, std::string* line);

  // Remembers a line, unless it is blank, begins with a blank, or is the same as the one before;
  // only the last thousand lines, and no longer ones than 64 KiB.
  void Remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Where the shell keeps its history: below XDG_STATE_HOME, or ~/.local/state; empty if there is
// neither.
std::string HistoryPath();

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_LINE_EDITOR_H_
