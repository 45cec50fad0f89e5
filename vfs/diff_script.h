// DiffScript: SQL that turns the earlier database of a RowDiff into the later one.
//
// The script is one transaction, with foreign keys off. What stands in the way of the rows goes
// first and is made again behind them: triggers of the tables that change, indexes and views that
// differ. A table that was made otherwise on the two sides is made anew, with all its rows. Rows go
// before others come, so that no UNIQUE constraint sees both.
//
// It runs in SQLite's own shell. A database with virtual tables that were made or changed in
// between needs writable_schema for it, as `.dump` does. What SQL cannot change stays: page size,
// encoding, auto_vacuum, and what ANALYZE found.

#ifndef TIDEMARK_VFS_DIFF_SCRIPT_H_
#define TIDEMARK_VFS_DIFF_SCRIPT_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/export.h"
#include "engine/status.h"
#include "vfs/row_diff.h"

namespace tidemark {

// Calls `write` with the script, piece by piece; with `tables` only what belongs to those (as
// SQLite compares names), which may leave references between tables broken. Nothing is written if
// nothing differs. Goes through the rows that differ three times. Errors: as RowDiff::VisitRows.
TIDEMARK_API Status WriteDiffScript(RowDiff& diff, const std::vector<std::string>& tables,
                                    const std::function<void(std::string_view)>& write);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_DIFF_SCRIPT_H_
