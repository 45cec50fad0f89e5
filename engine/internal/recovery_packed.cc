// Recovery, see recovery.h: what packed segments bring back when there is no index.

#include <algorithm>
#include <iterator>

#include "engine/internal/commit_run.h"
#include "engine/internal/history_block.h"
#include "engine/internal/packed_scanner.h"
#include "engine/internal/recovery.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {

Status Recovery::ReplayPacked(ScanStart* start) {
  Segments& segments = *store_->segments_;
  const std::vector<Segments::Packed> all = segments.ListPacked();
  if (all.empty()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(segments.RewritePackedHeaders());
  auto packed = all.begin();
  Location from{packed->header.number, format::kFirstGroupOffset};
  if (format::IsPacked(start->position.segment)) {  // this was begun before
    from = start->position;
    packed = std::find_if(all.begin(), all.end(), [&](const Segments::Packed& one) {
      return one.header.number == from.segment;
    });
    if (packed == all.end()) {
      return Status(StatusCode::kCorruption,
                    "the index was being made anew from " + SegmentLabel(from.segment) +
                        ", which is missing: `tidemark rebuild` begins again");
    }
  }
  in_packed_ = true;
  for (; packed != all.end(); ++packed) {
    packed_first_ = Lsn(packed == all.begin() ? 1 : std::prev(packed)->log.last_lsn + 1);
    packed_last_ = Lsn(packed->log.last_lsn);
    if (from.segment != packed->header.number) {
      from = {packed->header.number, format::kFirstGroupOffset};
    }
    TIDEMARK_RETURN_IF_ERROR(ScanPacked(
        segments, from, [this](const ScannedGroup& group) { return ReplayGroup(group); }));
  }
  // All of it into the index: what is in memory is newer than what is there.
  TIDEMARK_RETURN_IF_ERROR(FlushPackedRows());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer_->RunTo(behind_));
  in_packed_ = false;
  const Segments::Packed& last = all.back();
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer_->UpdateIndex([&](IndexWriter& writer) -> Status {
    for (const Segments::Packed& one : all) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutPacked({.number = one.header.number,
                                                 .first = one.header.packed_from,
                                                 .last = one.header.previous}));
    }
    return OkStatus();
  }));
  start->position = {last.header.previous + 1, format::kFirstGroupOffset};
  start->last_lsn = Lsn(last.log.last_lsn);
  start->last_time = Timestamp(std::chrono::microseconds(static_cast<int64_t>(last.log.last_time)));
  start->proven_lsn = std::max(start->proven_lsn, start->last_lsn);
  epoch_ = std::max(epoch_, last.log.epoch);
  behind_ = {};
  behind_.lsn = start->last_lsn;
  behind_.position = start->position;
  behind_.time = start->last_time;
  return OkStatus();
}

Status Recovery::ReplayCommits(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  const auto commits = DecodeCommitRun(record.fields);
  if (!in_packed_ || !commits) return Inconsistent(group, entry, "is no run of commits");
  const CommitInfo& last = commits->back();
  if (last.lsn > packed_last_) return Inconsistent(group, entry, "has commits of later segments");
  if (last.timeline != entry.timeline) return Quarantine(group, entry);
  runs_.push_back({last.timeline,
                   {.lsn = commits->front().lsn,
                    .location = group.PlaceOf(entry),
                    .count = static_cast<uint32_t>(commits->size())}});
  auto timeline = store_->FindTimeline(last.timeline);
  // Its object's creation was damaged.
  if (timeline.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
  TIDEMARK_RETURN_IF_ERROR(timeline.status());
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, ObjectOf(**timeline));
  begun_.erase(last.timeline);
  Lsn head;
  {
    std::lock_guard lock(object->mutex);
    head = object->head.lsn;
  }
  if (last.lsn > head) store_->AdoptTimeline(object, *timeline, &last);
  return OkStatus();
}

Status Recovery::ReplayHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  Reader fields(record.fields);
  const TimelineId timeline(fields.Varint());
  if (!in_packed_ || !fields.AtEnd()) return Inconsistent(group, entry, "is no history");
  if (timeline != entry.timeline) return Quarantine(group, entry);
  const Location place = group.PlaceOf(entry);
  HistoryBlock history;
  for (size_t at = record.payload_offset; at < record.length;) {
    const ConstBytes bytes = group.bytes.subspan(entry.offset + at, record.length - at);
    auto head = ParseHistoryBlockHead(bytes);
    if (!head || (!group.intact &&
                  !history.Parse(head->page, bytes.first(head->row.length), std::nullopt))) {
      return Quarantine(group, entry);
    }
    head->row.location = {place.segment, place.offset + static_cast<uint32_t>(at)};
    blocks_.push_back({timeline, head->page, head->row});
    at += head->row.length;
  }
  return OkStatus();
}

// Blocks find it by themselves.
Status Recovery::ReplayDictionary(const ScannedGroup& group, const DirectoryEntry& entry,
                                  const RecordView& record) {
  Reader fields(record.fields);
  const TimelineId timeline(fields.Varint());
  if (!in_packed_ || !fields.AtEnd()) return Inconsistent(group, entry, "is no dictionary");
  const ConstBytes bytes =
      group.bytes.subspan(entry.offset + record.payload_offset, record.payload_length);
  const bool right =
      timeline == entry.timeline && (group.intact || Dictionary::Parse(bytes) != nullptr);
  return right ? OkStatus() : Quarantine(group, entry);
}

Status Recovery::FlushPackedRows() {
  if (blocks_.empty() && runs_.empty()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer_->UpdateIndex([&](IndexWriter& writer) -> Status {
    for (const MovedVersion& block : blocks_) TIDEMARK_RETURN_IF_ERROR(writer.Move(block));
    for (const MovedRun& run : runs_) TIDEMARK_RETURN_IF_ERROR(writer.Move(run));
    return OkStatus();
  }));
  blocks_.clear();
  runs_.clear();
  return OkStatus();
}

}  // namespace tidemark::internal
