// Alarms of actors: what Actor::OnAlarm is told, and what a runtime counts of them.
//
//   void Lease::Take() { ctx().storage().SetAlarm(Now() + std::chrono::minutes(5)); }
//   Task<> Lease::OnAlarm(AlarmEvent event) override { ctx().storage().kv().Delete("holder"); ... }
//
// An actor sets its alarm with ctx().storage().SetAlarm(time); when that has come the runtime wakes
// it and calls OnAlarm, at least once and never before its time. The alarm is deleted when the
// handler has returned and what it wrote is durable, unless it was set anew meanwhile; if it failed
// it is tried again, 2 s later at first, then 4 s, 8 s and so on. After 7 runs that failed it is
// given up. Failures that are not the application's (the disk, a queue that is full, an object that
// is in use) do not count: those are tried again without an end, at most 1024 s apart. Each delay
// is up to a quarter longer, by chance.
//
// The alarm is in the object's storage, and how often it was tried: both outlive the actor and the
// process. The last failure of an actor that was reset is noted with the next try; those of an
// actor that could not be started are remembered by the process only. What was to be tried again
// when a process ended is tried at the start of the next.

#ifndef TIDEMARK_RUNTIME_ALARM_H_
#define TIDEMARK_RUNTIME_ALARM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "api/alarm.h"
#include "engine/clock.h"

namespace tidemark {

// One run of an alarm's handler.
struct AlarmEvent {
  std::string name{};          // as it was set; kDefaultAlarm for the one without a name
  Timestamp scheduled_time{};  // when it was due
  // Runs of it before this one, all of which failed.
  int retry_count = 0;
  bool is_retry = false;
};

// Since the runtime was made; `running` and `waiting` as of now.
struct AlarmCounters {
  uint64_t runs = 0;              // handlers that were begun
  uint64_t succeeded = 0;         // and of these went well
  uint64_t failed = 0;            // failures that counted
  uint64_t failed_uncounted = 0;  // and that did not
  uint64_t over_time = 0;         // of those that counted: RuntimeOptions::alarm_limit
  uint64_t canceled = 0;          // came to an actor that had another alarm by then, or none
  uint64_t without_handler = 0;   // of classes that have no OnAlarm: deleted
  uint64_t given_up = 0;          // after the last run, or as the actor said
  uint64_t list_failures = 0;     // the store could not tell its alarms
  size_t running = 0;             // under way
  size_t waiting = 0;             // objects in memory that wait for their alarm, or to be retried
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_ALARM_H_
