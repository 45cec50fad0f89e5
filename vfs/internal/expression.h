// Expressions that somebody typed, to be evaluated on the past: what may stand in them.
//
// An expression is put in parentheses into a statement of ours. So that nothing of it gets out of
// them, its quotes, comments and parentheses must end inside; and so that it does nothing but
// read, the connection has an authorizer and is read-only.

#ifndef TIDEMARK_VFS_INTERNAL_EXPRESSION_H_
#define TIDEMARK_VFS_INTERNAL_EXPRESSION_H_

#include <sqlite3.h>

#include <set>
#include <string>
#include <string_view>

#include "engine/result.h"
#include "vfs/database.h"
#include "vfs/internal/prepared.h"

namespace tidemark::internal {

// Can `text` stand in parentheses as one expression, or one SELECT? Whether SQLite understands it,
// it says itself. Errors: kInvalidArgument, naming what is wrong.
Status CheckExpression(std::string_view text);

// While one lives, what is compiled on the connection may read, and call the functions that SQLite
// brings and that have no effects. One at a time on a connection.
class OnlyReads {
 public:
  // Errors: those of reading the list of functions.
  static Result<OnlyReads> Begin(const Database& database);
  OnlyReads(OnlyReads&& other) noexcept;
  ~OnlyReads();

  // Compiles `sql`, in which a checked expression stands. Errors: kInvalidArgument, if it would
  // do something else than reading, saying what, or has parameters; those of SQLite.
  Result<Prepared> Prepare(const std::string& sql);

 private:
  struct State {
    std::set<std::string> functions;  // lower case
    std::string refused;              // what was, last
  };
  OnlyReads(const Database& database, std::unique_ptr<State> state);
  static int Authorize(void* state, int action, const char* first, const char* second,
                       const char* database, const char* trigger) noexcept;

  const Database* database_;
  std::unique_ptr<State> state_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_EXPRESSION_H_
