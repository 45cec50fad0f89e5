// The names of SQLite's result codes, as error texts have them.

#ifndef TIDEMARK_API_INTERNAL_SQLITE_CODE_NAME_H_
#define TIDEMARK_API_INTERNAL_SQLITE_CODE_NAME_H_

#include <string>

namespace tidemark::internal {

// "SQLITE_CONSTRAINT_UNIQUE"; "SQLITE_nnn" for a code that has no name here.
std::string SqliteCodeName(int code);

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_SQLITE_CODE_NAME_H_
