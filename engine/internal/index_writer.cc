// The lists of commits as they change, see commit_list.h.

#include "engine/internal/index_writer.h"

#include <algorithm>

#include "engine/internal/commit_list.h"

namespace tidemark::internal {

// Takes the lists that the rows fall into, merges them, and puts them in full lists again.
Status LmdbIndexWriter::PutCommits(TimelineId timeline, std::span<const CommitRow> rows) {
  if (rows.empty()) return OkStatus();
  std::vector<CommitRow> old;
  std::vector<Lsn> old_lists;
  LmdbCursor& lists = transaction_.cursor(kCommitsTable);
  const auto is_of = [&] {
    return std::ranges::equal(lists.key().first(sizeof(Key8)), NumberKey(timeline.value));
  };
  const Key16 from = CommitListKey(timeline, rows.front().lsn);
  bool there = lists.SeekAtOrBefore(from) && is_of();
  if (!there) there = lists.SeekAtOrAfter(from) && is_of();
  for (; there; there = lists.Next() && is_of()) {
    const Lsn first(LoadNumberKey8(lists.key().subspan(sizeof(Key8))));
    if (first > rows.back().lsn) break;
    const auto list = DecodeCommitList(lists.key(), lists.value());
    if (!list) return Status(StatusCode::kCorruption, "a row of the index's commits is malformed");
    // Full, and all of it before: it stays.
    if (list->size() == kMostCommitsInList && list->back().lsn < rows.front().lsn) continue;
    old_lists.push_back(first);
    old.insert(old.end(), list->begin(), list->end());
  }
  std::vector<CommitRow> merged;
  merged.reserve(old.size() + rows.size());
  auto next_old = old.begin();
  for (const CommitRow& row : rows) {
    while (next_old != old.end() && next_old->lsn < row.lsn) merged.push_back(*next_old++);
    if (next_old != old.end() && next_old->lsn == row.lsn) ++next_old;
    if (row.location.segment != 0) merged.push_back(row);
  }
  merged.insert(merged.end(), next_old, old.end());

  for (const Lsn first : old_lists) {
    if (!merged.empty() && first == merged.front().lsn) continue;  // replaced below
    TIDEMARK_RETURN_IF_ERROR(transaction_.Remove(kCommitsTable, CommitListKey(timeline, first)));
  }
  for (std::span<const CommitRow> left(merged); !left.empty();) {
    const auto list = left.first(std::min(kMostCommitsInList, left.size()));
    left = left.subspan(list.size());
    rows_.clear();
    EncodeCommitList(list, rows_);
    TIDEMARK_RETURN_IF_ERROR(
        transaction_.Put(kCommitsTable, CommitListKey(timeline, list.front().lsn), rows_));
  }
  return OkStatus();
}

}  // namespace tidemark::internal
