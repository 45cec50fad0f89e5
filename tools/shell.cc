// tidemark shell: an interactive session on one object, or a script of what one would type there.

#include "tools/shell_session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "tools/interrupts.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  bool create = false;
};

bool IsBlank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// Statements come in lines: what is not yet complete waits for more.
class Input {
 public:
  bool empty() const { return sql_.empty(); }
  const std::string& sql() const { return sql_; }
  const SqlScript::Origin& origin() const { return origin_; }  // of what waits

  // Whether there is something to run. `origin` is that of the line.
  bool Add(const std::string& line, const SqlScript::Origin& origin = {}) {
    if (sql_.empty() && IsBlank(line)) return false;
    if (sql_.empty()) origin_ = origin;
    sql_ += line + "\n";
    // Only a semicolon completes it: looking at all of it each time would take long.
    return line.find(';') != std::string::npos && sqlite3_complete(sql_.c_str()) != 0;
  }
  void Clear() { sql_.clear(); }

 private:
  std::string sql_;
  SqlScript::Origin origin_;
};

bool Confirm(LineEditor& editor, const std::string& question) {
  std::string answer;
  const auto read = editor.ReadLine(question, &answer);
  Interrupts::Clear();
  return read == LineEditor::Read::kLine && (answer == "y" || answer == "Y" || answer == "yes");
}

// Runs what is complete; false if it was the last.
bool RunLine(ShellSession& shell, Input& input, const std::string& line) {
  try {
    if (input.empty() && line[0] == '.') {
      return shell.RunCommand(line) == ShellSession::Next::kGoOn;
    }
    if (input.Add(line)) {
      const std::string sql = input.sql();
      input.Clear();
      shell.RunSql(sql);
    } else if (input.sql().size() > shell.max_sql_bytes()) {
      input.Clear();
      throw Failure("limit_exceeded", kExitFailed, "the statement is too long", "");
    }
  } catch (const Failure& failure) {
    std::fflush(stdout);
    PrintFailure(failure, /*json=*/false);
  }
  std::fflush(stdout);
  return true;
}

void Interact(Session& session, const ObjectName& name, ShellOptions options) {
  const Interrupts interrupts;
  Input input;
  std::unique_ptr<ShellSession> shell;
  LineEditor editor(
      [&](std::string_view before) { return shell->Complete(before, !input.empty()); },
      HistoryPath());
  options.person = true;
  options.confirm = [&](const std::string& question) { return Confirm(editor, question); };
  shell = std::make_unique<ShellSession>(session, name, std::move(options));
  PrintLine(PrintableLine(name.text) + " in " + PrintableLine(session.path()) +
            ": .help lists commands, Ctrl-D leaves");
  for (bool go_on = true; go_on;) {
    Interrupts::Clear();
    std::string line;
    const auto read = editor.ReadLine(input.empty() ? shell->Prompt() : "   ...> ", &line);
    Interrupts::Clear();
    switch (read) {
      case LineEditor::Read::kInterrupted: input.Clear(); break;
      case LineEditor::Read::kEnd: go_on = false; break;
      case LineEditor::Read::kLine:
        editor.Remember(line);
        go_on = RunLine(*shell, input, line);
        break;
    }
  }
  if (shell->Finish()) PrintNote("the transaction that was open is rolled back");
}

// The next line of stdin, without its end; false at the end.
bool ReadLine(std::string* line) {
  char* text = nullptr;
  size_t room = 0;
  const ssize_t size = ::getline(&text, &room, stdin);
  const std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);
  if (size < 0) {
    if (std::ferror(stdin) != 0) throw FileFailure("cannot read the SQL from stdin", "");
    return false;
  }
  line->assign(text, static_cast<size_t>(size));
  if (line->back() == '\n') line->pop_back();
  return true;
}

// Throws at the first failure.
void RunStatements(ShellSession& shell) {
  Input input;
  SqlScript::Origin here;  // of the line that was read last
  SqlScript::Origin next;
  size_t begin = 0;  // the line at which begins what runs
  try {
    std::string line;
    while (ReadLine(&line)) {
      here = next;
      next = {.line = here.line + 1, .offset = here.offset + line.size() + 1};
      begin = here.line;
      if (input.empty() && !line.empty() && line[0] == '.') {
        if (shell.RunCommand(line) == ShellSession::Next::kLeave) return;
        continue;
      }
      const bool complete = input.Add(line, here);
      begin = input.origin().line;
      if (input.sql().size() > shell.max_sql_bytes()) {
        throw Failure("limit_exceeded", kExitFailed, "the statement is too long", "");
      }
      if (!complete) continue;
      shell.RunSql(input.sql(), input.origin());
      input.Clear();
    }
    if (!input.empty()) shell.RunSql(input.sql(), input.origin());
  } catch (Failure& failure) {
    // Errors of SQLite's parser have the very place.
    if (!failure.sql_offset) {
      failure.message = "line " + std::to_string(begin) + ": " + failure.message;
    }
    throw;
  }
}

void RunScript(Session& session, const ObjectName& name, ShellOptions options) {
  ShellSession shell(session, name, std::move(options));
  std::optional<Failure> failure;
  try {
    RunStatements(shell);
  } catch (const Failure& caught) {
    failure = caught;
  }
  const bool open = shell.Finish();
  if (failure) {
    if (open) failure->hint = "the transaction that was open is rolled back";
    throw Failure(*failure);
  }
  if (open) {
    throw Failure("sql", kExitFailed, "the script ends inside a transaction that it began",
                  "that transaction was rolled back; end it with COMMIT");
  }
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  ShellOptions options;
  options.create = arguments.create;
  if (json) options.format = ResultFormat::kJson;
  Session session(arguments.store);
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {
    Interact(session, name, std::move(options));
  } else {
    RunScript(session, name, std::move(options));
  }
  session.Close();
}

}  // namespace

void AddShell(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "shell",
       .summary = "Type SQL and look at the past of an object, interactively",
       .usage = "STORE OBJECT [--create]",
       .details =
           "Statements end with a semicolon and may go over several lines. Those that one line "
           "completes run as one\ntransaction, which is durable when the prompt comes back; BEGIN "
           "opens one that stays open until COMMIT or\nROLLBACK, and the prompt shows a * until "
           "then. Errors do not end the session. As with `tidemark sql`, what\nmay take away more "
           "than was meant gets an automatic label first. Commands begin with a dot:\n"
           "  .at POINT          look at the object as it was then; it cannot be written there\n"
           "  .now               go back to the present\n"
           "  .log [N]           list the latest N commits (20; 0: all)\n"
           "  .diff [A [B]]      rows that differ from A (or what .at looks at, or the begin of "
           "this "
           "session) to B (or now)\n"
           "  .restore [POINT]   make that, or what .at looks at, the present, after asking\n"
           "  .bookmark          print the name of the commit that is looked at\n"
           "  .label NAME        give it a name that stays\n"
           "  .tables, .schema [TABLE], .mode table|json|csv, .help, .quit\n"
           "TAB completes words of SQL, tables, columns, commands and points. Lines are remembered "
           "below\nXDG_STATE_HOME (or ~/.local/state), but those that begin with a blank.\n"
           "Where stdin or stdout is no terminal, stdin is a script of the same: nothing is asked, "
           "and it ends at\nthe first error, with that one's exit code; what was committed before "
           "stays.\n"
           "The store is this command's until it ends: no other can open it meanwhile.\n" +
           std::string(kPointHelp),
       .example = "tidemark shell /var/lib/rooms rooms/lobby\n"
                  "tidemark shell /var/lib/rooms rooms/lobby < script.sql",
       .json_fields =
           "a document a result: {\"columns\":[…],\"rows\":[[…],…]}, as those of tidemark sql; "
           ".log prints what\ntidemark log does. It is .mode json from the start"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Flag("--create", "Make the object if it is missing (with the first statement that writes)",
            &arguments->create);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
