// LogRecord: what a runtime has to say to people, one thing at a time (RuntimeOptions::log).
//
//   event                level    when
//   reset                warning  an actor was reset; field "reason": abort, section,
//                                 section_limit, event_limit, alarm_limit, storage, shutdown
//   constructor_failed   error    a constructor threw, or its BlockConcurrencyWhile failed
//   open_failed          error    the storage could not be opened
//   task_failed          error    an exception left a WaitUntil task
//   unknown_exception    error    what left a method is no std::exception: the caller was told of
//                                 an internal error and the trace id
//   alarm_given_up       error    an alarm is tried no more: it failed for the last time, or its
//                                 actor said so (Abort); fields "alarm", its name, and "runs"
//   pre_shutdown_failed  error    an exception left PreShutdown, or its time was over
//   overloaded           warning  a call was refused; field "reason": count, bytes, age
//   thread_blocked       warning  code of an actor keeps its thread; field "ms"
//   hibernated           debug    an actor left memory; field "reason": idle, cap, shutdown

#ifndef TIDEMARK_RUNTIME_LOG_H_
#define TIDEMARK_RUNTIME_LOG_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/object_id.h"
#include "runtime/trace.h"

namespace tidemark {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view name;
  std::string value;
};

// What it points to is there for the time of the call.
struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string_view event;  // of the table above: does not change
  std::string_view namespace_name;
  std::optional<ObjectId> object_id;
  std::string_view object_name;  // empty if it has none
  TraceId trace;                 // none if it belongs to no event
  std::string message;           // for people
  std::vector<LogField> fields;
};

// Called on whatever thread it happens on, in the middle of an actor's work: it must not block, nor
// use the runtime. What it throws is dropped.
using LogHook = std::function<void(const LogRecord&)>;

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_LOG_H_
