// What comes with a file name: the query parameters of its URI, and the environment.
//
// SQLite keeps a name's parameters in the memory behind the name, and can find them only for names
// that it made itself. A program that calls a VFS by hand passes plain text, so a name is looked at
// first: SQLite's own have four zero bytes before them.

#ifndef TIDEMARK_VFS_INTERNAL_URI_H_
#define TIDEMARK_VFS_INTERNAL_URI_H_

#include "engine/status.h"
#include "vfs/internal/database_name.h"

namespace tidemark::internal {

// For a name that xOpen or xFullPathname was given. The pointers live as long as the name, or until
// the environment changes.
DatabaseName::Context ContextOf(const char* name);

// For a name without parameters.
DatabaseName::Context PlainContext();

// Refuses parameters that contradict one another. `name` is what xOpen was given. Errors:
// kInvalidArgument, naming them.
Status CheckParameters(const char* name);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_URI_H_
