// The one place where a Status becomes SQLite's result code, and the other way round.
//
// SQLite's codes are coarse ("disk I/O error"), so a connection also keeps the Status itself: a
// caller of Database::ErrorStatus gets object, LSN, segment and offset back.

#ifndef TIDEMARK_VFS_INTERNAL_SQLITE_RESULT_H_
#define TIDEMARK_VFS_INTERNAL_SQLITE_RESULT_H_

#include "engine/status.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

// What SQLite asked for; chooses among its I/O error codes.
enum class FileOperation { kOpen, kRead, kWrite, kTruncate, kPrepare, kPublish, kLock, kPragma };

// The code that a callback returns for `status`. For kPublish only SQLITE_FULL and I/O errors: at
// that point the journal is gone, and any other code would leave uncommitted pages in SQLite's
// cache as if they were clean. For kPrepare too: after those SQLite rolls back, and does not retry.
int SqliteCode(const Status& status, FileOperation operation) noexcept;

// SQLite's own error as a Status: its code, and its message with the offset in the SQL, if known.
Status StatusFromSqlite(sqlite3* connection);
// Likewise for a call that left no message behind.
Status StatusFromSqlite(int code);

// The latest Status that this layer turned into an error of SQLite's on the calling thread, on
// whatever connection: for hosts that have nothing but SQLite's own messages. OK if there was none.
Status LastError();
void NoteError(const Status& status) noexcept;

// Into SQLite's error log.
void LogError(int code, const Status& status) noexcept;

// The Status behind the latest failure of a connection.
class ErrorRecord {
 public:
  // Keeps `status` and returns the code to hand to SQLite. While a rollback runs the first one
  // stays: what fails after it is a consequence.
  int Record(const Status& status, FileOperation operation, bool in_rollback) noexcept;
  // As above for a code that SqliteCode does not give.
  int Record(const Status& status, int code) noexcept;

  void Clear() noexcept;

  // The Status that made SQLite report `sqlite_code`, or OK if that was not ours.
  Status For(int sqlite_code) const;

 private:
  Status status_;
  int code_ = SQLITE_OK;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SQLITE_RESULT_H_
