#include "runtime/internal/host_alarms.h"

#include <algorithm>
#include <utility>

#include "api/storage.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/alarm_scheduler.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {

void HostAlarms::Start(ObjectStorage& storage) {
  has_some_ = storage.object().alarm().has_value();
  if (!has_some_) return;
  Tell(storage);
  const std::vector<AlarmInfo> given_up =
      host_.runtime().alarms().GivenUp({&host_.actor_class(), host_.id().object});
  for (const AlarmInfo& alarm : given_up) storage.AbandonAlarm(alarm.time, alarm.name);
  storage.Commit();
  EndTurn(storage);
}

void HostAlarms::Tell(ObjectStorage& storage) {
  told_ = storage.ListAlarms();
  touched_ = false;
  host_.runtime().alarms().Note(host_.shared_class(), host_.id(), told_);
}

void HostAlarms::TellChange(ObjectStorage& storage) {
  std::vector<AlarmInfo> alarms = storage.ListAlarms();
  touched_ = false;
  const bool same = std::equal(
      alarms.begin(), alarms.end(), told_.begin(), told_.end(),
      [](const AlarmInfo& a, const AlarmInfo& b) { return a.time == b.time && a.name == b.name; });
  if (same) return;
  told_ = std::move(alarms);
  host_.runtime().alarms().Note(host_.shared_class(), host_.id(), told_);
}

}  // namespace tidemark::internal
