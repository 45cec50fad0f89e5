// ActorHost: one live actor: its storage, its gates, and the one place where its code is run.
//
//   Deliver, Post (any thread) -> incoming -> the input gate -> a turn -> Commit -> the output gate
//
// A turn is one piece of the actor's code, from where it was let in to where it returned or began
// to await something. What it wrote becomes one commit when it ends, and a lock of the output gate
// until that commit is durable; what it sends leaves behind it.
//
//   starting -> running -> over      hibernated (idle: nobody notices) or broken (calls fail)
//
// It leaves the runtime's directory only when its storage is closed: so the next instance of the
// same object can open it. What comes for one that is over is dropped by whoever brings it, for the
// runtime's threads may have ended.
//
// Threads: Deliver, Post and the const accessors are for any; everything else is done by Run, which
// one thread at a time is in.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ACTOR_HOST_H_
#define TIDEMARK_RUNTIME_INTERNAL_ACTOR_HOST_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/storage.h"
#include "runtime/actor_id.h"
#include "runtime/call.h"
#include "runtime/internal/actor_metrics.h"
#include "runtime/internal/actor_scope.h"
#include "runtime/internal/fifo.h"
#include "runtime/internal/host_alarms.h"
#include "runtime/internal/input_gate.h"
#include "runtime/internal/output_gate.h"
#include "runtime/internal/timer_queue.h"
#include "runtime/log.h"
#include "runtime/work.h"

namespace tidemark {

class Actor;
class ActorState;

namespace internal {

using runtime_detail::CallBase;

class RuntimeState;
struct ActorClass;

// For a log.
std::string MessageOf(const std::exception_ptr& error);

// The code that this thread runs, if it is an actor's.
struct Turn {
  ActorHost* host = nullptr;
  ActorScope* scope = nullptr;
};
const Turn& CurrentTurn();
// Until the turn ends.
void SetTurnScope(ActorScope* scope);

// What became of an instance, for those who outlive it.
class Fate {
 public:
  void Break(std::exception_ptr error) {
    std::lock_guard lock(mutex_);
    if (error_ == nullptr) error_ = std::move(error);
  }
  // What broke it; null while it works, or if it was only hibernated.
  std::exception_ptr broken() const {
    std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  mutable std::mutex mutex_;
  std::exception_ptr error_;
};

class ActorHost final : public std::enable_shared_from_this<ActorHost> {
 public:
  ActorHost(std::shared_ptr<RuntimeState> runtime, std::shared_ptr<const ActorClass> actor_class,
            ActorId id);
  ~ActorHost();

  const ActorId& id() const { return id_; }
  const ActorClass& actor_class() const { return *class_; }
  const std::shared_ptr<const ActorClass>& shared_class() const { return class_; }
  RuntimeState& runtime() const { return *runtime_; }

  // ---- any thread ----

  // False if this instance is over: look for the next one.
  bool Deliver(const std::shared_ptr<CallBase>& call);
  // Waits at the scope's gate.
  void Post(ScopePtr scope, WorkPtr work);
  // Past the gate, and not a turn: what the actor's own machinery has to do.
  void PostSystem(WorkPtr work);
  // Somebody has work under way that is code of the actor, a coroutine for one: it stays meanwhile.
  void BeginWork() { work_.fetch_add(1, std::memory_order_relaxed); }
  void EndWork();
  // Lets the actor go if it is idle, and has been since `since`. `reason` is counted.
  void HibernateIfIdle(std::chrono::microseconds since, Count reason);
  // Has it give back memory that it gets again when it needs it, if likewise. Once, until it does
  // something again.
  void RestIfIdle(std::chrono::microseconds since);
  // When it last did something (Clock::Monotonic).
  std::chrono::microseconds last_active() const {
    return std::chrono::microseconds(last_active_.load(std::memory_order_relaxed));
  }
  const std::shared_ptr<Fate>& fate() const { return fate_; }
  size_t waiting_calls() const {
    std::lock_guard lock(mutex_);
    return waiting_calls_;
  }
  // Fails calls that have waited for too long.
  void ExpireWaiting(std::chrono::microseconds now);
  // Says so if its code has kept its thread for too long.
  void ReportIfBlocked(std::chrono::microseconds now);
  // Ends its code from outside: nothing of it is run any more.
  void BreakSoon(std::exception_ptr error, Count reason);

  // ---- the actor's code, in a turn ----

  Actor& actor() { return *actor_; }
  ObjectStorage& storage();
  HostAlarms& alarms() { return alarms_; }
  const ScopePtr& root_scope() const { return root_scope_; }
  // Of the event that runs, for what goes on behind it.
  ScopePtr EventScope();
  // Work that waits for its turn at a section.
  void WaitInSection(ScopePtr scope, WorkPtr work);
  // Sends what leaves the actor behind what it wrote.
  void SendOut(std::shared_ptr<Outgoing> outgoing);
  // The reply to a call whose method has ended.
  void Finish(const std::shared_ptr<CallBase>& call);
  void StartCall(CallBase& call);
  // A method's, or a section's.
  void StartBody(CallBase& call);
  // Ends a call that waits for nothing but time.
  void EndAfter(std::chrono::microseconds time, const std::shared_ptr<CallBase>& call);
  // A transaction that holds all other events back: what its own code sends does not wait for it.
  void EnterTransaction() { ++transactions_; }
  void LeaveTransaction() { --transactions_; }
  // Resets the actor if the section has not ended by its limit.
  void LimitSection(const std::shared_ptr<CallBase>& section);
  // The first thing that `call`, in a turn, gives to an executor of the actor: whoever asks runs
  // it, in place of the queue. Null: nothing was.
  template <typename Call>
  WorkPtr FirstPostOf(Call call) {
    struct Until {
      WorkPtr*& at;
      ~Until() { at = nullptr; }
    };
    WorkPtr first;
    const Until until{first_post_ = &first};
    call();
    return first;
  }
  // Breaks the actor at the end of the turn.
  void BreakAtEndOfTurn(std::exception_ptr error, Count reason);
  void ReportTaskFailed(const std::exception_ptr& thrown);
  void ReportPreShutdownFailed(const std::exception_ptr& thrown);

 private:
  struct Incoming {
    ScopePtr scope;  // null: of the system
    WorkPtr work;
  };
  struct LetIn {
    WorkPtr work;
    InputGate::Lock lock;
  };
  // While PreShutdown runs: everybody else stands before the input gate, which is locked.
  struct Retirement {
    InputGate::Lock lock;
    std::shared_ptr<InputGate> gate;  // its own
    TimerQueue::Key limit;
  };

  StorageOptions OptionsOfStorage();
  // Fails a call because too much waits.
  void Refuse(const std::shared_ptr<CallBase>& call, Count reason) const;
  std::optional<Count> OverloadBy(const CallBase& call) const;
  void CountWaiting(const CallBase& call);
  void UncountWaiting(const CallBase& call);
  bool IsTooOld(const CallBase& call, std::chrono::microseconds now) const;
  // Resets the actor if the event has not ended by its limit.
  void LimitEvent(const std::shared_ptr<CallBase>& call);
  void EventEnded(const CallBase& call);
  void KeepOpen(const std::shared_ptr<CallBase>& call);
  void Schedule();
  void Run();
  bool TakeIn(bool read_clock);
  bool NothingHasCome() const;
  void DestroyIfOver();
  void RunSystem(const WorkPtr& work);
  void Start();
  void RunTurn(const ScopePtr& scope, const WorkPtr& work);
  void EndTurn();
  bool HoldsBack() const;
  void Commit();
  void FinishSection(const std::shared_ptr<CallBase>& section);
  // Lets an idle actor go, by way of its PreShutdown if it has one.
  void TryHibernate(Count reason);
  bool IsIdle() const;
  void BeginRetirement(Count reason);
  void LeaveMemory(Count reason);
  // Has an object that is empty vanish from the store. The storage is closed.
  void VanishIfEmpty(Object& object);
  // Counts what ended the actor, and says so.
  void ReportBreak(const std::exception_ptr& error) const;
  void ReportHibernation(Count reason) const;
  void Log(LogLevel level, std::string_view event, std::string message,
           std::vector<LogField> fields = {}) const;
  void Break(std::exception_ptr error);
  // Returns what has come and was not taken in; or sends it on, with what stands in `hand_over`,
  // to the next instance, before any later call can come to that.
  std::vector<Incoming> Close(std::vector<WorkPtr>* hand_over);
  std::exception_ptr SectionError(std::exception_ptr thrown) const;
  std::exception_ptr ErrorFor(std::exception_ptr thrown) const;
  std::exception_ptr ResetError(StatusCode code, const std::string& message) const;

  const std::shared_ptr<RuntimeState> runtime_;
  const std::shared_ptr<const ActorClass> class_;
  const ActorId id_;
  const std::shared_ptr<Fate> fate_ = std::make_shared<Fate>();
  std::atomic<int64_t> last_active_;
  // Since when a thread has been in its code (Clock::Monotonic); and of when that was reported.
  static constexpr int64_t kNotRunning = -1;
  std::atomic<int64_t> running_since_{kNotRunning};
  std::atomic<int64_t> blocked_since_{kNotRunning};
  std::atomic<bool> resting_ = false;  // its memory was given back, or will be
  std::atomic<size_t> work_ = 0;       // under way: BeginWork

  mutable std::mutex mutex_;
  std::vector<Incoming> incoming_;
  bool scheduled_ = false;
  std::atomic<bool> over_ = false;  // set under it
  size_t waiting_calls_ = 0;
  size_t waiting_bytes_ = 0;

  // On the actor.
  bool started_ = false;
  std::vector<Incoming> taken_;
  Fifo<LetIn> let_in_;
  std::shared_ptr<InputGate> input_gate_;
  OutputGate output_gate_;
  ScopePtr root_scope_;
  HostAlarms alarms_{*this};
  int transactions_ = 0;
  bool to_confirm_ = false;  // something was committed that the output gate does not know of yet
  ScopePtr event_scope_;     // of the turn that runs, if it has needed one
  std::chrono::microseconds now_{};  // when this last took something in
  std::unique_ptr<ObjectStorage> storage_;
  std::unique_ptr<ActorState> state_;
  std::unique_ptr<Actor> actor_;
  // Whose methods await something, in the order in which they began.
  std::map<uint64_t, std::shared_ptr<CallBase>> open_calls_;
  uint64_t last_opened_ = 0;
  std::unordered_map<const CallBase*, TimerQueue::Key> event_limits_;
  std::vector<std::shared_ptr<Outgoing>> outgoing_;  // of this turn
  std::exception_ptr break_with_;
  Count break_reason_ = Count::kResetByStorage;
  std::unique_ptr<Retirement> retirement_;
  WorkPtr* first_post_ = nullptr;  // where FirstPostOf wants it
};

}  // namespace internal
}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_INTERNAL_ACTOR_HOST_H_
