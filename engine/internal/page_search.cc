// PageReader's last resort: a version without a row, whose chain cannot be followed to it, because
// a later link is damaged, is looked for in the log.

#include <optional>

#include "engine/internal/batched_pages.h"
#include "engine/internal/log_scanner.h"
#include "engine/internal/page_reader.h"
#include "engine/internal/record.h"
#include "engine/internal/recovery.h"

namespace tidemark::internal {
namespace {

Status EndOfSearch() { return Status(StatusCode::kOutOfRange, "enough was seen"); }

}  // namespace

// From the last row before it on. Only groups that are whole count; one that is not, and may hold
// a later version, ends the search.
Result<std::optional<PageVersion>> PageReader::SearchLog(const Timeline& timeline, PageNo page,
                                                         Lsn lsn) const {
  TIDEMARK_ASSIGN_OR_RETURN(std::optional<PageVersion> found,
                            index_->FindPageRow(timeline.id(), page, lsn));
  if (found && found->is_block()) found->lsn = lsn;
  const auto headers = segments_->Headers();
  const auto first = headers.lower_bound(found && !found->is_block() ? found->location.segment : 0);
  if (first == headers.end()) return std::optional<PageVersion>();
  ScanStart start;
  start.position = {first->first, format::kFirstGroupOffset};
  start.last_lsn = Lsn(first->second.first_lsn - 1);
  start.proven_lsn = lsn;
  bool failed = false;
  bool ended = false;
  const auto take = [&](const ScannedGroup& group, const DirectoryEntry& entry) -> Status {
    RecordView record;
    const ConstBytes bytes = group.bytes.subspan(entry.offset);
    if (ParseRecord(bytes, group.incarnation, record) != ParseOutcome::kOk) return EndOfSearch();
    if (record.kind != RecordKind::kFrame) return OkStatus();
    const auto frame = DecodeFrame(record.fields);
    const Location place = group.PlaceOf(entry);
    const auto changes =
        frame ? ParsePageVersions(
                    bytes.subspan(record.payload_offset, record.payload_length),
                    {place.segment, place.offset + static_cast<uint32_t>(record.payload_offset)},
                    frame->version_count, entry.lsn)
              : std::nullopt;
    if (!changes) return EndOfSearch();
    if (frame->batch_count > 0) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto batches, BatchedPages::Load(*this, *frame));
      TIDEMARK_ASSIGN_OR_RETURN(const auto version, batches->Find(*this, page));
      if (version) found = version;
      if (version) found->lsn = entry.lsn;
    }
    for (const PageChange& change : *changes) {
      if (change.page == page) found = change.version;
    }
    return OkStatus();
  };
  const auto scanned = ScanLog(*segments_, start, [&](const ScannedGroup& group) -> Status {
    for (const DirectoryEntry& entry : group.directory) {
      ended = entry.lsn > lsn;
      if (ended) return EndOfSearch();
      if (entry.timeline != timeline.id()) continue;
      failed = !group.intact || !take(group, entry).ok();
      if (failed) return EndOfSearch();
    }
    failed = !group.intact && group.directory.empty();
    return failed ? EndOfSearch() : OkStatus();
  });
  if (failed || (!ended && !scanned.ok())) return std::optional<PageVersion>();
  return found;
}

Status PageReader::ReadBySearch(const Timeline& timeline, PageNo page, const PageVersion& version,
                                Bytes out, PageIdentity* identity, size_t level) const {
  const Status damaged(StatusCode::kCorruption, Describe(page, version) + " is damaged");
  Lsn lsn = version.lsn;
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto own, FindOwn(*at, page, lsn));
    if (own) {
      if (!own->in_chain) return damaged;
      TIDEMARK_ASSIGN_OR_RETURN(const auto found, SearchLog(*at, page, lsn));
      return found ? ReadAt(&timeline, page, *found, out, identity, level + 1) : damaged;
    }
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return damaged;
}

}  // namespace tidemark::internal
