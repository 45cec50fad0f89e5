// CursorState: one execution of a statement, and the rows that it gives.

#ifndef TIDEMARK_API_INTERNAL_CURSOR_STATE_H_
#define TIDEMARK_API_INTERNAL_CURSOR_STATE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/internal/storage_state.h"
#include "api/value.h"

namespace tidemark::internal {

// Holds its statement until it is destroyed, so that names of columns stay.
struct CursorState {
  CursorState(std::shared_ptr<StorageState> shared, StatementCache::Place statement)
      : state(std::move(shared)), place(statement) {}
  ~CursorState();
  CursorState(const CursorState&) = delete;
  CursorState& operator=(const CursorState&) = delete;

  // Throws Error (kInvalidArgument) if their number is not that of the parameters. The bytes are
  // copied if `keep`: the statement may be stepped when they are gone.
  void Bind(std::span<const ValueView> bindings, bool keep);
  // A statement that reads: to its first row.
  void Start();
  // One that writes: to its end. Its rows stay in memory.
  void Run();

  bool Next();
  // To the end; the rows are nobody's.
  void Drain();
  ValueView Column(size_t column) const;
  std::shared_ptr<const std::vector<std::string>> Names();
  uint64_t RowsRead() const;

  enum class At { kBeforeFirst, kRow, kEnd };

  const std::shared_ptr<StorageState> state;
  const StatementCache::Place place;
  At at = At::kBeforeFirst;
  bool has_first = false;  // the first row is there, and not asked for yet
  std::shared_ptr<const std::vector<std::string>> names;
  uint64_t rows_returned = 0;
  uint64_t rows_read_at_end = 0;
  uint64_t rows_written = 0;
  int64_t operations_left = 0;      // until a row has to come: Limits::operations_per_row
  bool drops_rows = false;          // it is for all of them
  std::chrono::nanoseconds took{};  // if somebody wants to know

  // Of a statement that writes.
  bool buffered = false;
  std::vector<Value> values;  // of all rows, one after the other
  size_t row = 0;             // the one after where it stands

 private:
  bool Step();
  int TimedStep();
  void End();
  // To the host's hook, if it has one.
  void Report(int code, bool finished) noexcept;
  uint64_t ScannedRows() const;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_CURSOR_STATE_H_
