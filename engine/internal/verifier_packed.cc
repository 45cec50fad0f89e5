// The verifier's look at what packed segments hold of commits and pages.

#include <optional>
#include <string>

#include "engine/internal/commit_run.h"
#include "engine/internal/history_block.h"
#include "engine/internal/verifier.h"

namespace tidemark::internal {

void Verifier::CheckCommits(const DirectoryEntry& entry, const RecordView& record, Location place) {
  const auto commits = DecodeCommitRun(record.fields);
  const auto report = [&](const std::string& message) {
    Report(place, ObjectOf(entry.timeline), message);
  };
  if (!commits) return report("the run of commits is malformed");
  const CommitRunRow expected{.lsn = commits->front().lsn,
                              .location = place,
                              .count = static_cast<uint32_t>(commits->size())};
  const auto known = store_->index().FindRun(entry.timeline, expected.lsn);
  if (!known.ok()) return report(known.status().message());
  if (*known == expected) return;
  report("the index does not know the commits from LSN " + std::to_string(expected.lsn.value) +
         " on: it must be rebuilt from the log");
}

void Verifier::CheckHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                            const RecordView& record) {
  const Location place = group.PlaceOf(entry);
  const auto timeline = store_->FindTimeline(entry.timeline);
  if (!timeline.ok()) return Report(place, ObjectOf(entry), timeline.status().message());
  for (size_t at = record.payload_offset; at < record.length;) {
    const Location block_place{place.segment, place.offset + static_cast<uint32_t>(at)};
    const ConstBytes bytes = group.bytes.subspan(entry.offset + at, record.length - at);
    auto head = ParseHistoryBlockHead(bytes);
    if (!head) {
      return Report(block_place, ObjectOf(entry.timeline), "what stands there is no block");
    }
    at += head->row.length;
    head->row.location = block_place;
    PageChange change;
    change.page = head->page;
    change.version = head->row;
    Status status = CheckBlock(**timeline, change, bytes.first(head->row.length));
    if (status.ok()) status = CheckIndexed(**timeline, change);
    if (!status.ok() && !HasExpired(**timeline, change)) {
      Report(block_place, ObjectOf(entry.timeline), status.message());
    }
  }
}

void Verifier::CheckDictionary(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  if (Dictionary::Parse(group.bytes.subspan(entry.offset + record.payload_offset,
                                            record.payload_length)) != nullptr)
    return;
  Report(group.PlaceOf(entry), ObjectOf(entry.timeline), "a dictionary is damaged");
}

Status Verifier::CheckBlock(const Timeline& timeline, const PageChange& block, ConstBytes bytes) {
  const auto damaged = [&](const char* what) {
    return Status(StatusCode::kCorruption, Describe(block.page, block.version) + what);
  };
  HistoryBlock history;
  TIDEMARK_RETURN_IF_ERROR(store_->reader().LoadBlock(block.page, block.version, bytes, history));
  Buffer page(history.page_size());
  if (history.base_lsn().valid()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto base,
                              store_->reader().Find(timeline, block.page, history.base_lsn()));
    if (!base) return damaged(": what its block builds on is missing");
    TIDEMARK_RETURN_IF_ERROR(store_->reader().Read(&timeline, block.page, *base, page));
  }
  for (size_t i = 0; i < history.versions().size(); ++i) {
    ++report_.page_versions;
    if (!history.Apply(i, page)) return damaged(": a version in its block does not fit");
  }
  return OkStatus();
}

}  // namespace tidemark::internal
