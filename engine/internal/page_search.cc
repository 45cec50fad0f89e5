// PageReader's last resort: a version without a row, whose chain cannot be followed to it, because
// a later link is damaged, is looked for in the log.

#include <algorithm>
#include <optional>

#include "engine/internal/batched_pages.h"
#include "engine/internal/log_scanner.h"
#include "engine/internal/page_reader.h"
#include "engine/internal/record.h"
#include "engine/internal/recovery.h"

namespace tidemark::internal {
namespace {

Status EndOfSearch() { return Status(StatusCode::kOutOfRange, "enough was seen"); }

Status Unsure() {
  return Status(StatusCode::kCorruption, "the log does not say what the page was");
}

// Where a search begins: with the segment of the last row before what is wanted, or the one in
// which the timeline began. What was packed has rows.
std::optional<ScanStart> StartOfSearch(const Segments& segments, const Timeline& timeline,
                                       const std::optional<PageVersion>& row) {
  const auto headers = segments.Headers();
  auto first = headers.begin();
  if (row && !row->is_block()) {
    first = headers.find(row->location.segment);
  } else {
    for (auto at = first; at != headers.end(); ++at) {
      if (at->second.first_lsn <= timeline.id().value) first = at;
    }
    // One that is missing, and was not packed, may have held some of it.
    if (first != headers.end() && first->second.first_lsn > timeline.id().value &&
        !segments.WasPacked(first->first - 1)) {
      return std::nullopt;
    }
  }
  if (first == headers.end()) return std::nullopt;
  ScanStart start;
  start.position = {first->first, format::kFirstGroupOffset};
  start.last_lsn = Lsn(first->second.first_lsn - 1);
  return start;
}

}  // namespace

// Of a group that is damaged only what proves itself: all pages of the frame, because one of them
// might be the page under another number.
Status PageReader::SearchRecord(const Timeline& timeline, PageNo page, const ScannedGroup& group,
                                const DirectoryEntry& entry, size_t level,
                                std::optional<PageVersion>* found) const {
  if (entry.offset >= group.bytes.size()) return Unsure();
  RecordView record;
  const ConstBytes bytes = group.bytes.subspan(entry.offset);
  if (ParseRecord(bytes, group.incarnation, record) != ParseOutcome::kOk ||
      record.length > bytes.size() || record.place.group_offset != entry.offset ||
      record.place.lsn != entry.lsn.value) {
    return Unsure();
  }
  if (record.kind != RecordKind::kFrame) return OkStatus();
  const auto frame = DecodeFrame(record.fields);
  if (!frame || frame->timeline != timeline.id()) return Unsure();
  const Location place = group.PlaceOf(entry);
  const auto changes = ParsePageVersions(
      bytes.subspan(record.payload_offset, record.payload_length),
      {place.segment, place.offset + static_cast<uint32_t>(record.payload_offset)},
      frame->version_count, entry.lsn);
  if (!changes) return Unsure();
  if (!group.intact) {
    Buffer image(frame->page_size);
    for (const PageChange& change : *changes) {
      TIDEMARK_RETURN_IF_ERROR(
          ReadAt(&timeline, change.page, change.version, image, nullptr, level));
    }
  }
  if (frame->batch_count > 0) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto batches, BatchedPages::Load(*this, *frame));
    TIDEMARK_ASSIGN_OR_RETURN(const auto version, batches->Find(*this, page));
    if (version) *found = version;
    if (version) (*found)->lsn = entry.lsn;
  }
  for (const PageChange& change : *changes) {
    if (change.page == page) *found = change.version;
  }
  return OkStatus();
}

// A stretch of which nothing can be told ends the search. A block that cannot be read does so only
// if what it holds may matter.
Result<std::optional<PageVersion>> PageReader::SearchLog(const Timeline& timeline, PageNo page,
                                                         Lsn lsn, size_t level) const {
  TIDEMARK_ASSIGN_OR_RETURN(std::optional<PageVersion> found,
                            index_->FindPageRow(timeline.id(), page, lsn));
  auto start = StartOfSearch(*segments_, timeline, found);
  if (!start) return Unsure();
  start->proven_lsn = lsn;
  const Lsn known = found && !found->is_block() ? found->lsn : Lsn();
  if (found && found->is_block()) found->lsn = lsn;
  Status status;
  bool ended = false;
  const auto visit = [&](const ScannedGroup& group) -> Status {
    for (const DirectoryEntry& entry : group.directory) {
      if (!status.ok() || entry.lsn > lsn) break;
      if (entry.timeline != timeline.id() || entry.lsn <= known) continue;
      status = SearchRecord(timeline, page, group, entry, level, &found);
    }
    ended = !status.ok() || group.directory.back().lsn >= lsn;
    return ended ? EndOfSearch() : OkStatus();
  };
  const auto lost = [&status](Location, const Status& why) {
    if (why.code() != StatusCode::kIoError) status = Unsure();
  };
  const auto scanned = ScanLog(*segments_, *start, visit, lost);
  if (!status.ok()) return status;
  if (!ended && !scanned.ok()) return scanned.status();
  return found;
}

// As often as it takes: what is packed during a search is passed over.
Result<std::optional<PageVersion>> PageReader::SearchOwn(const Timeline& timeline, PageNo page,
                                                         Lsn lsn, size_t level) const {
  while (true) {
    const uint64_t change = index_->LastChange();
    TIDEMARK_ASSIGN_OR_RETURN(auto found, FindOwn(timeline, page, lsn));
    if (found && found->is_block()) found->lsn = lsn;
    if (!found || !found->in_chain) return found;
    TIDEMARK_ASSIGN_OR_RETURN(found, SearchLog(timeline, page, lsn, level));
    if (index_->LastChange() == change) return found;
  }
}

// A timeline whose versions build on its parent's leads to those, too: what it has none of itself
// by then is its parent's, and whole whatever became of the child.
Status PageReader::ReadBySearch(const Status& why, const Timeline* timeline, PageNo page,
                                const PageVersion& version, Bytes out, PageIdentity* identity,
                                size_t level) const {
  const bool may_be_whole =
      why.code() == StatusCode::kCorruption || why.code() == StatusCode::kIoError;
  if (timeline == nullptr || !version.in_chain || !may_be_whole) return why;
  Lsn lsn = version.lsn;
  for (const Timeline* at = timeline; at != nullptr; at = at->parent().get()) {
    if (!at->CheckTrusted(lsn).ok()) return why;
    const auto found = SearchOwn(*at, page, lsn, level + 1);
    if (found.status().code() == StatusCode::kBroken) return found.status();
    if (!found.ok()) return why;
    if (*found) {
      const Status read = ReadAt(timeline, page, **found, out, identity, level + 1);
      return read.ok() ? read : why;
    }
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return why;
}

}  // namespace tidemark::internal
