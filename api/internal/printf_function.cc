#include "api/internal/printf_function.h"

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "api/internal/statement.h"

namespace tidemark::internal {
namespace {

// Reads a format as SQLite does.
class Format {
 public:
  explicit Format(std::span<sqlite3_value* const> arguments) : arguments_(arguments.subspan(1)) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
    if (text != nullptr) text_ = text;
  }

  bool IsBounded() {
    while ((at_ = text_.find('%', at_)) != std::string_view::npos) {
      ++at_;
      while (std::string_view("-+ #!0,").find(Next()) != std::string_view::npos) ++at_;
      if (!NumberIsBounded()) return false;
      if (Next() == '.') {
        ++at_;
        if (!NumberIsBounded()) return false;
      }
      while (Next() == 'l') ++at_;
      const char conversion = Next();
      if (conversion == '\0') return true;  // where SQLite ends, too
      if (conversion != '%' && conversion != 'n') ++argument_;
      ++at_;
    }
    return true;
  }

 private:
  char Next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // A width or a precision, if there is one: digits, or a star and an argument.
  bool NumberIsBounded() {
    int64_t number = 0;
    if (Next() == '*') {
      ++at_;
      if (argument_ < arguments_.size()) number = sqlite3_value_int64(arguments_[argument_]);
      ++argument_;
    } else {
      for (; Next() >= '0' && Next() <= '9'; ++at_) {
        if (number <= kMaxPrintfWidth) number = number * 10 + (Next() - '0');
      }
    }
    // SQLite cuts it to 32 bits, and takes a negative one for its amount.
    const auto cut = static_cast<int64_t>(static_cast<int32_t>(static_cast<uint32_t>(number)));
    return number <= kMaxPrintfWidth && number >= -kMaxPrintfWidth && cut == number;
  }

  std::span<sqlite3_value* const> arguments_;
  std::string_view text_;
  size_t at_ = 0;
  size_t argument_ = 0;  // the next one
};

// The connection beside, opened when it is first needed.
class Printf {
 public:
  ~Printf() {
    statement_.Finalize();
    sqlite3_close(beside_);
  }

  static void Call(sqlite3_context* context, int count, sqlite3_value** values) noexcept {
    auto& self = *static_cast<Printf*>(sqlite3_user_data(context));
    const std::span<sqlite3_value* const> arguments(values, static_cast<size_t>(count));
    int code = SQLITE_NOMEM;
    try {
      code = self.Run(context, arguments);
    } catch (const std::bad_alloc&) {
      // as it is
    }
    if (code == SQLITE_TOOBIG) {
      sqlite3_result_error_toobig(context);
    } else if (code == SQLITE_NOMEM) {
      sqlite3_result_error_nomem(context);
    } else if (code != SQLITE_OK) {
      sqlite3_result_error_code(context, code);
    }
  }
  static void Delete(void* self) { delete static_cast<Printf*>(self); }

 private:
  int Run(sqlite3_context* context, std::span<sqlite3_value* const> arguments) {
    if (arguments.empty()) return SQLITE_OK;  // NULL, as SQLite's
    if (!IsPrintfBounded(arguments)) return SQLITE_TOOBIG;
    if (const int code = Prepare(context, arguments.size()); code != SQLITE_OK) return code;
    int index = 0;
    for (sqlite3_value* const value : arguments) {
      const int code = sqlite3_bind_value(statement_, ++index, value);
      if (code != SQLITE_OK) return Done(code);
    }
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW) return Done(code);
    sqlite3_result_value(context, sqlite3_column_value(statement_, 0));
    return Done(SQLITE_OK);
  }

  int Done(int code) noexcept {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    return code;
  }

  int Prepare(sqlite3_context* context, size_t count) {
    if (statement_ != nullptr && count == count_) return SQLITE_OK;
    statement_.Finalize();
    if (beside_ == nullptr) {
      const int code = sqlite3_open_v2(":memory:", &beside_,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
      if (code != SQLITE_OK) {
        sqlite3_close(std::exchange(beside_, nullptr));
        return code;
      }
    }
    sqlite3* const user = sqlite3_context_db_handle(context);
    sqlite3_limit(beside_, SQLITE_LIMIT_LENGTH, sqlite3_limit(user, SQLITE_LIMIT_LENGTH, -1));
    std::string sql = "SELECT printf(?";
    for (size_t i = 1; i < count; ++i) sql += ",?";
    sql += ")";
    sqlite3_stmt* compiled = nullptr;
    const int code = sqlite3_prepare_v2(beside_, sql.c_str(), -1, &compiled, nullptr);
    statement_ = StatementHandle(compiled);
    count_ = count;
    return code;
  }

  sqlite3* beside_ = nullptr;
  StatementHandle statement_;
  size_t count_ = 0;  // of its parameters
};

}  // namespace

bool IsPrintfBounded(std::span<sqlite3_value* const> arguments) noexcept {
  return Format(arguments).IsBounded();
}

int InstallPrintf(sqlite3* connection) noexcept {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  for (const char* name : {"printf", "format"}) {
    auto* function = new (std::nothrow) Printf();
    if (function == nullptr) return SQLITE_NOMEM;
    // It is deleted by this where this fails.
    const int code = sqlite3_create_function_v2(connection, name, -1, kFlags, function,
                                                &Printf::Call, nullptr, nullptr, &Printf::Delete);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

}  // namespace tidemark::internal
