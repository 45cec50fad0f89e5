// RowDiff: which rows two snapshots of databases differ in, and how their schemas do.
//
//   auto diff = RowDiff::Open(*object->OpenSnapshot(before), *object->OpenSnapshot(after));
//   for (const DiffTable& table : diff->tables()) {
//     diff->VisitRows(table, [](const RowChange& row) { ...; return true; });
//   }
//
// The snapshots may be of any two objects of one store: of one object's past and present, of a fork
// and its parent. Where they share history only pages are read that were written since, with the
// interior pages of the b-trees that lead to them; where not, all rows are.
//
// When is it the same row? Where a table has rowids, by the rowid (which is the INTEGER PRIMARY
// KEY, if there is one): a row that was replaced by another with the same other key (INSERT OR
// REPLACE) is a deletion and an insertion. WITHOUT ROWID by its primary key. A table of which the
// two sides have different keys is deleted and inserted row by row. So is each row that changed of
// a table whose rowids cannot be said, because columns have all three of their names.
//
// Values are compared exactly, with their types: 1 and 1.0 differ. Generated columns are not
// compared: they follow from the others. If the columns differ, those of the later side count, by
// their names; one that the earlier side lacks was NULL there.
//
// Hidden tables (`_cf_...`, of the api) and virtual tables' own are tables like others; those that
// ANALYZE makes (sqlite_stat1 and so on) are left out. What a virtual table shows has no rows here.

#ifndef TIDEMARK_VFS_ROW_DIFF_H_
#define TIDEMARK_VFS_ROW_DIFF_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/export.h"
#include "engine/result.h"
#include "engine/snapshot.h"

namespace tidemark {

// A BLOB's bytes.
struct BlobValue {
  std::string bytes;
  auto operator<=>(const BlobValue&) const = default;
};

// NULL, INTEGER, REAL, TEXT (in UTF-8, as far as it is text) or BLOB.
using RowValue = std::variant<std::monostate, int64_t, double, std::string, BlobValue>;

enum class ChangeKind { kInserted, kDeleted, kChanged };

// "inserted", "deleted" or "changed": as listings and JSON have it.
TIDEMARK_API std::string_view ChangeKindName(ChangeKind kind);

struct RowChange {
  ChangeKind kind = ChangeKind::kChanged;
  std::optional<int64_t> rowid;  // none WITHOUT ROWID, or if it cannot be said
  std::vector<RowValue> before;  // by DiffTable::columns_before; empty if inserted
  std::vector<RowValue> after;   // by DiffTable::columns_after; empty if deleted
};

// A table, index, view or trigger, or a number of the database's header.
struct SchemaChange {
  ChangeKind kind = ChangeKind::kChanged;
  std::string type;    // "table", "index", "view", "trigger"; "pragma" for such a number
  std::string name;    // of a number "user_version" or "application_id"
  std::string table;   // that it belongs to; its own name otherwise
  std::string before;  // the SQL that made it, or the number; empty if inserted
  std::string after;   // empty if deleted
};

// One of a database's tables, indexes, views and triggers, but for those that SQLite makes itself.
struct SchemaEntry {
  std::string type;
  std::string name;
  std::string table;
  std::string sql;
};

struct DiffTable {
  std::string name;
  bool in_before = false;
  bool in_after = false;
  // False: both have it, and the same rows. What follows is not known then.
  bool may_differ = true;
  std::vector<std::string> columns_before;  // that are not generated
  std::vector<std::string> columns_after;
  // That tell its rows, as the side has it that has the table (the later one, if both): the primary
  // key WITHOUT ROWID, the INTEGER PRIMARY KEY; empty for a rowid that is no column.
  std::vector<std::string> key;
  std::vector<std::string> key_collations;  // likewise; empty for a key that is the rowid
  std::string rowid_name;  // by which SQL says the rowid; empty: it cannot
  bool has_rowid = true;
  bool has_unique = false;  // on the later side: rows may not share something beside the key
};

// Errors of all methods: those of Snapshot::ReadPage; kCorruption for a database that SQLite finds
// damaged; kInvalidArgument from SQLite: of a table whose key sorts by a collation that SQLite
// does not have, or of what is no database; kOutOfMemory.
//
// Owns its snapshots. Used by one thread at a time. Memory: some bits a page of both sides, one row
// of each, and the caches of two SQLite connections.
class TIDEMARK_API RowDiff {
 public:
  // The default Snapshot() is an empty database. Errors: kInvalidArgument if they are of two
  // stores.
  static Result<RowDiff> Open(Snapshot before, Snapshot after);
  RowDiff(RowDiff&&) noexcept;
  RowDiff& operator=(RowDiff&&) noexcept;
  ~RowDiff();

  // Those that differ: numbers, tables, indexes, views, triggers.
  const std::vector<SchemaChange>& schema_changes() const;
  // All of one side, in the order in which they were made.
  const std::vector<SchemaEntry>& schema_before() const;
  const std::vector<SchemaEntry>& schema_after() const;
  // All that either side has, whether they differ or not, in order of their names.
  const std::vector<DiffTable>& tables() const;
  // The table of this name, as SQLite compares names; null if neither side has it.
  const DiffTable* FindTable(const std::string& name) const;

  // Calls `visit` for each row of the table that differs, until it returns false: first those that
  // were deleted or changed, then those that were inserted, both in an order that depends on
  // nothing but the two databases: that of rowids, where there are any. `table` is of tables().
  Status VisitRows(const DiffTable& table, const std::function<bool(const RowChange&)>& visit);

  // All rows of the later side, as if the earlier one did not have the table.
  Status VisitAllAfter(const DiffTable& table, const std::function<bool(const RowChange&)>& visit);

 private:
  class Impl;
  explicit RowDiff(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark

#endif  // TIDEMARK_VFS_ROW_DIFF_H_
