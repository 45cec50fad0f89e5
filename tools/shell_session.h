// ShellSession: what `tidemark shell` does with what it reads: SQL, and commands that begin with a
// dot.

#ifndef TIDEMARK_TOOLS_SHELL_SESSION_H_
#define TIDEMARK_TOOLS_SHELL_SESSION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/line_editor.h"
#include "tools/result_printer.h"
#include "tools/session.h"
#include "tools/sql_script.h"
#include "vfs/database.h"

namespace tidemark::tools {

struct ShellOptions {
  ResultFormat format = ResultFormat::kTable;
  bool create = false;  // the object, with the first statement that writes
  // Whether a person is there: who is told what each statement changed, and is asked before a
  // restore by `confirm`.
  bool person = false;
  std::function<bool(const std::string& question)> confirm{};
};

// Looks at the present of an object, where it can write, or at a point of its past. Used by one
// thread; `session` must outlive it.
class ShellSession {
 public:
  // Throws Failure if the object is not there.
  ShellSession(Session& session, const ObjectName& name, ShellOptions options);

  // Runs what sqlite3_complete() takes for complete, or what a text ends with. Statements of it
  // that stand outside of a transaction run as one. Throws Failure; a transaction that the user
  // began is then as SQLite leaves it. `origin`: where `sql` stands in a script.
  void RunSql(const std::string& sql, const SqlScript::Origin& origin = {});
  enum class Next { kGoOn, kLeave };
  // `line` begins with a dot. Throws Failure.
  Next RunCommand(const std::string& line);

  // "rooms/lobby> "; with "*" inside a transaction, "@POINT" in the past.
  std::string Prompt() const;
  bool in_transaction() const;
  // Statements that are longer are refused by SQLite, in bytes.
  size_t max_sql_bytes() const;
  Completion Complete(std::string_view before, bool continues);
  // The end: rolls back a transaction that is open, and says how to undo what was done since the
  // beginning. Returns whether there was such a transaction.
  bool Finish();

 private:
  struct Command;
  static const std::vector<Command>& Commands();
  static std::vector<std::string> CommandNames();

  Next At(const std::string& point);
  Next Now(const std::string& nothing);
  Next Log(const std::string& limit);
  Next Diff(const std::string& points);
  Next Restore(const std::string& point);
  Next PrintBookmark(const std::string& nothing);
  Next SetLabel(const std::string& label);
  Next PrintTables(const std::string& nothing);
  Next PrintSchema(const std::string& table);
  Next SetMode(const std::string& mode);
  Next Help(const std::string& nothing);
  Next Quit(const std::string& nothing);

  sqlite3* db() const { return (past_ ? *past_ : *now_).handle(); }
  // The commit that is looked at.
  CommitInfo commit() const { return past_ ? past_commit_ : object_->head(); }
  void CheckNoTransaction(const std::string& command) const;
  // Calls `f`, and lets what it throws name commands of the shell.
  template <typename F>
  auto AboutPoints(const F& f) const;
  std::vector<std::string> PointNames() const;
  void TellEffect(const CommitInfo& before, int64_t rows) const;

  Session& session_;
  const ObjectName name_;
  ShellOptions options_;
  std::shared_ptr<Object> object_;
  CommitInfo first_;  // what was current at the beginning
  std::optional<Database> now_;
  std::optional<Database> past_;  // none: the present
  CommitInfo past_commit_;
  std::optional<Point> past_point_;  // as it was asked for, but a time, which goes on
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SHELL_SESSION_H_
