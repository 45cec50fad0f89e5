// The functions, pragmas and virtual tables that SQL inside an object may use.

#ifndef TIDEMARK_API_INTERNAL_SQL_LISTS_H_
#define TIDEMARK_API_INTERNAL_SQL_LISTS_H_

#include <sqlite3.h>

namespace tidemark::internal {

// Names in whatever letters, as SQLite takes them; null is not allowed.
bool IsAllowedFunction(const char* name) noexcept;
bool IsAllowedModule(const char* name) noexcept;
// `argument` as SQLite hands it to an authorizer: null if there is none.
bool IsAllowedPragma(const char* name, const char* argument) noexcept;
// Takes all other modules from the connection: dbstat, sqlite_stmt and their like would be there
// without having been created, and an authorizer is not asked about all ways to read them.
void DropOtherModules(sqlite3* connection) noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_SQL_LISTS_H_
