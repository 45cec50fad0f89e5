// The library's tables, out of reach: see own_tables.h.

#include "api/internal/own_tables.h"

#include <string>
#include <unordered_map>

#include "api/error.h"
#include "api/internal/statement_end.h"

namespace tidemark::internal {
namespace {

constexpr std::string_view kPrefix = "_cf";

// Where the next one stands, from `from` on; npos if nowhere.
size_t FindPrefix(std::string_view sql, size_t from) {
  for (size_t at = from;; ++at) {
    at = sql.find('_', at);
    if (at == std::string_view::npos || sql.size() - at < kPrefix.size()) break;
    if (sqlite3_strnicmp(sql.data() + at, kPrefix.data(), static_cast<int>(kPrefix.size())) == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

[[noreturn]] void Refuse(const std::string& what) {
  throw Error(Status(StatusCode::kInvalidArgument, what + ": SQLITE_AUTH"), SQLITE_AUTH);
}

// "EXPLAIN" goes before a statement that may be as long as one is allowed to be.
class LongerSql {
 public:
  LongerSql(sqlite3* connection, int bytes)
      : connection_(connection), before_(sqlite3_limit(connection, SQLITE_LIMIT_SQL_LENGTH, -1)) {
    sqlite3_limit(connection, SQLITE_LIMIT_SQL_LENGTH, before_ + bytes);
  }
  ~LongerSql() { sqlite3_limit(connection_, SQLITE_LIMIT_SQL_LENGTH, before_); }
  LongerSql(const LongerSql&) = delete;
  LongerSql& operator=(const LongerSql&) = delete;

 private:
  sqlite3* connection_;
  int before_;
};

bool Opens(std::string_view operation) {
  return operation == "OpenRead" || operation == "OpenWrite" || operation == "ReopenIdx";
}

}  // namespace

bool MentionsOwnNames(std::string_view sql) noexcept {
  return FindPrefix(sql, 0) != std::string_view::npos;
}

bool WritesOwnName(std::string_view sql) noexcept {
  for (size_t at = FindPrefix(sql, 0); at != std::string_view::npos; at = FindPrefix(sql, at + 1)) {
    const std::string_view behind = sql.substr(at + kPrefix.size());
    if (behind.size() > 1 && behind[0] == '_' && IsWordPart(behind[1])) return true;
  }
  return false;
}

OwnTables::OwnTables(Connection& connection)
    : connection_(connection),
      roots_(connection,
             "SELECT rootpage, tbl_name FROM sqlite_schema "
             "WHERE lower(substr(tbl_name, 1, 4)) = '_cf_' AND rootpage > 0"),
      count_(connection,
             "SELECT (SELECT count(*) FROM sqlite_schema WHERE lower(substr(name, 1, 4)) = '_cf_') "
             "+ (SELECT count(*) FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS k "
             "WHERE s.type = 'table' AND lower(substr(k.\"table\", 1, 4)) = '_cf_')") {}

void OwnTables::RequireOutOfReach(const Statement& statement, std::string_view sql) {
  if (statement.creates_program) {
    if (WritesOwnName(sql)) {
      Refuse("not authorized: a view, trigger or virtual table names what begins with _cf_");
    }
    return;
  }
  if (sqlite3_stmt_isexplain(statement.handle) != 0) return;  // it runs nothing
  std::unordered_map<int64_t, std::string> tables;
  {
    OwnStatement::Use use(roots_);
    while (use.Step()) {
      tables.emplace(sqlite3_column_int64(use.handle(), 0),
                     reinterpret_cast<const char*>(sqlite3_column_text(use.handle(), 1)));
    }
  }
  if (tables.empty()) return;
  const std::string text = "EXPLAIN " + std::string(sql);
  const LongerSql longer(connection_.handle(), 8);
  const StatementHandle program(connection_.CompileOwn(text.c_str()));
  while (OwnStatement::StepOwn(connection_, program)) {
    const auto* operation = reinterpret_cast<const char*>(sqlite3_column_text(program, 1));
    const bool main_database = sqlite3_column_int(program, 4) == 0;
    if (operation == nullptr || !Opens(operation) || !main_database) continue;
    const auto table = tables.find(sqlite3_column_int64(program, 3));
    if (table != tables.end()) Refuse("access to " + table->second + " is prohibited");
  }
}

int64_t OwnTables::Count() {
  OwnStatement::Use use(count_);
  use.Step();
  return sqlite3_column_int64(use.handle(), 0);
}

}  // namespace tidemark::internal
