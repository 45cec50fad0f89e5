// What of SQL inside an object could reach the library's own tables, and stock SQLite's authorizer
// is not asked about.
//
// It is asked about columns that are named. Not about those that NATURAL and USING compare: so
// `SELECT key, value FROM t NATURAL FULL JOIN _cf_KV` would give what is in the hidden table. Nor
// about the name that ALTER TABLE ... RENAME TO gives, and what a foreign key refers to, whose
// actions would run within the library's own statements.
//
// All of these have to write "_cf": names have no escapes in SQL. (Without the last underscore: a
// virtual table that is renamed takes its own tables with it, whose names go on with one.) So a
// text without it needs no look. One with it is looked at by the program that it compiles to, or by
// what it left in the schema; and it is not kept in the cache, so that what was looked at is what
// runs. Views, triggers and virtual tables are compiled later, as parts of other texts: those that
// write such a name are not let into the schema.

#ifndef TIDEMARK_API_INTERNAL_OWN_TABLES_H_
#define TIDEMARK_API_INTERNAL_OWN_TABLES_H_

#include <cstdint>
#include <string_view>

#include "api/internal/connection.h"

namespace tidemark::internal {

// True if "_cf" stands in it, in whatever letters.
bool MentionsOwnNames(std::string_view sql) noexcept;
// True if a name stands in it that begins with "_cf_". LIKE '_cf_%' has none.
bool WritesOwnName(std::string_view sql) noexcept;

class OwnTables {
 public:
  explicit OwnTables(Connection& connection);

  // Throws Error (SQLITE_AUTH) if a statement that was compiled from `sql`, and mentions such
  // names, is not to run.
  void RequireOutOfReach(const Statement& statement, std::string_view sql);
  // Names that begin with "_cf_", and foreign keys that refer to one: more of them after a
  // statement than before it are the statement's doing.
  int64_t Count();

 private:
  Connection& connection_;
  OwnStatement roots_;
  OwnStatement count_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_OWN_TABLES_H_
