// Recovery, see recovery.h: what each group and record of the log brings back.

#include <algorithm>
#include <string>

#include "engine/bookmark.h"
#include "engine/internal/batched_pages.h"
#include "engine/internal/recovery.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/timeline_record.h"

namespace tidemark::internal {
namespace {

// Replaying a log without an index must not need memory for all of it.
constexpr uint64_t kMaxRecentWhileReplaying = 1u << 20;
constexpr size_t kMostPackedRows = 256u << 10;

}  // namespace

Status Recovery::Inconsistent(const ScannedGroup& group, const DirectoryEntry& entry,
                              const char* what) {
  const Location place = group.PlaceOf(entry);
  return Status(StatusCode::kCorruption, "the record with LSN " + std::to_string(entry.lsn.value) +
                                             " (segment " + std::to_string(place.segment) +
                                             ", offset " + std::to_string(place.offset) + ") " +
                                             what);
}

Timestamp RecordTime(const format::GroupHeader& header, const RecordPlace& place) {
  return Timestamp(std::chrono::microseconds(static_cast<int64_t>(header.time + place.time_delta)));
}

std::optional<std::vector<PageChange>> ParsePageVersions(ConstBytes payload, Location location,
                                                         uint32_t count, Lsn lsn) {
  std::vector<PageChange> changes;
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto view = ParsePageVersion(payload.subspan(at));
    if (!view) return std::nullopt;
    PageChange& change = changes.emplace_back();
    change.page = view->page;
    change.version.lsn = lsn;
    change.version.location = {location.segment, location.offset + static_cast<uint32_t>(at)};
    change.version.length = static_cast<uint32_t>(view->length);
    change.version.depth = view->depth;
    change.version.chain_units = view->chain_units;
    change.version.hash = view->hash;
    at += view->length;
  }
  if (at != payload.size()) return std::nullopt;
  return changes;
}

Status Recovery::ReplayGroup(const ScannedGroup& group) {
  if (store_->recent_versions + store_->labels().pending_count() +
          store_->schedules().pending_count() + store_->retention().table().pending_count() >
      kMaxRecentWhileReplaying) {
    // This group is there, so the one before it was synced: the index may have it.
    TIDEMARK_RETURN_IF_ERROR(FlushPackedRows());
    TIDEMARK_RETURN_IF_ERROR(store_->checkpointer_->RunTo(behind_));
  }
  if (blocks_.size() + runs_.size() > kMostPackedRows) TIDEMARK_RETURN_IF_ERROR(FlushPackedRows());
  if (group.header_ok && !in_packed_) NoteEpoch(group);
  for (const DirectoryEntry& entry : group.directory) {
    RecordView record;
    const bool readable = group.header_ok && entry.offset < group.bytes.size() &&
                          ParseRecord(group.bytes.subspan(entry.offset), group.incarnation,
                                      record) == ParseOutcome::kOk &&
                          entry.offset + record.length <= group.bytes.size() &&
                          record.place.group_offset == entry.offset &&
                          record.place.lsn == entry.lsn.value;
    if (readable) {
      TIDEMARK_RETURN_IF_ERROR(ReplayRecord(group, entry, record));
    } else if (group.intact) {
      return Inconsistent(group, entry, "is malformed in a group that is intact");
    } else {
      TIDEMARK_RETURN_IF_ERROR(Quarantine(group, entry));
    }
  }
  ReportProgress(group);
  behind_.lsn = group.directory.back().lsn;
  behind_.position = {group.location.segment,
                      group.location.offset + static_cast<uint32_t>(group.bytes.size())};
  behind_.group_length = static_cast<uint32_t>(group.bytes.size());
  behind_.group_hash = group.header_ok ? group.header.hash : 0;
  if (group.header_ok) behind_.time = std::max(behind_.time, RecordTime(group.header, {}));
  return OkStatus();
}

void Recovery::ReportProgress(const ScannedGroup& group) {
  replayed_bytes_ += group.bytes.size();
  const auto& report = store_->options().recovery_progress;
  if (report) report(std::min(replayed_bytes_, total_bytes_), total_bytes_);
}

void Recovery::NoteEpoch(const ScannedGroup& group) {
  if (group.header.epoch <= epoch_) return;
  epoch_ = group.header.epoch;
  store_->AddEpoch(PendingRow<EpochRow>({.epoch = epoch_, .previous_end = behind_.lsn}),
                   Lsn(group.header.first_lsn));
}

Status Recovery::ReplayRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                              const RecordView& record) {
  if (in_packed_) {
    const bool of_log = record.kind == RecordKind::kFrame || record.kind == RecordKind::kBatch ||
                        record.kind == RecordKind::kClose;
    if (of_log || entry.lsn < packed_first_ || entry.lsn > packed_last_) {
      return Inconsistent(group, entry, "is none that its packed segment can have");
    }
  }
  switch (record.kind) {
    case RecordKind::kFrame: return ReplayFrame(group, entry, record);
    case RecordKind::kTimeline: return ReplayTimeline(group, entry, record);
    case RecordKind::kCommits: return ReplayCommits(group, entry, record);
    case RecordKind::kHistory: return ReplayHistory(group, entry, record);
    case RecordKind::kDictionary: return ReplayDictionary(group, entry, record);
    case RecordKind::kLabel: return ReplayLabel(group, entry, record);
    case RecordKind::kSchedule: return ReplaySchedule(group, entry, record);
    case RecordKind::kHold:
    case RecordKind::kPolicy: return ReplayRule(group, entry, record);
    case RecordKind::kLicence: return ReplayLicence(group, entry, record);
    case RecordKind::kPurge: return ReplayPurge(group, entry, record);
    case RecordKind::kOpen: {
      const auto fields = DecodeOpen(record.fields);
      if (!fields) return Inconsistent(group, entry, "is not an open record");
      // In the log, what it says is known already: NoteEpoch.
      if (in_packed_ && fields->epoch > epoch_) {
        epoch_ = fields->epoch;
        store_->AddEpoch(
            PendingRow<EpochRow>({.epoch = fields->epoch, .previous_end = fields->previous_end}),
            entry.lsn);
      }
      return OkStatus();
    }
    case RecordKind::kNamespace: {
      const auto fields = DecodeNamespace(record.fields);
      if (!fields) return Inconsistent(group, entry, "is not a namespace record");
      store_->AdoptNamespace(
          std::make_shared<NamespaceState>(std::string(fields->name), entry.lsn.value));
      return OkStatus();
    }
    case RecordKind::kObject: {
      const auto fields = DecodeObject(record.fields);
      if (!fields) return Inconsistent(group, entry, "is not an object record");
      auto adopted = store_->AdoptObject(fields->namespace_id, fields->id, fields->name);
      // Its namespace's record is damaged: that one is what can be named.
      if (adopted.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
      TIDEMARK_ASSIGN_OR_RETURN(auto object, std::move(adopted));
      TimelineRow row;
      row.id = TimelineId(entry.lsn.value);
      row.kind = TimelineKind::kCreate;
      row.namespace_id = fields->namespace_id;
      row.object = fields->id;
      auto timeline = AddTimeline(row, nullptr);
      {
        std::lock_guard lock(object->mutex);
        object->created = entry.lsn;
        object->timeline = timeline;
      }
      // Its commits stand elsewhere.
      if (in_packed_) store_->AdoptTimeline(object, timeline, nullptr);
      timelines_[row.id] = std::move(timeline);
      begun_[row.id] = {.ended = {}, .tag = ObjectTag(fields->id)};
      objects_[fields->id] = std::move(object);
      return OkStatus();
    }
    default:  // batches count when a frame names them; the others say nothing more
      return OkStatus();
  }
}

Result<std::shared_ptr<ObjectState>> Recovery::ObjectOf(const Timeline& timeline) {
  std::shared_ptr<ObjectState>& object = objects_[timeline.row().object];
  if (object == nullptr) {
    TIDEMARK_ASSIGN_OR_RETURN(
        object, store_->AdoptObject(timeline.row().namespace_id, timeline.row().object,
                                    std::string_view()));
  }
  return object;
}

std::shared_ptr<Timeline> Recovery::AddTimeline(const TimelineRow& row,
                                                std::shared_ptr<Timeline> parent) {
  return store_->AddTimeline(store_->MakeTimeline(std::move(parent)), row);
}

void Recovery::Publish(const std::shared_ptr<ObjectState>& object,
                       const std::shared_ptr<Timeline>& timeline, const RecentCommit& commit,
                       std::span<const PageChange> changes,
                       std::shared_ptr<const BatchedPages> batched) {
  CommitRoom room;
  store_->MakeRoom(object, *timeline, changes, &room);
  store_->PublishCommit(&room, *object, timeline, commit, changes, std::move(batched));
}

Result<bool> Recovery::IsReadable(const Timeline& timeline, const std::vector<PageChange>& changes,
                                  uint32_t page_size) const {
  Buffer page(page_size);
  for (const PageChange& change : changes) {
    const Status read = store_->reader().Read(&timeline, change.page, change.version, page);
    // It may pass. A quarantine stays.
    if (read.code() == StatusCode::kIoError) return read;
    if (!read.ok()) return false;
  }
  return true;
}

Status Recovery::ReplayFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  const auto fields = DecodeFrame(record.fields);
  if (!fields) return Inconsistent(group, entry, "is not a frame");
  // A sector that was written to the wrong place brings whole records of other groups.
  if (fields->timeline != entry.timeline) return Quarantine(group, entry);
  std::shared_ptr<Timeline>& timeline = timelines_[fields->timeline];
  if (timeline == nullptr) {
    auto found = store_->FindTimeline(fields->timeline);
    // Its object's creation was damaged.
    if (found.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
    TIDEMARK_ASSIGN_OR_RETURN(timeline, std::move(found));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, ObjectOf(*timeline));
  const Location place = group.PlaceOf(entry);
  const Location payload{place.segment,
                         place.offset + static_cast<uint32_t>(record.payload_offset)};
  const auto changes = ParsePageVersions(
      group.bytes.subspan(entry.offset + record.payload_offset, record.payload_length), payload,
      fields->version_count, entry.lsn);
  if (!changes) return Quarantine(group, entry);
  std::shared_ptr<const BatchedPages> batched;
  if (fields->batch_count > 0) {
    auto loaded = BatchedPages::Load(store_->reader(), *fields);
    if (loaded.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
    TIDEMARK_ASSIGN_OR_RETURN(batched, std::move(loaded));
  }
  if (!group.intact) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool readable,
                              IsReadable(*timeline, *changes, fields->page_size));
    if (!readable) return Quarantine(group, entry);
  }
  RecentCommit commit;
  commit.location = place;
  commit.info = {.lsn = entry.lsn,
                 .timeline = fields->timeline,
                 .epoch = group.header.epoch,
                 .kind = CommitKind::kCommit,
                 .time = RecordTime(group.header, record.place),
                 .page_size = fields->page_size,
                 .page_count = fields->page_count,
                 .state_hash = fields->state_hash,
                 .pages_changed = static_cast<uint32_t>(changes->size() + fields->batch_versions),
                 .log_bytes = record.length + fields->batch_bytes,
                 .restored_from = Lsn(),
                 .schema_changed = fields->schema_changed,
                 .alarm = fields->alarm};
  Publish(object, timeline, commit, *changes, std::move(batched));
  begun_.erase(fields->timeline);
  return OkStatus();
}

Status Recovery::ReplayTimeline(const ScannedGroup& group, const DirectoryEntry& entry,
                                const RecordView& record) {
  const auto fields = DecodeTimeline(record.fields);
  if (!fields) return Inconsistent(group, entry, "is not a timeline record");
  if (fields->ended != entry.timeline) return Quarantine(group, entry);
  if (fields->parent.value >= entry.lsn.value) return Quarantine(group, entry);  // its own ancestor
  // Should a parent be lost, so is what was made of it.
  auto parent = store_->FindTimeline(fields->parent);
  if (parent.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
  if (!parent.ok()) return parent.status();
  auto own = IsOfAnother(fields->operation) ? store_->FindTimeline(fields->ended) : parent;
  if (own.status().code() == StatusCode::kCorruption) return Quarantine(group, entry);
  if (!own.ok()) return own.status();
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, ObjectOf(**own));
  TimelineRow row = MakeTimelineRow(*fields, object->ns->id);
  row.id = TimelineId(entry.lsn.value);
  auto timeline = AddTimeline(row, InheritsNothing(fields->operation) ? nullptr : *parent);
  timelines_[row.id] = timeline;
  if (fields->operation == format::TimelineOperation::kRewrite) {
    begun_[row.id] = {.ended = fields->ended, .tag = 0};
    if (in_packed_) store_->AdoptTimeline(object, timeline, nullptr);
    return OkStatus();  // the frame behind it makes it current
  }

  RecentCommit commit;
  commit.location = group.PlaceOf(entry);
  commit.info.lsn = entry.lsn;
  commit.info.timeline = row.id;
  commit.info.epoch = group.header.epoch;
  commit.info.time = RecordTime(group.header, record.place);
  commit.info.log_bytes = record.length;
  SetCommit(*fields, &commit.info);
  if (fields->operation == format::TimelineOperation::kFork) {
    begun_.erase(fields->ended);
    std::lock_guard lock(object->mutex);
    // It has no commits: nothing else brings it there.
    if (!in_packed_) object->recent_timelines.push_back(*own);
  }
  if (IsInJournal(fields->operation)) {
    store_->AddRestore(PendingRow<RestoreRow>(MakeRestoreRow(*fields)), entry.lsn,
                       commit.info.time);
  }
  if (fields->operation == format::TimelineOperation::kScheduledRestore) {
    store_->schedules().Add(
        ScheduleTable::NewChange({.object = fields->object, .namespace_id = row.namespace_id}),
        entry.lsn, commit.info.time);
  }
  Publish(object, timeline, commit, {}, nullptr);
  return OkStatus();
}

// Also of an object whose creation is damaged: nobody asks for it.
Status Recovery::ReplayLabel(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  const auto fields = DecodeLabel(record.fields);
  if (!fields) return Inconsistent(group, entry, "is not a label record");
  if (ObjectTag(fields->object) != entry.tag) return Quarantine(group, entry);
  LabelChange change{.row = {.object = fields->object,
                             .name = std::string(fields->name),
                             .lsn = Lsn(),
                             .time = Timestamp(),
                             .automatic = fields->automatic,
                             .timeline = fields->timeline,
                             .commit = fields->commit,
                             .epoch = fields->epoch,
                             .state_hash = fields->state_hash},
                     .removed = fields->operation == format::LabelOperation::kRemove};
  store_->labels().Add(LabelTable::NewChange(std::move(change)), entry.lsn,
                       RecordTime(group.header, record.place));
  return OkStatus();
}

// Likewise.
Status Recovery::ReplaySchedule(const ScannedGroup& group, const DirectoryEntry& entry,
                                const RecordView& record) {
  const auto row = DecodeSchedule(record.fields);
  if (!row) return Inconsistent(group, entry, "is no scheduled restore");
  if (ObjectTag(row->object) != entry.tag) return Quarantine(group, entry);
  store_->schedules().Add(ScheduleTable::NewChange(*row), entry.lsn,
                          RecordTime(group.header, record.place));
  return OkStatus();
}

// Of an object or namespace whose creation is damaged, too.
Status Recovery::ReplayRule(const ScannedGroup& group, const DirectoryEntry& entry,
                            const RecordView& record) {
  const bool is_hold = record.kind == RecordKind::kHold;
  auto row = DecodeRule(is_hold ? RuleKind::kHold : RuleKind::kPolicy, record.fields);
  if (!row) return Inconsistent(group, entry, "is not a policy's or hold's record");
  if (row->key.object && ObjectTag(*row->key.object) != entry.tag) return Quarantine(group, entry);
  store_->retention().table().Add(RetentionTable::NewRule(*std::move(row)), entry.lsn,
                                  RecordTime(group.header, record.place));
  return OkStatus();
}

Status Recovery::ReplayLicence(const ScannedGroup& group, const DirectoryEntry& entry,
                               const RecordView& record) {
  const auto row = DecodeLicence(record.fields);
  if (!row) return Inconsistent(group, entry, "is not a licence");
  if (entry.tag != StoreTag()) return Quarantine(group, entry);
  store_->retention().table().Add(RetentionTable::NewLicence(*row), entry.lsn);
  return OkStatus();
}

// Packing may have left out before it what others before it build on: what seemed to be damage of
// the object was none.
Status Recovery::ReplayPurge(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  auto row = DecodePurge(record.fields);
  if (!row) return Inconsistent(group, entry, "is no purge");
  if (ObjectTag(row->object) != entry.tag) return Quarantine(group, entry);
  for (const TimelineId timeline : row->timelines) {
    timelines_.erase(timeline);
    begun_.erase(timeline);
  }
  objects_.erase(row->object);
  store_->ForgetObject(*row);
  row->first_packed = store_->segments().NextPackedNumber();
  store_->purges().Add(PurgeTable::NewPurge(*std::move(row)), entry.lsn);
  return OkStatus();
}

Status Recovery::Quarantine(const ScannedGroup& group, const DirectoryEntry& entry) {
  // Open and close records can be done without, and a batch is missed where a frame names it.
  if (!entry.timeline.valid()) return OkStatus();
  Timestamp time = behind_.time;
  if (group.header_ok) time = std::max(time, RecordTime(group.header, {}));
  // What was lost of a history may be of any time that the packed segment stands for.
  const bool of_history = in_packed_ && !entry.creates() && entry.lsn == packed_last_;
  const TimelineDamage damage{.lsn = of_history ? packed_first_ : entry.lsn,
                              .location = group.PlaceOf(entry),
                              .time = time};
  const auto begun = begun_.find(entry.timeline);
  const Begun first = begun == begun_.end() ? Begun{.ended = {}, .tag = entry.tag} : begun->second;
  store_->AddDamage({.timeline = entry.timeline, .damage = damage, .tag = first.tag});
  if (first.ended.valid()) {
    store_->AddDamage({.timeline = first.ended, .damage = damage, .tag = 0});
  }
  return OkStatus();
}

}  // namespace tidemark::internal
