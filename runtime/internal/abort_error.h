// AbortError: what an actor that called Abort() is broken with.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ABORT_ERROR_H_
#define TIDEMARK_RUNTIME_INTERNAL_ABORT_ERROR_H_

#include <utility>

#include "runtime/actor_error.h"

namespace tidemark::internal {

class AbortError final : public ActorError {
 public:
  AbortError(Status status, const ObjectId& id, bool retry_alarm)
      : ActorError(ActorFailure::kReset, std::move(status), id), retry_alarm_(retry_alarm) {}

  // Is an alarm to be tried again that it ended?
  bool retry_alarm() const { return retry_alarm_; }

 private:
  bool retry_alarm_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ABORT_ERROR_H_
