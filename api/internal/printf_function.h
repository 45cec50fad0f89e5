// SQL's printf() and format(), with bounds.
//
// SQLite's own make each character of a width or precision one by one, before they find that the
// result is too long, and nothing interrupts them: printf('%.*c', 2000000000, 'x') takes ten
// seconds of a processor. (workerd is built with SQLITE_PRINTF_PRECISION_LIMIT, which a library
// that is there already has not.) These look at the format first, then have SQLite's do the work,
// in a connection beside.

#ifndef TIDEMARK_API_INTERNAL_PRINTF_FUNCTION_H_
#define TIDEMARK_API_INTERNAL_PRINTF_FUNCTION_H_

#include <sqlite3.h>

#include <span>

namespace tidemark::internal {

// The largest width and precision: SQLITE_PRINTF_PRECISION_LIMIT of workerd.
inline constexpr int kMaxPrintfWidth = 100'000;

// True if no width or precision is above that; `arguments` are the format and what it is about.
bool IsPrintfBounded(std::span<sqlite3_value* const> arguments) noexcept;

// Puts them in the place of SQLite's own. They fail with SQLITE_TOOBIG where the bound is exceeded.
// Returns SQLite's code.
int InstallPrintf(sqlite3* connection) noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_PRINTF_FUNCTION_H_
