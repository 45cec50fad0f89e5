// SQL inside an object, see sql.h.

#include "api/sql.h"

#include <optional>

#include "api/error.h"
#include "api/internal/cursor_state.h"
#include "api/internal/statement_end.h"

namespace tidemark {

using internal::CursorState;
using internal::Statement;
using internal::StatementCache;
using internal::StorageState;
using internal::TransactionState;

namespace {

// Compiles a statement that an application handed in.
Statement Compile(StorageState& state, std::string_view sql, std::string_view* rest,
                  size_t position) {
  Statement statement = state.connection.Compile(sql, rest, position);
  if (statement.handle == nullptr) return statement;
  sql.remove_suffix(rest->size());
  statement.mentions_own = internal::MentionsOwnNames(sql);
  if (!statement.mentions_own) return statement;
  state.own_tables.RequireOutOfReach(statement, sql);
  return statement;
}

// A statement that could give a name, or a reference, that is the library's: see own_tables.h.
bool IsWatched(const Statement& statement) {
  return statement.changes_table && statement.mentions_own;
}

void RunWatched(StorageState& state, CursorState& cursor) {
  const size_t level = state.transaction.Savepoint();
  try {
    const int64_t before = state.own_tables.Count();
    cursor.Run();
    if (state.own_tables.Count() > before) {
      throw Error(Status(StatusCode::kInvalidArgument, "not authorized: SQLITE_AUTH"), SQLITE_AUTH);
    }
    state.transaction.Release(level);
  } catch (...) {
    if (state.connection.broken() == nullptr) state.transaction.RollBackLevel(level);
    throw;
  }
}

// Binds and begins a statement; one that writes runs to its end, as a call of its own if it is
// alone.
std::unique_ptr<CursorState> Start(const std::shared_ptr<StorageState>& state,
                                   StatementCache::Place place, std::span<const ValueView> bindings,
                                   bool alone) {
  std::unique_ptr<CursorState> cursor;
  try {
    cursor = std::make_unique<CursorState>(state, place);
  } catch (...) {
    state->connection.statements().Release(place);
    throw;
  }
  cursor->Bind(bindings, !place->writes);
  if (!place->writes) {
    cursor->Start();
    return cursor;
  }
  std::optional<TransactionState::Call> call;
  if (alone) call.emplace(state->transaction, IsWatched(*place), true);
  if (IsWatched(*place)) {
    RunWatched(*state, *cursor);
  } else {
    cursor->Run();
  }
  if (call) call->Done();
  return cursor;
}

}  // namespace

Sql::Sql(std::shared_ptr<StorageState> state) : state_(std::move(state)) {}

Cursor Sql::Run(std::string_view sql, std::span<const ValueView> bindings) {
  internal::Connection& connection = state_->connection;
  connection.RequireUsable();
  ++state_->metrics.sql_calls;
  StatementCache::Place place;
  if (connection.statements().Take(sql, &place)) {
    return Cursor(Start(state_, place, bindings, true));
  }

  std::optional<TransactionState::Call> call;  // of several statements
  std::string_view rest = sql;
  while (true) {
    const auto position = static_cast<size_t>(rest.data() - sql.data());
    Statement statement = Compile(*state_, rest, &rest, position);
    if (statement.handle == nullptr) {
      throw Error(Status(StatusCode::kInvalidArgument, "SQL code did not contain a statement."));
    }
    rest = internal::TrimSpace(rest);
    const bool last = rest.empty();
    if (last && position == 0 && !statement.mentions_own) statement.sql = sql;
    if (!call && statement.writes && !(last && position == 0)) {
      call.emplace(state_->transaction, true, true);
    }
    place = connection.statements().Add(std::move(statement));
    auto cursor = Start(state_, place, last ? bindings : std::span<const ValueView>(), !call);
    if (last) {
      if (call) call->Done();
      return Cursor(std::move(cursor));
    }
    cursor->Drain();
  }
}

IngestResult Sql::Ingest(std::string_view sql) {
  internal::Connection& connection = state_->connection;
  connection.RequireUsable();
  ++state_->metrics.sql_calls;
  IngestResult result{.remainder = sql};
  std::optional<TransactionState::Call> call;
  while (const size_t end = internal::StatementEnd(result.remainder)) {
    const auto position = static_cast<size_t>(result.remainder.data() - sql.data());
    std::string_view tail;
    Statement statement = Compile(*state_, result.remainder.substr(0, end), &tail, position);
    result.remainder.remove_prefix(end);
    if (statement.handle == nullptr) continue;  // nothing but a semicolon
    if (!call && statement.writes) call.emplace(state_->transaction, true, true);
    const auto place = connection.statements().Add(std::move(statement));
    const auto cursor = Start(state_, place, {}, !call);
    cursor->Drain();
    ++result.statement_count;
    result.rows_read += cursor->RowsRead();
    result.rows_written += cursor->rows_written;
  }
  if (call) call->Done();
  return result;
}

int64_t Sql::DatabaseSize() {
  state_->connection.RequireUsable();
  internal::OwnStatement::Use use(state_->database_size);
  use.Step();
  return sqlite3_column_int64(use.handle(), 0);
}

}  // namespace tidemark
