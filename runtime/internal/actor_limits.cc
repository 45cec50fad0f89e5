// The limits of ActorHost: what waits for it, how long an event or a section lasts, how long its
// code keeps a thread.

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/actor_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {

std::optional<Count> ActorHost::OverloadBy(const CallBase& call) const {
  const RuntimeOptions& options = runtime_->options();
  if (waiting_calls_ >= options.most_waiting_calls) return Count::kOverloadedByCount;
  // One that is alone comes in, however large it is.
  if (waiting_calls_ > 0 && waiting_bytes_ + call.bytes > options.most_waiting_bytes) {
    return Count::kOverloadedByBytes;
  }
  return std::nullopt;
}

// By mutex_: what waits, and what was taken out of it.
void ActorHost::CountWaiting(const CallBase& call) {
  ++waiting_calls_;
  waiting_bytes_ += call.bytes;
}

void ActorHost::UncountWaiting(const CallBase& call) {
  --waiting_calls_;
  waiting_bytes_ -= call.bytes;
}

bool ActorHost::IsTooOld(const CallBase& call, std::chrono::microseconds now) const {
  return !call.HasItsOwnLimit() && now - call.sent_at > runtime_->options().longest_wait;
}

void ActorHost::ExpireWaiting(std::chrono::microseconds now) {
  std::vector<std::shared_ptr<CallBase>> old;
  {
    std::lock_guard lock(mutex_);
    if (waiting_calls_ == 0 || over_) return;
    std::erase_if(incoming_, [&](const Incoming& incoming) {
      auto call = std::dynamic_pointer_cast<CallBase>(incoming.work);
      if (call == nullptr || !IsTooOld(*call, now)) return false;
      UncountWaiting(*call);
      old.push_back(std::move(call));
      return true;
    });
  }
  for (const auto& call : old) Refuse(call, Count::kOverloadedByAge);
  PostSystem(MakeWork([this, now] {
    const auto is_old = [&](const Work& work) {
      const auto* const call = dynamic_cast<const CallBase*>(&work);
      return call != nullptr && IsTooOld(*call, now);
    };
    for (const WorkPtr& work : input_gate_->TakeWaiting(is_old)) {
      const auto call = std::dynamic_pointer_cast<CallBase>(work);
      {
        std::lock_guard lock(mutex_);
        UncountWaiting(*call);
      }
      Refuse(call, Count::kOverloadedByAge);
    }
  }));
}

void ActorHost::LimitEvent(const std::shared_ptr<CallBase>& call) {
  const std::chrono::milliseconds limit = runtime_->options().event_limit;
  if (limit.count() == 0 || call->HasItsOwnLimit()) return;
  const std::weak_ptr<ActorHost> weak = weak_from_this();
  const std::weak_ptr<CallBase> weak_call = call;
  event_limits_[call.get()] = runtime_->timers().Add(limit, [weak, weak_call, limit] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->PostSystem(MakeWork([self, weak_call, limit] {
      const auto late = weak_call.lock();
      if (late == nullptr || late->finished()) return;
      self->BreakAtEndOfTurn(
          self->ResetError(StatusCode::kLimitExceeded,
                           "an event of " + self->class_->name + " " + self->id_.ToString() +
                               " lasted longer than " + std::to_string(limit.count()) +
                               " ms: the actor was reset"),
          Count::kResetByEventLimit);
    }));
  });
}

void ActorHost::LimitSection(const std::shared_ptr<CallBase>& section) {
  const std::chrono::milliseconds limit = runtime_->options().section_limit;
  const std::weak_ptr<ActorHost> weak = weak_from_this();
  const std::weak_ptr<CallBase> weak_section = section;
  runtime_->timers().Add(limit, [weak, weak_section, limit] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->PostSystem(MakeWork([self, weak_section, limit] {
      const auto late = weak_section.lock();
      if (late == nullptr || late->finished()) return;
      self->BreakAtEndOfTurn(
          std::make_exception_ptr(ActorError(
              ActorFailure::kOverloaded,
              Status(StatusCode::kLimitExceeded,
                     "BlockConcurrencyWhile() or Transaction() of " + self->class_->name + " " +
                         self->id_.ToString() + " lasted longer than " +
                         std::to_string(limit.count()) + " ms: the actor was reset"),
              self->id_.object)),
          Count::kResetBySectionLimit);
    }));
  });
}

void ActorHost::EventEnded(const CallBase& call) {
  const auto found = event_limits_.find(&call);
  if (found == event_limits_.end()) return;
  runtime_->timers().Cancel(found->second);
  event_limits_.erase(found);
}

void ActorHost::ReportIfBlocked(std::chrono::microseconds now) {
  const int64_t since = running_since_.load(std::memory_order_relaxed);
  const std::chrono::milliseconds limit = runtime_->options().report_blocked_after;
  if (since == kNotRunning || limit.count() == 0) return;
  const auto time = now - std::chrono::microseconds(since);
  if (time <= limit || blocked_since_.exchange(since) == since) return;
  class_->metrics->Add(Count::kThreadsBlocked);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  Log(LogLevel::kWarning, "thread_blocked",
      class_->name + " " + id_.ToString() + " has kept its thread for " + std::to_string(ms) +
          " ms",
      {{.name = "ms", .value = std::to_string(ms)}});
}

}  // namespace tidemark::internal
