// The lists, see sql_lists.h.

#include "api/internal/sql_lists.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

#include "api/internal/authorizer.h"

namespace tidemark::internal {
namespace {

// Each list in alphabetical order, for binary search.
constexpr std::string_view kFunctions[] = {
    // clang-format off
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "bm25",
    "ceil", "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count",
    "cume_dist", "current_date", "current_time", "current_timestamp", "date", "datetime", "degrees",
    "dense_rank", "exp", "first_value", "floor", "format", "glob", "group_concat", "hex",
    "highlight", "ifnull", "iif", "instr", "json", "json_array", "json_array_length", "json_each",
    "json_extract", "json_group_array", "json_group_object", "json_insert", "json_object",
    "json_patch", "json_quote", "json_remove", "json_replace", "json_set", "json_tree", "json_type",
    "json_valid", "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set", "julianday", "lag", "last_insert_rowid", "last_value", "lead",
    "length", "like", "likelihood", "likely", "ln", "load_extension", "log", "log2", "lower",
    "ltrim", "match", "max", "min", "mod", "nth_value", "ntile", "nullif", "octet_length",
    "percent_rank", "pi", "pow", "printf", "quote", "radians", "random", "randomblob", "rank",
    "replace", "round", "row_number", "rtreecheck", "rtrim", "sign", "sin", "sinh", "snippet",
    "soundex", "sqlite_drop_column", "sqlite_rename_column", "sqlite_rename_quotefix",
    "sqlite_rename_table", "sqlite_rename_test", "sqrt", "strftime", "string_agg", "substr",
    "substring", "sum", "tan", "tanh", "time", "timediff", "total", "total_changes", "trim",
    "trunc", "typeof", "unhex", "unicode", "unixepoch", "unlikely", "upper", "zeroblob",
    // clang-format on
};

constexpr std::string_view kModules[] = {"fts5", "fts5vocab", "rtree", "rtree_i32"};

enum class Argument { kNone, kName, kOptionalName, kBoolean, kNameOrNumber, kNumber };

struct Pragma {
  std::string_view name;
  Argument argument;
};

constexpr Pragma kPragmas[] = {
    {"case_sensitive_like", Argument::kBoolean},
    {"data_version", Argument::kNone},
    {"defer_foreign_keys", Argument::kBoolean},
    {"foreign_key_check", Argument::kOptionalName},
    {"foreign_key_list", Argument::kName},
    {"foreign_keys", Argument::kBoolean},
    {"ignore_check_constraints", Argument::kBoolean},
    {"index_info", Argument::kName},
    {"index_list", Argument::kName},
    {"index_xinfo", Argument::kName},
    {"legacy_alter_table", Argument::kBoolean},
    {"optimize", Argument::kNumber},
    {"page_size", Argument::kNone},
    {"quick_check", Argument::kNameOrNumber},
    {"recursive_triggers", Argument::kBoolean},
    {"reverse_unordered_selects", Argument::kBoolean},
    {"table_info", Argument::kName},
    {"table_list", Argument::kNone},
    {"table_xinfo", Argument::kName},
};

constexpr std::string_view kBooleans[] = {"0", "1", "false", "no", "off", "on", "true", "yes"};

// A name in small letters, cut to what is longer than any in the lists.
class Lowered {
 public:
  explicit Lowered(const char* name) noexcept {
    for (; name[size_] != '\0' && size_ < letters_.size(); ++size_) {
      const char c = name[size_];
      letters_[size_] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  std::string_view view() const { return {letters_.data(), size_}; }

 private:
  std::array<char, 40> letters_;
  size_t size_ = 0;
};

template <size_t n>
bool Has(const std::string_view (&list)[n], const char* name) noexcept {
  static_assert(n > 0);
  if (name == nullptr) return false;
  const Lowered lowered(name);
  return std::binary_search(std::begin(list), std::end(list), lowered.view());
}

bool IsBoolean(const char* argument) noexcept {
  std::string_view text = argument;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  const bool quoted = text.size() >= 2 && text.front() == text.back() &&
                      (text.front() == '\'' || text.front() == '"');
  if (quoted) text = text.substr(1, text.size() - 2);
  if (text.size() > 5) return false;
  char terminated[6] = {};
  std::copy(text.begin(), text.end(), terminated);
  return Has(kBooleans, terminated);
}

// A number of 32 bits, in decimal or hexadecimal.
bool IsNumber(const char* argument) noexcept {
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(argument, &end, 0);
  return end != argument && *end == '\0' && errno == 0 && number >= INT32_MIN &&
         number <= INT64_C(0xffffffff);
}

}  // namespace

static_assert(std::ranges::is_sorted(kFunctions));
static_assert(std::ranges::is_sorted(kModules));
static_assert(std::ranges::is_sorted(kBooleans));
static_assert(std::ranges::is_sorted(kPragmas, {}, &Pragma::name));

bool IsAllowedFunction(const char* name) noexcept { return Has(kFunctions, name); }

bool IsAllowedModule(const char* name) noexcept { return Has(kModules, name); }

void DropOtherModules(sqlite3* connection) noexcept {
  // Those of the list, and the functions of the JSON extension that give rows.
  const char* keep[] = {"fts5",      "fts5vocab", "rtree", "rtree_i32",
                        "json_each", "json_tree", nullptr};
  static_assert(std::size(keep) == std::size(kModules) + 3);
  sqlite3_drop_modules(connection, keep);
}

bool IsAllowedPragma(const char* name, const char* argument) noexcept {
  if (name == nullptr) return false;
  const Lowered lowered(name);
  const auto* pragma = std::ranges::lower_bound(kPragmas, lowered.view(), {}, &Pragma::name);
  if (pragma == std::end(kPragmas) || pragma->name != lowered.view()) return false;
  switch (pragma->argument) {
    case Argument::kNone: return argument == nullptr;
    case Argument::kName: return argument != nullptr && Authorizer::AllowsName(argument);
    case Argument::kOptionalName: return Authorizer::AllowsName(argument);
    case Argument::kBoolean: return argument == nullptr || IsBoolean(argument);
    case Argument::kNameOrNumber: return Authorizer::AllowsName(argument);
    case Argument::kNumber: return argument == nullptr || IsNumber(argument);
  }
  return false;
}

}  // namespace tidemark::internal
