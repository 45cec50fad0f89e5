// Values as SQL writes them, so that SQLite reads exactly them back.

#ifndef TIDEMARK_VFS_INTERNAL_SQL_LITERAL_H_
#define TIDEMARK_VFS_INTERNAL_SQL_LITERAL_H_

#include <string>

#include "vfs/row_diff.h"

namespace tidemark::internal {

std::string SqlLiteral(const RowValue& value);

// 'it''s'
std::string QuoteText(std::string_view text);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SQL_LITERAL_H_
