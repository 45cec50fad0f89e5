#include "tools/sql_script.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "tools/console.h"
#include "tools/sql_statement.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr size_t kExcerptBytes = 70;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Statements that control transactions themselves, or that do nothing or fail inside one.
bool StandsAlone(std::string_view sql) {
  static constexpr std::array<std::string_view, 10> kWords = {
      "BEGIN",   "COMMIT", "END",    "ROLLBACK", "SAVEPOINT",
      "RELEASE", "PRAGMA", "VACUUM", "ATTACH",   "DETACH"};
  const std::string word = FirstWord(sql);
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// SQLite's code for what the engine has the better words for: it knows object, LSN and place.
bool EngineKnowsBetter(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL: return true;
    default: return false;
  }
}

struct Place {
  size_t line = 1;    // from 1
  size_t column = 1;  // from 1, in bytes
};

Place PlaceOf(std::string_view text, size_t offset) {
  Place place;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    ++place.column;
    if (text[i] == '\n') place = {.line = place.line + 1, .column = 1};
  }
  return place;
}

// The line that `offset` is in, or a part of it, with a mark below.
std::string Excerpt(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const size_t line_break = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  size_t begin = line_break == std::string_view::npos ? 0 : line_break + 1;
  size_t end = std::min(text.find('\n', offset), text.size());
  if (offset - begin > kExcerptBytes / 2) begin = offset - kExcerptBytes / 2;
  // Not inside a character.
  while (begin < offset && (static_cast<uint8_t>(text[begin]) & 0xc0) == 0x80) ++begin;
  end = std::min(end, begin + kExcerptBytes);
  while (end < text.size() && end > offset && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  const std::string before = PrintableLine(text.substr(begin, offset - begin));
  const std::string after = PrintableLine(text.substr(offset, end - offset));
  return "  " + before + after + "\n  " + std::string(DisplayWidth(before), ' ') + "^";
}

int OnProgress(void* progress) {
  static_cast<Progress*>(progress)->Update(0, 0);
  return ThisConsole().Gone() ? 1 : 0;
}

// While it lives, SQLite calls a Progress every hundred thousand of its steps, and a statement that
// nobody waits for ends there.
class ProgressHandler {
 public:
  ProgressHandler(sqlite3* db, Progress* progress) : db_(db) {
    sqlite3_progress_handler(db_, 100'000, OnProgress, progress);
  }
  ~ProgressHandler() { sqlite3_progress_handler(db_, 0, nullptr, nullptr); }
  ProgressHandler(const ProgressHandler&) = delete;
  ProgressHandler& operator=(const ProgressHandler&) = delete;

 private:
  sqlite3* const db_;
};

// What reaches beyond the object in a process that runs the SQL for somebody else: files, which are
// that process's to name, and settings that all of its connections share.
bool ReachesBeyond(int action, const char* first, const char* second) {
  if (action == SQLITE_ATTACH) return first == nullptr || *first != '\0';  // VACUUM attaches ''
  static constexpr std::array<const char*, 4> kShared = {
      "temp_store_directory", "data_store_directory", "soft_heap_limit", "hard_heap_limit"};
  return action == SQLITE_PRAGMA && second != nullptr &&
         std::any_of(kShared.begin(), kShared.end(),
                     [first](const char* shared) { return sqlite3_stricmp(shared, first) == 0; });
}

// What SQLite says a statement will do, when it is prepared, to the object itself: not to temporary
// tables nor to other databases that are attached.
class Intent {
 public:
  explicit Intent(sqlite3* db) : db_(db) { sqlite3_set_authorizer(db_, Note, this); }
  ~Intent() { sqlite3_set_authorizer(db_, nullptr, nullptr); }
  Intent(const Intent&) = delete;
  Intent& operator=(const Intent&) = delete;

  void Clear() { drops_ = alters_ = changes_rows_ = false; }
  bool drops() const { return drops_; }
  bool alters() const { return alters_; }
  bool changes_rows() const { return changes_rows_; }

 private:
  static int Note(void* self, int action, const char* first, const char* second,
                  const char* database, const char* /*trigger*/) {
    Intent& intent = *static_cast<Intent*>(self);
    const auto is_main = [](const char* name) {
      return name != nullptr && std::string_view(name) == "main";
    };
    if (Scope::current() != nullptr && ReachesBeyond(action, first, second)) return SQLITE_DENY;
    switch (action) {
      case SQLITE_DROP_TABLE:
      case SQLITE_DROP_INDEX:
      case SQLITE_DROP_VIEW:
      case SQLITE_DROP_TRIGGER:
      case SQLITE_DROP_VTABLE: intent.drops_ |= is_main(database); break;
      case SQLITE_ALTER_TABLE: intent.alters_ |= is_main(first); break;
      case SQLITE_DELETE:
      case SQLITE_UPDATE: intent.changes_rows_ |= is_main(database); break;
      default: break;
    }
    return SQLITE_OK;
  }

  sqlite3* const db_;
  bool drops_ = false;
  bool alters_ = false;
  bool changes_rows_ = false;
};

// The word for what a statement may take away; empty if nothing.
std::string LossOf(sqlite3_stmt* statement, const Intent& intent) {
  if (sqlite3_stmt_isexplain(statement) != 0) return "";
  if (intent.drops()) return "drop";
  if (intent.alters()) return "alter";
  switch (SweepOf(sqlite3_sql(statement))) {
    case Sweep::kDelete: return intent.changes_rows() ? "delete" : "";
    case Sweep::kUpdate: return intent.changes_rows() ? "update" : "";
    case Sweep::kVacuum: return "vacuum";
    case Sweep::kNone: break;
  }
  return "";
}

}  // namespace

SqlScript::SqlScript(Database& database, ResultPrinter& printer, Subject subject)
    : database_(database), printer_(printer), subject_(std::move(subject)) {}

void SqlScript::Run(std::string_view text) {
  text_ = text;
  sqlite3* db = database_.handle();
  const ProgressHandler handler(db, &progress_);
  Intent intent(db);
  size_t position = 0;
  while (position < text_.size()) {
    const bool alone = StandsAlone(std::string_view(text_).substr(position));
    if (alone && own_transaction_) Commit(position);
    intent.Clear();
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(db, text_.data() + position,
                                        static_cast<int>(text_.size() - position + 1), &raw, &tail);
    const Statement statement(raw);
    if (code != SQLITE_OK) Fail(position);
    if (statement) {
      if (!alone && sqlite3_get_autocommit(db) != 0) Begin();
      if (const std::string loss = LossOf(statement.get(), intent); !loss.empty()) {
        BeforeLoss(loss);
      }
      RunStatement(statement.get(), position);
    }
    position = static_cast<size_t>(tail - text_.data());
  }
  if (own_transaction_) Commit(text_.size());
  if (!leaves_open_ && sqlite3_get_autocommit(db) == 0) {
    sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    throw Failure("sql", kExitFailed, "the SQL ends inside a transaction that it began",
                  "that transaction was rolled back; end the text with COMMIT");
  }
}

void SqlScript::BeforeLoss(const std::string& what) {
  if (!before_loss_) return;
  const Status status = before_loss_(what);
  if (status.ok()) return;
  RollBack();
  throw Explain(status, subject_);
}

void SqlScript::RunStatement(sqlite3_stmt* statement, size_t position) {
  const bool has_columns = sqlite3_column_count(statement) > 0;
  bool begun = false;
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) {
    code = sqlite3_step(statement);
    progress_.Hide();
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
      if (begun) printer_.End();
      Fail(position);
    }
    // Not before the first step: a statement that fails there has no result.
    if (has_columns && !begun) {
      printer_.Begin(statement);
      begun = true;
    }
    if (code == SQLITE_ROW && has_columns) printer_.Row(statement);
  }
  if (begun) printer_.End();
}

void SqlScript::Begin() {
  if (sqlite3_exec(database_.handle(), "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) Fail(0);
  own_transaction_ = true;
}

void SqlScript::Commit(size_t position) {
  // ON CONFLICT ROLLBACK and some errors end a transaction by themselves.
  if (sqlite3_get_autocommit(database_.handle()) == 0 &&
      sqlite3_exec(database_.handle(), "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) {
    Fail(position);
  }
  own_transaction_ = false;
}

void SqlScript::Fail(size_t position) {
  const Failure failure = SqlFailure(position);
  RollBack();
  throw failure;
}

void SqlScript::RollBack() {
  if (leaves_open_ && !own_transaction_) return;
  own_transaction_ = false;
  if (sqlite3_get_autocommit(database_.handle()) != 0) return;
  sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Failure SqlScript::SqlFailure(size_t position) const {
  sqlite3* db = database_.handle();
  const int code = sqlite3_errcode(db);
  if (EngineKnowsBetter(code)) return Explain(database_.ErrorStatus(), subject_);

  const std::string message = sqlite3_errmsg(db);
  if ((code & 0xff) == SQLITE_INTERRUPT) return Failure("interrupted", kExitFailed, message, "");
  const bool read_only = (code & 0xff) == SQLITE_READONLY;
  Failure failure(read_only ? StatusCodeName(StatusCode::kReadOnly) : "sql", kExitFailed, message,
                  read_only ? "a view of the past (--at) cannot be written; restore the object to "
                              "go on from there"
                            : "");
  if ((code & 0xff) == SQLITE_AUTH && Scope::current() != nullptr) {
    failure.message +=
        ": the process that has the store open runs this SQL; it attaches no files, "
        "and sets nothing for more than this connection";
  }
  const int offset = sqlite3_error_offset(db);
  if (offset >= 0) {
    // SQLite counts from the beginning of the statement, a user from that of the text.
    const size_t absolute = position + static_cast<size_t>(offset);
    const Place place = PlaceOf(text_, absolute);
    failure.sql_offset = static_cast<int64_t>(origin_.offset + absolute);
    failure.message += " at offset " + std::to_string(origin_.offset + absolute) + " (line " +
                       std::to_string(origin_.line - 1 + place.line) + ", column " +
                       std::to_string(place.column) + ")";
    failure.excerpt = Excerpt(text_, absolute);
  }
  return failure;
}

}  // namespace tidemark::tools
