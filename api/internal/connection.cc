// The connection of an object's storage, see connection.h.

#include "api/internal/connection.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/internal/printf_function.h"
#include "api/internal/sql_lists.h"
#include "api/internal/sqlite_code_name.h"
#include "engine/check.h"

namespace tidemark::internal {
namespace {

constexpr int kPageSize = 4096;           // SQLite's default, which new objects get
constexpr int kOperationsCounted = 1000;  // at once

StatusCode CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL: return StatusCode::kFull;
    case SQLITE_NOMEM: return StatusCode::kOutOfMemory;
    case SQLITE_IOERR: return StatusCode::kIoError;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return StatusCode::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT: return StatusCode::kBusy;
    case SQLITE_READONLY: return StatusCode::kReadOnly;
    case SQLITE_TOOBIG: return StatusCode::kLimitExceeded;
    default: return StatusCode::kInvalidArgument;
  }
}

// What makes SQLite roll a transaction back by itself.
bool IsCritical(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT: return true;
    default: return false;
  }
}

// " at offset 7: SQLITE_ERROR (extended: ...)": see error.h.
std::string WithCode(std::string message, int code, std::optional<int> offset) {
  if (offset) message += " at offset " + std::to_string(*offset);
  const int primary = code & 0xff;
  message += ": " + SqliteCodeName(primary);
  if (code != primary) message += " (extended: " + SqliteCodeName(code) + ")";
  return message;
}

}  // namespace

void ThrowIfError(const Status& status) {
  if (!status.ok()) throw Error(status);
}

Connection::Connection(Store& store, std::shared_ptr<Object> object, const StorageOptions& options)
    : store_(store),
      object_(std::move(object)),
      options_(options),
      statements_(options.statement_cache_bytes),
      out_of_memory_(Status::OutOfMemory(), SQLITE_NOMEM) {
  Open(false);
}

Connection::~Connection() { FinalizeAll("the object's storage was closed"); }

// A connection with a statement left would live on, and keep the object's write lock.
void Connection::FinalizeAll(const char* why) noexcept {
  cancelled_because_ = why;
  statements_.Clear();
  for (OwnStatement* statement : own_statements_) statement->Finalize();
}

void Connection::Open(bool empty) {
  DatabaseOptions options;
  options.if_missing = opened_before_ ? IfMissing::kCreate : options_.if_missing;
  options.locking = Locking::kExclusive;
  options.synchronous =
      options_.durability == Durability::kConfirmed ? Synchronous::kFull : Synchronous::kNormal;
  options.begin_empty = empty;
  SetDatabase(ValueOrThrow(Database::Open(store_, object_, options)));
  opened_before_ = true;
  ApplyLimits();
  DropOtherModules(handle());
  if (const int code = InstallPrintf(handle()); code != SQLITE_OK) Fail(code);
  authorizer_.Install(handle());
}

void Connection::SetDatabase(std::optional<Database> database) {
  {
    std::lock_guard lock(database_mutex_);
    std::swap(database_, database);
  }
  // The one before is closed here.
}

// SQLite's page cache stays: an empty one would begin with room for twenty pages (ApplyLimits).
void Connection::ReleaseMemory() noexcept {
  if (broken_ != nullptr || in_transaction_) return;
  statements_.DropUnused();
  for (OwnStatement* statement : own_statements_) statement->FinalizeIfUnused();
  database_->ReleaseMemory();
}

void Connection::Interrupt() noexcept {
  std::lock_guard lock(database_mutex_);
  if (database_) sqlite3_interrupt(database_->handle());
}

int Connection::CountOperations(void* self) noexcept {
  auto& connection = *static_cast<Connection*>(self);
  connection.operations_left_ -= kOperationsCounted;
  connection.ran_out_ = connection.operations_left_ < 0;
  return connection.ran_out_ ? 1 : 0;
}

void Connection::ApplyLimits() {
  const Limits& limits = options_.limits;
  if (limits.operations_per_row > 0) {
    sqlite3_progress_handler(handle(), kOperationsCounted, &Connection::CountOperations, this);
  }
  const std::pair<int, int> settings[] = {
      {SQLITE_LIMIT_LENGTH, limits.row_bytes},
      {SQLITE_LIMIT_SQL_LENGTH, limits.sql_bytes},
      {SQLITE_LIMIT_COLUMN, limits.columns},
      {SQLITE_LIMIT_EXPR_DEPTH, limits.expression_depth},
      {SQLITE_LIMIT_COMPOUND_SELECT, limits.compound_select_terms},
      {SQLITE_LIMIT_VDBE_OP, limits.program_operations},
      {SQLITE_LIMIT_FUNCTION_ARG, limits.function_arguments},
      {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, limits.like_pattern_bytes},
      {SQLITE_LIMIT_VARIABLE_NUMBER, limits.bindings},
      {SQLITE_LIMIT_TRIGGER_DEPTH, limits.trigger_depth},
      {SQLITE_LIMIT_ATTACHED, 0},
      {SQLITE_LIMIT_WORKER_THREADS, 0},
  };
  for (const auto& [limit, value] : settings) sqlite3_limit(handle(), limit, value);
  const std::pair<int, int> switches[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
  };
  for (const auto& [setting, on] : switches) sqlite3_db_config(handle(), setting, on, nullptr);
  // A page cache begins with room for twenty pages, 87 KB, unless it is to hold fewer than three
  // when it gets its first page. Most objects have two or three pages, and there are many objects.
  RunOwn("PRAGMA cache_size=2");
  sqlite3_db_release_memory(handle());
  RunOwn(("PRAGMA schema_version;PRAGMA cache_size=-" +
          std::to_string(options_.page_cache_bytes / 1024) + ";PRAGMA max_page_count=" +
          std::to_string(std::max<int64_t>(1, limits.database_bytes / kPageSize)))
             .c_str());
}

Statement Connection::Compile(std::string_view sql, std::string_view* tail, size_t position) {
  Statement statement;
  const char* end = nullptr;
  sqlite3_stmt* compiled = nullptr;
  authorizer_.Begin();
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &compiled, &end);
  authorizer_.End();
  statement.handle = StatementHandle(compiled);
  if (code != SQLITE_OK) Fail(code, position);
  *tail = sql.substr(static_cast<size_t>(end - sql.data()));
  if (statement.handle == nullptr) return statement;
  statement.parameter_count = sqlite3_bind_parameter_count(statement.handle);
  statement.column_count = sqlite3_column_count(statement.handle);
  statement.writes = sqlite3_stmt_readonly(statement.handle) == 0;
  statement.changes_table = authorizer_.changes_table();
  statement.creates_program = authorizer_.creates_program();
  statement.deletes_from = authorizer_.deletes_from();
  return statement;
}

sqlite3_stmt* Connection::CompileOwn(const char* sql) {
  const Authorizer::Trusted trusted(authorizer_);
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) Fail(code);
  return statement;
}

void Connection::RunOwn(const char* sql) {
  const Authorizer::Trusted trusted(authorizer_);
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) Fail(code);
}

Error Connection::LastError(int code, size_t position) const noexcept try {
  // What SQLite keeps is of the last call; a code that did not come from there speaks for itself.
  const bool kept = sqlite3_errcode(handle()) == code || sqlite3_extended_errcode(handle()) == code;
  std::string message = kept ? sqlite3_errmsg(handle()) : sqlite3_errstr(code);
  std::optional<int> offset;
  if (const int at = kept ? sqlite3_error_offset(handle()) : -1; at >= 0) {
    offset = at + static_cast<int>(position);
  }
  StatusCode status_code = CodeOf(code);
  if (kept) {
    if (const Status cause = database_->EngineError(); !cause.ok()) {
      status_code = cause.code();
      message = cause.message();
    }
  }
  if ((code & 0xff) == SQLITE_INTERRUPT && ran_out_) {
    status_code = StatusCode::kLimitExceeded;
    message = "interrupted after " + std::to_string(options_.limits.operations_per_row) +
              " operations without a row";
  }
  if ((code & 0xff) == SQLITE_AUTH && !authorizer_.reason().empty()) {
    message = authorizer_.reason();
  }
  return Error(Status(status_code, WithCode(std::move(message), code, offset)), code, offset);
} catch (const std::bad_alloc&) {
  return out_of_memory_;  // whoever sees to what follows from it must not be passed by
}

void Connection::Fail(int code, size_t position) { FailWith(LastError(code, position)); }

void Connection::FailWith(const Error& error) {
  // SQLite has rolled back by itself what callers believe to be there.
  const bool rolled_back = in_transaction_ && sqlite3_get_autocommit(handle()) != 0;
  if (rolled_back || (commits_alone_ && IsCritical(error.sqlite_code()))) Break(error);
  throw error;
}

void Connection::Break(const Error& error) noexcept {
  if (broken_ != nullptr) return;
  try {
    owned_broken_ = std::make_unique<const Error>(error);
    broken_ = owned_broken_.get();
  } catch (const std::bad_alloc&) {
    broken_ = &out_of_memory_;
  }
}

void Connection::BreakByException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    Break(error);
  } catch (const std::bad_alloc&) {
    Break(out_of_memory_);
  }
}

void Connection::Close() noexcept {
  FinalizeAll("the object's storage was closed");
  SetDatabase(std::nullopt);
  try {
    Break(Error(
        Status(StatusCode::kBroken, "the storage of object " + object_->DisplayName() +
                                        " was closed and is no longer accessible: open it again")));
  } catch (const std::bad_alloc&) {
    Break(out_of_memory_);
  }
}

void Connection::Reopen(bool empty, const char* why) {
  FinalizeAll(why);
  in_transaction_ = false;
  SetDatabase(std::nullopt);
  try {
    Open(empty);
  } catch (...) {
    BreakByException();
    throw;
  }
}

OwnStatement::OwnStatement(Connection& connection, const char* sql)
    : connection_(connection), sql_(sql) {
  connection_.own_statements_.push_back(this);
}

OwnStatement::~OwnStatement() {
  Finalize();
  std::erase(connection_.own_statements_, this);
}

void OwnStatement::Finalize() noexcept { sqlite3_finalize(std::exchange(handle_, nullptr)); }

}  // namespace tidemark::internal
