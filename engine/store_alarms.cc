// Store's list of alarms: the index's table, and over it what commits have changed since the
// checkpoint.
//
// An object that is not dirty has the alarm that its row in the index says. Of the dirty ones,
// those whose head has another alarm than that are put in its place; so nothing is kept up to date
// for this when something commits.

#include <algorithm>
#include <map>
#include <new>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/internal/store_impl.h"
#include "engine/store.h"

namespace tidemark {

using internal::AlarmRow;

namespace {

constexpr size_t kRowsAtATime = 256;

bool Before(const AlarmRow& a, const AlarmRow& b) {
  return std::tie(a.due, a.id) < std::tie(b.due, b.id);
}

}  // namespace

Status Store::ListAlarms(const std::function<bool(const DueAlarm&)>& visit, Timestamp due_by) const
    try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  // First those in memory: what a checkpoint takes from here meanwhile is in the index then.
  std::unordered_map<ObjectId, std::shared_ptr<internal::ObjectState>> changed;
  std::vector<AlarmRow> recent;
  for (auto& object : impl_->DirtyObjects()) {
    std::optional<Timestamp> alarm;
    {
      std::lock_guard lock(object->mutex);
      alarm = object->head.alarm;
      if (alarm == object->indexed_alarm) continue;
    }
    if (alarm && *alarm <= due_by) {
      recent.push_back({.due = *alarm, .id = object->id, .namespace_id = object->ns->id});
    }
    const ObjectId id = object->id;
    changed.emplace(id, std::move(object));
  }
  std::sort(recent.begin(), recent.end(), Before);

  std::map<uint64_t, std::string> namespaces;
  const auto name_of = [&](uint64_t id) -> const std::string& {
    if (!namespaces.contains(id)) {  // the first time, and of one that is new
      for (const auto& ns : impl_->Namespaces()) namespaces[ns->id] = ns->name;
    }
    return namespaces[id];
  };
  const auto tell = [&](const AlarmRow& row) -> Result<bool> {
    DueAlarm alarm{
        .due = row.due, .id = row.id, .namespace_name = name_of(row.namespace_id), .name = {}};
    if (const auto known = changed.find(row.id); known != changed.end()) {
      alarm.name = known->second->name;
    } else {
      TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                                impl_->index().FindObject(row.namespace_id, row.id));
      if (!object) return true;  // it was purged meanwhile
      alarm.name = object->name;
    }
    return visit(alarm);
  };
  auto next = recent.begin();
  std::optional<AlarmRow> after;
  for (bool more = true; more;) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rows,
                              impl_->index().ListAlarms(after, due_by, kRowsAtATime));
    more = rows.size() == kRowsAtATime;
    if (more) after = rows.back();
    for (const AlarmRow& row : rows) {
      for (; next != recent.end() && Before(*next, row); ++next) {
        TIDEMARK_ASSIGN_OR_RETURN(const bool go_on, tell(*next));
        if (!go_on) return OkStatus();
      }
      if (changed.contains(row.id) || impl_->purges().Has(row.id)) continue;
      TIDEMARK_ASSIGN_OR_RETURN(const bool go_on, tell(row));
      if (!go_on) return OkStatus();
    }
  }
  for (; next != recent.end(); ++next) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool go_on, tell(*next));
    if (!go_on) return OkStatus();
  }
  return OkStatus();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

}  // namespace tidemark
