// What ActorHost counts and logs of its end and of what failed in it.

#include <string>
#include <utility>

#include "runtime/actor_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_metrics.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {

std::string MessageOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "what was thrown is no std::exception";
  }
}

ScopePtr ActorHost::EventScope() {
  const ScopePtr current(CurrentTurn().scope);
  if (current != root_scope_) return current;
  event_scope_ = new ActorScope(shared_from_this(), input_gate_, TraceScope::Current());
  SetTurnScope(event_scope_.get());
  return event_scope_;
}

void ActorHost::Log(LogLevel level, std::string_view event, std::string message,
                    std::vector<LogField> fields) const {
  if (!runtime_->options().log) return;
  runtime_->Log({.level = level,
                 .event = event,
                 .namespace_name = class_->name,
                 .object_id = id_.object,
                 .object_name = id_.name ? std::string_view(*id_.name) : std::string_view(),
                 .trace = TraceScope::Current(),
                 .message = std::move(message),
                 .fields = std::move(fields)});
}

void ActorHost::ReportBreak(const std::exception_ptr& error) const {
  class_->metrics->Add(break_reason_);
  if (!runtime_->options().log) return;
  switch (break_reason_) {
    case Count::kConstructorsFailed:
      Log(LogLevel::kError, "constructor_failed", MessageOf(error));
      break;
    case Count::kOpensFailed: Log(LogLevel::kError, "open_failed", MessageOf(error)); break;
    default:
      Log(LogLevel::kWarning, "reset", MessageOf(error),
          {{.name = "reason", .value = std::string(ReasonOf(break_reason_))}});
  }
}

void ActorHost::ReportHibernation(Count reason) const {
  class_->metrics->Add(reason);
  Log(LogLevel::kDebug, "hibernated", "the actor left memory",
      {{.name = "reason", .value = std::string(ReasonOf(reason))}});
}

// That of an actor that is being reset goes with it.
void ActorHost::ReportTaskFailed(const std::exception_ptr& thrown) {
  if (break_with_ != nullptr) return;
  class_->metrics->Add(Count::kTasksFailed);
  Log(LogLevel::kError, "task_failed", MessageOf(thrown));
}

void ActorHost::ReportPreShutdownFailed(const std::exception_ptr& thrown) {
  if (break_with_ != nullptr) return;
  class_->metrics->Add(Count::kPreShutdownsFailed);
  Log(LogLevel::kError, "pre_shutdown_failed", MessageOf(thrown));
}

void ActorHost::Refuse(const std::shared_ptr<CallBase>& call, Count reason) const {
  class_->metrics->Add(reason);
  const char* const why = reason == Count::kOverloadedByCount   ? "too many calls wait for it"
                          : reason == Count::kOverloadedByBytes ? "too much data waits for it"
                                                                : "a call waited for too long";
  const std::string text = class_->name + " " + id_.ToString() + " is overloaded: " + why;
  {
    const TraceScope trace(call->trace);
    Log(LogLevel::kWarning, "overloaded", text,
        {{.name = "reason", .value = std::string(ReasonOf(reason))}});
  }
  call->Drop(std::make_exception_ptr(
      ActorError(ActorFailure::kOverloaded, Status(StatusCode::kLimitExceeded, text), id_.object)));
}

}  // namespace tidemark::internal
