// The functions, pragmas and virtual tables that SQL inside an object may use.

#ifndef TIDEMARK_API_INTERNAL_SQL_LISTS_H_
#define TIDEMARK_API_INTERNAL_SQL_LISTS_H_

namespace tidemark::internal {

// Names in whatever letters, as SQLite takes them; null is not allowed.
bool IsAllowedFunction(const char* name) noexcept;
bool IsAllowedModule(const char* name) noexcept;
// `argument` as SQLite hands it to an authorizer: null if there is none.
bool IsAllowedPragma(const char* name, const char* argument) noexcept;
// Tables that SQLite or its extensions have without anybody having created them, and that show
// more than the object's own rows. An object cannot use these names for tables of its own.
bool IsDeniedTable(const char* name) noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_SQL_LISTS_H_
