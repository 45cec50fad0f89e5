// RowComparer: the rows of one table that differ between two snapshots. See vfs/row_diff.h.
//
//   which rows may differ?    cells of pages that were written (page_difference.h), or all
//   does it?                  SQLite reads it on both sides, by its key
//
// Used by one thread at a time.

#ifndef TIDEMARK_VFS_INTERNAL_ROW_COMPARER_H_
#define TIDEMARK_VFS_INTERNAL_ROW_COMPARER_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/result.h"
#include "vfs/internal/page_difference.h"
#include "vfs/internal/snapshot_connection.h"
#include "vfs/internal/stored_schema.h"
#include "vfs/row_diff.h"

namespace tidemark::internal {

class RowComparer {
 public:
  using Visit = std::function<bool(const RowChange&)>;

  // A side that does not have the table has no shape. All must outlive it.
  RowComparer(SnapshotConnection& before, SnapshotConnection& after,
              const StoredTable* before_shape, const StoredTable* after_shape,
              PageDifference& pages);

  Status Compare(const Visit& visit);
  Status VisitAllAfter(const Visit& visit);

 private:
  struct Row {
    std::optional<int64_t> rowid;
    std::vector<RowValue> values;
  };
  struct Side {
    SnapshotConnection* connection;
    const StoredTable* shape;
    Statement by_key;
  };
  // Puts a key into a statement's parameters.
  using BindKey = std::function<void(sqlite3_stmt*)>;

  Status CompareByPages();
  Status CompareByKeys();
  Status CompareUnnamed();
  Status VisitAll(Side& side, ChangeKind kind);
  // The row that is there on the earlier side, or else is new on the later one.
  Status CompareKey(const BindKey& bind);
  Status CompareNewKey(const BindKey& bind);
  Result<BindKey> KeyOf(PageDifference::Side side, const BtreeCell& cell);
  Result<std::optional<Row>> Find(Side& side, const BindKey& bind);
  static Row ReadRow(const StoredTable& shape, sqlite3_stmt* statement);
  bool Same(const Row& before, const Row& after) const;
  void Report(ChangeKind kind, Row* before, Row* after);

  Side before_;
  Side after_;
  PageDifference& pages_;
  std::vector<std::optional<size_t>> before_columns_;  // for each of `after` where `before` has it
  const Visit* visit_ = nullptr;
  bool ended_ = false;  // by `visit`
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_ROW_COMPARER_H_
