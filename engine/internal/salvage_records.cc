// SalvageScan, see salvage_scan.h: what each record tells.

#include <algorithm>
#include <string>

#include "engine/internal/commit_run.h"
#include "engine/internal/history_block.h"
#include "engine/internal/recovery.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/salvage_scan.h"

namespace tidemark::internal {
namespace {

uint8_t Log2(uint32_t page_size) {
  uint8_t log2 = 0;
  while (page_size > 1) {
    page_size >>= 1;
    ++log2;
  }
  return log2;
}

}  // namespace

bool SalvageScan::TakeRecord(const ScannedGroup& group, const DirectoryEntry* entry,
                             uint32_t offset, uint32_t* length, Lsn* lsn) {
  if (offset >= group.bytes.size()) return false;
  RecordView record;
  const ConstBytes bytes = group.bytes.subspan(offset);
  if (ParseRecord(bytes, group.incarnation, record) != ParseOutcome::kOk ||
      record.place.group_offset != offset || record.length > bytes.size()) {
    return false;
  }
  const uint64_t last = group.header_ok ? group.header.first_lsn + group.header.record_count : 0;
  if (entry != nullptr ? record.place.lsn != entry->lsn.value
                       : record.place.lsn < group.header.first_lsn || record.place.lsn >= last) {
    // In packed segments several records have one LSN.
    if (entry != nullptr || !format::IsPacked(group.location.segment)) return false;
  }
  *length = static_cast<uint32_t>(record.length);
  *lsn = Lsn(record.place.lsn);
  ++catalog_.report.records;
  const auto payload_offset = static_cast<uint32_t>(record.payload_offset);
  return Take(group, record, bytes.subspan(record.payload_offset, record.payload_length),
              {group.location.segment, group.location.offset + offset + payload_offset});
}

void SalvageScan::AddEvent(const ScannedGroup& group, const RecordView& record,
                           SalvageEvent::Kind kind, size_t position) {
  SalvageEvent event;
  event.lsn = Lsn(record.place.lsn);
  event.kind = kind;
  event.position = position;
  event.exact_time = group.header_ok;
  if (group.header_ok) event.time = RecordTime(group.header, record.place);
  catalog_.events.push_back(event);
}

bool SalvageScan::Take(const ScannedGroup& group, const RecordView& record, ConstBytes payload,
                       Location payload_place) {
  switch (record.kind) {
    case RecordKind::kFrame: return TakeFrame(group, record, payload, payload_place.offset);
    case RecordKind::kBatch: {
      auto fields = DecodeBatch(record.fields);
      if (!fields) return false;
      batches_[record.hash] = {.file = file_,
                               .offset = payload_place.offset,
                               .length = static_cast<uint32_t>(payload.size()),
                               .fields = *std::move(fields)};
      return true;
    }
    case RecordKind::kOpen: {
      const auto fields = DecodeOpen(record.fields);
      if (!fields) return false;
      if (fields->previous_end.value + 1 < record.place.lsn) {
        unused_.emplace_back(fields->previous_end.value + 1, record.place.lsn - 1);
      }
      return true;
    }
    case RecordKind::kClose: closed_lsn_ = std::max(closed_lsn_, record.place.lsn); return true;
    case RecordKind::kNamespace: {
      const auto fields = DecodeNamespace(record.fields);
      if (fields) catalog_.namespaces[record.place.lsn] = fields->name;
      return fields.has_value();
    }
    case RecordKind::kObject: {
      const auto fields = DecodeObject(record.fields);
      if (!fields) return false;
      AddEvent(group, record, SalvageEvent::Kind::kObject, catalog_.objects.size());
      catalog_.objects.push_back({fields->namespace_id, fields->id, std::string(fields->name)});
      return true;
    }
    case RecordKind::kTimeline: {
      auto fields = DecodeTimeline(record.fields);
      if (!fields) return false;
      AddEvent(group, record, SalvageEvent::Kind::kTimeline, catalog_.timelines.size());
      SalvageTimeline timeline;
      timeline.to = std::move(fields->to);
      fields->from.clear();
      fields->to.clear();
      timeline.fields = *std::move(fields);
      catalog_.timelines.push_back(std::move(timeline));
      return true;
    }
    case RecordKind::kLabel: {
      const auto fields = DecodeLabel(record.fields);
      if (!fields) return false;
      AddEvent(group, record, SalvageEvent::Kind::kLabel, catalog_.labels.size());
      catalog_.labels.push_back({.object = fields->object,
                                 .name = std::string(fields->name),
                                 .removed = fields->operation == format::LabelOperation::kRemove,
                                 .automatic = fields->automatic,
                                 .commit = fields->commit});
      return true;
    }
    case RecordKind::kHold:
    case RecordKind::kPolicy: {
      auto row = DecodeRule(record.kind == RecordKind::kHold ? RuleKind::kHold : RuleKind::kPolicy,
                            record.fields);
      if (!row) return false;
      AddEvent(group, record, SalvageEvent::Kind::kRule, catalog_.rules.size());
      catalog_.rules.push_back(*std::move(row));
      return true;
    }
    case RecordKind::kLicence: {
      const auto row = DecodeLicence(record.fields);
      // Policies may have let go of anything before the licence; nothing told which at that time.
      if (row && (row->granted.valid() || row->by_default > kNoHorizon)) {
        catalog_.expired_up_to = std::max(catalog_.expired_up_to, row->time);
      }
      return row.has_value();
    }
    case RecordKind::kPurge: {
      const auto row = DecodePurge(record.fields);
      if (!row) return false;
      catalog_.purged_objects.insert(row->object);
      for (const TimelineId timeline : row->timelines) {
        catalog_.purged_timelines.insert(timeline.value);
      }
      return true;
    }
    case RecordKind::kCommits: return TakeCommits(record);
    case RecordKind::kDictionary: return true;  // found by the blocks that need it
    case RecordKind::kHistory: return TakeHistory(record, payload, payload_place.offset);
    default: return true;
  }
}

bool SalvageScan::TakeFrame(const ScannedGroup& group, const RecordView& record, ConstBytes payload,
                            uint32_t payload_offset) {
  const auto fields = DecodeFrame(record.fields);
  if (!fields) return false;
  AddEvent(group, record, SalvageEvent::Kind::kCommit, catalog_.commits.size());
  catalog_.commits.push_back({.timeline = fields->timeline,
                              .page_size = fields->page_size,
                              .page_count = fields->page_count,
                              .state_hash = fields->state_hash,
                              .schema_changed = fields->schema_changed,
                              .alarm = fields->alarm});
  SalvageVersion like;
  like.timeline = fields->timeline.value;
  like.lsn = record.place.lsn;
  like.order = kLastOrder;
  like.page_size_log2 = Log2(fields->page_size);
  TakeVersions(payload, payload_offset, fields->version_count, like);
  if (fields->batch_count > 0) large_.push_back({Lsn(record.place.lsn), *fields});
  return true;
}

// As many as can be told from each other: each has a hash of its own.
void SalvageScan::TakeVersions(ConstBytes payload, uint32_t offset, uint32_t count,
                               const SalvageVersion& like) {
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto view = ParsePageVersion(payload.subspan(at));
    if (!view) return;
    SalvageVersion version = like;
    version.page = view->page.value;
    version.hash = view->hash;
    version.file = file_;
    version.offset = offset + static_cast<uint32_t>(at);
    version.length = static_cast<uint32_t>(view->length);
    catalog_.AddVersion(version);
    at += view->length;
  }
}

bool SalvageScan::TakeCommits(const RecordView& record) {
  const auto commits = DecodeCommitRun(record.fields);
  if (!commits) return false;
  for (const CommitInfo& commit : *commits) {
    SalvageEvent event;
    event.lsn = commit.lsn;
    event.position = catalog_.commits.size();
    event.time = commit.time;
    catalog_.events.push_back(event);
    catalog_.commits.push_back({.timeline = commit.timeline,
                                .page_size = commit.page_size,
                                .page_count = commit.page_count,
                                .state_hash = commit.state_hash,
                                .schema_changed = commit.schema_changed,
                                .alarm = commit.alarm});
  }
  return true;
}

bool SalvageScan::TakeHistory(const RecordView& record, ConstBytes payload,
                              uint32_t payload_offset) {
  Reader fields(record.fields);
  const TimelineId timeline(fields.Varint());
  if (!fields.AtEnd()) return false;
  HistoryBlock block;
  for (size_t at = 0; at < payload.size();) {
    const auto head = ParseHistoryBlockHead(payload.subspan(at));
    if (!head || head->row.length == 0) return false;
    const ConstBytes bytes =
        payload.subspan(at, std::min<size_t>(head->row.length, payload.size() - at));
    // Of one that is damaged those behind it may be whole.
    if (!block.Parse(head->page, bytes, std::nullopt)) return false;
    for (size_t i = 0; i < block.versions().size(); ++i) {
      SalvageVersion version;
      version.timeline = timeline.value;
      version.lsn = block.versions()[i].lsn.value;
      version.page = head->page.value;
      version.order = kLastOrder;
      version.file = file_;
      version.offset = payload_offset + static_cast<uint32_t>(at);
      version.length = head->row.length;
      version.in_block = static_cast<uint16_t>(i);
      version.page_size_log2 = Log2(block.page_size());
      catalog_.AddVersion(version);
    }
    at += head->row.length;
  }
  return true;
}

// From the last batch of a frame to its first, each named by the one behind it. Of those that were
// packed the history has the pages.
void SalvageScan::TakeBatches() {
  for (const LargeFrame& frame : large_) {
    uint64_t hash = frame.fields.last_batch.record_hash;
    for (uint32_t number = frame.fields.batch_count; number > 0; --number) {
      const auto found = batches_.find(hash);
      if (found == batches_.end() || found->second.fields.number != number) break;
      const Batch& batch = found->second;
      SalvageVersion version;
      version.timeline = frame.fields.timeline.value;
      version.lsn = frame.lsn.value;
      version.order = number;
      version.file = batch.file;
      version.page_size_log2 = Log2(frame.fields.page_size);
      uint32_t at = 0;
      for (const BatchEntry& entry : batch.fields.pages) {
        if (entry.length > batch.length - at) break;
        version.page = entry.page.value;
        version.hash = entry.hash;
        version.offset = batch.offset + at;
        version.length = entry.length;
        catalog_.AddVersion(version);
        at += entry.length;
      }
      hash = batch.fields.previous.record_hash;
    }
  }
  batches_.clear();
}

void SalvageScan::Blame(const ScannedGroup& group, const DirectoryEntry& entry) {
  // Open and close records can be done without, and a batch is missed where a frame names it.
  if (!entry.timeline.valid()) return;
  SalvageBlame blame;
  blame.lsn = entry.lsn;
  blame.timeline = entry.timeline;
  blame.tag = entry.tag;
  blame.place = group.PlaceOf(entry);
  blame.of_history = format::IsPacked(group.location.segment) && !entry.creates();
  if (group.header_ok) {
    blame.time = Timestamp(std::chrono::microseconds(static_cast<int64_t>(group.header.time)));
  }
  catalog_.blame.push_back(blame);
}

}  // namespace tidemark::internal
