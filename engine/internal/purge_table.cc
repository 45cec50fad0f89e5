#include "engine/internal/purge_table.h"

#include <algorithm>
#include <utility>

#include "engine/internal/retention_record.h"

namespace tidemark::internal {

PurgeTable::NewPurge::NewPurge(PurgeRow row) {
  EncodePurge(row, fields_);
  timelines_.insert(row.timelines.begin(), row.timelines.end());
  Rows one;
  one.emplace(row.object, std::move(row));
  node_ = one.extract(one.begin());
}

Status PurgeTable::Load() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto rows, index_->ListPurges());
  std::lock_guard lock(mutex_);
  for (const PurgeRow& row : rows) {
    rows_[row.object] = row;
    timelines_.insert(row.timelines.begin(), row.timelines.end());
    indexed_ = std::max(indexed_, row.lsn);
  }
  CountLocked();
  return OkStatus();
}

void PurgeTable::CountLocked() { count_.store(rows_.size(), std::memory_order_release); }

void PurgeTable::Add(NewPurge made, Lsn lsn) noexcept {
  made.node_.mapped().lsn = lsn;
  std::lock_guard lock(mutex_);
  timelines_.merge(made.timelines_);
  rows_.insert(std::move(made.node_));
  CountLocked();
}

void PurgeTable::NoteClean(const std::vector<PurgeRow>& rows) {
  std::lock_guard lock(mutex_);
  for (const PurgeRow& row : rows) rows_.at(row.object).log_is_clean = true;
}

void PurgeTable::Remove(const std::vector<PurgeRow>& rows) {
  std::lock_guard lock(mutex_);
  for (const PurgeRow& row : rows) {
    rows_.erase(row.object);
    for (const TimelineId timeline : row.timelines) timelines_.erase(timeline);
  }
  CountLocked();
}

bool PurgeTable::Has(const ObjectId& object) const {
  if (empty()) return false;
  std::lock_guard lock(mutex_);
  return rows_.contains(object);
}

std::vector<PurgeRow> PurgeTable::List() const {
  std::lock_guard lock(mutex_);
  std::vector<PurgeRow> rows;
  for (const auto& [object, row] : rows_) rows.push_back(row);
  return rows;
}

bool PurgeTable::Covers(TimelineId timeline) const {
  if (empty()) return false;
  std::lock_guard lock(mutex_);
  return timelines_.contains(timeline);
}

bool PurgeTable::CoversObject(const ObjectId& object, Lsn lsn) const {
  std::lock_guard lock(mutex_);
  const auto it = rows_.find(object);
  return it != rows_.end() && lsn < it->second.lsn;
}

bool PurgeTable::Covers(const DirectoryEntry& entry, const RecordView& record) const {
  if (empty()) return false;
  switch (record.kind) {
    case RecordKind::kFrame:
    case RecordKind::kCommits:
    case RecordKind::kDictionary:
    case RecordKind::kHistory: return Covers(entry.timeline);
    // Their LSNs are timelines.
    case RecordKind::kObject:
    case RecordKind::kTimeline: return Covers(TimelineId(entry.lsn.value));
    case RecordKind::kLabel: {
      const auto label = DecodeLabel(record.fields);
      return label && CoversObject(label->object, entry.lsn);
    }
    case RecordKind::kSchedule: {
      // Also one that names it as another's source: none of those waits any more (Purger::Begin).
      const auto row = DecodeSchedule(record.fields);
      return row && (CoversObject(row->object, entry.lsn) ||
                     (row->set && CoversObject(row->source, entry.lsn)));
    }
    case RecordKind::kHold:
    case RecordKind::kPolicy: {
      const bool is_hold = record.kind == RecordKind::kHold;
      const auto rule = DecodeRule(is_hold ? RuleKind::kHold : RuleKind::kPolicy, record.fields);
      return rule && rule->key.object && CoversObject(*rule->key.object, entry.lsn);
    }
    default: return false;
  }
}

std::vector<PurgeRow> PurgeTable::CollectPending(Lsn cut) const {
  if (empty()) return {};
  std::lock_guard lock(mutex_);
  std::vector<PurgeRow> rows;
  for (const auto& [object, row] : rows_) {
    if (row.lsn > indexed_ && row.lsn <= cut) rows.push_back(row);
  }
  return rows;
}

void PurgeTable::DropPending(Lsn cut) {
  std::lock_guard lock(mutex_);
  indexed_ = std::max(indexed_, cut);
}

}  // namespace tidemark::internal
