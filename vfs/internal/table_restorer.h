// TableRestorer: brings the rows of one table back, within a transaction of somebody else's.
//
//   rows of the present that were not there          deleted, if that is asked for
//   each row of the past, by its key in the present  not there: inserted; another: updated
//   what a UNIQUE of another row kept out            staged, and taken out of the table
//   the staged rows                                  inserted
//
// Two rows may have exchanged what is UNIQUE of them, so no order of updates is right for all. What
// cannot be done at once waits until the rows in its way are what they are to be, or are staged,
// too. What is in the way then is a row that stays.
//
// Every statement says OR ABORT, so that a conflict clause of the table replaces no other rows.

#ifndef TIDEMARK_VFS_INTERNAL_TABLE_RESTORER_H_
#define TIDEMARK_VFS_INTERNAL_TABLE_RESTORER_H_

#include <optional>
#include <string>
#include <vector>

#include "engine/result.h"
#include "vfs/database.h"
#include "vfs/internal/expression.h"
#include "vfs/internal/prepared.h"
#include "vfs/internal/table_shape.h"
#include "vfs/partial_restore.h"

namespace tidemark::internal {

class TableRestorer {
 public:
  // The connection that writes has no triggers, and is in the transaction; the other two only read,
  // and `reads_past`, `reads_present` see to it. `present` is null if nothing is to be deleted.
  struct Connections {
    const Database& live;
    const Database& past;
    OnlyReads& reads_past;
    const Database* present = nullptr;
    OnlyReads* reads_present = nullptr;
  };

  // Errors: kInvalidArgument if the rows of then and now cannot be told apart by the same key.
  static Result<TableRestorer> Make(const Connections& connections, const TableShape& then,
                                    const TableShape& now, const PartialRestoreOptions& options);

  Status Run(TableRestore* report);

 private:
  // Inserts the first `count` columns of a row, with a rowid or without.
  struct Inserter {
    std::optional<Prepared> with_rowid;
    std::optional<Prepared> without;
    int count = 0;
  };
  // A statement that finds a row by its key, and one by its rowid; either may be of no use.
  struct Finder {
    std::optional<Prepared> by_key;
    std::optional<Prepared> by_rowid;
  };

  TableRestorer(const Connections& connections, const TableShape& then, const TableShape& now,
                const PartialRestoreOptions& options)
      : connections_(connections), then_(then), now_(now), options_(options) {}

  Status MatchColumns();
  Status PrepareWrites();
  Result<Finder> PrepareFinder(const Database& database, const TableShape& shape) const;
  Result<Prepared> PrepareScan(OnlyReads& reads, const TableShape& shape) const;
  std::string SelectList(const TableShape& shape) const;
  std::string KeyMatches(size_t first_parameter) const;

  Status DeleteNew();
  Status RestoreRow(Prepared& row);
  Status Replace(Prepared& row, Prepared& found);
  Status Stage(Prepared& row, Prepared* found);
  Status InsertStaged();
  Result<Inserter> PrepareInserter(const std::vector<std::string>& columns) const;
  // SQLITE_DONE, or what stood in the way.
  Result<int> Insert(Inserter& inserter, Prepared& row, int rowid_column);
  // The row of `finder`'s connection that is the same one; null if it is not there.
  Result<Prepared*> Find(Finder& finder, Prepared& row);
  Status BindAddress(Prepared& write, int first_parameter, Prepared& row);
  bool KeyHasNull(Prepared& row);
  void AddSample(RowRestore change, Prepared* then, Prepared* now);
  std::string Describe(Prepared& row) { return Describe(row, rowid_column()); }
  std::string Describe(Prepared& row, int rowid_column);
  Status Failed(const std::string& what);

  int rowid_column() const { return static_cast<int>(common_.size()); }

  const Connections connections_;
  const TableShape& then_;
  const TableShape& now_;
  const PartialRestoreOptions& options_;
  TableRestore* report_ = nullptr;

  std::vector<std::string> common_;  // columns that are read and written
  std::vector<size_t> key_;          // of them those of the key
  std::vector<std::string> added_;   // columns of now only
  bool by_rowid_ = false;            // the table has no key of its own
  bool rowid_is_written_ = false;    // it is no column, and both have it
  Finder in_live_;
  std::optional<Prepared> update_;
  std::optional<Prepared> erase_;
  Inserter insert_;
  std::optional<Prepared> stage_;
  uint64_t staged_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_TABLE_RESTORER_H_
