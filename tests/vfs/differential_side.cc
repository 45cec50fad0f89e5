// One side of the differential test, see differential_side.h.

#include "tests/vfs/differential_side.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string_view>

namespace tidemark::testing {
namespace {

std::string Column(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL: return "NULL";
    case SQLITE_INTEGER: return std::to_string(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return std::to_string(sqlite3_column_double(statement, column)) + "f";
    default: break;
  }
  const bool text = sqlite3_column_type(statement, column) == SQLITE_TEXT;
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  const std::string_view value(bytes, bytes == nullptr ? 0 : size);
  return (text ? "t" : "b") + std::to_string(size) + ":" +
         std::to_string(std::hash<std::string_view>{}(value));
}

std::string Row(sqlite3_stmt* statement) {
  std::string row;
  for (int i = 0; i < sqlite3_data_count(statement); ++i) row += Column(statement, i) + "|";
  return row + "\n";
}

std::string Code(sqlite3* handle, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) {
    return std::to_string(code) + "\n";
  }
  return std::to_string(code) + " " + sqlite3_errmsg(handle) + "\n";
}

bool BeginsWith(sqlite3_stmt* statement, const char* word) {
  return sqlite3_strnicmp(sqlite3_sql(statement), word, static_cast<int>(strlen(word))) == 0;
}

}  // namespace

DifferentialSide::~DifferentialSide() {
  for (Connection& connection : connections_) Close(&connection);
}

void DifferentialSide::Close(Connection* connection) {
  sqlite3_finalize(connection->cursor);
  EXPECT_EQ(sqlite3_close(connection->handle), SQLITE_OK);
  *connection = {};
}

std::string DifferentialSide::OpenHandle(Connection* connection, const std::string& sql) {
  EXPECT_EQ(sqlite3_open_v2(main_.c_str(), &connection->handle,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, nullptr),
            SQLITE_OK);
  sqlite3_extended_result_codes(connection->handle, 1);
  const std::string mine = "ATTACH '" + other_ + "' AS other; PRAGMA secure_delete=OFF;" + on_open_;
  EXPECT_EQ(sqlite3_exec(connection->handle, mine.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection->handle);
  return RunAll(*connection, sql);
}

std::string DifferentialSide::Open(const std::string& sql) {
  return OpenHandle(&connections_.emplace_back(), sql);
}

std::string DifferentialSide::Tick(sqlite3* handle) {
  if (ticks_ == Ticks::kNone) return "";
  std::string result = "tick ";
  for (const char* sql : {"UPDATE main.tick SET n = n + 1", "UPDATE other.tick SET n = n + 1"}) {
    result += Code(handle, sqlite3_exec(handle, sql, nullptr, nullptr, nullptr));
  }
  return result;
}

std::string DifferentialSide::RunAll(Connection& connection, const std::string& sql) {
  std::string result;
  const char* next = sql.c_str();
  while (true) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection.handle, next, -1, &statement, &next);
    if (code != SQLITE_OK || statement == nullptr) return result + Code(connection.handle, code);
    if (sqlite3_stmt_readonly(statement) == 0) wrote_ = true;
    const bool ends = BeginsWith(statement, "COMMIT") || BeginsWith(statement, "RELEASE");
    if (ends && sqlite3_txn_state(connection.handle, nullptr) == SQLITE_TXN_WRITE) {
      result += Tick(connection.handle);
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) result += Row(statement);
    result += Code(connection.handle, code);
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) return result;
  }
}

std::string DifferentialSide::OpenCursor(Connection& connection, const std::string& sql) {
  sqlite3_finalize(connection.cursor);
  connection.cursor = nullptr;
  const int code =
      sqlite3_prepare_v2(connection.handle, sql.c_str(), -1, &connection.cursor, nullptr);
  if (code != SQLITE_OK) return Code(connection.handle, code);
  return StepCursor(connection, 1);
}

std::string DifferentialSide::StepCursor(Connection& connection, int rows) {
  if (connection.cursor == nullptr) return "no cursor";
  if (sqlite3_stmt_readonly(connection.cursor) == 0) wrote_ = true;
  std::string result;
  for (int i = 0; i < rows; ++i) {
    const int code = sqlite3_step(connection.cursor);
    if (code == SQLITE_ROW) {
      result += Row(connection.cursor);
      continue;
    }
    result += Code(connection.handle, code);
    sqlite3_finalize(connection.cursor);
    connection.cursor = nullptr;
    break;
  }
  return result;
}

std::string DifferentialSide::WriteBlob(Connection& connection, const std::string& table, int row) {
  wrote_ = true;
  sqlite3_blob* blob = nullptr;
  int code = sqlite3_blob_open(connection.handle, "main", table.c_str(), "b", row, 1, &blob);
  std::string result = Code(connection.handle, code);
  if (code == SQLITE_OK && sqlite3_blob_bytes(blob) > 0) {
    char last[1];
    code = sqlite3_blob_read(blob, last, 1, sqlite3_blob_bytes(blob) - 1);
    result += Code(connection.handle, code) + std::to_string(last[0]) + "\n";
    code = sqlite3_blob_write(blob, "B", 1, sqlite3_blob_bytes(blob) / 2);
    result += Code(connection.handle, code);
  }
  return result + Code(connection.handle, sqlite3_blob_close(blob));
}

std::string DifferentialSide::State(sqlite3* handle) {
  return "state " + std::to_string(sqlite3_get_autocommit(handle)) + " " +
         std::to_string(sqlite3_txn_state(handle, "main")) + " " +
         std::to_string(sqlite3_txn_state(handle, "other")) + " " +
         std::to_string(sqlite3_total_changes64(handle)) + " " +
         std::to_string(sqlite3_last_insert_rowid(handle));
}

std::string DifferentialSide::Take(const Step& step, const std::string& sql_on_open) {
  Connection& connection = connections_[static_cast<size_t>(step.connection)];
  wrote_ = false;
  std::string result;
  switch (step.kind) {
    case Step::Kind::kRun: result = RunAll(connection, step.sql); break;
    case Step::Kind::kInterrupted:
      sqlite3_progress_handler(
          connection.handle, step.number, [](void*) { return 1; }, nullptr);
      result = RunAll(connection, step.sql);
      sqlite3_progress_handler(connection.handle, 0, nullptr, nullptr);
      break;
    case Step::Kind::kCommitRefused:
      sqlite3_commit_hook(
          connection.handle, [](void*) { return 1; }, nullptr);
      result = RunAll(connection, step.sql);
      sqlite3_commit_hook(connection.handle, nullptr, nullptr);
      break;
    case Step::Kind::kOpenCursor: result = OpenCursor(connection, step.sql); break;
    case Step::Kind::kStepCursor: result = StepCursor(connection, step.number); break;
    case Step::Kind::kCloseCursor:
      wrote_ = connection.cursor != nullptr && sqlite3_stmt_readonly(connection.cursor) == 0;
      result = Code(connection.handle, sqlite3_finalize(connection.cursor));
      connection.cursor = nullptr;
      break;
    case Step::Kind::kWriteBlob: result = WriteBlob(connection, step.sql, step.number); break;
    case Step::Kind::kReopen:
      Close(&connection);
      result = OpenHandle(&connection, sql_on_open);
      break;
  }
  if (wrote_ && sqlite3_get_autocommit(connection.handle) != 0) {
    result += Tick(connection.handle);
  }

  return result + State(connection.handle);
}

void DifferentialSide::Settle() {
  for (Connection& connection : connections_) {
    sqlite3_finalize(connection.cursor);
    connection.cursor = nullptr;
    if (sqlite3_get_autocommit(connection.handle) != 0) continue;
    EXPECT_EQ(sqlite3_exec(connection.handle, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  }
}

}  // namespace tidemark::testing
