// Prepared: a statement of a Database, for the calls of this layer that look into rows.
//
// Used by one thread, as its connection. The Database must outlive it.

#ifndef TIDEMARK_VFS_INTERNAL_PREPARED_H_
#define TIDEMARK_VFS_INTERNAL_PREPARED_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/result.h"
#include "vfs/database.h"

namespace tidemark::internal {

class Prepared {
 public:
  // Compiles the first statement of `sql`. Errors: Database::ErrorStatus().
  static Result<Prepared> Make(const Database& database, const std::string& sql);

  // True: there is a row. Errors: as above.
  Result<bool> Step();
  // The same, with SQLite's extended code instead: SQLITE_ROW, SQLITE_DONE or what failed. It is
  // reset unless there is a row.
  int Try();
  void Reset() { sqlite3_reset(get()); }

  // Parameters are numbered from 1, columns from 0.
  Status Bind(int parameter, sqlite3_value* value);
  Status Bind(int parameter, std::string_view text);
  Status Bind(int parameter, int64_t number);
  Status BindNull(int parameter);
  sqlite3_value* Value(int column) { return sqlite3_column_value(get(), column); }
  int Type(int column) { return sqlite3_column_type(get(), column); }
  int64_t Int(int column) { return sqlite3_column_int64(get(), column); }
  std::string Text(int column);
  int column_count() { return sqlite3_column_count(get()); }
  sqlite3_stmt* get() const { return statement_.get(); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Prepared(const Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}
  Status Checked(int code) const { return code == SQLITE_OK ? OkStatus() : Error(); }
  Status Error() const { return database_->ErrorStatus(); }

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// The same type and the same bytes: 1, 1.0 and '1' are three values.
bool SameValue(sqlite3_stmt* a, int a_column, sqlite3_stmt* b, int b_column);

// A value as SQL has it, such as 'it''s', 1.5, x'00ff' or NULL; of a long one `most_bytes` and
// "...".
std::string Literal(sqlite3_stmt* statement, int column, size_t most_bytes);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PREPARED_H_
