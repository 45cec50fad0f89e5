// The pragmas that the VFS listens to: synchronous and journal_mode, read as SQLite reads them.
//
// SQLite shows every pragma to the file it concerns before it acts on it, and acts on these two
// while it compiles the statement.

#ifndef TIDEMARK_VFS_INTERNAL_PRAGMA_H_
#define TIDEMARK_VFS_INTERNAL_PRAGMA_H_

#include <string_view>

namespace tidemark::internal {

// True if `PRAGMA synchronous = value` makes commits wait until they are durable (FULL, EXTRA).
bool SynchronousWaits(const char* value);

// True if `PRAGMA journal_mode = value` asks for WAL or OFF, which objects do not have. SQLite
// accepts any beginning of a mode's name.
bool IsRefusedJournalMode(std::string_view value);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PRAGMA_H_
