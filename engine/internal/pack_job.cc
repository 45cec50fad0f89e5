// PackJob's first part, see pack_job.h: what the input holds.

#include "engine/internal/pack_job.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "engine/internal/commit_run.h"
#include "engine/internal/packed_scanner.h"
#include "engine/internal/packer.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

// What a page version takes in the log at the least, about.
constexpr uint64_t kLeastVersionBytes = 16;

Location PayloadOf(const ScannedGroup& group, const DirectoryEntry& entry,
                   const RecordView& record) {
  const Location place = group.PlaceOf(entry);
  return {place.segment, place.offset + static_cast<uint32_t>(record.payload_offset)};
}

ConstBytes PayloadBytes(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record) {
  return group.bytes.subspan(entry.offset + record.payload_offset, record.payload_length);
}

// Empty if there is no such record, or it is damaged.
std::optional<RecordView> RecordAt(const ScannedGroup& group, const DirectoryEntry& entry) {
  RecordView record;
  if (entry.offset >= group.bytes.size() ||
      ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record) !=
          ParseOutcome::kOk ||
      entry.offset + record.length > group.bytes.size() || record.place.lsn != entry.lsn.value) {
    return std::nullopt;
  }
  return record;
}

}  // namespace

Status PackJob::Damaged(Location place, const std::string& what) {
  return Status(StatusCode::kCorruption, SegmentLabel(place.segment) + ", offset " +
                                             std::to_string(place.offset) + ", " + what + ": " +
                                             kNotPacked);
}

// ---- scanning ----------------------------------------------------------------------------------

bool PackJob::IsInput(uint32_t segment) const {
  return format::IsPacked(segment) ? std::find(input_.numbers.begin(), input_.numbers.end(),
                                               segment) != input_.numbers.end()
                                   : segment >= input_.first && segment <= input_.end.segment;
}

Status PackJob::Scan(const Visit& visit) {
  bool beyond = false;
  const auto visit_group = [&](const ScannedGroup& group) -> Status {
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    if (!IsInput(group.location.segment)) {
      beyond = true;
      return Status(StatusCode::kOutOfRange, "the end of the input");
    }
    if (!group.intact) return Damaged(group.location, "is damaged");
    for (const DirectoryEntry& entry : group.directory) {
      const auto record = RecordAt(group, entry);
      if (!record) return Damaged(group.PlaceOf(entry), "is damaged");
      TIDEMARK_RETURN_IF_ERROR(visit(group, entry, *record));
      end_.last_lsn = entry.lsn.value;
      end_.last_time = group.header.time + record->place.time_delta;
      end_.epoch = group.header.epoch;
    }
    return OkStatus();
  };
  Segments& segments = store_->segments();
  for (const uint32_t number : input_.numbers) {
    if (format::IsPacked(number)) {
      TIDEMARK_RETURN_IF_ERROR(
          ScanPacked(segments, {number, format::kFirstGroupOffset}, visit_group));
      for (const Segments::Packed& packed : segments.ListPacked()) {
        if (packed.header.number == number) end_ = packed.log;
      }
      continue;
    }
    // The log, up to where the input ends.
    const auto headers = segments.Headers();
    const auto header = headers.find(number);
    if (header == headers.end()) return Damaged({number, 0}, "is missing");
    ScanStart start;
    start.position = {number, format::kFirstGroupOffset};
    start.last_lsn = Lsn(header->second.first_lsn - 1);
    start.proven_lsn = store_->checkpointer().checkpoint_lsn();
    const auto scanned = ScanLog(segments, start, visit_group);
    return beyond ? OkStatus() : scanned.status();
  }
  return OkStatus();
}

Status PackJob::ClaimBatches(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record, const FrameFields& fields) {
  const auto own = ParsePageVersions(PayloadBytes(group, entry, record),
                                     PayloadOf(group, entry, record), fields.version_count, {});
  if (!own) return Damaged(group.PlaceOf(entry), "has malformed pages");
  const auto frame = std::make_shared<LargeFrame>();
  TIDEMARK_ASSIGN_OR_RETURN(frame->batches, BatchedPages::Load(store_->reader(), fields));
  for (const PageChange& change : *own) frame->own_pages.insert(change.page.value);
  for (uint32_t number = frame->batches->packed_count() + 1;
       number <= frame->batches->batch_count(); ++number) {
    const Location place = frame->batches->LocationOf(number);
    if (!IsInput(place.segment)) continue;
    if (entry.lsn > store_->checkpointer().checkpoint_lsn()) {
      splits_commit_ = true;
    } else {
      claims_[place] = {fields.timeline, fields.page_size, entry.lsn, frame, number};
    }
  }
  return OkStatus();
}

// Whose the batches of the input are: that of a frame in it or behind it.
Status PackJob::FindBatches() {
  std::map<Location, uint32_t> batches;  // and the epochs
  uint64_t versions = 0;
  TIDEMARK_RETURN_IF_ERROR(Scan([&](const ScannedGroup& group, const DirectoryEntry& entry,
                                    const RecordView& record) -> Status {
    if (record.kind == RecordKind::kBatch) batches[group.PlaceOf(entry)] = group.header.epoch;
    if (record.kind != RecordKind::kFrame) return OkStatus();
    const auto fields = DecodeFrame(record.fields);
    if (!fields) return Damaged(group.PlaceOf(entry), "is no frame");
    versions += fields->version_count;
    if (fields->batch_count == 0 || store_->purges().Covers(fields->timeline)) return OkStatus();
    return ClaimBatches(group, entry, record, *fields);
  }));
  // What grows by itself takes twice as much for a while.
  pieces_.reserve(std::min(versions, input_.bytes / kLeastVersionBytes));
  std::erase_if(batches, [this](const auto& batch) { return claims_.contains(batch.first); });
  if (batches.empty() || splits_commit_) return OkStatus();
  const Lsn checkpoint = store_->checkpointer().checkpoint_lsn();
  if (store_->open_batches().Oldest(checkpoint) <= input_.end.segment) {
    splits_commit_ = true;
    return OkStatus();
  }
  // A transaction that ended long ago without a commit, or one whose frame stands behind.
  return FindFramesBehind(std::move(batches));
}

Status PackJob::FindFramesBehind(std::map<Location, uint32_t> batches) {
  uint32_t epoch = 0;
  for (const auto& [place, of_epoch] : batches) epoch = std::max(epoch, of_epoch);
  TIDEMARK_ASSIGN_OR_RETURN(const CheckpointRow cut, store_->queue().CutForCheckpoint());
  const auto headers = store_->segments().Headers();
  const auto next = headers.upper_bound(input_.end.segment);
  if (next == headers.end()) return OkStatus();
  ScanStart start;
  start.position = {next->first, format::kFirstGroupOffset};
  start.last_lsn = Lsn(next->second.first_lsn - 1);
  start.proven_lsn = cut.lsn;
  bool enough = false;
  const auto scanned = ScanLog(store_->segments(), start, [&](const ScannedGroup& group) -> Status {
    enough = splits_commit_ || batches.empty() || (group.header_ok && group.header.epoch > epoch) ||
             group.directory.front().lsn > cut.lsn;
    if (enough) return Status(StatusCode::kOutOfRange, "enough was seen");
    // What is damaged may be the frame that names them.
    if (!group.intact) splits_commit_ = true;
    for (const DirectoryEntry& entry : group.directory) {
      const auto record = RecordAt(group, entry);
      if (!record || record->kind != RecordKind::kFrame) continue;
      const auto fields = DecodeFrame(record->fields);
      if (!fields || fields->batch_count == 0) continue;
      if (store_->purges().Covers(fields->timeline)) continue;
      const Status claimed = ClaimBatches(group, entry, *record, *fields);
      if (claimed.code() == StatusCode::kCorruption) splits_commit_ = true;
      if (!claimed.ok() && !splits_commit_) return claimed;
      std::erase_if(batches, [this](const auto& batch) { return claims_.contains(batch.first); });
    }
    return OkStatus();
  });
  return enough ? OkStatus() : scanned.status();
}

Result<PackJob::Line*> PackJob::LineOf(TimelineId id) {
  Line& line = lines_[id];
  if (line.timeline == nullptr) {
    TIDEMARK_ASSIGN_OR_RETURN(line.timeline, store_->FindTimeline(id));
    TIDEMARK_ASSIGN_OR_RETURN(line.points, store_->retention().PointsOf(id, licence_));
  }
  return &line;
}

// ---- collecting --------------------------------------------------------------------------------

Status PackJob::Collect(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record) {
  if (store_->purges().Covers(entry, record)) return OkStatus();
  switch (record.kind) {
    case RecordKind::kFrame: return CollectFrame(group, entry, record);
    case RecordKind::kBatch: return CollectBatch(group, entry, record);
    case RecordKind::kCommits: return CollectCommits(group, entry, record);
    case RecordKind::kHistory: return CollectHistory(group, entry, record);
    case RecordKind::kClose:
    case RecordKind::kDictionary: return OkStatus();  // those of its own are made anew
    case RecordKind::kPurge: return CollectPurge(group, entry, record);
    default: return CopyRecord(group, entry, record);
  }
}

Status PackJob::CollectFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  const auto fields = DecodeFrame(record.fields);
  if (!fields) return Damaged(group.PlaceOf(entry), "is no frame");
  const auto changes =
      ParsePageVersions(PayloadBytes(group, entry, record), PayloadOf(group, entry, record),
                        fields->version_count, entry.lsn);
  if (!changes) return Damaged(group.PlaceOf(entry), "has malformed pages");
  CommitInfo commit;
  commit.lsn = entry.lsn;
  commit.timeline = fields->timeline;
  commit.epoch = group.header.epoch;
  commit.kind = CommitKind::kCommit;
  commit.time = RecordTime(group.header, record.place);
  commit.page_size = fields->page_size;
  commit.page_count = fields->page_count;
  commit.state_hash = fields->state_hash;
  commit.pages_changed = static_cast<uint32_t>(changes->size() + fields->batch_versions);
  commit.log_bytes = record.length + fields->batch_bytes;
  commit.schema_changed = fields->schema_changed;
  commit.alarm = fields->alarm;
  Commits& commits = commits_[fields->timeline];
  if (commit.lsn <= commits.strip.last_lsn()) {
    return Damaged(group.PlaceOf(entry), "is no later than a commit before it");
  }
  commits.strip.Add(commit);
  if (!commits.first_of_log.valid()) commits.first_of_log = commit.lsn;
  CollectVersions({fields->timeline, fields->page_size, entry.lsn}, *changes, group);
  return OkStatus();
}

Status PackJob::CollectBatch(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  const auto claim = claims_.find(group.PlaceOf(entry));
  if (claim == claims_.end()) {
    // Of a transaction that never committed, or, while this is an estimate, that may have.
    if (estimate_ && splits_commit_) estimated_[group.location.segment] += record.length;
    return OkStatus();
  }
  const auto fields = DecodeBatch(record.fields);
  if (!fields) return Damaged(group.PlaceOf(entry), "is no batch");
  const auto changes =
      ParsePageVersions(PayloadBytes(group, entry, record), PayloadOf(group, entry, record),
                        static_cast<uint32_t>(fields->pages.size()), claim->second.lsn);
  if (!changes) return Damaged(group.PlaceOf(entry), "has malformed pages");
  CollectVersions(claim->second, *changes, group);
  return OkStatus();
}

// Its group's hash has shown that a version is what was written.
// It is held, too: a page's versions stand far from each other. Not so those of batches, which are
// few and long.
void PackJob::CollectVersions(const Claim& claim, std::span<const PageChange> changes,
                              const ScannedGroup& group) {
  for (const PageChange& change : changes) {
    if (claim.IsReplaced(change.page)) continue;
    PackedPiece& piece = pieces_.emplace_back();
    piece.timeline = claim.timeline;
    piece.page = change.page;
    piece.page_size = claim.page_size;
    piece.version = change.version;
    if (claim.frame != nullptr || change.version.length > held_.capacity() - held_.size()) continue;
    piece.held_at = static_cast<uint32_t>(held_.size());
    AppendBytes(held_, group.bytes.subspan(change.version.location.offset - group.location.offset,
                                           change.version.length));
  }
}

Status PackJob::CollectCommits(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  const auto commits = DecodeCommitRun(record.fields);
  if (!commits) return Damaged(group.PlaceOf(entry), "is no run of commits");
  const TimelineId timeline = commits->front().timeline;
  CommitStrip& strip = commits_[timeline].strip;
  if (commits->front().lsn <= strip.last_lsn()) {
    return Damaged(group.PlaceOf(entry), "is no later than a commit before it");
  }
  for (const CommitInfo& commit : *commits) strip.Add(commit);
  old_runs_.push_back({timeline, {.lsn = commits->front().lsn, .location = {}}});
  return OkStatus();
}

Status PackJob::CollectHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  const Location payload = PayloadOf(group, entry, record);
  const ConstBytes bytes = PayloadBytes(group, entry, record);
  for (size_t at = 0; at < bytes.size();) {
    const Location place{payload.segment, payload.offset + static_cast<uint32_t>(at)};
    auto head = ParseHistoryBlockHead(bytes.subspan(at));
    if (!head) return Damaged(place, "is no block");
    head->row.location = place;
    PackedPiece& piece = pieces_.emplace_back();
    piece.timeline = entry.timeline;
    piece.page = head->page;
    piece.page_size = head->page_size;
    piece.version = head->row;
    at += head->row.length;
  }
  return OkStatus();
}

Result<bool> PackJob::HasExpired(const DirectoryEntry& entry, const LabelFields& label) {
  if (label.operation != format::LabelOperation::kSet || !label.automatic) return false;
  TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(label.timeline));
  if (line->points.Has(label.commit)) return false;
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->index().FindLabel(label.object, label.name));
  if (row && row->lsn == entry.lsn) labels_.push_back(*row);
  return true;
}

Status PackJob::CollectPurge(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  if (!input_.ends_purges) return CopyRecord(group, entry, record);
  for (PurgeRow& row : store_->purges().List()) {
    if (row.lsn != entry.lsn) continue;
    row.log_is_clean = true;
    ended_.push_back(std::move(row));
    return OkStatus();
  }
  return Damaged(group.PlaceOf(entry), "is of a purge that is not known");
}

Status PackJob::CopyRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                           const RecordView& record) {
  if (record.kind == RecordKind::kLabel) {
    const auto label = DecodeLabel(record.fields);
    if (!label) return Damaged(group.PlaceOf(entry), "is no label record");
    TIDEMARK_ASSIGN_OR_RETURN(const bool expired, HasExpired(entry, *label));
    if (expired) return OkStatus();
  }
  if (estimate_) {
    estimated_[group.location.segment] += record.length;
    return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      const PackedWriter::Added added,
      writer_->Add(record.kind, entry, RecordTime(group.header, record.place), group.header.epoch,
                   record.fields, PayloadBytes(group, entry, record)));
  if (record.kind != RecordKind::kTimeline) return OkStatus();
  const auto fields = DecodeTimeline(record.fields);
  if (!fields) return Damaged(group.PlaceOf(entry), "is no timeline record");
  if (fields->operation == format::TimelineOperation::kRewrite) return OkStatus();
  moved_commits_.push_back(
      {TimelineId(entry.lsn.value), {.lsn = entry.lsn, .location = added.location}});
  return OkStatus();
}

}  // namespace tidemark::internal
