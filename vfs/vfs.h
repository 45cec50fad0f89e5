// The SQLite VFS "tidemark": pages and locks of SQLite become engine snapshots and transactions.
//
//   file:NAMESPACE/NAME?vfs=tidemark&store=DIR             an object of the store in DIR
//   file:NAMESPACE/NAME?vfs=tidemark&store=DIR&at=POINT    its past, read-only
//
// The first '/' ends the namespace. POINT is a bookmark, a time or a label (ParsePoint in
// engine/bookmark.h); characters that mean something in a URI are percent-encoded. With the
// environment variable TIDEMARK_STORE=DIR, plain file names are objects of the namespace "files".
//
// A store that is not attached is opened with the first database that names it (and created, if
// that open may create), shared by all of this process, and closed with the last one. README.md has
// the pragmas, and what is different from a file.
//
// What a user of plain SQLite files will notice:
//   * journal_mode WAL and OFF are not set: the pragma answers with the mode in force, as SQLite
//     does for a mode that a file cannot have. The rollback journal is memory, whatever its mode.
//   * Readers never block the writer, nor it them. A transaction that has read, and then writes
//     after someone else's commit, gets SQLITE_BUSY_SNAPSHOT: roll back and retry.
//   * A connection that sets locking_mode=EXCLUSIVE by itself keeps the snapshot it first reads.
//   * A transaction over several attached objects of a store commits all of them or none. Not so
//     with a main database in memory or of another VFS, with synchronous=OFF or with
//     journal_mode=MEMORY: then, as in SQLite itself, each commits by itself. One that changes a
//     file of another VFS too is refused (SQLITE_PERM) unless that file is the main database.
//   * When memory runs out, a statement ends in SQLITE_NOMEM, as with a file, nothing is half done
//     and the connection is usable. One exception: of the pragmas tidemark_restore, tidemark_fork,
//     tidemark_label and tidemark_unlabel SQLite itself may say so when they have been done. PRAGMA
//     tidemark_restores then has the undo bookmark, in its first entry.
//   * A file named in ATTACH or VACUUM INTO is an object too; a plain file is file:PATH?vfs=unix.

#ifndef TIDEMARK_VFS_VFS_H_
#define TIDEMARK_VFS_VFS_H_

#include "engine/export.h"
#include "engine/status.h"
#include "engine/store.h"

namespace tidemark {

inline constexpr char kVfsName[] = "tidemark";

// Registers the VFS with the SQLite this library is linked to (never as the default), and proves
// once, on a throw-away database, that this SQLite makes the calls that commits depend on.
// Idempotent; any thread. Errors: kInvalidArgument with what SQLite did not do.
TIDEMARK_API Status RegisterVfs();

// Lets `file:NAMESPACE/NAME?vfs=tidemark&store=DIR` use a store that this program opened itself,
// DIR being the store's directory. The store must be detached before it is closed, and after its
// last connection closed. Errors: kExists if a store of that directory is attached.
TIDEMARK_API Status AttachStore(Store* store);
// Errors: kBusy while connections to it are open: the store stays attached, and must stay open.
TIDEMARK_API Status DetachStore(Store* store);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_VFS_H_
