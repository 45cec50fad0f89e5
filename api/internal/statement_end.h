// Where the first statement in a text ends.

#ifndef TIDEMARK_API_INTERNAL_STATEMENT_END_H_
#define TIDEMARK_API_INTERNAL_STATEMENT_END_H_

#include <cstddef>
#include <string_view>

namespace tidemark::internal {

// Bytes up to and with the semicolon that ends the first statement, as sqlite3_complete() sees it:
// not one in a string, a quoted name, a comment or a trigger's body. 0 if it is not complete.
size_t StatementEnd(std::string_view sql) noexcept;

// What names and keywords are made of.
bool IsWordPart(char c) noexcept;

// SQLite's white space, with vertical tabs, from the front and the back.
std::string_view TrimSpace(std::string_view sql) noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_STATEMENT_END_H_
