#include "vfs/internal/table_shape.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "vfs/internal/prepared.h"
#include "vfs/internal/sql_name.h"

namespace tidemark::internal {
namespace {

constexpr int kMostNamed = 20;

Result<std::string> TablesOf(const Database& database) {
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared list, Prepared::Make(database,
                                    "SELECT name, count(*) OVER () FROM pragma_table_list WHERE "
                                    "schema = 'main' AND type = 'table' AND name NOT LIKE "
                                    "'sqlite\\_%' ESCAPE '\\' ORDER BY name"));
  std::string names;
  for (int i = 0; i < kMostNamed; ++i) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) break;
    names += (i == 0 ? "" : ", ") + list.Text(0);
    if (i + 1 == kMostNamed && list.Int(1) > kMostNamed) {
      names += " and " + std::to_string(list.Int(1) - kMostNamed) + " more";
    }
  }
  return names.empty() ? "there is no table" : "there are: " + names;
}

Status CheckKind(const Database& database, const std::string& name, const std::string& type) {
  if (type.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const std::string tables, TablesOf(database));
    return Status(StatusCode::kNotFound, "there is no table " + name + "; " + tables);
  }
  std::string what;
  if (type == "view") what = "a view: name the tables that it shows";
  if (type == "virtual") what = "a virtual table: what it shows stands elsewhere";
  if (type == "shadow") what = "a part of a virtual table, which alone can change it";
  if (SameName(std::string_view(name).substr(0, 7), "sqlite_")) what = "one of SQLite's own tables";
  return what.empty() ? OkStatus() : Status(StatusCode::kInvalidArgument, name + " is " + what);
}

// Of the index behind the key, if it has one, the collations of the columns.
Result<bool> ReadKeyIndex(const Database& database, TableShape* table) {
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared list,
      Prepared::Make(database,
                     "SELECT x.name, x.coll FROM pragma_index_list(?1) AS i, "
                     "pragma_index_xinfo(i.name) AS x WHERE i.origin = 'pk' AND x.key"));
  TIDEMARK_RETURN_IF_ERROR(list.Bind(1, table->name));
  bool found = false;
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    found = true;
    for (ColumnShape& column : table->columns) {
      if (column.name == list.Text(0)) column.collation = list.Text(1);
    }
  }
}

}  // namespace

const ColumnShape* TableShape::Find(std::string_view column) const {
  for (const ColumnShape& own : columns) {
    if (SameName(own.name, column)) return &own;
  }
  return nullptr;
}

Result<TableShape> ReadTableShape(const Database& database, std::string_view name) {
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared tables, Prepared::Make(database,
                                      "SELECT name, type, wr FROM pragma_table_list WHERE schema = "
                                      "'main' AND name = ?1 COLLATE NOCASE"));
  TIDEMARK_RETURN_IF_ERROR(tables.Bind(1, name));
  TIDEMARK_ASSIGN_OR_RETURN(const bool found, tables.Step());
  TableShape table;
  table.name = found ? tables.Text(0) : std::string(name);
  TIDEMARK_RETURN_IF_ERROR(CheckKind(database, table.name, found ? tables.Text(1) : std::string()));
  const bool without_rowid = tables.Int(2) != 0;

  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared columns,
      Prepared::Make(database, "SELECT name, type, hidden, pk FROM pragma_table_xinfo(?1)"));
  TIDEMARK_RETURN_IF_ERROR(columns.Bind(1, table.name));
  std::vector<std::pair<int64_t, size_t>> key;
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, columns.Step());
    if (!row) break;
    if (columns.Int(3) != 0) key.emplace_back(columns.Int(3), table.columns.size());
    table.columns.push_back({.name = columns.Text(0),
                             .type = columns.Text(1),
                             .generated = columns.Int(2) == 2 || columns.Int(2) == 3});
  }
  std::sort(key.begin(), key.end());
  for (const auto& [order, column] : key) table.key.push_back(column);
  TIDEMARK_ASSIGN_OR_RETURN(const bool key_has_index, ReadKeyIndex(database, &table));
  table.key_is_rowid = table.key.size() == 1 && !without_rowid && !key_has_index;
  if (without_rowid) return table;
  for (const char* alias : {"rowid", "_rowid_", "oid"}) {
    if (table.Find(alias) == nullptr) {
      table.rowid = alias;
      break;
    }
  }
  if (!table.rowid && table.key_is_rowid) table.rowid = table.columns[table.key[0]].name;
  return table;
}

}  // namespace tidemark::internal
