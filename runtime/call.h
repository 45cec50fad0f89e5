// Call: one call of an actor's method, from the caller's side and from the actor's.
//
//   made -> let in by the input gate -> Run: the method -> Finish -> let out by the output gate
//        -> the caller goes on with what it returned or threw
//
// Or it fails on the way, with the error that broke the actor.
//
// Threads: the actor runs it; the caller, on any thread, waits for it. What was returned is handed
// over by `phase_`.

#ifndef TIDEMARK_RUNTIME_CALL_H_
#define TIDEMARK_RUNTIME_CALL_H_

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/export.h"
#include "runtime/task.h"
#include "runtime/trace.h"
#include "runtime/work.h"

namespace tidemark {

class Actor;

namespace internal {
class ActorHost;
class InputGate;
}  // namespace internal

// What stubs and actors are made of; not for use by itself.
namespace runtime_detail {

class TIDEMARK_API CallBase : public Work,
                              public Outgoing,
                              public std::enable_shared_from_this<CallBase> {
 public:
  ~CallBase() override;

  // ---- the actor's side ----

  void set_host(internal::ActorHost* host) { host_ = host; }
  void Start(Actor& actor) { Invoke(actor); }
  // When it began to wait for the actor.
  std::chrono::microseconds sent_at{};
  TraceId trace;
  // That it takes while it waits, about: what it was given.
  size_t bytes = 0;
  // Among its actor's open calls; 0: it is none of them.
  uint64_t open_number = 0;

  void Run() final;                                  // Work: its turn has come
  void Drop(const std::exception_ptr& error) final;  // Work: it never comes
  void Leave() final;                                // Outgoing: the reply may be seen
  void Fail(const std::exception_ptr& error) final;  // Outgoing: it never may

  // Of the critical section that this is the body of; null: it is an event.
  const std::shared_ptr<internal::InputGate>& section() const { return section_; }
  void set_section(std::shared_ptr<internal::InputGate> section) { section_ = std::move(section); }
  bool finished() const { return finished_; }
  const std::exception_ptr& thrown() const { return error_; }
  void set_error(std::exception_ptr error) { error_ = std::move(error); }
  // It is done when all of its last turn is, not before what that writes is committed.
  virtual bool EndsItsTurn() const { return false; }
  // RuntimeOptions::event_limit and longest_wait are not for it.
  virtual bool HasItsOwnLimit() const { return false; }

  // ---- the caller's side ----

  bool done() const { return phase_.load(std::memory_order_acquire) == Phase::kDone; }
  // Runs `resume` once when it is done, on whatever thread; false: it is done already.
  bool WhenDone(WorkPtr resume);
  void Block();  // until it is done

 protected:
  // Runs the method; Finish() when it has ended.
  virtual void Invoke(Actor& actor) = 0;
  void Finish();
  // Starts a coroutine of the actor, in the present turn.
  void Spawn(Task<void> task);
  void RethrowError() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

  internal::ActorHost* host_ = nullptr;

 private:
  enum class Phase : uint8_t { kRunning, kAwaited, kDone };
  void Complete();

  std::shared_ptr<internal::InputGate> section_;
  bool finished_ = false;
  std::exception_ptr error_;
  std::atomic<Phase> phase_{Phase::kRunning};
  WorkPtr resume_;
};

template <typename R>
class Reply : public CallBase {
 public:
  using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  // What was returned. Throws what the call failed with.
  R Take() {
    RethrowError();
    if constexpr (!std::is_void_v<R>) return *std::move(value_);
  }

 protected:
  std::optional<Value> value_;
};

// The coroutine of whoever awaits a call.
template <typename R>
Task<R> Await(std::shared_ptr<Reply<R>> call) {
  if (!call->done()) {
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        [&call](auto handler) {
          const auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          WorkPtr resume = MakeWork([shared]() mutable {
            auto executor = boost::asio::get_associated_executor(*shared);
            boost::asio::post(std::move(executor), std::move(*shared));
          });
          if (!call->WhenDone(resume)) resume->Run();
        },
        boost::asio::use_awaitable);
  }
  co_return call->Take();
}

// What a value holds outside of itself, if it is a string or another container, or has such in it.
template <typename V>
size_t BytesBehind(const V& value) {
  if constexpr (requires {
                  std::size(value);
                  *std::begin(value);
                }) {
    using Element = std::remove_cvref_t<decltype(*std::begin(value))>;
    size_t bytes = std::size(value) * sizeof(Element);
    if constexpr (!std::is_trivially_copyable_v<Element>) {
      for (const Element& element : value) bytes += BytesBehind(element);
    }
    return bytes;
  } else {
    return 0;
  }
}

// A call of a method of T, which takes what `Args` were made from.
template <typename T, typename Method, typename R, typename... Args>
class MethodCall final : public Reply<R> {
 public:
  template <typename... Given>
  explicit MethodCall(Method method, Given&&... given)
      : method_(method), args_(std::forward<Given>(given)...) {
    this->bytes = sizeof(*this) + std::apply(
                                      [](const Args&... args) -> size_t {
                                        return (size_t{0} + ... + BytesBehind(args));
                                      },
                                      args_);
  }

 protected:
  void Invoke(Actor& actor) override {
    T& self = static_cast<T&>(actor);
    if constexpr (internal::TaskResult<decltype(Apply(self))>::kIsTask) {
      auto shared = std::static_pointer_cast<MethodCall>(this->shared_from_this());
      this->Spawn(RunTask(std::move(shared), self));
    } else {
      try {
        if constexpr (std::is_void_v<R>) {
          Apply(self);
        } else {
          this->value_.emplace(Apply(self));
        }
      } catch (...) {
        this->set_error(std::current_exception());
      }
      this->Finish();
    }
  }

 private:
  decltype(auto) Apply(T& self) {
    return std::apply(
        [&](Args&... args) -> decltype(auto) {
          return std::invoke(method_, self, std::move(args)...);
        },
        args_);
  }

  // The call lives, and what it was given, as long as the method does.
  static Task<void> RunTask(std::shared_ptr<MethodCall> call, T& self) {
    try {
      if constexpr (std::is_void_v<R>) {
        co_await call->Apply(self);
      } else {
        call->value_.emplace(co_await call->Apply(self));
      }
    } catch (...) {
      call->set_error(std::current_exception());
    }
    call->Finish();
  }

  const Method method_;
  std::tuple<Args...> args_;
};

}  // namespace runtime_detail
}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_CALL_H_
