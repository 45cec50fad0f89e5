// TableShape: what a table is made of, as far as its rows can be told apart, read and written.

#ifndef TIDEMARK_VFS_INTERNAL_TABLE_SHAPE_H_
#define TIDEMARK_VFS_INTERNAL_TABLE_SHAPE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/result.h"
#include "vfs/database.h"

namespace tidemark::internal {

struct ColumnShape {
  std::string name;
  std::string type;         // as declared; may be empty
  bool generated = false;   // computed: it cannot be written
  std::string collation{};  // of a column of the key, in the index of the key
};

struct TableShape {
  std::string name;  // as the schema writes it
  std::vector<ColumnShape> columns;
  // Places in `columns`, in the order of the primary key; empty if none is declared.
  std::vector<size_t> key;
  // The key is one INTEGER PRIMARY KEY: another name of the rowid.
  bool key_is_rowid = false;
  // By what name the rowid is reached; none: the table has no rowid, or columns with all its names.
  std::optional<std::string> rowid;

  // SQLite tells names apart without regard to case. Null if there is none.
  const ColumnShape* Find(std::string_view column) const;
};

// The ordinary table `name`. Errors: kNotFound, if there is none, naming those that there are;
// kInvalidArgument for views, virtual tables and what belongs to them, and SQLite's own tables.
Result<TableShape> ReadTableShape(const Database& database, std::string_view name);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_TABLE_SHAPE_H_
