// The pragmas of Tidemark's own, for the library and the loadable extension alike:
//
//   PRAGMA tidemark_bookmark          the bookmark of the commit that this connection sees
//   PRAGMA tidemark_durable           waits until that commit is durable, and gives its bookmark
//   PRAGMA tidemark_restore='POINT'   restores the object, and gives the bookmark that undoes it
//   PRAGMA tidemark_stat              sizes of the object and its store, as JSON
//
// Each gives one row of one column. With a schema (`PRAGMA past.tidemark_bookmark`) it is about
// that attached database. SQLite acts on a pragma while it compiles the statement: preparing one is
// enough, and stepping it only shows the row.

#ifndef TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_
#define TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_

#include <string>

#include "engine/result.h"
#include "vfs/internal/main_file.h"

namespace tidemark::internal {

bool IsTidemarkPragma(const char* name);

// What a pragma gives. `value` is null if there is none; `in_transaction` is true between BEGIN and
// COMMIT. Errors: kInvalidArgument for unknown pragmas and wrong values; as
// Object::CurrentBookmark, Store::WaitDurable and Object::Restore.
Result<std::string> RunTidemarkPragma(MainFile& file, const char* name, const char* value,
                                      bool in_transaction);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_
