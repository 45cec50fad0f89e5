// What can be told of LMDB's file before LMDB maps it.
//
// LMDB trusts its pages: a root beyond the file, or a node that begins outside of its page, ends
// the process with a signal. So whoever opens an index first asks the two pages that everything
// hangs on; and who has the time walks all trees, which then neither crash LMDB nor have it give
// rows for others. There are no checksums: bytes inside of a row can be wrong without any of this
// seeing it.
//
// Threads: any; nobody may write the file meanwhile.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_FILE_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_FILE_H_

#include <string>

#include "engine/status.h"

namespace tidemark::internal {

// The meta pages of the file at `path`: their numbers hang together, and the file is long enough
// for its roots. OK if there is no file, or one that nothing was ever committed to. Cost: two
// reads. Errors: kCorruption; kIoError.
Status CheckIndexMeta(const std::string& path);

// All pages that the latest commit uses, those of free pages included: every one is what its place
// says, is used once, and has keys in order, and as many as its table says. Cost: reads the file.
// Errors: as CheckIndexMeta.
Status CheckIndexPages(const std::string& path);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_FILE_H_
