// The commands of `tidemark shell` that begin with a dot.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "tools/diff.h"
#include "tools/interrupts.h"
#include "tools/log.h"
#include "tools/shell_session.h"

namespace tidemark::tools {

namespace {

constexpr uint64_t kShownCommits = 20;

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

// "5 minutes ago" may come in quotes, as a shell wants it.
std::string WithoutQuotes(const std::string& text) {
  if (text.size() < 2 || text.front() != text.back()) return text;
  return text.front() == '"' || text.front() == '\'' ? text.substr(1, text.size() - 2) : text;
}

// "A B", each in quotes or without blanks; else all of it is A, as in: 5 minutes ago.
std::pair<std::string, std::string> TwoPoints(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    const char first = text[at];
    const bool quoted = first == '"' || first == '\'';
    const size_t end =
        std::min(text.find_first_of(quoted ? std::string(1, first) : " \t", at + 1), text.size());
    words.push_back(text.substr(at + (quoted ? 1 : 0), end - at - (quoted ? 1 : 0)));
    at = std::min(text.find_first_not_of(" \t", end + (quoted ? 1 : 0)), text.size());
  }
  words.resize(std::max<size_t>(words.size(), 2));
  if (words.size() > 2) return {text, ""};
  return {words[0], words[1]};
}

Failure CommandFailure(const std::string& message) {
  return Failure("usage", kExitUsage, message, "see: .help");
}

// As it was written, line by line.
void PrintSql(std::string_view sql) {
  for (size_t end = sql.find('\n'); end != std::string_view::npos; end = sql.find('\n')) {
    PrintLine(PrintableLine(sql.substr(0, end)));
    sql.remove_prefix(end + 1);
  }
  PrintLine(PrintableLine(sql) + ";");
}

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

}  // namespace

struct ShellSession::Command {
  const char* name;
  const char* argument;  // "", "NAME" or "[NAME]"
  const char* help;
  Next (ShellSession::*run)(const std::string& argument);
  bool keeps_quotes = false;  // of its argument
};

const std::vector<ShellSession::Command>& ShellSession::Commands() {
  static const std::vector<Command> commands = {
      {".at", "POINT", "look at the object as it was then; nothing can be written there",
       &ShellSession::At},
      {".now", "", "go back to the present", &ShellSession::Now},
      {".log", "[N]", "list the latest N commits (20; 0: all), newest first", &ShellSession::Log},
      {".diff", "[A [B]]",
       "rows that differ: from A, what .at looks at or the begin of this, to B or now",
       &ShellSession::Diff, /*keeps_quotes=*/true},
      {".restore", "[POINT]", "make that, or what .at looks at, the present; can be undone",
       &ShellSession::Restore},
      {".bookmark", "", "print the bookmark of the commit that is looked at",
       &ShellSession::PrintBookmark},
      {".label", "NAME", "give that commit a name, which is a POINT from then on",
       &ShellSession::SetLabel},
      {".tables", "", "list tables and views", &ShellSession::PrintTables},
      {".schema", "[TABLE]", "print the SQL that makes all tables, or this one",
       &ShellSession::PrintSchema},
      {".mode", "table|json|csv", "how results are printed", &ShellSession::SetMode},
      {".help", "", "print this", &ShellSession::Help},
      {".quit", "", "leave, as Ctrl-D does", &ShellSession::Quit},
  };
  return commands;
}

std::vector<std::string> ShellSession::CommandNames() {
  std::vector<std::string> names;
  for (const Command& command : Commands()) names.emplace_back(command.name);
  return names;
}

ShellSession::Next ShellSession::RunCommand(const std::string& line) {
  const std::string text = Trimmed(line);
  const size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string name = text.substr(0, end);
  const std::string typed = Trimmed(text.substr(end));
  for (const Command& command : Commands()) {
    if (command.name != name) continue;
    const std::string_view wanted = command.argument;
    const std::string argument = command.keeps_quotes ? typed : WithoutQuotes(typed);
    if (wanted.empty() && !argument.empty()) {
      throw CommandFailure(name + " takes nothing behind it");
    }
    if (!wanted.empty() && wanted[0] != '[' && argument.empty()) {
      throw CommandFailure(name + " needs something behind it: " + name + " " +
                           std::string(wanted));
    }
    return (this->*command.run)(argument);
  }
  throw CommandFailure("there is no command " + name);
}

void ShellSession::CheckNoTransaction(const std::string& command) const {
  if (past_ || !in_transaction()) return;
  throw Failure("busy", kExitFailed, command + ": a transaction is open",
                "end it with COMMIT or ROLLBACK first");
}

// The hints of the command line name commands that cannot run while this one has the store.
template <typename F>
auto ShellSession::AboutPoints(const F& f) const {
  try {
    return f();
  } catch (Failure& failure) {
    if (failure.exit_code != kExitDamage) {
      failure.hint =
          ".log lists the commits with their labels; a point may also be a time, or words "
          "such as 5 minutes ago";
    }
    throw;
  }
}

ShellSession::Next ShellSession::At(const std::string& point) {
  CheckNoTransaction(".at");
  AboutPoints([&] {
    const Point at = ParsePointArgument(point, session_.path(), name_);
    const CommitInfo commit = session_.ResolveCommit(*object_, at);
    DatabaseOptions options;
    options.if_missing = IfMissing::kFail;
    options.read_only = true;
    options.at = FixedPoint(*object_, at, commit);
    past_ = OrThrow(Database::Open(session_.store(), name_.namespace_name, name_.name, options),
                    session_.AboutPoint(name_.text, at));
    past_commit_ = commit;
    past_point_ = options.at;
  });
  if (options_.person) PrintNote("this is " + DescribeCommit(*object_, past_commit_));
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Now(const std::string& /*nothing*/) {
  past_.reset();
  past_point_.reset();
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Log(const std::string& limit) {
  LogOptions options;
  options.limit = kShownCommits;
  options.more_hint = ".log N shows more, .log 0 all";
  options.stop = &Interrupts::pending;
  options.json = options_.format == ResultFormat::kJson;
  if (!limit.empty()) {
    const char* end = limit.data() + limit.size();
    const auto [rest, error] = std::from_chars(limit.data(), end, options.limit);
    if (error != std::errc() || rest != end) {
      throw CommandFailure(".log: \"" + limit + "\" is no number of commits");
    }
  }
  ShowLog(session_, *object_, options);
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Diff(const std::string& points) {
  const std::pair<std::string, std::string> given = TwoPoints(points);
  AboutPoints([&] {
    const auto commit_at = [&](const std::string& point, const CommitInfo& otherwise) {
      if (point.empty()) return otherwise;
      return session_.ResolveCommit(*object_, ParsePointArgument(point, session_.path(), name_));
    };
    const CommitInfo from = commit_at(given.first, past_ ? past_commit_ : first_);
    const CommitInfo to = commit_at(given.second, object_->head());
    if (from.kind == CommitKind::kNone || to.kind == CommitKind::kNone) {
      throw Failure("not_found", kExitFailed, name_.text + " did not exist then", "");
    }
    DiffOptions options;
    if (options_.format == ResultFormat::kJson) options.format = DiffOptions::Format::kJson;
    ShowDiff(session_, *object_, from, to, options);
  });
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Restore(const std::string& point) {
  CheckNoTransaction(".restore");
  if (point.empty() && !past_) {
    throw CommandFailure(".restore needs a POINT, or .at before it");
  }
  AboutPoints([&] {
    const Point to =
        point.empty() ? *past_point_ : ParsePointArgument(point, session_.path(), name_);
    const Subject about = session_.AboutPoint(name_.text, to);
    const RestoreInfo plan = OrThrow(object_->PlanRestore(to), about);
    if (SameState(plan.from, plan.to) && plan.from.alarm == plan.to.alarm) {
      PrintNote("nothing to do: that is its present state");
      Now("");
      return;
    }
    PrintNote(name_.text + "\n  is at    " + DescribeCommit(*object_, plan.from) + "\n  goes to  " +
              DescribeCommit(*object_, plan.to));
    if (options_.confirm && !options_.confirm("restore it? [y/N] ")) {
      PrintNote("nothing was changed");
      return;
    }
    // The very commit that was shown, also if a time was given and time went on.
    const RestoreInfo info = OrThrow(object_->Restore(FixedPoint(*object_, to, plan.to)), about);
    Now("");
    PrintNote("done; undo: .restore " + info.undo.ToString() +
              "\n  or, outside: " + RestoreCommand(session_, name_.text, info.undo));
  });
  return Next::kGoOn;
}

ShellSession::Next ShellSession::PrintBookmark(const std::string& /*nothing*/) {
  const CommitInfo shown = commit();
  if (shown.kind == CommitKind::kNone) {
    throw Failure("not_found", kExitFailed, name_.text + " does not exist yet",
                  "a statement that writes makes it");
  }
  PrintLine(object_->BookmarkOf(shown).ToString());
  if (!past_ && in_transaction()) {
    std::fflush(stdout);
    PrintNote("the transaction that is open is not in it");
  }
  return Next::kGoOn;
}

ShellSession::Next ShellSession::SetLabel(const std::string& label) {
  const CommitInfo named = commit();
  AboutPoints([&] { OrThrow(ValidateLabelName(label), session_.AboutLabel(name_.text, label)); });
  const Status status =
      object_->SetLabel(label, FixedPoint(*object_, past_point_, named), IfLabelExists::kFail);
  if (status.code() == StatusCode::kExists) {
    throw Failure("exists", kExitFailed, status.message(),
                  "nothing was changed; choose another name (tidemark label moves labels)");
  }
  OrThrow(status, session_.AboutLabel(name_.text, label));
  if (options_.person) PrintNote(label + " is " + DescribeCommit(*object_, named));
  return Next::kGoOn;
}

ShellSession::Next ShellSession::PrintTables(const std::string& /*nothing*/) {
  RunSql(
      "select name, type from sqlite_schema where type in ('table', 'view')"
      " and name not like 'sqlite\\_%' escape '\\' order by name");
  return Next::kGoOn;
}

ShellSession::Next ShellSession::PrintSchema(const std::string& table) {
  const Subject about = session_.AboutObject(name_.text);
  const Database& database = past_ ? *past_ : *now_;
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(db(),
                                      "select sql from sqlite_schema where sql is not null"
                                      " and (?1 = '' or tbl_name = ?1 collate nocase)"
                                      " order by tbl_name, type = 'table' desc, rowid",
                                      -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement(raw);
  if (code != SQLITE_OK) OrThrow(database.ErrorStatus(), about);
  sqlite3_bind_text(raw, 1, table.data(), static_cast<int>(table.size()), SQLITE_STATIC);
  bool found = false;
  int step = SQLITE_ROW;
  while ((step = sqlite3_step(raw)) == SQLITE_ROW) {
    found = true;
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
    PrintSql(text == nullptr ? "" : text);
  }
  if (step != SQLITE_DONE) OrThrow(database.ErrorStatus(), about);
  if (!found && !table.empty()) {
    throw Failure("not_found", kExitFailed, "there is no table " + table, "see: .tables");
  }
  return Next::kGoOn;
}

ShellSession::Next ShellSession::SetMode(const std::string& mode) {
  if (mode == "table") {
    options_.format = ResultFormat::kTable;
  } else if (mode == "json") {
    options_.format = ResultFormat::kJson;
  } else if (mode == "csv") {
    options_.format = ResultFormat::kCsv;
  } else {
    throw CommandFailure(".mode is table, json or csv, not \"" + mode + "\"");
  }
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Help(const std::string& /*nothing*/) {
  for (const Command& command : Commands()) {
    const std::string usage = std::string(command.name) + " " + command.argument;
    std::printf("%-22s %s\n", usage.c_str(), command.help);
  }
  PrintLine(
      "\nAll else is SQL, which ends with a semicolon and may go over several lines. A POINT "
      "is a\nbookmark, a label, a time, or words such as 5 minutes ago. TAB completes, the "
      "arrows go\nthrough what was typed before, Ctrl-C stops a statement or clears the "
      "line.");
  return Next::kGoOn;
}

ShellSession::Next ShellSession::Quit(const std::string& /*nothing*/) { return Next::kLeave; }

}  // namespace tidemark::tools
