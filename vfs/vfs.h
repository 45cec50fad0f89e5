// The SQLite VFS "tidemark": pages and locks of SQLite become engine snapshots and transactions.

#ifndef TIDEMARK_VFS_VFS_H_
#define TIDEMARK_VFS_VFS_H_

#include "engine/status.h"
#include "engine/store.h"

namespace tidemark {

inline constexpr char kVfsName[] = "tidemark";

// Registers the VFS with the SQLite this library is linked to (never as the default), and proves
// once, on a throw-away database, that this SQLite makes the calls that commits depend on.
// Idempotent; any thread. Errors: kInvalidArgument with what SQLite did not do.
Status RegisterVfs();

// Lets `file:NAMESPACE/NAME?vfs=tidemark&store=DIR` find an open store, DIR being the store's
// directory. The store must be detached before it is closed, and after its last connection closed.
// Errors: kExists if a store of that directory is attached.
Status AttachStore(Store* store);
void DetachStore(Store* store);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_VFS_H_
