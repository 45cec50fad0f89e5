#include "runtime/internal/alarm_call.h"

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/internal/abort_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/alarm_scheduler.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {
namespace {

// Errors that no application can help.
bool IsInternal(StatusCode code) {
  switch (code) {
    case StatusCode::kBusy:
    case StatusCode::kFull:
    case StatusCode::kCorruption:
    case StatusCode::kIoError:
    case StatusCode::kBroken:
    case StatusCode::kOutOfMemory: return true;
    default: return false;
  }
}

// The stored alarm that is meant, if the scheduler does not know its name.
std::optional<std::string> NameOf(const std::vector<AlarmInfo>& stored, Timestamp due,
                                  Timestamp now) {
  const auto exact = std::find_if(stored.begin(), stored.end(),
                                  [&](const AlarmInfo& alarm) { return alarm.time == due; });
  if (exact != stored.end()) return exact->name;
  const auto first =
      std::min_element(stored.begin(), stored.end(),
                       [](const AlarmInfo& a, const AlarmInfo& b) { return a.time < b.time; });
  if (first != stored.end() && first->time <= now) return first->name;
  return std::nullopt;
}

}  // namespace

void AlarmCall::Invoke(Actor& actor) {
  try {
    ObjectStorage& storage = host_->storage();
    host_->alarms().Tell(storage);
    if (taken_.alarm.given_up) {
      storage.AbandonAlarm(taken_.alarm.due, taken_.alarm.name.value_or(kDefaultAlarm));
    } else if (!Begin(storage)) {
      canceled_ = true;
    } else if (!taken_.actor_class->has_alarm_handler) {
      End(storage);
    } else {
      LimitTime();
      Spawn(RunHandler(std::static_pointer_cast<AlarmCall>(shared_from_this()), actor));
      return;
    }
  } catch (...) {
    set_error(std::current_exception());
  }
  Finish();
}

bool AlarmCall::Begin(ObjectStorage& storage) {
  const Timestamp now = host_->runtime().options().clock->Now();
  const DueTable::Alarm& alarm = taken_.alarm;
  const std::optional<std::string> name =
      alarm.name ? alarm.name : NameOf(storage.ListAlarms(), alarm.due, now);
  if (!name) return false;
  const AlarmRun run = storage.BeginAlarm(alarm.due, *name);
  if (run.outcome == AlarmOutcome::kCanceled) return false;
  const AlarmRetry kept = AlarmRetry::Unpack(run.tries);
  retry_ = kept.failures() > alarm.retry.failures() ? kept : alarm.retry;
  event_ = AlarmEvent{.name = *name,
                      .scheduled_time = run.next && *run.next <= now ? *run.next : alarm.due,
                      .retry_count = retry_.failures(),
                      .is_retry = retry_.failures() > 0};
  // What a reset took with it.
  if (kept.failures() < retry_.failures()) {
    storage.KeepAlarmTries(retry_.Pack(), *name);
    storage.Commit();
  }
  return true;
}

void AlarmCall::LimitTime() {
  const std::chrono::milliseconds limit = host_->runtime().options().alarm_limit;
  const std::weak_ptr<ActorHost> weak_host = host_->weak_from_this();
  const std::weak_ptr<AlarmCall> weak_call =
      std::static_pointer_cast<AlarmCall>(shared_from_this());
  limit_ = host_->runtime().timers().Add(limit, [weak_host, weak_call, limit] {
    const auto host = weak_host.lock();
    if (host == nullptr) return;
    host->PostSystem(MakeWork([host, weak_call, limit] {
      const auto call = weak_call.lock();
      if (call == nullptr || call->finished()) return;
      call->over_time_ = true;
      host->BreakAtEndOfTurn(
          std::make_exception_ptr(
              ActorError(ActorFailure::kReset,
                         Status(StatusCode::kLimitExceeded,
                                "the alarm's handler of " + host->actor_class().name + " " +
                                    host->id().ToString() + " exceeded its wall-time limit of " +
                                    std::to_string(limit.count()) + " ms: the actor was reset"),
                         host->id().object)),
          Count::kResetByAlarmLimit);
    }));
  });
}

Task<> AlarmCall::RunHandler(std::shared_ptr<AlarmCall> self, Actor& actor) {
  try {
    Task<> handler = actor.OnAlarm(*self->event_);
    co_await std::move(handler);
  } catch (...) {
    self->set_error(std::current_exception());
  }
  try {
    self->End(self->host_->storage());
  } catch (...) {
    if (self->thrown() == nullptr) self->set_error(std::current_exception());
  }
  self->Finish();
}

void AlarmCall::End(ObjectStorage& storage) {
  if (storage.broken() != nullptr) return;
  if (thrown() == nullptr) {
    storage.EndAlarm(AlarmResult::kSucceeded);
    return;
  }
  storage.EndAlarm(AlarmResult::kFailed);
  gone_ = storage.GetAlarm(event_->name) != event_->scheduled_time;
  AlarmRetry failed = retry_;
  if (!gone_ && failed.Fail(Counts(), 0)) storage.KeepAlarmTries(failed.Pack(), event_->name);
}

bool AlarmCall::WantsNoRetry() const {
  try {
    RethrowError();
  } catch (const AbortError& error) {
    return !error.retry_alarm();
  } catch (...) {
  }
  return false;
}

AlarmRetry::Counts AlarmCall::Counts() const {
  bool internal = false;
  try {
    RethrowError();
  } catch (const AbortError&) {
  } catch (const ActorError& error) {
    switch (error.failure()) {
      case ActorFailure::kDisconnected: internal = true; break;
      case ActorFailure::kOverloaded: internal = !event_; break;  // else a section lasted too long
      case ActorFailure::kThrown: internal = !event_ && IsInternal(error.code()); break;
      case ActorFailure::kReset:
        internal = error.cause() == nullptr && IsInternal(error.code());
        break;
    }
  } catch (...) {
  }
  return internal ? AlarmRetry::Counts::kNo : AlarmRetry::Counts::kYes;
}

}  // namespace tidemark::internal
