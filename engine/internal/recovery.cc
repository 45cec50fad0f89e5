#include "engine/internal/recovery.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "engine/internal/segment_header.h"

namespace tidemark::internal {

Result<LogEnd> Recovery::Run() {
  Segments& segments = *store_->segments_;
  const auto headers = segments.Headers();
  TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, store_->index_->Checkpoint());
  ScanStart start;
  start.position = {headers.begin()->first, format::kFirstGroupOffset};
  if (checkpoint) {
    start.position = checkpoint->position;
    start.last_lsn = checkpoint->lsn;
    start.last_time = checkpoint->time;
    start.proven_lsn = checkpoint->lsn;
    if (!format::IsPacked(checkpoint->position.segment) &&
        !headers.contains(checkpoint->position.segment)) {
      return Status(StatusCode::kCorruption,
                    "the log ends before segment " + std::to_string(checkpoint->position.segment) +
                        ", where the index says it goes on: a segment is missing or its header is "
                        "damaged");
    }
    TIDEMARK_RETURN_IF_ERROR(CheckFits(*checkpoint));
  }
  const bool from_packed = !checkpoint || format::IsPacked(checkpoint->position.segment);
  for (const Segments::Packed& packed : segments.ListPacked()) {
    if (from_packed) total_bytes_ += packed.size_bytes;
  }
  for (const auto& [number, header] : headers) {
    if (!from_packed && number < start.position.segment) continue;
    TIDEMARK_ASSIGN_OR_RETURN(const auto segment, segments.Get(number));
    total_bytes_ += segment->size_bytes;
  }
  if (!from_packed) {
    total_bytes_ -= std::min<uint64_t>(total_bytes_, start.position.offset);
  }
  // Rows of a large commit may be in the index ahead of the checkpoint: it must not be lost.
  TIDEMARK_ASSIGN_OR_RETURN(const auto durable, store_->index_->Durable());
  start.proven_lsn = std::max(start.proven_lsn, durable.value_or(Lsn()));
  behind_.lsn = start.last_lsn;
  behind_.position = start.position;
  behind_.time = start.last_time;
  store_->checkpointer_->Start(behind_);
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, store_->EpochOf(start.last_lsn));
  if (epoch) epoch_ = epoch->epoch;
  if (from_packed) TIDEMARK_RETURN_IF_ERROR(ReplayPacked(&start));

  TIDEMARK_ASSIGN_OR_RETURN(
      const ScanEnd end,
      ScanLog(segments, start, [this](const ScannedGroup& group) { return ReplayGroup(group); }));
  TIDEMARK_RETURN_IF_ERROR(CheckEnd(end));
  if (end.empty_segment != 0) segments.MarkSpare(end.empty_segment);
  TIDEMARK_RETURN_IF_ERROR(RewriteTail(end));

  const uint32_t last_epoch = std::max(end.last_epoch, epoch_);
  if (last_epoch == UINT32_MAX) {
    return Status(StatusCode::kLimitExceeded,
                  "the store has been opened " + std::to_string(last_epoch) +
                      " times, as often as epochs can tell apart: go on with a new store and a "
                      "copy of the objects");
  }
  LogEnd log_end;
  log_end.store_id = headers.begin()->second.store_id;
  log_end.last_time = end.last_time;
  log_end.epoch = last_epoch + 1;
  if (end.closed) {
    log_end.last_lsn = end.last_lsn;
    log_end.position = end.position;
  } else {
    log_end.last_lsn = Lsn(end.last_lsn.value + format::kLostLsnGap);
    log_end.position = {end.position.segment, 0};
    log_end.previous_end = end.position;
  }
  return log_end;
}

// An index of another time or history of this store hides commits, gives others that are not there,
// and would have the log go on where it does not end.
Status Recovery::CheckFits(const CheckpointRow& checkpoint) const {
  TIDEMARK_ASSIGN_OR_RETURN(const bool fits, HasCheckpoint(*store_->segments_, checkpoint));
  if (fits) return OkStatus();
  return Status(
      StatusCode::kCorruption,
      "the index does not fit the log: in segment " + std::to_string(checkpoint.position.segment) +
          ", the group it was made from, with LSN " + std::to_string(checkpoint.lsn.value) +
          ", does not end at offset " + std::to_string(checkpoint.position.offset) +
          ". If the log is the right one, and the index was left there or came from "
          "another copy, remove " +
          store_->index_directory() + ": opening the store makes it anew. `tidemark rebuild " +
          store_->directory() + "` does so, and keeps the old one until that is done");
}

// Where groups give no proof that the log went on, files may.
Status Recovery::CheckEnd(const ScanEnd& end) const {
  const std::string where = "segment " + std::to_string(end.position.segment) + ", offset " +
                            std::to_string(end.position.offset);
  if (const uint32_t behind = store_->segments_->UnreadableBehind(end.position.segment)) {
    return Status(StatusCode::kCorruption, "the log is damaged: it goes on behind " + where +
                                               " in segment " + std::to_string(behind) +
                                               ", of which both headers are damaged");
  }
  if (const uint32_t missing = store_->segments_->MissingBehind(end.position.segment)) {
    return Status(StatusCode::kCorruption,
                  "the log is damaged: it goes on behind " + where + " in segment " +
                      std::to_string(missing) +
                      ", whose file is missing; bring it back from a copy of the store");
  }
  // The last segment has the size it was made with: only those that were left for good are cut.
  const uint32_t last = end.empty_segment != 0 ? end.empty_segment : end.position.segment;
  TIDEMARK_ASSIGN_OR_RETURN(const auto segment, store_->segments_->Get(last));
  if (!std::has_single_bit(segment->size_bytes) || segment->size_bytes < kMinSegmentBytes) {
    return Status(StatusCode::kCorruption,
                  "the log is damaged behind " + where + ": the file of segment " +
                      std::to_string(last) + " was cut off at " +
                      std::to_string(segment->size_bytes) +
                      " bytes, and nothing says whose commits it held from there on");
  }
  return OkStatus();
}

Status Recovery::RewriteTail(const ScanEnd& end) {
  const bool unproven = end.last_group.offset != 0 && end.proven_lsn < end.last_lsn;
  // The log's first segment stays in the log even if its first group was lost.
  const bool without_groups = end.position.offset == format::kFirstGroupOffset;
  if (!unproven && !without_groups) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto segment, store_->segments_->Get(end.position.segment));
  if (without_groups || end.last_group.offset == format::kFirstGroupOffset) {
    // The segment's header was written with its first group, and one of its copies may be missing.
    const auto header = store_->segments_->Headers().at(end.position.segment);
    TIDEMARK_RETURN_IF_ERROR(segment->file->WriteAt(0, MakeHeaderBlocks(header)));
  }
  if (unproven) {
    Buffer bytes(end.last_group_length);
    TIDEMARK_RETURN_IF_ERROR(store_->segments_->Read(end.last_group, bytes));
    TIDEMARK_RETURN_IF_ERROR(segment->file->WriteAt(end.last_group.offset, bytes));
  }
  return segment->file->Sync();
}

}  // namespace tidemark::internal
