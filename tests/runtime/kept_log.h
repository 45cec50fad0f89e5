// KeptLog: what a runtime logged, for tests to look at.

#ifndef TIDEMARK_TESTS_RUNTIME_KEPT_LOG_H_
#define TIDEMARK_TESTS_RUNTIME_KEPT_LOG_H_

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/log.h"

namespace tidemark::testing {

// A log record that outlives its call.
struct Logged {
  LogLevel level;
  std::string event;
  std::string namespace_name;
  std::optional<ObjectId> object_id;
  std::string object_name;
  TraceId trace;
  std::string message;
  std::string fields;  // "reason=abort "
};

class KeptLog {
 public:
  // Must not outlive this.
  LogHook hook() {
    return [this](const LogRecord& record) { Keep(record); };
  }
  std::vector<Logged> As(std::string_view event) const {
    std::lock_guard lock(mutex_);
    std::vector<Logged> found;
    for (const Logged& logged : log_) {
      if (logged.event == event) found.push_back(logged);
    }
    return found;
  }

 private:
  void Keep(const LogRecord& record) {
    Logged logged{.level = record.level,
                  .event = std::string(record.event),
                  .namespace_name = std::string(record.namespace_name),
                  .object_id = record.object_id,
                  .object_name = std::string(record.object_name),
                  .trace = record.trace,
                  .message = record.message,
                  .fields = ""};
    for (const LogField& field : record.fields) {
      logged.fields += std::string(field.name) + "=" + field.value + " ";
    }
    std::lock_guard lock(mutex_);
    log_.push_back(std::move(logged));
  }

  mutable std::mutex mutex_;
  std::vector<Logged> log_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_KEPT_LOG_H_
