#include "vfs/internal/expression.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace tidemark::internal {
namespace {

Status NoExpression(std::string_view text, const std::string& why) {
  return Status(StatusCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not one expression: " + why);
}

// Behind what is quoted at `at` or npos if it does not end.
size_t EndOfQuoted(std::string_view text, size_t at) {
  const char end = text[at] == '[' ? ']' : text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] != end) continue;
    if (end != ']' && i + 1 < text.size() && text[i + 1] == end) {
      ++i;
    } else {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// Pragmas that as tables tell of the database, and change nothing.
constexpr std::array<std::string_view, 12> kReadingPragmas = {
    "table_info",       "table_xinfo",       "table_list",      "index_list",
    "index_info",       "index_xinfo",       "integrity_check", "quick_check",
    "foreign_key_list", "foreign_key_check", "page_count",      "freelist_count"};

std::string LowerCase(const char* text) {
  std::string lower = text == nullptr ? "" : text;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

Status CheckExpression(std::string_view text) {
  int depth = 0;
  bool empty = true;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::string_view rest = text.substr(i);
    if (c == '\0') return NoExpression(text.substr(0, i), "a zero byte stands in it");
    if (rest.starts_with("--")) {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (rest.starts_with("/*")) {
      const size_t end = text.find("*/", i + 2);
      if (end == std::string_view::npos) return NoExpression(text, "a comment does not end");
      i = end + 2;
      continue;
    }
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
      i = EndOfQuoted(text, i);
      if (i == std::string_view::npos) return NoExpression(text, "a quote does not end");
      empty = false;
      continue;
    }
    if (c == ';') {
      return NoExpression(text, "a semicolon ends a statement, and there can be no second one");
    }
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) return NoExpression(text, "a parenthesis closes too much");
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f') empty = false;
    ++i;
  }
  if (depth > 0) return NoExpression(text, "a parenthesis is not closed");
  if (empty) return NoExpression(text, "it is empty");
  return OkStatus();
}

Result<OnlyReads> OnlyReads::Begin(const Database& database) {
  auto state = std::make_unique<State>();
  // Of SQLite's own those with effects are marked, but for some that say what they do to nobody.
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared list,
      Prepared::Make(database,
                     "SELECT name, min(builtin OR flags & 0x200000), max(flags & 0x80000) FROM "
                     "pragma_function_list GROUP BY name"));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) break;
    if (list.Int(1) != 0 && list.Int(2) == 0) {
      state->functions.insert(LowerCase(list.Text(0).c_str()));
    }
  }
  for (const char* name :
       {"load_extension", "fts3_tokenizer", "optimize", "random", "randomblob"}) {
    state->functions.erase(name);
  }
  // "name" is a column, and no text where there is no such column.
  if (sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr) != SQLITE_OK) {
    return database.ErrorStatus();
  }
  // SQLite makes such a table when it is first named, and asks as if the schema were written.
  for (const std::string_view pragma : kReadingPragmas) {
    const std::string sql = "SELECT 1 FROM pragma_" + std::string(pragma);
    TIDEMARK_RETURN_IF_ERROR(Prepared::Make(database, sql).status());
  }
  for (const char* table : {"json_each", "json_tree"}) {
    static_cast<void>(Prepared::Make(database, std::string("SELECT 1 FROM ") + table));
  }
  return OnlyReads(database, std::move(state));
}

OnlyReads::OnlyReads(const Database& database, std::unique_ptr<State> state)
    : database_(&database), state_(std::move(state)) {
  sqlite3_set_authorizer(database_->handle(), &OnlyReads::Authorize, state_.get());
}

OnlyReads::OnlyReads(OnlyReads&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), state_(std::move(other.state_)) {}

OnlyReads::~OnlyReads() {
  if (database_ != nullptr) sqlite3_set_authorizer(database_->handle(), nullptr, nullptr);
}

int OnlyReads::Authorize(void* self, int action, const char* first, const char* second,
                         const char* /*database*/, const char* /*trigger*/) noexcept try {
  State& state = *static_cast<State*>(self);
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      if (state.functions.count(LowerCase(second)) > 0) return SQLITE_OK;
      state.refused = std::string("calls ") + (second == nullptr ? "a function" : second) +
                      "(), which is none of SQLite's functions that only look, and say the same "
                      "each time";
      return SQLITE_DENY;
    case SQLITE_PRAGMA: {
      const std::string name = LowerCase(first);
      if (std::ranges::find(kReadingPragmas, name) != kReadingPragmas.end()) return SQLITE_OK;
      state.refused = "uses PRAGMA " + name;
      return SQLITE_DENY;
    }
    default: state.refused = "does something else than reading"; return SQLITE_DENY;
  }
} catch (const std::bad_alloc&) {
  return SQLITE_DENY;
}

Result<Prepared> OnlyReads::Prepare(const std::string& sql) {
  state_->refused.clear();
  auto prepared = Prepared::Make(*database_, sql);
  if (!prepared.ok() && !state_->refused.empty()) {
    return Status(StatusCode::kInvalidArgument,
                  "the expression " + state_->refused + ": it may only look at the database");
  }
  if (!prepared.ok()) {
    // An offset in our statement would mislead.
    const Status& status = prepared.status();
    return Status(status.code(), status.message().substr(0, status.message().rfind(" at offset ")));
  }
  if (sqlite3_bind_parameter_count(prepared->get()) != 0) {
    return Status(StatusCode::kInvalidArgument,
                  "the expression has a parameter (?, :name): write the value itself");
  }
  return prepared;
}

}  // namespace tidemark::internal
