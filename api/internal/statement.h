// Compiled statements, and the cache that keeps them by their text.
//
// A statement belongs to one user at a time: a cursor, or a call that runs. If the text is wanted
// again meanwhile another copy is compiled, and goes when its user is done.

#ifndef TIDEMARK_API_INTERNAL_STATEMENT_H_
#define TIDEMARK_API_INTERNAL_STATEMENT_H_

#include <sqlite3.h>

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tidemark::internal {

// Owns a compiled statement; used as one.
class StatementHandle {
 public:
  StatementHandle() = default;
  explicit StatementHandle(sqlite3_stmt* statement) : statement_(statement) {}
  StatementHandle(StatementHandle&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)) {}
  StatementHandle& operator=(StatementHandle&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~StatementHandle() { Finalize(); }

  operator sqlite3_stmt*() const { return statement_; }  // NOLINT: implicit
  void Finalize() noexcept { sqlite3_finalize(std::exchange(statement_, nullptr)); }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

struct Statement {
  StatementHandle handle;  // null: it was cancelled
  std::string sql;         // its key; empty if it is not to be found again
  int parameter_count = 0;
  int column_count = 0;
  bool writes = false;           // not sqlite3_stmt_readonly
  bool changes_table = false;    // Authorizer::changes_table
  bool creates_program = false;  // Authorizer::creates_program
  bool mentions_own = false;     // the library's names stand in it, see own_tables.h
  std::string deletes_from;      // the table that it deletes rows of itself, if any
  bool in_use = false;
  bool cached = false;
};

class StatementCache {
 public:
  using Place = std::list<Statement>::iterator;

  explicit StatementCache(size_t bytes) : capacity_(bytes) {}
  ~StatementCache() { Clear(); }
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  // One with this text that nobody uses, taken into use; false if there is none.
  bool Take(std::string_view sql, Place* place);
  // Keeps a statement, in use: for later ones with the same text if its `sql` is not empty and
  // fits.
  Place Add(Statement statement);
  // Back from its user: reset, its bindings cleared.
  void Release(Place place) noexcept;
  // Compiled statements go, those in use too: their users find a null handle, and release them.
  void Clear() noexcept;

  // Those that nobody uses go.
  void DropUnused() noexcept;

  size_t bytes() const { return bytes_; }  // of texts that are kept

 private:
  void Drop(Place place) noexcept;

  const size_t capacity_;
  size_t bytes_ = 0;
  std::list<Statement> kept_;                            // the most recently used one first
  std::list<Statement> others_;                          // in use, once
  std::unordered_map<std::string_view, Place> by_text_;  // views of `sql`
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_STATEMENT_H_
