#include "engine/internal/page_rows.h"

#include <algorithm>

namespace tidemark::internal {

const PageVersion* PageRows::RowAt(Lsn lsn) const {
  const auto next = std::upper_bound(rows.begin(), rows.end(), lsn,
                                     [](Lsn a, const PageVersion& row) { return a < row.lsn; });
  if (next != rows.begin()) return &*(next - 1);
  return before && before->lsn <= lsn ? &*before : nullptr;
}

// As Index::FindPageVersions finds them.
bool PageRows::Know(const PageVersion& version) const {
  const auto at = std::lower_bound(rows.begin(), rows.end(), version.lsn,
                                   [](const PageVersion& row, Lsn lsn) { return row.lsn < lsn; });
  if (at != rows.end() && at->lsn == version.lsn) return *at == version;
  const PageVersion* const next = at != rows.end() ? &*at : behind ? &*behind : nullptr;
  const PageVersion* const last = RowAt(version.lsn);
  const int depth = last != nullptr && !last->is_block() ? last->depth : 0;
  return next != nullptr && !next->is_block() && next->depth > depth + 1 && checkpoint &&
         next->lsn <= *checkpoint && next->MayBuildOn(version);
}

}  // namespace tidemark::internal
