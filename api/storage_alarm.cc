// Alarms of an object's storage, see storage.h and alarm.h.

#include <algorithm>
#include <chrono>

#include "api/internal/storage_state.h"
#include "api/storage.h"

namespace tidemark {

using internal::AlarmTable;
using internal::TransactionState;

namespace {

constexpr size_t kMaxNameBytes = 256;

Timestamp RoundUp(Timestamp time) { return std::chrono::ceil<std::chrono::milliseconds>(time); }

}  // namespace

std::optional<Timestamp> ObjectStorage::GetAlarm(std::string_view name) {
  state_->connection.RequireUsable();
  return state_->alarm_table.Get(name);
}

std::vector<AlarmInfo> ObjectStorage::ListAlarms() {
  state_->connection.RequireUsable();
  return state_->alarm_table.List();
}

void ObjectStorage::SetAlarm(std::string_view name, Timestamp time, const WriteOptions& options) {
  state_->connection.RequireUsable();
  if (time <= Timestamp()) {
    throw Error(
        Status(StatusCode::kInvalidArgument,
               "setAlarm() cannot be called with an alarm time <= 0: give a time after 1970"));
  }
  if (name.size() > kMaxNameBytes) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "the name of an alarm has " + std::to_string(name.size()) + " bytes, and " +
                           std::to_string(kMaxNameBytes) + " are allowed"));
  }
  if (const auto& may_set = state_->connection.options().hooks.may_set_alarm)
    internal::ThrowIfError(may_set());
  const Timestamp now = state_->connection.store().options().clock->Now();
  const Timestamp due = RoundUp(std::max(time, now));
  AlarmTable& alarms = state_->alarm_table;
  if (!alarms.WouldSet(name, due)) return;
  TransactionState::Call call(state_->transaction, true, !options.allow_unconfirmed);
  alarms.Set(name, due);
  ++state_->metrics.rows_written;
  call.Done();
}

void ObjectStorage::DeleteAlarm(std::string_view name, const WriteOptions& options) {
  state_->connection.RequireUsable();
  AlarmTable& alarms = state_->alarm_table;
  if (!alarms.WouldDelete(name)) return;
  TransactionState::Call call(state_->transaction, true, !options.allow_unconfirmed);
  alarms.Delete(name);
  ++state_->metrics.rows_written;
  call.Done();
}

AlarmRun ObjectStorage::BeginAlarm(Timestamp due, std::string_view name) {
  RequireNoTransaction("BeginAlarm()");
  AlarmTable& alarms = state_->alarm_table;
  if (alarms.running()) {
    throw Error(Status(StatusCode::kBusy,
                       "an alarm's handler is running: one at a time, so call EndAlarm first"));
  }
  due = RoundUp(due);
  const std::optional<Timestamp> stored = alarms.Stored(name);
  if (stored != due) {
    Store& store = state_->connection.store();
    const bool durable = !state_->transaction.open() && store.durable_lsn() >= object().head().lsn;
    if (!durable) {
      // It may be lost yet, with the scheduler's time standing: run it, and keep what is stored.
      alarms.BeginRun(name, std::nullopt);
      return {.outcome = AlarmOutcome::kRun, .next = stored};
    }
    if (!stored || *stored > store.options().clock->Now()) {
      return {.outcome = AlarmOutcome::kCanceled, .next = stored};
    }
  }
  alarms.BeginRun(name, stored);
  return {.outcome = AlarmOutcome::kRun, .next = stored, .tries = alarms.Tries(name)};
}

void ObjectStorage::KeepAlarmTries(int64_t tries, std::string_view name) {
  state_->connection.RequireUsable();
  AlarmTable& alarms = state_->alarm_table;
  if (!alarms.Stored(name) || alarms.Tries(name) == tries) return;
  TransactionState::Call call(state_->transaction, true, false);
  alarms.SetTries(name, tries);
  call.Done();
}

void ObjectStorage::EndAlarm(AlarmResult result) {
  if (state_->connection.broken() != nullptr) return;
  AlarmTable& alarms = state_->alarm_table;
  const std::optional<std::string> deferred = alarms.EndRun();
  if (result == AlarmResult::kFailed || !deferred) return;
  // Whatever is lost with it, an alarm that comes again does no harm.
  DeleteAlarm(*deferred, {.allow_unconfirmed = true});
}

std::optional<Timestamp> ObjectStorage::AbandonAlarm(Timestamp due, std::string_view name) {
  RequireNoTransaction("AbandonAlarm()");
  AlarmTable& alarms = state_->alarm_table;
  if (alarms.running()) return std::nullopt;
  const std::optional<Timestamp> stored = alarms.Stored(name);
  if (stored != RoundUp(due)) return stored;
  DeleteAlarm(name);
  return std::nullopt;
}

}  // namespace tidemark
