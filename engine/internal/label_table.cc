#include "engine/internal/label_table.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {

LabelTable::NewChange::NewChange(LabelChange change) {
  const LabelRow& row = change.row;
  EncodeLabel(
      {.operation = change.removed ? format::LabelOperation::kRemove : format::LabelOperation::kSet,
       .object = row.object,
       .name = row.name,
       .automatic = row.automatic,
       .timeline = row.timeline,
       .commit = row.commit,
       .epoch = row.epoch,
       .state_hash = row.state_hash},
      fields_);
  Changes one;
  one.emplace(Key{.object = row.object, .name = row.name, .lsn = Lsn()}, std::move(change));
  node_ = one.extract(one.begin());
}

void LabelTable::Add(NewChange made, Lsn lsn, Timestamp time) noexcept {
  made.node_.key().lsn = lsn;
  made.node_.mapped().row.lsn = lsn;
  made.node_.mapped().row.time = time;
  std::lock_guard lock(mutex_);
  pending_.insert(std::move(made.node_));
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
  last_change_.store(std::max(last_change_.load(), lsn.value), std::memory_order_release);
}

Result<std::optional<LabelRow>> LabelTable::Find(const ObjectId& object,
                                                 std::string_view name) const {
  const Key behind{.object = object, .name = std::string(name), .lsn = Lsn(UINT64_MAX)};
  {
    std::lock_guard lock(mutex_);
    auto it = pending_.upper_bound(behind);
    if (it != pending_.begin() && (--it)->first.object == object && it->first.name == name) {
      if (it->second.removed) return std::optional<LabelRow>();
      return std::optional<LabelRow>(it->second.row);
    }
  }
  // What went from here meanwhile is in the index.
  return index_->FindLabel(object, name);
}

Result<std::vector<LabelRow>> LabelTable::List(const ObjectId& object) const {
  std::map<std::string, LabelChange, std::less<>> last;
  {
    std::lock_guard lock(mutex_);
    for (auto it = pending_.lower_bound({.object = object});
         it != pending_.end() && it->first.object == object; ++it) {
      last[it->first.name] = it->second;
    }
  }
  TIDEMARK_ASSIGN_OR_RETURN(std::vector<LabelRow> rows, index_->ListLabels(object));
  if (last.empty()) return rows;
  // A checkpoint in between may have put later ones than were copied.
  for (LabelRow& row : rows) {
    LabelChange& change = last[row.name];
    if (change.row.lsn <= row.lsn) change = {.row = std::move(row), .removed = false};
  }
  rows.clear();
  for (auto& [name, change] : last) {
    if (!change.removed) rows.push_back(std::move(change.row));
  }
  return rows;
}

std::vector<LabelChange> LabelTable::CollectPending(Lsn cut) const {
  std::lock_guard lock(mutex_);
  std::vector<LabelChange> changes;
  for (const auto& [key, change] : pending_) {
    if (key.lsn <= cut) changes.push_back(change);
  }
  return changes;
}

void LabelTable::DropPending(Lsn cut) {
  std::lock_guard lock(mutex_);
  std::erase_if(pending_, [cut](const auto& entry) { return entry.first.lsn <= cut; });
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
}

}  // namespace tidemark::internal
