// PageRows: what the index has of one page around a stretch of its versions, for whoever goes
// through them in order: one look-up for all of them.
//
// Threads: a value.

#ifndef TIDEMARK_ENGINE_INTERNAL_PAGE_ROWS_H_
#define TIDEMARK_ENGINE_INTERNAL_PAGE_ROWS_H_

#include <optional>
#include <vector>

#include "engine/internal/index.h"
#include "engine/lsn.h"

namespace tidemark::internal {

struct PageRows {
  std::optional<PageVersion> before;  // the last one ahead of the stretch
  std::vector<PageVersion> rows;      // of the stretch, in order of LSNs
  std::optional<PageVersion> behind;  // the first one behind it
  std::optional<Lsn> checkpoint;

  // The last row at or before `lsn`; null if there is none.
  const PageVersion* RowAt(Lsn lsn) const;
  // Does the index know this version of the stretch, by a row of its own or as one that the next
  // row's may build on?
  bool Know(const PageVersion& version) const;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PAGE_ROWS_H_
