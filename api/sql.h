// Sql: SQL inside one object, as Durable Objects' ctx.storage.sql.
//
//   sql.Exec("CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY, name TEXT)");
//   sql.Exec("INSERT INTO item(name) VALUES(?)", "book");
//   auto [id, name] = sql.Exec("SELECT id, name FROM item").One<int64_t, std::string>();
//   for (auto [id, name] : sql.Exec("SELECT id, name FROM item").Rows<int64_t, std::string_view>())
//     ...
//
// It reaches the object's own tables and nothing else: names that begin with _cf_ are the
// library's, transactions are begun and ended by ObjectStorage, and functions, pragmas and virtual
// tables are those that Durable Objects have (api/README.md).

#ifndef TIDEMARK_API_SQL_H_
#define TIDEMARK_API_SQL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "api/cursor.h"
#include "api/value.h"
#include "engine/export.h"

namespace tidemark {

namespace internal {
class StorageState;
template <typename T>
inline constexpr bool kIsTuple = false;
template <typename... Ts>
inline constexpr bool kIsTuple<std::tuple<Ts...>> = true;
}  // namespace internal

// What Ingest did.
struct IngestResult {
  // What stands behind the last complete statement, in the caller's text: to be put before the next
  // piece.
  std::string_view remainder;
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
  uint64_t statement_count = 0;
};

// Part of an ObjectStorage, and used by its thread.
class TIDEMARK_API Sql {
 public:
  // Runs one or more statements, divided by semicolons. Bindings are those of the last one, by
  // position, and so is the cursor; all others run to their end, and their rows are dropped. What a
  // binding can be says ToView (api/value.h); a tuple stands for its members.
  //
  // The first row is there when this returns, so errors come from here. A statement that writes has
  // run to its end, and its rows (RETURNING) are in memory. One that reads goes on as the cursor
  // does, and sees what is written meanwhile. Several cursors may be open, of the same text too.
  //
  // Throws Error, also for the number of bindings. What earlier statements of the text wrote stays:
  // they are part of the same transaction, and not undone by this call's failure.
  template <typename... Args>
  Cursor Exec(std::string_view sql, const Args&... args) {
    if constexpr (sizeof...(Args) == 1 && (internal::kIsTuple<Args> && ...)) {
      return std::apply([&](const auto&... members) { return Exec(sql, members...); }, args...);
    } else {
      const std::array<ValueView, sizeof...(Args)> bindings{ToView(args)...};
      return Run(sql, bindings);
    }
  }
  // The same with bindings whose number is known at run time only.
  Cursor Run(std::string_view sql, std::span<const ValueView> bindings);

  // Runs every complete statement of a piece of a longer text: for imports that come in pieces.
  // Throws Error for a statement that is complete and wrong; those before it have run.
  IngestResult Ingest(std::string_view sql);

  // Bytes that the database takes, without pages that are free.
  int64_t DatabaseSize();

 private:
  friend class ObjectStorage;
  explicit Sql(std::shared_ptr<internal::StorageState> state);

  std::shared_ptr<internal::StorageState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_SQL_H_
