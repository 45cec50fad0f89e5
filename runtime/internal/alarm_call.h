// AlarmCall: one run of an alarm's handler, an event of its actor like any call.
//
//   the scheduler makes it -> let in by the input gate -> BeginAlarm: is it due? -> OnAlarm
//     -> EndAlarm -> let out by the output gate -> the scheduler is told
//
// Or it deletes an alarm that was given up.
//
// Threads: as CallBase. What it found is read by the scheduler when it is done.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ALARM_CALL_H_
#define TIDEMARK_RUNTIME_INTERNAL_ALARM_CALL_H_

#include <memory>
#include <optional>
#include <utility>

#include "runtime/alarm.h"
#include "runtime/call.h"
#include "runtime/internal/due_table.h"
#include "runtime/internal/timer_queue.h"

namespace tidemark {

class ObjectStorage;

namespace internal {

class AlarmScheduler;

class AlarmCall final : public runtime_detail::Reply<void> {
 public:
  AlarmCall(std::shared_ptr<AlarmScheduler> scheduler, DueTable::Taken taken)
      : scheduler_(std::move(scheduler)), taken_(std::move(taken)) {}

  const DueTable::Taken& taken() const { return taken_; }
  DueTable::Key key() const { return {taken_.actor_class.get(), taken_.id.object}; }

  // ---- when it is done ----

  // The run, if the handler was begun.
  const std::optional<AlarmEvent>& event() const { return event_; }
  // Of the runs before it: what the scheduler knows, or what is kept with the alarm.
  const AlarmRetry& retry() const { return retry_; }
  bool canceled() const { return canceled_; }
  // The alarm is not there any more: the handler deleted it, or set another one.
  bool gone() const { return gone_; }
  bool over_time() const { return over_time_; }
  // Of one that failed: is the application to blame?
  AlarmRetry::Counts Counts() const;
  // And did it say that it does not want the alarm again?
  bool WantsNoRetry() const;
  const std::optional<TimerQueue::Key>& limit() const { return limit_; }

  bool EndsItsTurn() const override { return true; }
  bool HasItsOwnLimit() const override { return true; }

 protected:
  void Invoke(Actor& actor) override;

 private:
  static Task<> RunHandler(std::shared_ptr<AlarmCall> self, Actor& actor);
  bool Begin(ObjectStorage& storage);
  void End(ObjectStorage& storage);
  void LimitTime();

  const std::shared_ptr<AlarmScheduler> scheduler_;
  const DueTable::Taken taken_;
  std::optional<AlarmEvent> event_;
  AlarmRetry retry_;
  bool canceled_ = false;
  bool gone_ = false;
  bool over_time_ = false;
  std::optional<TimerQueue::Key> limit_;
};

}  // namespace internal
}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_INTERNAL_ALARM_CALL_H_
