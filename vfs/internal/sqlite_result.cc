// Result codes, see sqlite_result.h.

#include "vfs/internal/sqlite_result.h"

#include <string>
#include <string_view>

namespace tidemark::internal {
namespace {

thread_local Status last_error;

constexpr int PrimaryCode(int code) { return code & 0xff; }

int IoErrorCode(FileOperation operation) {
  switch (operation) {
    case FileOperation::kOpen: return SQLITE_CANTOPEN;
    case FileOperation::kRead: return SQLITE_IOERR_READ;
    case FileOperation::kWrite: return SQLITE_IOERR_WRITE;
    case FileOperation::kTruncate: return SQLITE_IOERR_TRUNCATE;
    case FileOperation::kPrepare:
    case FileOperation::kPublish: return SQLITE_IOERR_FSYNC;
    case FileOperation::kLock: return SQLITE_IOERR_LOCK;
    case FileOperation::kPragma: return SQLITE_IOERR;
  }
  return SQLITE_IOERR;
}

StatusCode CodeFromSqlite(int code) {
  if (code == SQLITE_IOERR_NOMEM) return StatusCode::kOutOfMemory;
  switch (PrimaryCode(code)) {
    case SQLITE_NOMEM: return StatusCode::kOutOfMemory;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT: return StatusCode::kBusy;
    case SQLITE_READONLY: return StatusCode::kReadOnly;
    case SQLITE_FULL: return StatusCode::kFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return StatusCode::kCorruption;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL: return StatusCode::kIoError;
    case SQLITE_TOOBIG: return StatusCode::kLimitExceeded;
    default: return StatusCode::kInvalidArgument;
  }
}

}  // namespace

int SqliteCode(const Status& status, FileOperation operation) noexcept {
  if (status.ok()) return SQLITE_OK;
  if (status.code() == StatusCode::kFull) return SQLITE_FULL;
  if (status.code() == StatusCode::kOutOfMemory) {
    const bool of_file = operation != FileOperation::kOpen && operation != FileOperation::kPragma;
    return of_file ? SQLITE_IOERR_NOMEM : SQLITE_NOMEM;
  }
  if (operation == FileOperation::kPrepare || operation == FileOperation::kPublish) {
    return IoErrorCode(operation);
  }
  // It was deleted under the connection that wants to write, as a file can be.
  if (operation == FileOperation::kLock && status.code() == StatusCode::kNotFound) {
    return SQLITE_READONLY_DBMOVED;
  }
  switch (status.code()) {
    case StatusCode::kBusy: return SQLITE_BUSY;
    case StatusCode::kReadOnly: return SQLITE_READONLY;
    // As a shim that checks page sums reports it; SQLite's own SQLITE_CORRUPT stays what SQLite
    // found in pages that are what was written.
    case StatusCode::kCorruption:
      return operation == FileOperation::kOpen ? SQLITE_CANTOPEN : SQLITE_IOERR_DATA;
    case StatusCode::kIoError:
    case StatusCode::kBroken: return IoErrorCode(operation);
    // A pragma has a message of its own; what is wrong with it is most often its value.
    default: return operation == FileOperation::kPragma ? SQLITE_ERROR : IoErrorCode(operation);
  }
}

Status StatusFromSqlite(sqlite3* connection) {
  if (connection == nullptr) return StatusFromSqlite(SQLITE_NOMEM);
  const int code = sqlite3_errcode(connection);
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return OkStatus();
  std::string message = sqlite3_errmsg(connection);
  if (const int offset = sqlite3_error_offset(connection); offset >= 0) {
    message += " at offset " + std::to_string(offset);
  }
  return Status(CodeFromSqlite(code), std::move(message));
}

Status StatusFromSqlite(int code) {
  if (PrimaryCode(code) == SQLITE_OK) return OkStatus();
  return Status(CodeFromSqlite(code), sqlite3_errstr(code));
}

Status LastError() { return last_error; }

void NoteError(const Status& status) noexcept { last_error = status; }

void LogError(int code, const Status& status) noexcept {
  // Without ToString(): it would ask for memory.
  const std::string_view name = StatusCodeName(status.code());
  sqlite3_log(code, "tidemark: %.*s: %s", static_cast<int>(name.size()), name.data(),
              status.message().c_str());
}

int ErrorRecord::Record(const Status& status, FileOperation operation, bool in_rollback) noexcept {
  const int code = SqliteCode(status, operation);
  if (in_rollback && code_ != SQLITE_OK) return code;
  return Record(status, code);
}

int ErrorRecord::Record(const Status& status, int code) noexcept {
  NoteError(status);
  status_ = status;
  code_ = code;
  return code;
}

void ErrorRecord::Clear() noexcept {
  status_ = OkStatus();
  code_ = SQLITE_OK;
}

Status ErrorRecord::For(int sqlite_code) const {
  return PrimaryCode(sqlite_code) == PrimaryCode(code_) ? status_ : OkStatus();
}

}  // namespace tidemark::internal
