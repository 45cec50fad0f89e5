// Reasons of failed opens, see failed_open.h.

#include "vfs/internal/failed_open.h"

#include <atomic>
#include <cstring>
#include <new>

#include "vfs/internal/plain_methods.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

std::atomic<bool> reports{false};

struct FailedHandle : sqlite3_file {
  Status* reason;
  int code;
};

FailedHandle* Handle(sqlite3_file* file) { return static_cast<FailedHandle*>(file); }

int Close(sqlite3_file* file) noexcept {
  delete Handle(file)->reason;
  Handle(file)->reason = nullptr;
  return SQLITE_OK;
}

// While it opens a database SQLite reads the header, and takes an empty file for a new database.
int Read(sqlite3_file*, void* out, int amount, sqlite3_int64) noexcept {
  std::memset(out, 0, static_cast<size_t>(amount));
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void*, int, sqlite3_int64) noexcept {
  return Handle(file)->code;
}

int Truncate(sqlite3_file* file, sqlite3_int64) noexcept { return Handle(file)->code; }

int Sync(sqlite3_file* file, int) noexcept { return Handle(file)->code; }

int FileSize(sqlite3_file*, sqlite3_int64* size) noexcept {
  *size = 0;
  return SQLITE_OK;
}

// The first thing that SQLite does for a statement.
int Lock(sqlite3_file* file, int) noexcept { return Handle(file)->code; }

const sqlite3_io_methods kFailedMethods = [] {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xSync = Sync;
  methods.xFileSize = FileSize;
  methods.xLock = Lock;
  return methods;
}();

// An automatic extension: SQLite runs it for every connection that is opened, by any VFS.
int ReportFailedOpen(sqlite3* connection, char** message, const void*) noexcept {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (file == nullptr || file->pMethods != &kFailedMethods) return SQLITE_OK;
  *message = sqlite3_mprintf("tidemark: %s", Handle(file)->reason->message().c_str());
  return Handle(file)->code;
}

}  // namespace

Status RegisterOpenReport() {
  const int code = sqlite3_auto_extension(reinterpret_cast<void (*)()>(ReportFailedOpen));
  if (code != SQLITE_OK) return StatusFromSqlite(code).WithContext("sqlite3_auto_extension");
  reports.store(true, std::memory_order_relaxed);
  return OkStatus();
}

int FailOpen(const Status& reason, sqlite3_file* handle) noexcept {
  const int code = SqliteCode(reason, FileOperation::kOpen);
  NoteError(reason);
  LogError(code, reason);
  handle->pMethods = nullptr;
  if (code == SQLITE_NOMEM) return code;  // which says it all, and SQLite would keep no message
  if (!reports.load(std::memory_order_relaxed)) return code;
  Handle(handle)->reason = new (std::nothrow) Status(reason);
  if (Handle(handle)->reason == nullptr) return SQLITE_NOMEM;
  Handle(handle)->code = code;
  handle->pMethods = &kFailedMethods;
  return SQLITE_OK;
}

int FailedHandleSize() noexcept { return static_cast<int>(sizeof(FailedHandle)); }

}  // namespace tidemark::internal
