// StoreImpl's tables: namespaces, objects and timelines, found in memory or in the index.

#include <algorithm>
#include <optional>

#include "engine/bookmark.h"
#include "engine/check.h"
#include "engine/internal/batched_pages.h"
#include "engine/internal/recovery.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

Result<std::shared_ptr<NamespaceState>> StoreImpl::FindNamespace(std::string_view name,
                                                                 IfMissing if_missing) {
  TIDEMARK_RETURN_IF_ERROR(ValidateNamespaceName(name));
  std::lock_guard lock(mutex_);
  const auto it = namespaces_.find(name);
  if (it != namespaces_.end()) return it->second;
  TIDEMARK_RETURN_IF_ERROR(CheckNotLost(NamespaceTag(name), "namespace " + std::string(name)));
  if (if_missing != IfMissing::kCreate) {
    return Status(StatusCode::kNotFound,
                  "namespace " + std::string(name) + " does not exist in " + directory_);
  }
  // Logged with the first commit of its first object; listed only from then on.
  auto ns = std::make_shared<NamespaceState>(std::string(name), 0);
  namespaces_[ns->name] = ns;
  return ns;
}

std::vector<std::shared_ptr<NamespaceState>> StoreImpl::Namespaces() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<NamespaceState>> all;
  for (const auto& [name, ns] : namespaces_) all.push_back(ns);
  return all;
}

void StoreImpl::AddNamespace(PendingRow<NamespaceRow> made, Lsn lsn) noexcept {
  std::lock_guard lock(mutex_);
  made.row().id = lsn.value;
  made.MoveTo(pending_.namespaces, lsn);
}

void StoreImpl::AdoptNamespace(const std::shared_ptr<NamespaceState>& ns) {
  PendingRow<NamespaceRow> row({.id = ns->id, .name = ns->name});
  {
    std::lock_guard lock(mutex_);
    namespaces_[ns->name] = ns;
  }
  AddNamespace(std::move(row), Lsn(ns->id));
}

Result<std::shared_ptr<ObjectState>> StoreImpl::FindObject(
    const std::shared_ptr<NamespaceState>& ns, const ObjectId& id, std::string_view name,
    IfMissing if_missing) {
  std::lock_guard lock(mutex_);
  return LoadObjectLocked(ns, id, name, if_missing);
}

Result<std::shared_ptr<ObjectState>> StoreImpl::LoadObjectLocked(
    const std::shared_ptr<NamespaceState>& ns, const ObjectId& id, std::string_view name,
    IfMissing if_missing) {
  if (purges_->Has(id)) return ObjectState(ns, id, std::string(name)).BeingPurged();
  const auto it = objects_.find(id);
  std::shared_ptr<ObjectState> object = it == objects_.end() ? nullptr : it->second.lock();
  if (object == nullptr) {
    std::optional<ObjectRow> row;
    if (ns->id != 0) {
      TIDEMARK_ASSIGN_OR_RETURN(row, index_->FindObject(ns->id, id));
    }
    if (!row) {
      TIDEMARK_RETURN_IF_ERROR(CheckNotLost(
          ObjectTag(id),
          "object " + ns->name + "/" + (name.empty() ? id.ToString() : std::string(name))));
    }
    object = std::make_shared<ObjectState>(ns, id, row ? row->name : std::string(name));
    if (row) {
      TIDEMARK_RETURN_IF_ERROR(
          LoadHead(*object, *row).WithContext("object " + object->DisplayName()));
    }
    objects_[id] = object;
    SweepLocked();
  }
  if (if_missing == IfMissing::kCreate) return object;
  std::lock_guard lock(object->mutex);
  if (object->timeline == nullptr) {
    return Status(StatusCode::kNotFound,
                  "object " + object->DisplayName() + " does not exist in " + directory_);
  }
  if (if_missing == IfMissing::kFail) TIDEMARK_RETURN_IF_ERROR(object->CheckExists());
  return object;
}

Result<std::shared_ptr<ObjectState>> StoreImpl::AdoptObject(uint64_t namespace_id,
                                                            const ObjectId& id,
                                                            std::string_view name) {
  std::lock_guard lock(mutex_);
  for (const auto& [ns_name, ns] : namespaces_) {
    if (ns->id == namespace_id) return LoadObjectLocked(ns, id, name, IfMissing::kCreate);
  }
  return Status(StatusCode::kCorruption, "the log names namespace " + std::to_string(namespace_id) +
                                             ", of which it has no record");
}

// Expired entries cost memory only; they go when the maps have doubled.
void StoreImpl::SweepLocked() {
  if (objects_.size() >= sweep_objects_at_) {
    std::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
    sweep_objects_at_ = std::max<size_t>(1024, objects_.size() * 2);
  }
  if (timelines_.size() >= sweep_timelines_at_) {
    std::erase_if(timelines_, [](const auto& entry) { return entry.second.expired(); });
    sweep_timelines_at_ = std::max<size_t>(1024, timelines_.size() * 2);
  }
}

// ---- timelines ---------------------------------------------------------------------------------

Result<std::shared_ptr<Timeline>> StoreImpl::FindTimeline(TimelineId id) {
  std::lock_guard lock(mutex_);
  return FindTimelineLocked(id);
}

Result<std::shared_ptr<Timeline>> StoreImpl::FindTimelineLocked(TimelineId id) {
  if (const auto it = timelines_.find(id); it != timelines_.end()) {
    if (auto timeline = it->second.lock()) return timeline;
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, index_->FindTimeline(id));
  if (!row) {
    return Status(StatusCode::kCorruption,
                  "timeline " + std::to_string(id.value) + " is not in the index");
  }
  std::shared_ptr<Timeline> parent;
  if (row->parent.valid()) {
    if (row->parent >= id) {  // a parent came before: ancestry has an end
      return Status(StatusCode::kCorruption,
                    "timeline " + std::to_string(id.value) + " is its own ancestor in the index");
    }
    TIDEMARK_ASSIGN_OR_RETURN(parent, FindTimelineLocked(row->parent));
  }
  auto timeline = std::make_shared<Timeline>(*row, std::move(parent));
  if (const auto it = damaged_.find(id); it != damaged_.end()) {
    timeline->MarkDamaged(it->second.damage);
  }
  timelines_[id] = timeline;
  return timeline;
}

NewTimeline StoreImpl::MakeTimeline(std::shared_ptr<Timeline> parent) const {
  NewTimeline made;
  made.timeline = std::make_shared<Timeline>(TimelineRow(), std::move(parent));
  decltype(timelines_) one;
  one.emplace(TimelineId(), made.timeline);
  made.entry = one.extract(one.begin());
  if (made.timeline->parent() != nullptr) {
    decltype(children_) child;
    child.emplace(made.timeline->parent()->id(), ChildRow());
    made.child = child.extract(child.begin());
  }
  return made;
}

std::shared_ptr<Timeline> StoreImpl::AddTimeline(NewTimeline made,
                                                 const TimelineRow& row) noexcept {
  made.timeline->set_row(row);
  made.entry.key() = row.id;
  std::lock_guard lock(mutex_);
  if (!made.child.empty()) {
    made.child.mapped() = {.parent_lsn = row.parent_lsn, .id = row.id};
    children_.insert(std::move(made.child));
    references_made_.fetch_add(1);
  }
  const auto added = timelines_.insert(std::move(made.entry));
  if (!added.inserted) added.position->second = made.timeline;  // of an index that is not true
  SweepLocked();
  return std::move(made.timeline);
}

// ---- what the index does not have yet ----------------------------------------------------------

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
