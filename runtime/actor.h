// Actor: what applications derive their classes from.
//
//   class Counter : public Actor {
//    public:
//     using Actor::Actor;
//     int64_t Increment(int64_t by) {
//       const int64_t total = ctx().storage().kv().Get<int64_t>("total").value_or(0) + by;
//       ctx().storage().kv().Put("total", total);
//       return total;
//     }
//   };
//
// There is at most one instance of an object at a time. Its code is run by one thread at a time, on
// whatever thread of the runtime: so members need no locks. Methods return when they are done, or
// are coroutines (Task) that await others; while one awaits, other calls may run. What is written
// in a method is one commit with all that its turn wrote, and its result is seen by the caller only
// when that is durable.

#ifndef TIDEMARK_RUNTIME_ACTOR_H_
#define TIDEMARK_RUNTIME_ACTOR_H_

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/any_io_executor.hpp>

#include "api/storage.h"
#include "engine/export.h"
#include "runtime/actor_id.h"
#include "runtime/alarm.h"
#include "runtime/call.h"
#include "runtime/task.h"
#include "runtime/trace.h"

namespace tidemark {

namespace runtime_detail {

// What a transaction's call returned or threw: neither is the section's own failure.
template <typename R>
struct TransactionOutcome {
  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> value{};
  std::exception_ptr error{};
};

// Its call takes the transaction, or nothing.
template <typename Call>
auto InvokeTransaction(Call& call, StorageTransaction& transaction) {
  if constexpr (std::is_invocable_v<Call&, StorageTransaction&>) {
    return call(transaction);
  } else {
    return call();
  }
}
template <typename Call>
struct TransactionResult {
  using Returned =
      decltype(InvokeTransaction(std::declval<Call&>(), std::declval<StorageTransaction&>()));
  static_assert(internal::TaskResult<Returned>::kIsTask, "a transaction's call returns a Task");
  using type = typename internal::TaskResult<Returned>::type;
};

}  // namespace runtime_detail

struct AbortOptions {
  // An alarm whose handler is ended by it is tried again; false: it is given up.
  bool retry_alarm = true;
};

// What an actor knows of itself: Durable Objects' ctx. For its code only, while it runs.
class TIDEMARK_API ActorState {
 public:
  // Made by the runtime.
  explicit ActorState(internal::ActorHost& host) : host_(host) {}
  ActorState(const ActorState&) = delete;
  ActorState& operator=(const ActorState&) = delete;

  const ActorId& id() const;
  // It commits at the end of each turn (CommitMode::kTurn): Commit() is not called by the actor.
  ObjectStorage& storage() const;
  // Asio's view of the code that runs: what completes on it is a turn of the actor. What is under
  // way on it, a coroutine, a timer that somebody waits for, keeps the actor in memory; who merely
  // holds it does not, and what that one gives it when the actor is gone is dropped. (Asio's
  // outstanding_work.tracked, or a work guard, holds it and keeps the actor.)
  boost::asio::any_io_executor executor() const;

  // Of the event that runs: its caller's, or one of its own. Calls that it makes have it, and what
  // it starts by WaitUntil.
  TraceId trace_id() const { return TraceScope::Current(); }

  // Runs `call`, which returns a Task, with all other events held back until it ends; what it
  // returns comes when the result is awaited. It has begun when this returns, awaited or not: a
  // constructor cannot await, and no event comes before it has ended. An exception that leaves it
  // resets the actor. May be nested, 64 deep. Errors: kLimitExceeded.
  template <typename Call>
  auto BlockConcurrencyWhile(Call call) -> decltype(call()) {
    using R = typename internal::TaskResult<decltype(call())>::type;
    auto section = std::make_shared<SectionCall<R, Call>>(std::move(call));
    BeginSection(section);
    return runtime_detail::Await<R>(std::move(section));
  }

  // Runs `call`, which returns a Task and takes a StorageTransaction& or nothing, in a transaction
  // of the actor's storage: what it writes, across whatever it awaits, is committed when it
  // returns, and undone if it throws or rolls back; then its exception comes where the result is
  // awaited, and nothing else happens. All other events are held back until it ends, as by
  // BlockConcurrencyWhile, with its limits and its beginning: behind this turn, whose writes are
  // committed first. Within another one it is nested: it becomes part of that, or is undone by
  // itself. What it says to others leaves at once, before it is known whether it commits; what
  // comes behind it waits until it is durable.
  template <typename Call>
  auto Transaction(Call call) -> Task<typename runtime_detail::TransactionResult<Call>::type> {
    using R = typename runtime_detail::TransactionResult<Call>::type;
    using Outcome = runtime_detail::TransactionOutcome<R>;
    auto shared = std::make_shared<Call>(std::move(call));
    auto body = [this, shared = std::move(shared)]() -> Task<Outcome> {
      return RunTransaction<R>(*this, shared);
    };
    auto section = std::make_shared<SectionCall<Outcome, decltype(body)>>(body);
    BeginSection(section);
    return AwaitTransaction<R>(std::move(section));
  }

  // Returns when so much time has passed; other events may run meanwhile. The actor stays in memory
  // until then.
  Task<> Sleep(std::chrono::microseconds time);

  // Runs `task` beside whatever else the actor does, and keeps the actor in memory until it ends.
  // An exception that leaves it ends it, and nothing else: it is logged, and counted.
  void WaitUntil(Task<> task);

  // Resets the actor: what this turn wrote is dropped, code that awaits something is not resumed,
  // and everybody who waits for the actor gets an error with this reason. Does not return; what is
  // thrown must be left to pass.
  [[noreturn]] void Abort(const std::string& reason = "", const AbortOptions& options = {});

 private:
  template <typename R, typename Call>
  class SectionCall final : public runtime_detail::Reply<R> {
   public:
    explicit SectionCall(Call call) : call_(std::move(call)) {}

   protected:
    void Invoke(Actor&) override {
      this->Spawn(RunTask(std::static_pointer_cast<SectionCall>(this->shared_from_this())));
    }

   private:
    static Task<void> RunTask(std::shared_ptr<SectionCall> self) {
      try {
        if constexpr (std::is_void_v<R>) {
          co_await self->call_();
        } else {
          self->value_.emplace(co_await self->call_());
        }
      } catch (...) {
        self->set_error(std::current_exception());
      }
      self->Finish();
    }

    Call call_;
  };

  template <typename R, typename Call>
  static Task<runtime_detail::TransactionOutcome<R>> RunTransaction(ActorState& self,
                                                                    std::shared_ptr<Call> call) {
    runtime_detail::TransactionOutcome<R> outcome;
    self.EnterTransaction();
    try {
      StorageTransaction transaction = self.storage().BeginTransaction();
      Task<R> task = runtime_detail::InvokeTransaction(*call, transaction);
      if constexpr (std::is_void_v<R>) {
        co_await std::move(task);
      } else {
        outcome.value.emplace(co_await std::move(task));
      }
      if (transaction.open()) transaction.Commit();
    } catch (...) {
      outcome.error = std::current_exception();
    }
    self.LeaveTransaction();
    co_return outcome;
  }
  template <typename R>
  static Task<R> AwaitTransaction(
      std::shared_ptr<runtime_detail::Reply<runtime_detail::TransactionOutcome<R>>> section) {
    Task<runtime_detail::TransactionOutcome<R>> task = runtime_detail::Await(std::move(section));
    runtime_detail::TransactionOutcome<R> outcome = co_await std::move(task);
    if (outcome.error != nullptr) std::rethrow_exception(outcome.error);
    if constexpr (!std::is_void_v<R>) co_return *std::move(outcome.value);
  }

  void BeginSection(const std::shared_ptr<runtime_detail::CallBase>& section);
  void EnterTransaction();
  void LeaveTransaction();

  internal::ActorHost& host_;
};

// Why an actor leaves memory.
enum class ShutdownReason {
  kInactive,  // it was idle, or had to make room
  kShutdown,  // Runtime::Shutdown
};

class TIDEMARK_API Actor {
 public:
  // Of a derived class: runs on each start, before any event. If it throws, the event that started
  // it fails, and the next one tries again.
  explicit Actor(ActorState& ctx) : ctx_(ctx) {}
  virtual ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // For servers: a request as text, answered with text. By default there is none.
  virtual Task<std::string> Fetch(std::string request);

  // An alarm that the actor set (ctx().storage().SetAlarm) is due: runtime/alarm.h. An event like
  // any other, one at a time. What it throws is a failure: the alarm comes again. A class that does
  // not override it cannot set alarms, but in its constructor.
  virtual Task<> OnAlarm(AlarmEvent event);

  // Called before the actor leaves memory: no event comes in meanwhile, and what it writes is there
  // for the next constructor. Calls that come wait for that one. It has
  // RuntimeOptions::pre_shutdown_limit, and is abandoned then; an exception is logged, and changes
  // nothing. Not to be relied on: an actor that is reset, or whose process dies, is not told; and
  // it may be called more than once for what the actor has in mind. Public where it is overridden.
  virtual Task<> PreShutdown(ShutdownReason reason);

 protected:
  ActorState& ctx() const { return ctx_; }

 private:
  ActorState& ctx_;
};

namespace runtime_detail {

enum class AlarmHandler { kNone, kHasOne };

// Has T, or what it derives from, an OnAlarm of its own? One that cannot be named from here,
// because it is private, is.
template <typename T>
constexpr AlarmHandler FindAlarmHandler() {
  if constexpr (requires { &T::OnAlarm; }) {
    using Inherited = Task<> (Actor::*)(AlarmEvent);
    return std::is_same_v<decltype(&T::OnAlarm), Inherited> ? AlarmHandler::kNone
                                                            : AlarmHandler::kHasOne;
  } else {
    return AlarmHandler::kHasOne;
  }
}
template <typename T>
inline constexpr AlarmHandler kAlarmHandlerOf = FindAlarmHandler<T>();

}  // namespace runtime_detail
}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_ACTOR_H_
