// StoreImpl's tables of what the index does not have yet, and what is listed from both.

#include <algorithm>
#include <optional>

#include "engine/bookmark.h"
#include "engine/internal/batched_pages.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

void StoreImpl::MakeRoom(const std::shared_ptr<ObjectState>& object, Timeline& timeline,
                         std::span<const PageChange> changes, CommitRoom* room) {
  // Not what keeps it in use (ObjectState::Use).
  if (room->entry_.empty()) room->entry_.push_back(object->shared_from_this());
  {
    std::lock_guard lock(object->mutex);
    MakeRoomForOne(object->recent_timelines);
  }
  timeline.MakeRoom(changes, &room->recent_);
}

void StoreImpl::PublishCommit(CommitRoom* room, ObjectState& object,
                              const std::shared_ptr<Timeline>& timeline, const RecentCommit& commit,
                              std::span<const PageChange> changes,
                              std::shared_ptr<const BatchedPages> batched) noexcept {
  timeline->AddRecent(&room->recent_, commit, changes, std::move(batched));
  recent_versions.fetch_add(changes.size(), std::memory_order_relaxed);
  const auto publish_locked = [&] {
    object.timeline = timeline;
    object.head = commit.info;
    ++object.change_counter;
    auto& recent = object.recent_timelines;
    if (recent.empty() || recent.back() != timeline) recent.push_back(timeline);
  };
  {
    std::lock_guard lock(object.mutex);
    if (object.dirty) return publish_locked();
  }
  // On the list when it is visible: whoever sees the commit finds it among what the index lacks.
  std::lock_guard lock(mutex_);
  std::lock_guard object_lock(object.mutex);
  publish_locked();
  if (object.dirty) return;
  object.dirty = true;
  dirty_.splice(dirty_.end(), room->entry_);
}

void StoreImpl::AdoptTimeline(const std::shared_ptr<ObjectState>& object,
                              const std::shared_ptr<Timeline>& timeline, const CommitInfo* commit) {
  std::lock_guard lock(mutex_);
  std::lock_guard object_lock(object->mutex);
  if (object->timeline == nullptr || object->timeline->id() < timeline->id()) {
    object->timeline = timeline;
  }
  if (commit != nullptr) {
    object->head = *commit;
    object->change_counter = static_cast<uint32_t>(commit->lsn.value);
  }
  auto& recent = object->recent_timelines;
  if (recent.empty() || recent.back()->id() < timeline->id()) recent.push_back(timeline);
  if (object->dirty) return;
  dirty_.push_back(object);
  object->dirty = true;
}

std::vector<std::shared_ptr<ObjectState>> StoreImpl::DirtyObjects() const {
  std::lock_guard lock(mutex_);
  return {dirty_.begin(), dirty_.end()};
}

void StoreImpl::UndirtyObjects() {
  std::lock_guard lock(mutex_);
  std::erase_if(dirty_, [](const std::shared_ptr<ObjectState>& object) {
    std::lock_guard object_lock(object->mutex);
    auto& recent = object->recent_timelines;
    std::erase_if(recent, [](const auto& timeline) { return !timeline->HasRecent(); });
    object->dirty = !recent.empty();
    return !object->dirty;
  });
}

void StoreImpl::ForgetObject(const PurgeRow& purge) noexcept {
  const auto is_of = [&purge](TimelineId timeline) {
    return std::binary_search(purge.timelines.begin(), purge.timelines.end(), timeline);
  };
  const uint64_t tag = ObjectTag(purge.object);
  std::lock_guard lock(mutex_);
  objects_.erase(purge.object);
  // No checkpoint puts it into the index again.
  std::erase_if(dirty_, [&](const std::shared_ptr<ObjectState>& object) {
    if (object->id != purge.object) return false;
    std::lock_guard object_lock(object->mutex);
    for (const auto& timeline : object->recent_timelines) {
      recent_versions -= timeline->DropRecent(Lsn(UINT64_MAX));
    }
    object->dirty = false;
    return true;
  });
  for (const TimelineId timeline : purge.timelines) timelines_.erase(timeline);
  std::erase_if(children_,
                [&](const auto& entry) { return is_of(entry.first) || is_of(entry.second.id); });
  const auto is_damage_of = [&](const auto& entry) {
    return is_of(entry.second.timeline) || entry.second.tag == tag;
  };
  std::erase_if(damaged_, is_damage_of);
  std::erase_if(pending_.damage, is_damage_of);
  lost_.erase(tag);
  last_lost_.erase(tag);
  schedules_->Forget(purge.object);
  std::erase_if(pending_.restores,
                [&](const auto& entry) { return entry.second.object == purge.object; });
}

void StoreImpl::AddRestore(PendingRow<RestoreRow> made, Lsn lsn, Timestamp time) noexcept {
  std::lock_guard lock(mutex_);
  made.row().lsn = lsn;
  made.row().time = time;
  made.MoveTo(pending_.restores, lsn);
}

void StoreImpl::AddEpoch(PendingRow<EpochRow> made, Lsn first_lsn) noexcept {
  std::lock_guard lock(mutex_);
  made.row().first_lsn = first_lsn;
  made.MoveTo(pending_.epochs, first_lsn);
}

void StoreImpl::AddDamage(const DamageRow& row) {
  std::lock_guard lock(mutex_);
  // Of several damages of a timeline the first counts, here and in the index.
  const auto known = damaged_.find(row.timeline);
  if (known != damaged_.end() && known->second.damage.lsn <= row.damage.lsn) return;
  pending_.damage.emplace(row.damage.lsn, row);
  KeepDamageLocked(row);
  if (const auto it = timelines_.find(row.timeline); it != timelines_.end()) {
    if (const auto timeline = it->second.lock()) timeline->MarkDamaged(row.damage);
  }
}

void StoreImpl::KeepDamageLocked(const DamageRow& row) {
  damaged_[row.timeline] = row;
  if (row.tag == 0) return;
  has_lost_ = true;
  const auto first = lost_.try_emplace(row.tag, row).first;
  if (row.damage.lsn < first->second.damage.lsn) first->second = row;
  const auto last = last_lost_.try_emplace(row.tag, row).first;
  if (row.damage.lsn > last->second.damage.lsn) last->second = row;
}

Status StoreImpl::CheckNotLost(uint64_t tag, const std::string& what) const {
  const auto it = lost_.find(tag);
  if (it == lost_.end()) return OkStatus();
  const TimelineDamage& damage = it->second.damage;
  return Status(StatusCode::kCorruption,
                what + ": what brought it into being, LSN " + std::to_string(damage.lsn.value) +
                    " (segment " + std::to_string(damage.location.segment) + ", offset " +
                    std::to_string(damage.location.offset) +
                    "), is damaged; bring back a copy of the log to reach it");
}

StoreImpl::PendingRows StoreImpl::CollectPending(Lsn cut) const {
  std::lock_guard lock(mutex_);
  PendingRows rows;
  const auto copy = [cut](const auto& from, auto& to) {
    to.insert(from.begin(), from.upper_bound(cut));
  };
  copy(pending_.namespaces, rows.namespaces);
  copy(pending_.restores, rows.restores);
  copy(pending_.epochs, rows.epochs);
  copy(pending_.damage, rows.damage);
  return rows;
}

void StoreImpl::DropPending(Lsn cut) {
  std::lock_guard lock(mutex_);
  const auto drop = [cut](auto& rows) { rows.erase(rows.begin(), rows.upper_bound(cut)); };
  drop(pending_.namespaces);
  drop(pending_.restores);
  drop(pending_.epochs);
  drop(pending_.damage);
  std::erase_if(children_, [cut](const auto& entry) { return entry.second.id.value <= cut.value; });
}

Result<std::vector<ChildRow>> StoreImpl::ChildrenOf(TimelineId timeline,
                                                    const ChildRow& first) const {
  constexpr size_t kMost = 256;
  std::vector<ChildRow> children;
  {
    std::lock_guard lock(mutex_);
    const auto range = children_.equal_range(timeline);
    for (auto it = range.first; it != range.second; ++it) {
      if (it->second >= first) children.push_back(it->second);
    }
  }
  // What went from memory meanwhile is in the index.
  TIDEMARK_ASSIGN_OR_RETURN(const auto rows, index_->ListChildren(timeline, first, kMost));
  const bool more = rows.size() == kMost;
  if (more) std::erase_if(children, [&](const ChildRow& row) { return row > rows.back(); });
  children.insert(children.end(), rows.begin(), rows.end());
  std::sort(children.begin(), children.end());
  children.erase(std::unique(children.begin(), children.end()), children.end());
  return children;
}

std::optional<TimelineDamage> StoreImpl::LastLost(uint64_t tag) const {
  if (!has_lost_) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto it = last_lost_.find(tag);
  if (it == last_lost_.end()) return std::nullopt;
  return it->second.damage;
}

Result<std::vector<RestoreRow>> StoreImpl::RestoresOf(const ObjectId& object) const {
  std::vector<RestoreRow> recent;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [lsn, row] : pending_.restores) {
      if (row.object == object) recent.push_back(row);
    }
  }
  // Read after the recent ones were copied: a checkpoint in between shows a row twice, never not.
  TIDEMARK_ASSIGN_OR_RETURN(std::vector<RestoreRow> rows, index_->ListRestores(object));
  for (RestoreRow& row : recent) {
    if (rows.empty() || rows.back().lsn < row.lsn) rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::optional<EpochRow>> StoreImpl::EpochOf(Lsn lsn) const {
  std::optional<EpochRow> recent;
  {
    std::lock_guard lock(mutex_);
    auto it = pending_.epochs.upper_bound(lsn);
    if (it != pending_.epochs.begin()) recent = std::prev(it)->second;
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto indexed, index_->FindEpochOf(lsn));
  if (!recent || (indexed && indexed->first_lsn > recent->first_lsn)) return indexed;
  return recent;
}

Result<std::optional<EpochRow>> StoreImpl::FindEpoch(uint32_t epoch) const {
  {
    std::lock_guard lock(mutex_);
    for (const auto& [lsn, row] : pending_.epochs) {
      if (row.epoch == epoch) return std::optional<EpochRow>(row);
    }
  }
  return index_->FindEpoch(epoch);
}

bool StoreImpl::IsKnownDamage(Lsn lsn) const {
  std::lock_guard lock(mutex_);
  return std::any_of(damaged_.begin(), damaged_.end(),
                     [lsn](const auto& entry) { return entry.second.damage.lsn == lsn; });
}

uint64_t StoreImpl::damaged_timeline_count() const {
  std::lock_guard lock(mutex_);
  return damaged_.size();
}

}  // namespace tidemark::internal
