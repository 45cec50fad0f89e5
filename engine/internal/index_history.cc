// Index's look-ups of page versions and commits, see index.h.

#include <algorithm>

#include "engine/format.h"
#include "engine/internal/commit_list.h"
#include "engine/internal/index_impl.h"
#include "engine/internal/page_rows.h"

namespace tidemark::internal {
namespace {

// Does the cursor stand on a key that begins with the timeline?
bool IsOf(const LmdbCursor& cursor, TimelineId timeline) {
  return BeginsWith(cursor.key(), NumberKey(timeline.value));
}

// The row of a page's versions that `seek` finds in Index::Impl.
template <typename Impl, typename Seek>
Result<std::optional<PageVersion>> FindRow(const Impl& impl, Seek seek) {
  return impl.Find(kPagesTable, seek,
                   [](ConstBytes, ConstBytes value) { return DecodePageVersion(value); });
}

}  // namespace

Result<std::optional<PageVersion>> Index::FindPageVersion(TimelineId timeline, PageNo page,
                                                          Lsn lsn) const {
  std::optional<PageVersion> found;
  TIDEMARK_RETURN_IF_ERROR(FindPageVersions(timeline, page, lsn, std::span(&found, 1)));
  return found;
}

Status Index::FindPageVersions(TimelineId timeline, PageNo first, Lsn lsn,
                               std::span<std::optional<PageVersion>> out) const {
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& cursor = read.cursor(kPagesTable);
  std::optional<CheckpointRow> checkpoint;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].reset();
    const Key12 key = PageKey(timeline, PageNo(first.value + static_cast<uint32_t>(i)));
    // Most look-ups want the latest.
    if (!cursor.Seek(key) || !cursor.LastDuplicate()) continue;
    out[i] = DecodePageVersion(cursor.value());
    if (!out[i]) return impl_->Damaged(kPagesTable);
    if (out[i]->lsn <= lsn) continue;
    if (!cursor.SeekDuplicateAtOrAfter(key, NumberKey(lsn.value))) continue;
    out[i] = DecodePageVersion(cursor.value());
    if (!out[i]) return impl_->Damaged(kPagesTable);
    if (out[i]->lsn == lsn) continue;
    const PageVersion behind = *out[i];
    out[i].reset();
    if (cursor.PreviousDuplicate()) {
      out[i] = DecodePageVersion(cursor.value());
      if (!out[i]) return impl_->Damaged(kPagesTable);
    }
    // Only between a row and a patch on one that is not in it can there be versions without rows.
    const int depth = out[i] && !out[i]->is_block() ? out[i]->depth : 0;
    if (behind.is_block() || behind.depth <= depth + 1) continue;
    // And not before one that is ahead of the checkpoint.
    if (LmdbCursor& meta = read.cursor(kMetaTable);
        !checkpoint && meta.Seek(TextKey(kCheckpointKey)))
      checkpoint = DecodeCheckpointRow(meta.value());
    if (!checkpoint || behind.lsn > checkpoint->lsn) continue;
    out[i] = behind;
    out[i]->in_chain = true;
  }
  return read.status();
}

Result<std::optional<PageVersion>> Index::FindPageRow(TimelineId timeline, PageNo page,
                                                      Lsn lsn) const {
  return FindRow(
      *impl_, [&](LmdbCursor& cursor) { return SeekLatest(cursor, PageKey(timeline, page), lsn); });
}

Result<std::optional<PageVersion>> Index::FindNextPageRow(TimelineId timeline, PageNo page,
                                                          Lsn lsn) const {
  return FindRow(*impl_, [&](LmdbCursor& cursor) {
    return cursor.SeekDuplicateAtOrAfter(PageKey(timeline, page), NumberKey(lsn.value + 1));
  });
}

Status Index::ListPageRows(TimelineId timeline, PageNo page, Lsn first, Lsn last,
                           PageRows* out) const {
  out->before.reset();
  out->rows.clear();
  out->behind.reset();
  out->checkpoint.reset();
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& cursor = read.cursor(kPagesTable);
  const Key12 key = PageKey(timeline, page);
  const bool has_before = SeekLatest(cursor, key, Lsn(first.value - 1));
  for (bool there = has_before || cursor.Seek(key); there && !out->behind;
       there = cursor.NextDuplicate()) {
    const auto row = DecodePageVersion(cursor.value());
    if (!row) return impl_->Damaged(kPagesTable);
    if (row->lsn < first) {
      out->before = row;
    } else if (row->lsn <= last) {
      out->rows.push_back(*row);
    } else {
      out->behind = row;
    }
  }
  if (LmdbCursor& meta = read.cursor(kMetaTable); meta.Seek(TextKey(kCheckpointKey))) {
    const auto checkpoint = DecodeCheckpointRow(meta.value());
    if (!checkpoint) return impl_->Damaged(kMetaTable);
    out->checkpoint = checkpoint->lsn;
  }
  return read.status();
}

Status Index::ListPageChanges(TimelineId timeline, PageNo first, size_t most, Lsn after, Lsn upto,
                              PageChanges* out) const {
  out->pages.clear();
  out->blocks.clear();
  out->next.reset();
  LmdbReadTransaction read(impl_->env());
  std::optional<CheckpointRow> checkpoint;
  if (LmdbCursor& meta = read.cursor(kMetaTable); meta.Seek(TextKey(kCheckpointKey))) {
    checkpoint = DecodeCheckpointRow(meta.value());
    if (!checkpoint) return impl_->Damaged(kMetaTable);
  }
  LmdbCursor& cursor = read.cursor(kPagesTable);
  Key12 key = PageKey(timeline, first);
  size_t count = 0;
  for (bool there = cursor.SeekAtOrAfter(key); there && IsOf(cursor, timeline);
       there = cursor.NextKey()) {
    if (cursor.key().size() != key.size()) return impl_->Damaged(kPagesTable);
    const PageNo page(LoadNumberKey4(cursor.key().subspan(sizeof(Key8))));
    if (count++ == most) {
      out->next = page;
      break;
    }
    if (!cursor.LastDuplicate()) break;
    auto row = DecodePageVersion(cursor.value());
    if (!row) return impl_->Damaged(kPagesTable);
    if (row->lsn > after) {
      key = PageKey(timeline, page);
      if (!cursor.SeekDuplicateAtOrAfter(key, NumberKey(after.value + 1))) break;
      const auto behind = DecodePageVersion(cursor.value());
      if (!behind) return impl_->Damaged(kPagesTable);
      if (behind->lsn <= upto) {
        out->pages.push_back(page);
        continue;
      }
      row.reset();
      if (cursor.PreviousDuplicate()) {
        row = DecodePageVersion(cursor.value());
        if (!row) return impl_->Damaged(kPagesTable);
      }
      // As in FindPageVersions: between the two there can be versions without rows.
      const int depth = row && !row->is_block() ? row->depth : 0;
      if (!behind->is_block() && behind->depth > depth + 1 && checkpoint &&
          behind->lsn <= checkpoint->lsn) {
        out->pages.push_back(page);
        continue;
      }
    }
    if (row && row->is_block()) out->blocks.emplace_back(page, *row);
  }
  return read.status();
}

Result<PageSet> Index::ListPages(TimelineId timeline) const {
  PageSet pages;
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& cursor = read.cursor(kPagesTable);
  const Key12 first = PageKey(timeline, PageNo(0));
  for (bool there = cursor.SeekAtOrAfter(first); there && IsOf(cursor, timeline);
       there = cursor.NextKey()) {
    if (cursor.key().size() != first.size()) return impl_->Damaged(kPagesTable);
    pages.Add(PageNo(LoadNumberKey4(cursor.key().subspan(sizeof(Key8)))));
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return pages;
}

Result<std::optional<CommitRow>> Index::FindCommit(TimelineId timeline, Lsn lsn) const {
  LmdbReadTransaction read(impl_->env());
  std::optional<CommitRow> found;
  LmdbCursor& commits = read.cursor(kCommitsTable);
  if (commits.SeekAtOrBefore(CommitListKey(timeline, lsn)) && IsOf(commits, timeline)) {
    CommitListReader list(commits.key(), commits.value());
    for (CommitRow row; list.Next(row) && row.lsn <= lsn;) found = row;
    if (list.is_damaged() || !found) return impl_->Damaged(kCommitsTable);
    // What is in runs is older than what the log has.
    if (!format::IsPacked(found->location.segment)) return found;
  }
  if (LmdbCursor& runs = read.cursor(kRunsTable);
      SeekLatest(runs, NumberKey(timeline.value), lsn)) {
    const auto run = DecodeCommitRunRow(runs.value());
    if (!run) return impl_->Damaged(kRunsTable);
    if (!found || run->lsn > found->lsn) found = {.lsn = run->lsn, .location = run->location};
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return found;
}

Result<std::optional<Lsn>> Index::FindNextCommit(TimelineId timeline, Lsn lsn) const {
  LmdbReadTransaction read(impl_->env());
  std::optional<Lsn> next;
  LmdbCursor& commits = read.cursor(kCommitsTable);
  const Key16 from = CommitListKey(timeline, lsn);
  bool there = commits.SeekAtOrBefore(from) && IsOf(commits, timeline);
  if (!there) there = commits.SeekAtOrAfter(from) && IsOf(commits, timeline);
  for (; there && !next; there = commits.Next() && IsOf(commits, timeline)) {
    CommitListReader list(commits.key(), commits.value());
    CommitRow row;
    while (list.Next(row) && row.lsn <= lsn) {
    }
    if (list.is_damaged()) return impl_->Damaged(kCommitsTable);
    if (row.lsn > lsn) next = row.lsn;
  }
  if (LmdbCursor& runs = read.cursor(kRunsTable);
      runs.SeekDuplicateAtOrAfter(NumberKey(timeline.value), NumberKey(lsn.value + 1))) {
    const auto run = DecodeCommitRunRow(runs.value());
    if (!run) return impl_->Damaged(kRunsTable);
    next = next ? std::min(*next, run->lsn) : run->lsn;
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return next;
}

Result<std::optional<CommitRunRow>> Index::FindRun(TimelineId timeline, Lsn first) const {
  const Key8 key = NumberKey(timeline.value);
  return impl_->Find(
      kRunsTable,
      [&](LmdbCursor& cursor) {
        return SeekLatest(cursor, key, first) && BeginsWith(cursor.value(), NumberKey(first.value));
      },
      [](ConstBytes, ConstBytes value) { return DecodeCommitRunRow(value); });
}

Result<Index::CommitCount> Index::CountCommits(const ObjectId& object) const {
  CommitCount result;
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& meta = read.cursor(kMetaTable);
  if (meta.Seek(TextKey(kCheckpointKey))) {
    const auto checkpoint = DecodeCheckpointRow(meta.value());
    if (!checkpoint) return impl_->Damaged(kMetaTable);
    result.checkpoint = checkpoint->lsn;
  }
  LmdbCursor& timelines = read.cursor(kObjectTimelinesTable);
  LmdbCursor& commits = read.cursor(kCommitsTable);
  LmdbCursor& runs = read.cursor(kRunsTable);
  for (bool there = timelines.Seek(object.bytes); there; there = timelines.NextDuplicate()) {
    const TimelineId timeline(LoadNumberKey8(timelines.value()));
    for (bool list = commits.SeekAtOrAfter(CommitListKey(timeline, Lsn(0)));
         list && IsOf(commits, timeline); list = commits.Next()) {
      result.count += CommitListReader(commits.key(), commits.value()).count();
    }
    for (bool run = runs.Seek(timelines.value()); run; run = runs.NextDuplicate()) {
      const auto row = DecodeCommitRunRow(runs.value());
      if (!row) return impl_->Damaged(kRunsTable);
      result.count += row->count;
    }
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return result;
}

}  // namespace tidemark::internal
