// SqlScript: runs a text of SQL statements on a connection, as one transaction where it can.

#ifndef TIDEMARK_TOOLS_SQL_SCRIPT_H_
#define TIDEMARK_TOOLS_SQL_SCRIPT_H_

#include <sqlite3.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tools/failure.h"
#include "tools/progress.h"
#include "tools/result_printer.h"
#include "vfs/database.h"

namespace tidemark::tools {

// Statements that stand between BEGIN, COMMIT, SAVEPOINT, PRAGMA, VACUUM, ATTACH and the like run
// as one transaction, so that an error in the third does not leave the first two done. Where the
// text has a BEGIN of its own, that counts.
class SqlScript {
 public:
  // `database` and `printer` must outlive it. Errors in the engine are explained as about
  // `subject`.
  SqlScript(Database& database, ResultPrinter& printer, Subject subject);

  // Before a statement that may take away more than was meant (DROP, ALTER, VACUUM, DELETE or
  // UPDATE without WHERE) of the object itself, `f` is called with its first word in lower case. If
  // it fails, so does the statement, and the transaction it stands in is rolled back.
  void set_before_loss(std::function<Status(const std::string& what)> f) {
    before_loss_ = std::move(f);
  }

  // For a text that is one part of what a person types: a transaction that it begins goes on when
  // it ends, and a statement that fails in one leaves it as SQLite does.
  void set_leaves_transactions_open() { leaves_open_ = true; }

  // Of a text that is a part of a longer one: errors count from the beginning of that.
  struct Origin {
    size_t line = 1;    // from 1
    size_t offset = 0;  // in bytes
  };
  void set_origin(const Origin& origin) { origin_ = origin; }

  // Throws Failure at the first statement that fails; the transaction it stands in is rolled back
  // then. A text that ends inside a transaction is a failure, too.
  void Run(std::string_view text);

 private:
  void RunStatement(sqlite3_stmt* statement, size_t position);
  void BeforeLoss(const std::string& what);
  void Begin();
  void Commit(size_t position);
  void RollBack();
  // Rolls back what is open and throws.
  [[noreturn]] void Fail(size_t position);
  Failure SqlFailure(size_t position) const;

  Database& database_;
  ResultPrinter& printer_;
  const Subject subject_;
  std::string text_;
  Progress progress_{"running"};
  std::function<Status(const std::string&)> before_loss_;
  bool own_transaction_ = false;  // Begin() opened it, not the text
  bool leaves_open_ = false;
  Origin origin_;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SQL_SCRIPT_H_
