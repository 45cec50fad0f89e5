// The pragmas of Tidemark's own, for the library and the loadable extension alike:
//
//   PRAGMA tidemark_bookmark          the bookmark of the commit that this connection sees
//   PRAGMA tidemark_durable           waits until that commit is durable, and gives its bookmark
//   PRAGMA tidemark_restore='POINT'   restores the object, and gives the bookmark that undoes it
//   PRAGMA tidemark_restores          the restore journal as JSON, newest first
//   PRAGMA tidemark_label='NAME'      names the commit that this connection sees; its bookmark
//   PRAGMA tidemark_unlabel='NAME'    removes a label; gives its name
//   PRAGMA tidemark_labels            the labels as JSON
//   PRAGMA tidemark_fork='NS/NAME'    forks that commit into a new object; the fork's bookmark
//   PRAGMA tidemark_stat              sizes of the object and its store, as JSON
//
// Each gives one row of one column. With a schema (`PRAGMA past.tidemark_bookmark`) it is about
// that attached database. SQLite acts on a pragma while it compiles the statement: preparing one is
// enough, and stepping it only shows the row.
//
// Memory: what an answer needs is got before anything is done, so SQLITE_NOMEM means that nothing
// was, as far as it is up to this layer. SQLite itself makes the statement's row afterwards, and
// may say SQLITE_NOMEM about something that was done. Nothing is lost by that: the undo bookmark of
// a restore is durable in the restore journal before the restore takes effect, and
// tidemark_restores has it as `from` of its first entry. Who asked for tidemark_bookmark before
// compares the two.

#ifndef TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_
#define TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_

#include <memory>

#include "engine/result.h"
#include "vfs/internal/main_file.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

struct SqliteFree {
  void operator()(char* text) const { sqlite3_free(text); }
};
// A text in SQLite's memory.
using SqliteText = std::unique_ptr<char, SqliteFree>;

bool IsTidemarkPragma(const char* name);

// What a pragma gives. `value` is null if there is none; `in_transaction` is true between BEGIN and
// COMMIT. Errors: kInvalidArgument for unknown pragmas and wrong values; kReadOnly, kBusy where the
// connection may not do it, or not now; as the calls of Object and Store that it stands for.
Result<SqliteText> RunTidemarkPragma(MainFile& file, const char* name, const char* value,
                                     bool in_transaction);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_TIDEMARK_PRAGMA_H_
