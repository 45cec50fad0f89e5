#include "api/internal/row_counter.h"

#include <algorithm>
#include <new>

namespace tidemark::internal {
namespace {

bool SameValue(sqlite3_value* a, sqlite3_value* b) {
  const int type = sqlite3_value_type(a);
  if (type != sqlite3_value_type(b)) return false;
  switch (type) {
    case SQLITE_INTEGER: return sqlite3_value_int64(a) == sqlite3_value_int64(b);
    case SQLITE_FLOAT:
      return !(sqlite3_value_double(a) < sqlite3_value_double(b)) &&
             !(sqlite3_value_double(b) < sqlite3_value_double(a));
    case SQLITE_NULL: return true;
    default: break;
  }
  const auto bytes = [](sqlite3_value* value) {
    const auto* data = static_cast<const char*>(sqlite3_value_blob(value));
    return std::string_view(data, static_cast<size_t>(sqlite3_value_bytes(value)));
  };
  return bytes(a) == bytes(b);
}

size_t Bit(int column) { return static_cast<size_t>(std::clamp(column, 0, 127)); }

}  // namespace

RowCounter::RowCounter(Connection& connection)
    : connection_(connection),
      schema_version_(connection, "PRAGMA schema_version"),
      list_(connection,
            "SELECT i.name, x.cid FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x "
            "WHERE x.key AND i.origin <> 'pk' OR x.key AND i.origin = 'pk' AND NOT EXISTS "
            "(SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1 AND wr) "
            "ORDER BY i.seq"),
      integer_key_(connection,
                   "SELECT count(*) = 1 AND max(upper(type)) = 'INTEGER' AND NOT EXISTS "
                   "(SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk') "
                   "FROM pragma_table_info(?1) WHERE pk") {}

void RowCounter::Begin() noexcept {
  changes_.clear();
  rows_found_ = 0;
  rows_changed_ = 0;
  keys_sought_ = 0;
  changes_before_ = sqlite3_total_changes64(connection_.handle());
  out_of_memory_ = false;
  sqlite3_preupdate_hook(connection_.handle(), &RowCounter::Hook, this);
}

void RowCounter::Cancel() noexcept {
  if (connection_.broken() == nullptr) {
    sqlite3_preupdate_hook(connection_.handle(), nullptr, nullptr);
  }
}

void RowCounter::Hook(void* self, sqlite3* connection, int operation, const char*,
                      const char* table, sqlite3_int64 old_rowid,
                      sqlite3_int64 new_rowid) noexcept {
  auto& counter = *static_cast<RowCounter*>(self);
  const bool new_key =
      operation == SQLITE_INSERT || (operation == SQLITE_UPDATE && old_rowid != new_rowid);
  try {
    counter.Note(connection, operation, table, new_key);
  } catch (const std::bad_alloc&) {
    counter.out_of_memory_ = true;
  }
}

void RowCounter::Note(sqlite3* connection, int operation, const char* table, bool new_key) {
  ++rows_changed_;
  if (operation != SQLITE_INSERT) ++rows_found_;
  Columns changed;
  if (operation == SQLITE_UPDATE) {
    for (int i = sqlite3_preupdate_count(connection) - 1; i >= 0; --i) {
      sqlite3_value* before = nullptr;
      sqlite3_value* after = nullptr;
      const bool known = sqlite3_preupdate_old(connection, i, &before) == SQLITE_OK &&
                         sqlite3_preupdate_new(connection, i, &after) == SQLITE_OK;
      if (!known || !SameValue(before, after)) changed.set(Bit(i));
    }
  } else {
    changed.set();
  }
  // Statements change few tables, and most of them one.
  for (Change& change : changes_) {
    if (change.changed == changed && change.table == table) {
      ++change.count;
      change.new_keys += new_key ? 1 : 0;
      return;
    }
  }
  changes_.push_back(
      {.table = table, .changed = changed, .count = 1, .new_keys = new_key ? 1u : 0u});
}

uint64_t RowCounter::End(const std::string& deletes_from) {
  const auto changes =
      static_cast<uint64_t>(sqlite3_total_changes64(connection_.handle()) - changes_before_);
  Cancel();
  if (out_of_memory_) throw std::bad_alloc();
  if (!deletes_from.empty() && changes > rows_changed_) {
    const uint64_t cleared = changes - rows_changed_;
    rows_found_ += cleared;
    changes_.push_back({.table = deletes_from, .changed = Columns().set(), .count = cleared});
  }
  uint64_t rows = 0;
  for (const Change& change : changes_) {
    uint64_t entries = 1;
    const Table& table = TableOf(change.table);
    if (table.has_integer_key) keys_sought_ += change.new_keys;
    for (const Index& index : table.indexes) {
      if (index.has_expression || (index.columns & change.changed).any()) ++entries;
    }
    rows += entries * change.count;
  }
  return rows;
}

const RowCounter::Table& RowCounter::TableOf(const std::string& table) {
  {
    OwnStatement::Use version(schema_version_);
    version.Step();
    const int64_t now = sqlite3_column_int64(version.handle(), 0);
    if (now != tables_version_) {
      tables_.clear();
      tables_version_ = now;
    }
  }
  const auto found = tables_.find(table);
  if (found != tables_.end()) return found->second;
  Table known;
  {
    OwnStatement::Use key(integer_key_);
    sqlite3_bind_text(key.handle(), 1, table.data(), static_cast<int>(table.size()), SQLITE_STATIC);
    known.has_integer_key = key.Step() && sqlite3_column_int(key.handle(), 0) != 0;
  }
  std::vector<Index>& indexes = known.indexes;
  std::string last;
  OwnStatement::Use use(list_);
  sqlite3_bind_text(use.handle(), 1, table.data(), static_cast<int>(table.size()), SQLITE_STATIC);
  while (use.Step()) {
    const std::string name = reinterpret_cast<const char*>(sqlite3_column_text(use.handle(), 0));
    if (indexes.empty() || name != last) indexes.emplace_back();
    last = name;
    const int column = sqlite3_column_int(use.handle(), 1);
    if (column < 0) {
      indexes.back().has_expression = true;  // or the row's number, which is in it too
    } else {
      indexes.back().columns.set(Bit(column));
    }
  }
  return tables_.emplace(table, std::move(known)).first->second;
}

}  // namespace tidemark::internal
