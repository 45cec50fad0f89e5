#include "api/internal/cursor_state.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {
namespace {

ValueView ColumnOf(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return std::string_view(text, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
    }
    case SQLITE_BLOB: {
      const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
      return BlobView(blob, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
    }
    default: return Null();
  }
}

int BindOne(sqlite3_stmt* statement, int index, const ValueView& value,
            sqlite3_destructor_type lifetime) {
  struct {
    sqlite3_stmt* statement;
    int index;
    sqlite3_destructor_type lifetime;
    int operator()(Null) const { return sqlite3_bind_null(statement, index); }
    int operator()(int64_t number) const { return sqlite3_bind_int64(statement, index, number); }
    int operator()(double number) const { return sqlite3_bind_double(statement, index, number); }
    int operator()(std::string_view text) const {
      return sqlite3_bind_text64(statement, index, text.data() == nullptr ? "" : text.data(),
                                 text.size(), lifetime, SQLITE_UTF8);
    }
    int operator()(BlobView blob) const {
      // An empty one is not NULL.
      return blob.empty()
                 ? sqlite3_bind_zeroblob(statement, index, 0)
                 : sqlite3_bind_blob64(statement, index, blob.data(), blob.size(), lifetime);
    }
  } bind{statement, index, lifetime};
  return std::visit(bind, value);
}

}  // namespace

CursorState::~CursorState() {
  if (at != At::kEnd && !buffered && place->handle != nullptr) {
    state->metrics.rows_read += RowsRead();
    Report(SQLITE_OK, false);
  }
  state->connection.statements().Release(place);
}

void CursorState::Bind(std::span<const ValueView> bindings, bool keep) {
  const auto wanted = static_cast<size_t>(place->parameter_count);
  if (bindings.size() != wanted) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "Wrong number of parameter bindings for SQL query: it has " +
                           std::to_string(wanted) + " parameters, and " +
                           std::to_string(bindings.size()) + " bindings were given"));
  }
  int index = 0;
  for (const ValueView& value : bindings) {
    const int code =
        BindOne(place->handle, ++index, value, keep ? SQLITE_TRANSIENT : SQLITE_STATIC);
    if (code != SQLITE_OK) state->connection.Fail(code);
  }
}

int CursorState::TimedStep() {
  const auto start = std::chrono::steady_clock::now();
  const int code = sqlite3_step(place->handle);
  took += std::chrono::steady_clock::now() - start;
  return code;
}

void CursorState::Report(int code, bool finished) noexcept {
  const auto& hook = state->connection.options().hooks.on_statement;
  if (!hook) return;
  const char* sql = sqlite3_sql(place->handle);
  hook({.sql = sql == nullptr ? "" : sql,
        .rows_read = RowsRead(),
        .rows_written = rows_written,
        .took = took,
        .sqlite_code = code,
        .finished = finished});
}

bool CursorState::Step() {
  Connection& connection = state->connection;
  if (!drops_rows) operations_left = connection.options().limits.operations_per_row;
  connection.BeginStep(operations_left);
  const int code =
      connection.options().hooks.on_statement ? TimedStep() : sqlite3_step(place->handle);
  operations_left = connection.EndStep();
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    const Error error = connection.LastError(code);
    at = At::kEnd;
    Report(code, false);
    sqlite3_reset(place->handle);
    connection.FailWith(error);
  }
  return false;
}

void CursorState::End() {
  at = At::kEnd;
  rows_read_at_end = ScannedRows();
  sqlite3_reset(place->handle);
  state->metrics.rows_read += rows_read_at_end;
  Report(SQLITE_OK, true);
}

void CursorState::Start() {
  sqlite3_stmt_status(place->handle, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  has_first = Step();
  place->column_count = sqlite3_column_count(place->handle);  // it may have been compiled anew
  if (has_first) {
    ++rows_returned;
  } else {
    End();
  }
}

void CursorState::Run() {
  sqlite3_stmt_status(place->handle, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  RowCounter& counter = state->row_counter;
  counter.Begin();
  buffered = true;
  try {
    while (Step()) {
      ++rows_returned;
      place->column_count = sqlite3_column_count(place->handle);
      for (int i = 0; i < place->column_count; ++i) {
        values.push_back(ValueOf(ColumnOf(place->handle, i)));
      }
    }
  } catch (...) {
    counter.Cancel();
    throw;
  }
  rows_written = counter.End(place->deletes_from);
  const uint64_t returned = std::exchange(rows_returned, 0);  // they are what it wrote
  rows_read_at_end = std::max(ScannedRows(), counter.rows_found()) + counter.keys_sought();
  rows_returned = returned;
  sqlite3_reset(place->handle);
  state->metrics.rows_read += rows_read_at_end;
  state->metrics.rows_written += rows_written;
  if (rows_returned > 0) Names();  // both outlive the statement
  has_first = rows_returned > 0;
  Report(SQLITE_OK, true);
}

void CursorState::Drain() {
  drops_rows = true;
  while (Next()) continue;
}

bool CursorState::Next() {
  if (at == At::kEnd) return false;
  if (buffered) {
    const auto width = static_cast<size_t>(place->column_count);
    if (width > 0 && row * width < values.size()) {
      ++row;
      at = At::kRow;
      return true;
    }
    at = At::kEnd;
    return false;
  }
  if (place->handle == nullptr) {
    at = At::kBeforeFirst;  // on no row; whoever asks again is told again
    throw Error(Status(StatusCode::kBroken, std::string("the query was canceled because ") +
                                                state->connection.cancelled_because()));
  }
  state->connection.RequireUsable();
  if (has_first) {
    has_first = false;
    at = At::kRow;
    return true;
  }
  if (Step()) {
    ++rows_returned;
    return true;
  }
  End();
  return false;
}

ValueView CursorState::Column(size_t column) const {
  const auto width = static_cast<size_t>(place->column_count);
  if (at != At::kRow || (place->handle == nullptr && !buffered)) {
    throw Error(Status(StatusCode::kOutOfRange,
                       "the cursor stands on no row: call Next() and look at what it returns"));
  }
  if (column >= width) {
    throw Error(Status(StatusCode::kOutOfRange, "column " + std::to_string(column) +
                                                    " was asked for, and the rows have " +
                                                    std::to_string(width) + ", counted from 0"));
  }
  if (buffered) return ViewOf(values[(row - 1) * width + column]);
  return ColumnOf(place->handle, static_cast<int>(column));
}

std::shared_ptr<const std::vector<std::string>> CursorState::Names() {
  if (names != nullptr) return names;
  std::vector<std::string> found;
  for (int i = 0; place->handle != nullptr && i < place->column_count; ++i) {
    found.emplace_back(sqlite3_column_name(place->handle, i));
  }
  names = std::make_shared<const std::vector<std::string>>(std::move(found));
  return names;
}

// SQLite counts the steps of scans from row to row, so the first row of a scan is one more. What a
// look-up finds it does not count: there the rows that came out stand for them.
uint64_t CursorState::ScannedRows() const {
  const int steps = sqlite3_stmt_status(place->handle, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
  return std::max(steps > 0 ? static_cast<uint64_t>(steps) + 1 : 0, rows_returned);
}

uint64_t CursorState::RowsRead() const {
  return at == At::kEnd || buffered || place->handle == nullptr ? rows_read_at_end : ScannedRows();
}

}  // namespace tidemark::internal
