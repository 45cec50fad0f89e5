#include "tools/shell_session.h"

#include <cstdio>
#include <utility>

#include "tools/interrupts.h"
#include "tools/safety_labels.h"
#include "tools/shell_completion.h"

namespace tidemark::tools {

namespace {

constexpr size_t kOfferedCommits = 20;

// One document of JSON a result, each on a line of its own; tables and CSV as `tidemark sql`.
class ShellPrinter : public ResultPrinter {
 public:
  explicit ShellPrinter(ResultFormat format)
      : format_(format), printer_(ResultPrinter::Make(format)) {}

  void Begin(sqlite3_stmt* statement) override {
    if (format_ == ResultFormat::kJson) printer_ = ResultPrinter::Make(format_);
    printer_->Begin(statement);
  }
  void Row(sqlite3_stmt* statement) override { printer_->Row(statement); }
  void End() override {
    printer_->End();
    if (format_ == ResultFormat::kJson) std::printf("\n");
  }

 private:
  const ResultFormat format_;
  std::unique_ptr<ResultPrinter> printer_;
};

bool HasTransaction(const Database& database) {
  return sqlite3_get_autocommit(database.handle()) == 0;
}

}  // namespace

ShellSession::ShellSession(Session& session, const ObjectName& name, ShellOptions options)
    : session_(session), name_(name), options_(std::move(options)) {
  object_ = options_.create ? session.OpenOrCreateObject(name) : session.OpenObject(name);
  first_ = object_->head();
  now_ = OrThrow(Database::Open(session.store(), object_), session.AboutObject(name.text));
}

bool ShellSession::in_transaction() const { return HasTransaction(past_ ? *past_ : *now_); }

size_t ShellSession::max_sql_bytes() const {
  return static_cast<size_t>(sqlite3_limit(db(), SQLITE_LIMIT_SQL_LENGTH, -1));
}

void ShellSession::RunSql(const std::string& sql, const SqlScript::Origin& origin) {
  if (sql.find('\0') != std::string::npos) {
    throw Failure("sql", kExitUsage, "the SQL has a NUL byte in it", "nothing of it was run");
  }
  const CommitInfo before = object_->head();
  const int64_t rows = sqlite3_total_changes64(db());
  const bool began_in_transaction = in_transaction();
  ShellPrinter printer(options_.format);
  SafetyLabels labels(*object_);
  std::optional<Failure> failure;
  try {
    SqlScript script(past_ ? *past_ : *now_, printer, session_.AboutObject(name_.text));
    script.set_leaves_transactions_open();
    script.set_origin(origin);
    if (!past_) {
      script.set_before_loss([&labels](const std::string& what) { return labels.Before(what); });
    }
    const Interrupts::Statement interrupted_by_signal(db());
    script.Run(sql);
  } catch (const Failure& caught) {
    failure = caught;
  }
  std::fflush(stdout);
  if (labels.count() != 0) PrintNote("label " + labels.first() + ": what was before that");
  if (options_.person) TellEffect(before, sqlite3_total_changes64(db()) - rows);
  if (!failure) return;
  if (began_in_transaction && !in_transaction()) {
    failure->hint = "the transaction was rolled back";
  } else if (in_transaction()) {
    failure->hint = "the transaction is still open: go on, or end it with COMMIT or ROLLBACK";
  } else if (failure->code == StatusCodeName(StatusCode::kReadOnly) && past_) {
    failure->hint = "this is the past: .now goes back, .restore makes it the present";
  } else if (failure->hint.empty()) {
    failure->hint = object_->head().lsn == before.lsn ? "nothing was changed"
                                                      : "what was committed before it stays";
  }
  throw Failure(*failure);
}

void ShellSession::TellEffect(const CommitInfo& before, int64_t rows) const {
  if (object_->head().lsn == before.lsn) return;
  const std::string changed = Plural(static_cast<uint64_t>(rows), "row") + " changed";
  if (before.kind == CommitKind::kNone) return PrintNote("created, " + changed);
  PrintNote(changed + "; undo: .restore " + object_->BookmarkOf(before).ToString());
}

bool ShellSession::Finish() {
  const bool open = HasTransaction(*now_);
  past_.reset();
  now_.reset();  // rolls back
  const CommitInfo last = object_->head();
  std::fflush(stdout);
  if (last.lsn != first_.lsn && first_.kind != CommitKind::kNone && !SameState(first_, last)) {
    PrintNote("to undo all of this session: " +
              RestoreCommand(session_, name_.text, object_->BookmarkOf(first_)));
  }
  object_.reset();
  return open;
}

std::string ShellSession::Prompt() const {
  std::string prompt = PrintableLine(name_.text);
  if (past_) {
    const auto* label = past_point_ ? std::get_if<Label>(&*past_point_) : nullptr;
    // To the second: it is to be short.
    prompt +=
        " @" + (label != nullptr ? label->name : FormatLocalTime(past_commit_.time).substr(0, 19));
  }
  return prompt + (in_transaction() ? "*> " : "> ");
}

Completion ShellSession::Complete(std::string_view before, bool continues) {
  CompletionSources sources;
  sources.commands = CommandNames();
  sources.points = [this] { return PointNames(); };
  sources.tables = [this] { return TableNames(db()); };
  sources.columns = [this] { return ColumnNames(db()); };
  return CompleteShellLine(before, continues, sources);
}

std::vector<std::string> ShellSession::PointNames() const {
  std::vector<std::string> names;
  const auto labels = object_->ListLabels();
  if (labels.ok()) {
    for (const LabelInfo& label : *labels) {
      if (label.damage.ok()) names.push_back(label.name);
    }
  }
  size_t commits = 0;
  // What cannot be read is not offered.
  static_cast<void>(object_->History([&](const CommitInfo& commit) {
    names.push_back(object_->BookmarkOf(commit).ToString());
    return ++commits < kOfferedCommits;
  }));
  return names;
}

}  // namespace tidemark::tools
