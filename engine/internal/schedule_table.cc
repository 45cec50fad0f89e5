#include "engine/internal/schedule_table.h"

#include <iterator>
#include <utility>

namespace tidemark::internal {

ScheduleTable::NewChange::NewChange(const ScheduleRow& row) {
  EncodeSchedule(row, fields_);
  Changes one;
  one.emplace(Key{.object = row.object, .lsn = Lsn()}, row);
  node_ = one.extract(one.begin());
}

void ScheduleTable::Load() { has_any_ = index_->ScheduleCount() > 0; }

void ScheduleTable::Add(NewChange made, Lsn lsn, Timestamp time) noexcept {
  made.node_.key().lsn = lsn;
  ScheduleRow& row = made.node_.mapped();
  row.lsn = lsn;
  row.time = time;
  if (row.set && !row.session.valid()) row.session = lsn;
  std::lock_guard lock(mutex_);
  pending_.insert(std::move(made.node_));
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
  has_any_.store(true, std::memory_order_release);
}

void ScheduleTable::Forget(const ObjectId& object) noexcept {
  std::lock_guard lock(mutex_);
  std::erase_if(pending_, [&](const auto& entry) { return entry.first.object == object; });
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
}

Result<std::optional<ScheduleRow>> ScheduleTable::Find(const ObjectId& object) const {
  if (is_empty()) return std::optional<ScheduleRow>();
  {
    std::lock_guard lock(mutex_);
    auto it = pending_.upper_bound({.object = object, .lsn = Lsn(UINT64_MAX)});
    if (it != pending_.begin() && (--it)->first.object == object) {
      return it->second.set ? std::optional(it->second) : std::nullopt;
    }
  }
  // What went from here meanwhile is in the index.
  return index_->FindSchedule(object);
}

Result<std::vector<ScheduleRow>> ScheduleTable::List() const {
  if (is_empty()) return std::vector<ScheduleRow>();
  std::map<ObjectId, ScheduleRow> last;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, row] : pending_) last[key.object] = row;
  }
  TIDEMARK_ASSIGN_OR_RETURN(std::vector<ScheduleRow> rows, index_->ListSchedules());
  // A checkpoint in between may have put later ones than were copied.
  for (const ScheduleRow& row : rows) {
    ScheduleRow& known = last[row.object];
    if (known.lsn <= row.lsn) known = row;
  }
  rows.clear();
  for (const auto& [object, row] : last) {
    if (row.set) rows.push_back(row);
  }
  return rows;
}

std::vector<ScheduleRow> ScheduleTable::CollectPending(Lsn cut) const {
  std::lock_guard lock(mutex_);
  std::vector<ScheduleRow> changes;
  for (const auto& [key, row] : pending_) {
    if (key.lsn <= cut) changes.push_back(row);
  }
  return changes;
}

void ScheduleTable::DropPending(Lsn cut) {
  std::lock_guard lock(mutex_);
  std::erase_if(pending_, [cut](const auto& entry) { return entry.first.lsn <= cut; });
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
}

}  // namespace tidemark::internal
