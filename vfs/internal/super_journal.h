// The super-journal of a transaction over several databases whose main one is an object.
//
// SQLite writes into it the journals' names of all databases that the transaction changes, and
// deletes it to commit (commit_set.h). Nobody here reads it: an object needs no journal after a
// crash. A plain file does: the journal it leaves names the super-journal, and where that is gone
// SQLite takes the transaction for finished, and lets a half-written file stand. So a transaction
// that also changes a file of another VFS is refused. (With that file as the main database the
// super-journal is a file beside it, and all is well.)

#ifndef TIDEMARK_VFS_INTERNAL_SUPER_JOURNAL_H_
#define TIDEMARK_VFS_INTERNAL_SUPER_JOURNAL_H_

#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

// Puts a super-journal behind a handle of SuperJournalHandleSize() bytes.
void OpenSuperJournalHandle(sqlite3_file* handle) noexcept;
int SuperJournalHandleSize() noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SUPER_JOURNAL_H_
