// Repaginate: gives a staged database another page size.
//
// VACUUM and the backup API write a database of a new page size through SQLite's pager with the old
// one: as a string of bytes all is right, and only the header in page 1 says that the pages are to
// be cut differently. The engine's pages have the size the header names, so before such a commit
// the staged bytes are cut anew.

#ifndef TIDEMARK_VFS_INTERNAL_REPAGINATE_H_
#define TIDEMARK_VFS_INTERNAL_REPAGINATE_H_

#include <cstdint>

#include "engine/status.h"
#include "engine/transaction.h"

namespace tidemark::internal {

// Stages the first `size_bytes` of the database anew, in pages of `page_size` bytes; the last one
// is filled up with zeros. The bytes pass through a memory file, so any size goes. The change
// counter in page 1 is left as it is stored. Errors: as Transaction's; what is staged is then
// unspecified.
Status Repaginate(Transaction& transaction, uint32_t page_size, int64_t size_bytes);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_REPAGINATE_H_
