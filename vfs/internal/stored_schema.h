// What a database's schema says of itself and of one table, as far as comparing rows needs it.

#ifndef TIDEMARK_VFS_INTERNAL_STORED_SCHEMA_H_
#define TIDEMARK_VFS_INTERNAL_STORED_SCHEMA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/lsn.h"
#include "engine/result.h"
#include "vfs/internal/snapshot_connection.h"

namespace tidemark::internal {

// A row of sqlite_schema.
struct SchemaObject {
  std::string type;  // "table", "index", "view", "trigger"
  std::string name;
  std::string table;
  PageNo root;      // not valid: it has no pages
  std::string sql;  // empty: an index that a constraint made
};

struct DatabaseSchema {
  std::vector<SchemaObject> objects;  // in the order in which they were made
  int64_t user_version = 0;
  int64_t application_id = 0;

  std::vector<PageNo> Roots() const;  // of all trees, that of sqlite_schema included
  const SchemaObject* Find(const std::string& type, const std::string& name) const;
};

// Errors: those of SQLite and of reading pages.
Result<DatabaseSchema> ReadSchema(SnapshotConnection& connection);

struct StoredTable {
  struct Column {
    std::string name;
    std::string type;
    std::string default_value;  // as SQL; empty: none
    bool generated = false;
    bool operator==(const Column&) const = default;
  };
  struct KeyColumn {
    std::string name;
    std::string collation;
    bool operator==(const KeyColumn&) const = default;
  };

  std::string name;
  PageNo root;
  std::vector<Column> stored;  // all columns that a row has on disk
  std::vector<std::string>
      values;  // of them those that are not generated: what rows are compared by
  bool has_rowid = true;
  std::string rowid_name;      // by which SQL says it; empty: it cannot
  std::string integer_key;     // the column that is the rowid, if one is
  std::vector<KeyColumn> key;  // of a table without rowid
  bool has_unique = false;     // there is something that two rows may not share, beside the key

  // Rows of both can be told by the same keys.
  bool SharesKey(const StoredTable& other) const;
  // A row of this one that nobody has written since reads the same by `later`.
  bool ReadsAs(const StoredTable& later) const;
  // What to SELECT of a row: the rowid, if there is one that can be said, and the columns.
  std::string SelectList() const;
  // "WHERE rowid=?1", or by the key's columns.
  std::string WhereKey() const;
};

Result<StoredTable> ReadStoredTable(SnapshotConnection& connection, const SchemaObject& table);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_STORED_SCHEMA_H_
