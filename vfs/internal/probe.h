// The probe: proof that the SQLite this library is linked to makes the calls that commits depend
// on.

#ifndef TIDEMARK_VFS_INTERNAL_PROBE_H_
#define TIDEMARK_VFS_INTERNAL_PROBE_H_

#include "engine/status.h"

namespace tidemark::internal {

// Runs commits and a rollback on a throw-away database behind a tiny VFS of its own, and checks
// that page writes come before SQLITE_FCNTL_SYNC and that before SQLITE_FCNTL_COMMIT_PHASETWO, and
// that a rollback brings no COMMIT_PHASETWO. Touches no disk; takes well under a millisecond.
// Errors: kInvalidArgument with what SQLite did not do.
Status ProbeSqlite();

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PROBE_H_
