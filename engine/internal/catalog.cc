// StoreImpl's tables: namespaces, objects and timelines, found in memory or in the index.

#include <algorithm>
#include <optional>

#include "engine/bookmark.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

// So many entries of a table are not worth a sweep.
constexpr size_t kFewEntries = 1024;

}  // namespace

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

// Expired entries cost memory only: what they pointed to, for it is in one piece with its weak
// count. They go when the maps have doubled, or a checkpoint finds many.
void StoreImpl::SweepLocked() {
  if (objects_.size() >= sweep_objects_at_) {
    std::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
    sweep_objects_at_ = std::max(kFewEntries, objects_.size() * 2);
  }
  if (timelines_.size() >= sweep_timelines_at_) {
    std::erase_if(timelines_, [](const auto& entry) { return entry.second.expired(); });
    sweep_timelines_at_ = std::max(kFewEntries, timelines_.size() * 2);
  }
}

size_t StoreImpl::table_entries() const {
  std::lock_guard lock(mutex_);
  return objects_.size() + timelines_.size();
}

// Have a quarter of the objects expired? By a look at some: ids are random, and so are buckets.
void StoreImpl::SweepIfManyExpired() {
  std::lock_guard lock(mutex_);
  if (objects_.size() < kFewEntries) return;
  const size_t step = std::max<size_t>(1, objects_.bucket_count() / kFewEntries);
  size_t seen = 0;
  size_t expired = 0;
  for (size_t bucket = 0; bucket < objects_.bucket_count(); bucket += step) {
    for (auto entry = objects_.begin(bucket); entry != objects_.end(bucket); ++entry) {
      ++seen;
      if (entry->second.expired()) ++expired;
    }
  }
  if (expired * 4 < seen) return;
  sweep_objects_at_ = 0;
  sweep_timelines_at_ = 0;
  SweepLocked();
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

}  // namespace tidemark::internal
