// What can be told of a statement of SQL from its words alone, before SQLite has seen it.

#ifndef TIDEMARK_TOOLS_SQL_STATEMENT_H_
#define TIDEMARK_TOOLS_SQL_STATEMENT_H_

#include <string>
#include <string_view>

namespace tidemark::tools {

// The first word of the first statement in `sql`, in upper case; comments and empty statements are
// skipped. Empty if it begins with something else.
std::string FirstWord(std::string_view sql);

// Statements that change all there is, which may be more than was meant.
enum class Sweep {
  kNone,
  kDelete,  // DELETE without WHERE
  kUpdate,  // UPDATE without WHERE
  kVacuum,  // VACUUM, but not INTO another file
};

// Looks at the first statement in `sql`, which need not be whole or right: of one that SQLite would
// refuse the answer means nothing. It sees through comments, strings, quoted names, parentheses and
// WITH; WHERE counts only where it is the statement's own.
Sweep SweepOf(std::string_view sql);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SQL_STATEMENT_H_
