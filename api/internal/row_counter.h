// Counts the rows and index entries that a statement writes.
//
// Durable Objects count with a patched SQLite. Here SQLite's pre-update hook tells each change of a
// table's row (those of triggers, foreign keys and the tables behind virtual ones, too), and the
// schema tells how many index entries that is: all of the table's indexes for an INSERT or DELETE,
// and for an UPDATE those that have a changed column, or an expression. A partial index counts
// though the row may not be in it.

#ifndef TIDEMARK_API_INTERNAL_ROW_COUNTER_H_
#define TIDEMARK_API_INTERNAL_ROW_COUNTER_H_

#include <sqlite3.h>

#include <bitset>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/internal/connection.h"

namespace tidemark::internal {

class RowCounter {
 public:
  explicit RowCounter(Connection& connection);

  // Between the two everything that the connection writes counts. Begin allocates nothing.
  void Begin() noexcept;
  // Returns the number. What the schema says is asked for here. A DELETE without WHERE may clear
  // its table, `deletes_from`, without the hook being called: then SQLite's count of changes tells.
  uint64_t End(const std::string& deletes_from);
  // Rows that were there before, and were changed or deleted.
  uint64_t rows_found() const { return rows_found_; }
  // Rows that were looked for under an INTEGER PRIMARY KEY, before another one got it. After End.
  uint64_t keys_sought() const { return keys_sought_; }
  // Instead of End, where a statement failed.
  void Cancel() noexcept;

 private:
  using Columns = std::bitset<128>;  // a column beyond these counts as the last one
  struct Index {
    Columns columns;
    bool has_expression = false;
  };
  struct Change {
    std::string table;
    Columns changed;  // all set of an INSERT or DELETE
    uint64_t count = 0;
    uint64_t new_keys = 0;  // how many of them got a row number that they had not
  };
  struct Table {
    std::vector<Index> indexes;
    bool has_integer_key = false;
  };

  static void Hook(void* self, sqlite3* connection, int operation, const char* database,
                   const char* table, sqlite3_int64 old_rowid, sqlite3_int64 new_rowid) noexcept;
  void Note(sqlite3* connection, int operation, const char* table, bool new_key);
  const Table& TableOf(const std::string& name);

  Connection& connection_;
  OwnStatement schema_version_;
  OwnStatement list_;
  OwnStatement integer_key_;
  std::vector<Change> changes_;
  uint64_t rows_found_ = 0;
  uint64_t rows_changed_ = 0;
  uint64_t keys_sought_ = 0;
  int64_t changes_before_ = 0;  // SQLite's count
  bool out_of_memory_ = false;
  // What is known of tables, and the schema version that it is of.
  std::unordered_map<std::string, Table> tables_;
  int64_t tables_version_ = -1;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_ROW_COUNTER_H_
