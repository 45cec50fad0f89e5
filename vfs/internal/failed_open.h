// Why a database could not be opened, brought to sqlite3_errmsg.
//
// A VFS that refuses to open a file can hand SQLite a number only, and the caller of sqlite3_open
// reads "unable to open database file". So a database that cannot be opened gets a file that fails
// at every call, and a function that SQLite runs at the end of each sqlite3_open (an automatic
// extension) finds that file and fails the open with the reason as its message.
//
// ATTACH runs no such function, and has words of its own for every number. There is one text in its
// messages that comes from the file: the name of what makes no sense in its schema. So the file
// shows a schema with such a name, and the message is "malformed database schema (tidemark: object
// rooms/none does not exist)". The code is the right one all the same (SQLITE_CANTOPEN). What that
// cannot do:
//   * The words in front are SQLite's, and its error log has a line about corruption more.
//   * With SQLITE_FULL and I/O errors, or with PRAGMA writable_schema=ON, the message is SQLite's.
//   * Where the main database has UTF-16 texts, the text in parentheses cannot be read.
// The reason is always in SQLite's log, and what LastError() (sqlite_result.h) gives.
//
// Any thread may call.

#ifndef TIDEMARK_VFS_INTERNAL_FAILED_OPEN_H_
#define TIDEMARK_VFS_INTERNAL_FAILED_OPEN_H_

#include "engine/status.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

// Makes sqlite3_open report what FailOpen was told. Errors: what SQLite says.
Status RegisterOpenReport();

// What xOpen returns for a main database that cannot be opened: SQLITE_OK if the reason can be
// reported later, with a file behind `handle` that only fails; else its code.
int FailOpen(const Status& reason, sqlite3_file* handle) noexcept;

// Bytes that FailOpen needs at `handle`.
int FailedHandleSize() noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_FAILED_OPEN_H_
