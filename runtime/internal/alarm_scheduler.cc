#include "runtime/internal/alarm_scheduler.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "runtime/actor_error.h"
#include "runtime/internal/alarm_call.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::seconds kTick{60};
// New ones that one look at the store's list takes into memory.
constexpr size_t kLoadAtOnce = 4096;
// Beyond so many that wait, those that are due last are forgotten: the list has them.
constexpr size_t kMostWaiting = 16 * kLoadAtOnce;
// So many that are to be retried, and no new ones are looked for until some have ended.
constexpr size_t kMostHeld = 100'000;

}  // namespace

// ---- what is known -----------------------------------------------------------------------------

void AlarmScheduler::Start(const std::shared_ptr<RuntimeState>& runtime) {
  runtime_ = runtime;
  AddTick();
}

void AlarmScheduler::Stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  at_rest_.wait(lock, [this] { return in_store_ == 0; });
}

void AlarmScheduler::Refresh() {
  std::lock_guard lock(mutex_);
  RequestLoadLocked();
}

void AlarmScheduler::Note(const DueTable::ClassPtr& actor_class, const ActorId& id,
                          const std::vector<AlarmInfo>& alarms) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  table_.Note(actor_class, id, alarms);
  if (!loading_) table_.Trim(kMostWaiting);
  ArmLocked();
}

std::vector<AlarmInfo> AlarmScheduler::GivenUp(const DueTable::Key& key) const {
  std::lock_guard lock(mutex_);
  return table_.GivenUp(key);
}

void AlarmScheduler::AddTick() {
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  runtime->timers().Add(kTick, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

// Also for a clock that was set ahead: what is due by it has no timer that knows.
void AlarmScheduler::Tick() {
  AddTick();
  {
    std::lock_guard lock(mutex_);
    list_fails_ = false;
    if (store_.durable_lsn() != loaded_at_) RequestLoadLocked();
  }
  Pump();
}

void AlarmScheduler::RequestLoadLocked() {
  if (stopped_ || list_fails_) return;
  if (std::exchange(loading_, true)) {
    load_again_ = true;
    return;
  }
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  runtime->Post([self = shared_from_this()] { self->Load(); });
}

void AlarmScheduler::Load() {
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  Timestamp until;
  size_t most = kLoadAtOnce;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    ++in_store_;
    load_again_ = false;
    loaded_at_ = store_.durable_lsn();
    most += table_.held();
    // What is noted meanwhile may be missing in the list.
    until = Timestamp::max();
    table_.set_known_until(until);
  }
  size_t count = 0;
  const auto visit = [&](const DueAlarm& due) {
    const auto actor_class = runtime->ClassOfSpace(due.namespace_name);
    std::lock_guard lock(mutex_);
    if (stopped_) return false;
    if (actor_class == nullptr) return true;
    ActorId id{.object = due.id};
    if (!due.name.empty()) id.name = due.name;
    if (!table_.List(actor_class, id, due.due) || ++count < most) return true;
    until = due.due;
    return false;
  };
  const Status status = store_.ListAlarms(visit, Timestamp::max());
  {
    std::lock_guard lock(mutex_);
    --in_store_;
    loading_ = false;
    if (!status.ok()) {
      ++counters_.list_failures;
      list_fails_ = true;
      until = Timestamp::min();
    }
    table_.set_known_until(until);
    if (load_again_) RequestLoadLocked();
    at_rest_.notify_all();
  }
  Pump();
}

// ---- what is due -------------------------------------------------------------------------------

void AlarmScheduler::ArmLocked() {
  const auto runtime = runtime_.lock();
  const std::optional<Timestamp> due = table_.earliest();
  if (stopped_ || runtime == nullptr || !due) return;
  if (counters_.running >= runtime->options().most_running_alarms) return;
  const microseconds wait = std::max(*due - runtime->options().clock->Now(), microseconds(0));
  if (wait > kTick) return;  // a tick comes before that, and there may be no timer for so long
  if (armed_ && armed_->first <= runtime->Now() + wait) return;
  if (armed_) runtime->timers().Cancel(*armed_);
  armed_ = runtime->timers().Add(wait, [weak = weak_from_this(), number = ++arm_number_] {
    if (const auto self = weak.lock()) self->Wake(number);
  });
}

void AlarmScheduler::Wake(uint64_t arm_number) {
  {
    std::lock_guard lock(mutex_);
    if (arm_number != arm_number_) return;  // another one was armed in its stead
    armed_.reset();
  }
  Pump();
}

void AlarmScheduler::Pump() {
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  std::vector<DueTable::Taken> due;
  {
    std::lock_guard lock(mutex_);
    const Timestamp now = runtime->options().clock->Now();
    while (!stopped_ && counters_.running < runtime->options().most_running_alarms) {
      auto taken = table_.Take(now);
      if (!taken) break;
      ++counters_.running;
      due.push_back(*std::move(taken));
    }
    if (table_.NeedsList() && table_.held() < kMostHeld && !loading_) RequestLoadLocked();
    ArmLocked();
  }
  for (DueTable::Taken& taken : due) {
    runtime->Post([self = shared_from_this(), taken = std::move(taken)] { self->Dispatch(taken); });
  }
}

// An object that sleeps may have been changed by others: it is not woken for nothing, nor made anew
// if it was deleted.
void AlarmScheduler::Dispatch(const DueTable::Taken& taken) {
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    ++in_store_;
  }
  std::optional<Timestamp> due = taken.alarm.due;
  ActorId id = taken.id;
  {
    const auto object =
        store_.OpenObject(taken.actor_class->space, taken.id.object, IfMissing::kFail);
    if (object.ok()) {
      due = (*object)->alarm();
      if (!(*object)->name().empty()) id.name = (*object)->name();
    } else if (object.status().code() == StatusCode::kNotFound) {
      due.reset();
    }
  }
  const bool is_due = due && *due <= runtime->options().clock->Now();
  {
    std::lock_guard lock(mutex_);
    --in_store_;
    at_rest_.notify_all();
    if (stopped_) return;
    if (!is_due) {
      --counters_.running;
      ++counters_.canceled;
      const DueTable::Key key{taken.actor_class.get(), taken.id.object};
      if (due) {
        table_.Postpone(key, *due);
      } else {
        table_.Drop(key);
      }
    }
  }
  if (!is_due) {
    Pump();
    return;
  }
  const auto call = std::make_shared<AlarmCall>(shared_from_this(), taken);
  call->WhenDone(MakeWork([self = shared_from_this(), call] { self->Ended(call); }));
  runtime->Deliver(taken.actor_class, id, call);
}

// ---- what became of it -------------------------------------------------------------------------

void AlarmScheduler::Ended(const std::shared_ptr<AlarmCall>& call) {
  const auto runtime = runtime_.lock();
  if (runtime == nullptr) return;
  if (call->limit()) runtime->timers().Cancel(*call->limit());
  std::optional<AlarmEvent> given_up;
  {
    std::lock_guard lock(mutex_);
    --counters_.running;
    CountLocked(*call);
    if (const auto& event = call->event()) {
      table_.Identify(call->key(), event->name, event->scheduled_time, call->retry());
    }
    if (call->thrown() != nullptr && !call->gone()) {
      given_up = FailedLocked(*call);
    } else {
      table_.Drop(call->key());
    }
  }
  if (given_up) ReportGivenUp(*runtime, *call, *given_up);
  Pump();
}

void AlarmScheduler::ReportGivenUp(const RuntimeState& runtime, const AlarmCall& call,
                                   const AlarmEvent& last) {
  const DueTable::Taken& taken = call.taken();
  runtime.Log({.level = LogLevel::kError,
               .event = "alarm_given_up",
               .namespace_name = taken.actor_class->name,
               .object_id = taken.id.object,
               .object_name = taken.id.name ? std::string_view(*taken.id.name) : "",
               .trace = call.trace,
               .message = MessageOf(call.thrown()),
               .fields = {{"alarm", last.name}, {"runs", std::to_string(last.retry_count + 1)}}});
}

void AlarmScheduler::CountLocked(const AlarmCall& call) {
  if (call.canceled()) ++counters_.canceled;
  if (call.taken().alarm.given_up) return;
  if (call.event()) {
    if (!call.taken().actor_class->has_alarm_handler) {
      ++counters_.without_handler;
    } else {
      ++counters_.runs;
      if (call.thrown() == nullptr) ++counters_.succeeded;
    }
  }
  if (call.thrown() == nullptr) return;
  ++(call.Counts() == AlarmRetry::Counts::kYes ? counters_.failed : counters_.failed_uncounted);
  if (call.over_time()) ++counters_.over_time;
}

std::optional<AlarmEvent> AlarmScheduler::FailedLocked(const AlarmCall& call) {
  const DueTable::Key key = call.key();
  bool given_up = false;
  if (call.WantsNoRetry() && !call.taken().alarm.given_up) {
    given_up = table_.GiveUp(key);
  } else {
    const uint64_t random =
        std::hash<ObjectId>()(key.second) + counters_.failed + counters_.failed_uncounted;
    const DueTable::Retry retry = table_.Fail(key, call.Counts(), random);
    given_up = retry.given_up;
    if (retry.ticket != 0) RetryLocked(key, retry);
  }
  if (!given_up) return std::nullopt;
  ++counters_.given_up;
  if (call.event()) return call.event();
  const DueTable::Alarm& alarm = call.taken().alarm;
  return AlarmEvent{.name = alarm.name.value_or(kDefaultAlarm),
                    .scheduled_time = alarm.due,
                    .retry_count = alarm.retry.failures(),
                    .is_retry = alarm.retry.failures() > 0};
}

void AlarmScheduler::RetryLocked(const DueTable::Key& key, const DueTable::Retry& retry) {
  const auto runtime = runtime_.lock();
  if (stopped_ || runtime == nullptr) return;
  runtime->timers().Add(retry.delay, [weak = weak_from_this(), key, ticket = retry.ticket] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      std::lock_guard lock(self->mutex_);
      self->table_.Release(key, ticket);
    }
    self->Pump();
  });
}

AlarmCounters AlarmScheduler::counters() const {
  std::lock_guard lock(mutex_);
  AlarmCounters counters = counters_;
  counters.waiting = table_.size() - std::min(table_.size(), counters_.running);
  return counters;
}

}  // namespace tidemark::internal
