#include "vfs/internal/sql_literal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "vfs/internal/sqlite.h"

namespace tidemark::internal {
namespace {

std::string HexLiteral(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string hex = "X'";
  hex.reserve(2 * bytes.size() + 3);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    hex += kDigits[value >> 4];
    hex += kDigits[value & 15];
  }
  return hex + "'";
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80             ? 1
                          : (lead & 0xe0) == 0xc0 ? 2
                          : (lead & 0xf0) == 0xe0 ? 3
                          : (lead & 0xf8) == 0xf0 ? 4
                                                  : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t j = 1; j < length; ++j) {
      const auto byte = static_cast<unsigned char>(text[i + j]);
      if ((byte & 0xc0) != 0x80) return false;
      code = code << 6 | (byte & 0x3fu);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    i += length;
  }
  return true;
}

// As SQLite reads numbers, which is not always to the last bit.
double ReadAsSqlite(const char* text) {
  std::array<char, 64> buffer{};
  double value = 0;
  sqlite3_snprintf(static_cast<int>(buffer.size()), buffer.data(), "%s", text);
  static thread_local struct Reader {
    Reader() {
      if (sqlite3_open(":memory:", &connection) == SQLITE_OK) {
        sqlite3_prepare_v2(connection, "SELECT CAST(?1 AS REAL)", -1, &statement, nullptr);
      }
    }
    ~Reader() {
      sqlite3_finalize(statement);
      sqlite3_close(connection);
    }
    sqlite3* connection = nullptr;
    sqlite3_stmt* statement = nullptr;
  } reader;
  if (reader.statement == nullptr) return std::numeric_limits<double>::quiet_NaN();
  sqlite3_bind_text(reader.statement, 1, buffer.data(), -1, SQLITE_STATIC);
  if (sqlite3_step(reader.statement) == SQLITE_ROW) {
    value = sqlite3_column_double(reader.statement, 0);
  }
  sqlite3_reset(reader.statement);
  return value;
}

// An integer, and powers of two that bring it to its size, each of which is exact.
std::string ExactReal(double value) {
  constexpr int kStep = 52;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  const auto mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
  exponent -= 53;
  std::string text = "(CAST(" + std::to_string(mantissa) + " AS REAL)";
  const char* op = exponent < 0 ? "/" : "*";
  for (int left = std::abs(exponent); left > 0; left -= kStep) {
    const int64_t power = int64_t{1} << std::min(left, kStep);
    text += op + std::to_string(power) + ".0";
  }
  return text + ")";
}

std::string RealLiteral(double value) {
  if (std::isinf(value)) return value < 0 ? "-9e999" : "9e999";
  std::array<char, 40> text{};
  for (const int digits : {15, 16, 17, 20}) {
    std::snprintf(text.data(), text.size(), "%.*g", digits, value);
    if (ReadAsSqlite(text.data()) == value) {
      std::string literal = text.data();
      if (literal.find_first_of(".e") == std::string::npos) literal += ".0";
      return literal;
    }
  }
  return ExactReal(value);
}

// A text does not end at a NUL, but its literal would: another character stands for it there.
std::string TextLiteral(const std::string& text) {
  if (!IsUtf8(text)) return "CAST(" + HexLiteral(text) + " AS TEXT)";
  if (text.find('\0') == std::string::npos) return QuoteText(text);
  char other = 1;
  while (other < 32 && text.find(other) != std::string::npos) ++other;
  if (other == 32) return "CAST(" + HexLiteral(text) + " AS TEXT)";
  std::string replaced = text;
  std::replace(replaced.begin(), replaced.end(), '\0', other);
  return "replace(" + QuoteText(replaced) + ",char(" + std::to_string(int{other}) + "),char(0))";
}

}  // namespace

std::string QuoteText(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

std::string SqlLiteral(const RowValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return RealLiteral(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return TextLiteral(*text);
  if (const auto* blob = std::get_if<BlobValue>(&value)) return HexLiteral(blob->bytes);
  return "NULL";
}

}  // namespace tidemark::internal
