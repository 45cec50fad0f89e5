// Alarms of an object, as Durable Objects have one each, and more by names.
//
// An alarm is a time at which the host is to run the object's handler: it is kept with the object's
// data, in its transactions and its history. The earliest one of each object stands in the commit
// itself, so that Store::ListAlarms, which a scheduler reads, is never later than the object.
//
// The handler's run, for a host or the actor runtime:
//
//   AlarmRun run = storage->BeginAlarm(due);       // `due` as the scheduler had it
//   if (run.outcome == AlarmOutcome::kRun) {
//     ...the handler...                             // GetAlarm() is empty unless it sets one
//     storage->EndAlarm(AlarmResult::kSucceeded);   // deletes the alarm that was run
//   } else if (run.next) { ...come again then... }
//
// Until EndAlarm the alarm stays on disk: a crash leaves it due. So it is delivered at least once.

#ifndef TIDEMARK_API_ALARM_H_
#define TIDEMARK_API_ALARM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "engine/clock.h"

namespace tidemark {

// The alarm without a name, the only one that Durable Objects have.
inline constexpr char kDefaultAlarm[] = "";

struct AlarmInfo {
  std::string name;  // empty: the default one
  Timestamp time;    // in whole milliseconds
};

enum class AlarmOutcome {
  kRun,       // run the handler now, then call EndAlarm
  kCanceled,  // the stored alarm is another one, or none: do not run it; see `next`
};

struct AlarmRun {
  AlarmOutcome outcome = AlarmOutcome::kCanceled;
  // When the alarm of that name is due: what is stored, if it is canceled.
  std::optional<Timestamp> next{};
  // What ObjectStorage::KeepAlarmTries was given for the one that runs; 0: nothing.
  int64_t tries = 0;
};

enum class AlarmResult {
  kSucceeded,  // the alarm that was run is deleted, unless it was set anew meanwhile
  kFailed,     // it stays, to be tried again
};

}  // namespace tidemark

#endif  // TIDEMARK_API_ALARM_H_
