#include "vfs/internal/prepared.h"

#include <algorithm>
#include <cstring>

namespace tidemark::internal {

Result<Prepared> Prepared::Make(const Database& database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database.handle(), sql.c_str(), static_cast<int>(sql.size()), &statement,
                         nullptr) != SQLITE_OK) {
    return database.ErrorStatus();
  }
  return Prepared(database, statement);
}

Result<bool> Prepared::Step() {
  const int code = sqlite3_step(get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Status error = Error();
  Reset();
  return error;
}

int Prepared::Try() {
  const int code = sqlite3_step(get());
  if (code == SQLITE_ROW) return code;
  const int reset = sqlite3_reset(get());
  return code == SQLITE_DONE ? code : reset;
}

Status Prepared::Bind(int parameter, sqlite3_value* value) {
  return Checked(sqlite3_bind_value(get(), parameter, value));
}

Status Prepared::Bind(int parameter, std::string_view text) {
  return Checked(sqlite3_bind_text(get(), parameter, text.data(), static_cast<int>(text.size()),
                                   SQLITE_TRANSIENT));
}

Status Prepared::Bind(int parameter, int64_t number) {
  return Checked(sqlite3_bind_int64(get(), parameter, number));
}

Status Prepared::BindNull(int parameter) { return Checked(sqlite3_bind_null(get(), parameter)); }

std::string Prepared::Text(int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(get(), column))};
}

bool SameValue(sqlite3_stmt* a, int a_column, sqlite3_stmt* b, int b_column) {
  const int type = sqlite3_column_type(a, a_column);
  if (type != sqlite3_column_type(b, b_column)) return false;
  switch (type) {
    case SQLITE_NULL: return true;
    case SQLITE_INTEGER:
      return sqlite3_column_int64(a, a_column) == sqlite3_column_int64(b, b_column);
    case SQLITE_FLOAT: {
      const double x = sqlite3_column_double(a, a_column);
      const double y = sqlite3_column_double(b, b_column);
      return std::memcmp(&x, &y, sizeof(x)) == 0;
    }
    default: break;
  }
  const bool text = type == SQLITE_TEXT;
  const void* x = text ? sqlite3_column_text(a, a_column) : sqlite3_column_blob(a, a_column);
  const void* y = text ? sqlite3_column_text(b, b_column) : sqlite3_column_blob(b, b_column);
  const int size = sqlite3_column_bytes(a, a_column);
  if (size != sqlite3_column_bytes(b, b_column)) return false;
  return size == 0 || std::memcmp(x, y, static_cast<size_t>(size)) == 0;
}

std::string Literal(sqlite3_stmt* statement, int column, size_t most_bytes) {
  const int type = sqlite3_column_type(statement, column);
  if (type == SQLITE_NULL) return "NULL";
  if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
    return reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  }
  const auto* bytes = static_cast<const unsigned char*>(
      type == SQLITE_TEXT ? static_cast<const void*>(sqlite3_column_text(statement, column))
                          : sqlite3_column_blob(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  size_t shown = std::min(size, most_bytes);
  // Not in the middle of a character.
  while (type == SQLITE_TEXT && shown < size && shown > 0 && (bytes[shown] & 0xc0) == 0x80) --shown;
  std::string literal = type == SQLITE_TEXT ? "'" : "x'";
  for (size_t i = 0; i < shown; ++i) {
    if (type == SQLITE_BLOB) {
      constexpr char kDigits[] = "0123456789abcdef";
      literal += kDigits[bytes[i] >> 4];
      literal += kDigits[bytes[i] & 15];
    } else {
      literal += static_cast<char>(bytes[i]);
      if (bytes[i] == '\'') literal += '\'';
    }
  }
  literal += "'";
  return shown < size ? literal + "..." : literal;
}

}  // namespace tidemark::internal
