// Names of tables and columns, as SQL has them.

#ifndef TIDEMARK_VFS_INTERNAL_SQL_NAME_H_
#define TIDEMARK_VFS_INTERNAL_SQL_NAME_H_

#include <string>
#include <string_view>

namespace tidemark::internal {

// In double quotes, those in it doubled.
std::string QuoteName(std::string_view name);

// As SQLite compares names: the case of ASCII letters does not count.
bool SameName(std::string_view a, std::string_view b);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SQL_NAME_H_
