// What TAB offers in `tidemark shell`.

#ifndef TIDEMARK_TOOLS_SHELL_COMPLETION_H_
#define TIDEMARK_TOOLS_SHELL_COMPLETION_H_

#include <sqlite3.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/line_editor.h"

namespace tidemark::tools {

// Where the names come from; each is asked only when it is needed.
struct CompletionSources {
  std::vector<std::string> commands;                  // ".at", ".now"
  std::function<std::vector<std::string>()> points;   // labels and bookmarks
  std::function<std::vector<std::string>()> tables;   // tables and views
  std::function<std::vector<std::string>()> columns;  // of all of them
};

// `before` is the line up to the cursor; `continues`: lines of a statement stand above it. Offered
// are commands where a line begins with a dot, what these take behind them, and else words of SQL,
// tables and columns. Names that SQL must have in quotes come in quotes.
Completion CompleteShellLine(std::string_view before, bool continues,
                             const CompletionSources& sources);

// The tables and views, or the columns of all of them, that `db` has; at most two thousand. What
// cannot be read is left out.
std::vector<std::string> TableNames(sqlite3* db);
std::vector<std::string> ColumnNames(sqlite3* db);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SHELL_COMPLETION_H_
