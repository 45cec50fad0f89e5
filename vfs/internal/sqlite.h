// SQLite's C interface, for every file of this layer but its public headers.
//
// The same sources are built twice. In the library they call the libsqlite3 that it is linked to.
// In the loadable extension (TIDEMARK_SQLITE_EXTENSION) they call whatever SQLite the host carries:
// each call goes through a table that the host hands to the entry point (extension.cc), so the
// extension needs no SQLite of its own. Only functions that this table has may be called here, and
// of those only what kMinSqliteVersion has: sqlite3_initialize(), for one, is not among them.

#ifndef TIDEMARK_VFS_INTERNAL_SQLITE_H_
#define TIDEMARK_VFS_INTERNAL_SQLITE_H_

#ifdef TIDEMARK_SQLITE_EXTENSION
#include <sqlite3ext.h>
extern const sqlite3_api_routines* sqlite3_api;  // as SQLITE_EXTENSION_INIT3; see extension.cc
#else
#include <sqlite3.h>
#endif

namespace tidemark::internal {

// The oldest SQLite that this layer is tested with. A later function needs a look at
// sqlite3_libversion_number() first.
inline constexpr int kMinSqliteVersion = 3040000;
inline constexpr char kMinSqliteVersionText[] = "3.40.0";

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SQLITE_H_
