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
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "api/storage.h"
#include "engine/export.h"
#include "runtime/actor_id.h"
#include "runtime/alarm.h"
#include "runtime/call.h"
#include "runtime/task.h"
#include "runtime/trace.h"

namespace tidemark {

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
  // Asio's view of the code that runs: what completes on it is a turn of the actor.
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

  void BeginSection(const std::shared_ptr<runtime_detail::CallBase>& section);

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
