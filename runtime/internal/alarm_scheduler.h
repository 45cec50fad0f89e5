// AlarmScheduler: wakes actors whose alarm is due, and tries again those that failed.
//
//   an actor's commit --Note--+
//                             +-> DueTable -> Pump: what is due, so many at once -> AlarmCall
//   the store's list --Load---+                       ^                               |
//                                                     +----- Ended, a retry's timer --+
//
// The due time of an alarm stands in the commit that sets it, so the store's list is never later
// than any object's own value, and this one never later than the store's: actors tell what they
// commit before anybody hears of it, and the list is read again where the table ends. What others
// than actors change (a fork, a restore of an object that sleeps) is found once a minute, if
// anything was committed in it. So a store in which nothing happens costs a comparison a minute.
//
// Alarms of a namespace that no class is defined for are passed over, and found when one is.
//
// Threads: any. Nobody is called under the mutex but the timers and the store's list.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ALARM_SCHEDULER_H_
#define TIDEMARK_RUNTIME_INTERNAL_ALARM_SCHEDULER_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/lsn.h"
#include "engine/store.h"
#include "runtime/alarm.h"
#include "runtime/internal/due_table.h"
#include "runtime/internal/timer_queue.h"

namespace tidemark::internal {

class AlarmCall;
class RuntimeState;

class AlarmScheduler : public std::enable_shared_from_this<AlarmScheduler> {
 public:
  explicit AlarmScheduler(Store& store) : store_(store) {}

  void Start(const std::shared_ptr<RuntimeState>& runtime);
  // Begins nothing more. Blocks until nothing of this is at work in the store.
  void Stop();
  // Reads the store's list soon: there may be alarms that nobody told of.
  void Refresh();

  // All alarms that an object has, when its actor found out or committed others.
  void Note(const DueTable::ClassPtr& actor_class, const ActorId& id,
            const std::vector<AlarmInfo>& alarms);
  // Of an object whose actor starts: alarms that it must delete.
  std::vector<AlarmInfo> GivenUp(const DueTable::Key& key) const;

  AlarmCounters counters() const;

 private:
  void Tick();
  void AddTick();
  void Load();
  void RequestLoadLocked();
  void ArmLocked();
  void Wake(uint64_t arm_number);

  // Begins what is due.
  void Pump();
  void Dispatch(const DueTable::Taken& taken);
  void Ended(const std::shared_ptr<AlarmCall>& call);
  // Returns its last run, if it is tried no more.
  std::optional<AlarmEvent> FailedLocked(const AlarmCall& call);
  static void ReportGivenUp(const RuntimeState& runtime, const AlarmCall& call,
                            const AlarmEvent& last);
  void CountLocked(const AlarmCall& call);
  void RetryLocked(const DueTable::Key& key, const DueTable::Retry& retry);

  Store& store_;
  std::weak_ptr<RuntimeState> runtime_;

  mutable std::mutex mutex_;
  std::condition_variable at_rest_;
  DueTable table_;
  AlarmCounters counters_;
  bool stopped_ = false;
  bool loading_ = false;  // posted, or at work
  size_t in_store_ = 0;   // threads that ask it something
  bool load_again_ = false;
  bool list_fails_ = false;  // until the next tick
  Lsn loaded_at_;            // what was durable then
  std::optional<TimerQueue::Key> armed_;
  uint64_t arm_number_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ALARM_SCHEDULER_H_
