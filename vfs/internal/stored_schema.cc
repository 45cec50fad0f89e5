#include "vfs/internal/stored_schema.h"
#include "vfs/internal/sql_name.h"

#include <algorithm>

namespace tidemark::internal {
namespace {

std::string Text(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return text == nullptr ? std::string() : std::string(text, size);
}

Result<int64_t> ReadNumber(SnapshotConnection& connection, const char* sql) {
  TIDEMARK_ASSIGN_OR_RETURN(const Statement statement, connection.Prepare(sql));
  TIDEMARK_ASSIGN_OR_RETURN(const bool row, connection.Step(statement.get()));
  return row ? sqlite3_column_int64(statement.get(), 0) : 0;
}

// The name is bound: it may be any text.
Result<Statement> PrepareAbout(SnapshotConnection& connection, const char* sql,
                               const std::string& name) {
  TIDEMARK_ASSIGN_OR_RETURN(Statement statement, connection.Prepare(sql));
  sqlite3_bind_text64(statement.get(), 1, name.data(), name.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return statement;
}

}  // namespace

std::vector<PageNo> DatabaseSchema::Roots() const {
  std::vector<PageNo> roots;
  if (!objects.empty()) roots.push_back(PageNo(1));
  for (const SchemaObject& object : objects) {
    if (object.root.valid()) roots.push_back(object.root);
  }
  return roots;
}

const SchemaObject* DatabaseSchema::Find(const std::string& type, const std::string& name) const {
  const auto found = std::find_if(objects.begin(), objects.end(), [&](const SchemaObject& object) {
    return object.type == type && object.name == name;
  });
  return found == objects.end() ? nullptr : &*found;
}

Result<DatabaseSchema> ReadSchema(SnapshotConnection& connection) {
  DatabaseSchema schema;
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement rows,
      connection.Prepare(
          "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid"));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, connection.Step(rows.get()));
    if (!row) break;
    const int64_t root = sqlite3_column_int64(rows.get(), 3);
    schema.objects.push_back({.type = Text(rows.get(), 0),
                              .name = Text(rows.get(), 1),
                              .table = Text(rows.get(), 2),
                              .root = PageNo(static_cast<uint32_t>(std::max<int64_t>(root, 0))),
                              .sql = Text(rows.get(), 4)});
  }
  TIDEMARK_ASSIGN_OR_RETURN(schema.user_version, ReadNumber(connection, "PRAGMA user_version"));
  TIDEMARK_ASSIGN_OR_RETURN(schema.application_id, ReadNumber(connection, "PRAGMA application_id"));
  return schema;
}

Result<StoredTable> ReadStoredTable(SnapshotConnection& connection, const SchemaObject& table) {
  StoredTable shape;
  shape.name = table.name;
  shape.root = table.root;
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement columns,
      PrepareAbout(connection,
                   "SELECT name, type, dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')",
                   table.name));
  std::vector<std::string> names;
  int key_columns = 0;
  std::string key_name;
  bool key_is_integer = false;
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, connection.Step(columns.get()));
    if (!row) break;
    const int hidden = sqlite3_column_int(columns.get(), 4);
    StoredTable::Column column{.name = Text(columns.get(), 0),
                               .type = Text(columns.get(), 1),
                               .default_value = Text(columns.get(), 2),
                               .generated = hidden >= 2};
    names.push_back(column.name);
    if (sqlite3_column_int(columns.get(), 3) > 0) {
      ++key_columns;
      key_name = column.name;
      key_is_integer = SameName(column.type, "INTEGER");
    }
    if (hidden == 2) continue;  // virtual: it stands nowhere
    if (!column.generated) shape.values.push_back(column.name);
    shape.stored.push_back(std::move(column));
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement without,
      PrepareAbout(connection,
                   "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
                   table.name));
  TIDEMARK_ASSIGN_OR_RETURN(const bool listed, connection.Step(without.get()));
  shape.has_rowid = !listed || sqlite3_column_int(without.get(), 0) == 0;

  // A primary key that is the rowid has no index.
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement indexes,
      PrepareAbout(connection, "SELECT name, \"unique\", origin FROM pragma_index_list(?1, 'main')",
                   table.name));
  std::string key_index;
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, connection.Step(indexes.get()));
    if (!row) break;
    const bool of_key = Text(indexes.get(), 2) == "pk";
    if (of_key) key_index = Text(indexes.get(), 0);
    if (sqlite3_column_int(indexes.get(), 1) != 0 && (shape.has_rowid || !of_key)) {
      shape.has_unique = true;
    }
  }
  if (shape.has_rowid) {
    if (key_columns == 1 && key_is_integer && key_index.empty()) shape.integer_key = key_name;
    for (const char* name : {"rowid", "_rowid_", "oid"}) {
      const bool taken = std::any_of(names.begin(), names.end(), [&](const std::string& column) {
        return SameName(column, name);
      });
      if (shape.rowid_name.empty() && !taken) shape.rowid_name = name;
    }
    if (!shape.integer_key.empty()) shape.rowid_name = shape.integer_key;
    return shape;
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement key,
      PrepareAbout(connection,
                   "SELECT name, coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno",
                   key_index));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, connection.Step(key.get()));
    if (!row) break;
    shape.key.push_back({.name = Text(key.get(), 0), .collation = Text(key.get(), 1)});
  }
  return shape;
}

bool StoredTable::SharesKey(const StoredTable& other) const {
  return has_rowid == other.has_rowid && key == other.key &&
         rowid_name.empty() == other.rowid_name.empty();
}

bool StoredTable::ReadsAs(const StoredTable& later) const {
  if (integer_key != later.integer_key || !SharesKey(later)) return false;
  const size_t both = std::min(stored.size(), later.stored.size());
  return std::equal(stored.begin(), stored.begin() + static_cast<ptrdiff_t>(both),
                    later.stored.begin()) &&
         std::all_of(later.stored.begin() + static_cast<ptrdiff_t>(both), later.stored.end(),
                     [](const Column& column) {
                       return column.default_value.empty() && !column.generated;
                     });
}

std::string StoredTable::SelectList() const {
  std::string list;
  if (!rowid_name.empty()) list = integer_key.empty() ? rowid_name : QuoteName(integer_key);
  for (const std::string& column : values) {
    if (!list.empty()) list += ", ";
    list += QuoteName(column);
  }
  return list;
}

std::string StoredTable::WhereKey() const {
  if (has_rowid) {
    return " WHERE " + (integer_key.empty() ? rowid_name : QuoteName(integer_key)) + " = ?1";
  }
  std::string where;
  for (size_t i = 0; i < key.size(); ++i) {
    // The key's collation, by which rows are told apart, need not be the column's.
    where += (i == 0 ? " WHERE " : " AND ") + QuoteName(key[i].name) + " = ?" +
             std::to_string(i + 1) + " COLLATE " + QuoteName(key[i].collation);
  }
  return where;
}

}  // namespace tidemark::internal
