// Partial restore: some rows of some tables of the past, brought into the present.
//
//   RestoreRows(store, object, point, {.tables = {"orders"}, .where = "customer = 7"});
//
// It is a transaction like any other, and its commit an ordinary one: nothing else of the object
// changes, and the bookmark of before undoes it.

#ifndef TIDEMARK_VFS_PARTIAL_RESTORE_H_
#define TIDEMARK_VFS_PARTIAL_RESTORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

// Of a row that is there, and is not what it was.
enum class OnConflict {
  kReplace,  // it becomes what it was
  kKeep,     // it stays as it is
  kFail,     // kExists, and nothing is changed
};

struct PartialRestoreOptions {
  std::vector<std::string> tables{};  // at least one
  // Which rows: an expression of SQL over the columns of the table, as in WHERE; empty: all.
  // Subqueries see the past, too.
  std::string where{};
  OnConflict on_conflict = OnConflict::kReplace;
  // Rows of the present go that match `where` now and were not there at the point.
  bool delete_new = false;
  // Does all of it, and rolls it back.
  bool dry_run = false;
  size_t samples = 5;  // at most so many of each kind of change
};

enum class RowRestore {
  kInserted,
  kReplaced,
  kKept,     // by OnConflict::kKeep
  kDeleted,  // by delete_new
};
// "inserted", "replaced", "kept" or "deleted".
TIDEMARK_API std::string_view RowRestoreName(RowRestore change);

// A row that was changed. Values are as SQL writes them, long ones cut off.
struct RowSample {
  RowRestore change = RowRestore::kInserted;
  std::vector<std::string> columns{};  // those that the table has, and had, with "rowid" if it has
                                       // no primary key
  std::vector<std::string> then{};     // at the point; empty if it was not there
  std::vector<std::string> now{};      // before the restore; empty if it was not there
};

struct TableRestore {
  std::string table;
  bool created = false;  // it had been dropped, and is there again, with its indexes and triggers
  uint64_t inserted = 0;
  uint64_t replaced = 0;
  uint64_t kept = 0;
  uint64_t same = 0;
  uint64_t deleted = 0;
  std::vector<std::string> columns_gone{};   // since the point: their values were left out
  std::vector<std::string> columns_added{};  // since: as they are, or their default in new rows
  std::vector<RowSample> samples{};
};

struct TIDEMARK_API PartialRestoreInfo {
  CommitInfo from;    // what was current before
  CommitInfo to;      // where the rows came from
  CommitInfo result;  // kind kNone if nothing was changed, or only tried
  Bookmark undo;      // of `from`
  std::string label;  // the automatic label of `from`; empty if nothing was changed
  std::vector<TableRestore> tables;

  bool changes() const;
};

// Brings back the rows of the tables that match `where` as they were at `to`, in one transaction.
// Durable when it returns; blocks for that. Time: a look-up in the present for each of the rows;
// memory does not grow with them.
//
// Which row is which is said by the primary key, and by the rowid in a table without one, or of a
// row whose key has a NULL. (VACUUM may give rows of such a table other rowids.) Columns are
// matched by name. A table that was dropped since comes back as it was defined then.
//
// Triggers do not fire, and foreign keys take no action: nothing changes but these tables. A row
// that would have no parent, and had one before and then, is an error, whatever PRAGMA foreign_keys
// is elsewhere; so are values that a CHECK, NOT NULL or UNIQUE of today does not allow. By kKeep a
// row that a UNIQUE of another row's does not allow is left out as kept. AUTOINCREMENT goes on
// from where it is.
//
// Errors, with nothing changed: those of Object::Resolve; kNotFound (the object; a table that was
// not there at `to`, naming those that were); kInvalidArgument (no ordinary table; `where` does
// more than look at the database, or SQLite does not understand it; the key has changed since);
// kExists (OnConflict::kFail; another row has what is UNIQUE); kBusy if a transaction holds the
// object's write lock; those of SQLite and of a commit.
TIDEMARK_API Result<PartialRestoreInfo> RestoreRows(Store& store,
                                                    const std::shared_ptr<Object>& object,
                                                    const Point& to,
                                                    const PartialRestoreOptions& options);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_PARTIAL_RESTORE_H_
