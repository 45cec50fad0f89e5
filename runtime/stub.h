// Stub: a caller's handle to one actor.
//
//   Stub<Counter> home = counters.GetByName("home");
//   int64_t total = co_await home.Call(&Counter::Increment, 1);          // in a coroutine
//   int64_t total = home.CallBlocking(&Counter::Increment, 1);           // anywhere else
//
// Calls of one stub come to the actor in the order in which they were made; those of different ones
// in any. Getting a stub starts nothing; the first call does. After the actor was reset the stub
// fails with what reset it, for ever: get a new one. Copies are stubs of their own.
//
// Threads: a stub is used by one thread at a time; copies are cheap.

#ifndef TIDEMARK_RUNTIME_STUB_H_
#define TIDEMARK_RUNTIME_STUB_H_

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "engine/export.h"
#include "runtime/actor.h"
#include "runtime/actor_id.h"
#include "runtime/call.h"
#include "runtime/task.h"

namespace tidemark {

namespace internal {
struct ActorClass;
class RuntimeState;
}  // namespace internal

namespace runtime_detail {

// What is the same for all classes.
class TIDEMARK_API StubState {
 public:
  StubState(std::shared_ptr<internal::RuntimeState> runtime,
            std::shared_ptr<const internal::ActorClass> actor_class, ActorId id);
  StubState(const StubState& other);
  StubState& operator=(const StubState& other) = delete;
  ~StubState();

  const ActorId& id() const { return id_; }
  // Sends it, behind what the calling actor wrote if one calls.
  void Send(const std::shared_ptr<CallBase>& call);
  // Throws if this thread is an actor's, which must not wait so.
  static void RequireNoActor();

 private:
  struct Connection;
  class OutgoingCall;

  const std::shared_ptr<internal::RuntimeState> runtime_;
  const std::shared_ptr<const internal::ActorClass> class_;
  const ActorId id_;
  const std::shared_ptr<Connection> connection_;
};

template <typename T, typename Method>
struct MethodOf;
template <typename T, typename C, typename R, typename... P>
struct MethodOf<T, R (C::*)(P...)> {
  static_assert(std::is_base_of_v<C, T>, "this is no method of the actor that the stub is of");
  static_assert(std::is_base_of_v<Actor, C>, "only methods of actors can be called");
  using Result = typename internal::TaskResult<R>::type;
  static_assert(!std::is_reference_v<Result> && !std::is_pointer_v<Result>,
                "what an actor returns must not lead into it: return a value");
  template <typename... Args>
  using Call = MethodCall<T, R (C::*)(P...), Result, std::decay_t<P>...>;
  template <typename... Args>
  static constexpr bool kTakes = sizeof...(Args) == sizeof...(P) &&
                                 std::is_constructible_v<std::tuple<std::decay_t<P>...>, Args...>;
};
template <typename T, typename C, typename R, typename... P>
struct MethodOf<T, R (C::*)(P...) const> : MethodOf<T, R (C::*)(P...)> {
  template <typename... Args>
  using Call = MethodCall<T, R (C::*)(P...) const, typename internal::TaskResult<R>::type,
                          std::decay_t<P>...>;
};

}  // namespace runtime_detail

template <typename T>
class Stub {
 public:
  explicit Stub(runtime_detail::StubState state) : state_(std::move(state)) {}

  const ActorId& id() const { return state_.id(); }

  // Calls a method. The call is made now; its result comes when what is returned is awaited, and is
  // dropped if it is not. Arguments are copied or moved into the call. Throws, when awaited:
  // ActorError.
  template <typename Method, typename... Args>
  auto Call(Method method, Args&&... args)
      -> Task<typename runtime_detail::MethodOf<T, Method>::Result> {
    return runtime_detail::Await<typename runtime_detail::MethodOf<T, Method>::Result>(
        Make(method, std::forward<Args>(args)...));
  }

  // The same for threads that are nobody's coroutine: blocks. Errors: kInvalidArgument in an actor,
  // which would keep its thread from everybody else.
  template <typename Method, typename... Args>
  auto CallBlocking(Method method, Args&&... args) ->
      typename runtime_detail::MethodOf<T, Method>::Result {
    runtime_detail::StubState::RequireNoActor();
    const auto call = Make(method, std::forward<Args>(args)...);
    call->Block();
    return call->Take();
  }

  Task<std::string> Fetch(std::string request) { return Call(&T::Fetch, std::move(request)); }

 private:
  template <typename Method, typename... Args>
  auto Make(Method method, Args&&... args) -> std::shared_ptr<
      runtime_detail::Reply<typename runtime_detail::MethodOf<T, Method>::Result>> {
    using Of = runtime_detail::MethodOf<T, Method>;
    static_assert(Of::template kTakes<Args...>, "the method takes other arguments");
    auto call =
        std::make_shared<typename Of::template Call<Args...>>(method, std::forward<Args>(args)...);
    state_.Send(call);
    return call;
  }

  runtime_detail::StubState state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_STUB_H_
