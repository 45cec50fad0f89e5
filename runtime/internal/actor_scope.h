// ActorScope: where code of an actor runs: the actor, and the critical section it is in. And its
// executor, which is what Asio sees of it.
//
// An event that leaves something behind, a coroutine for one, has a scope of its own, which knows
// its trace.
//
// All code of an actor is run by ActorHost, one piece at a time: what an executor is given waits at
// the input gate of its scope like any event. A scope that somebody holds, a coroutine that waits
// for I/O for one, keeps its host in memory.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_
#define TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_

#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "runtime/internal/input_gate.h"
#include "runtime/trace.h"
#include "runtime/work.h"

namespace tidemark::internal {

class ActorHost;

class ActorScope : public boost::intrusive_ref_counter<ActorScope> {
 public:
  // `root` is null for the actor's root scope.
  ActorScope(std::shared_ptr<ActorHost> host, std::shared_ptr<InputGate> gate,
             boost::intrusive_ptr<ActorScope> root = nullptr, const TraceId& trace = {})
      : host_(std::move(host)), gate_(std::move(gate)), root_(std::move(root)), trace_(trace) {}
  ~ActorScope();

  ActorHost& host() const { return *host_; }
  const std::shared_ptr<InputGate>& gate() const { return gate_; }
  const TraceId& trace() const { return trace_; }

  // To be run when its turn has come. Any thread.
  void Post(WorkPtr work);
  // Does this thread run code of this very scope?
  bool IsRunning() const;
  boost::asio::execution_context& context() const;

 private:
  const std::shared_ptr<ActorHost> host_;
  std::shared_ptr<InputGate> gate_;  // let go of on the actor
  // Whoever looks at the root scope sees that there are others.
  const boost::intrusive_ptr<ActorScope> root_;
  const TraceId trace_;
};

using ScopePtr = boost::intrusive_ptr<ActorScope>;

// Satisfies Asio's executor concept; small enough to be held by any_io_executor without memory.
class ActorExecutor {
 public:
  explicit ActorExecutor(ScopePtr scope, bool never_inline = false) noexcept
      : scope_(std::move(scope)), never_inline_(never_inline) {}

  // Boost's pointer does not say that it cannot throw, which Asio asks for.
  ActorExecutor(const ActorExecutor& other) noexcept
      : scope_(other.scope_), never_inline_(other.never_inline_) {}
  ActorExecutor(ActorExecutor&& other) noexcept = default;
  ActorExecutor& operator=(const ActorExecutor&) noexcept = default;
  ActorExecutor& operator=(ActorExecutor&&) noexcept = default;

  const ScopePtr& scope() const { return scope_; }

  bool operator==(const ActorExecutor& other) const noexcept {
    return scope_ == other.scope_ && never_inline_ == other.never_inline_;
  }

  template <typename Call>
  void execute(Call&& call) const {
    if (!never_inline_ && scope_->IsRunning()) {
      std::decay_t<Call>(std::forward<Call>(call))();
      return;
    }
    scope_->Post(MakeWork([call = std::decay_t<Call>(std::forward<Call>(call))]() mutable {
      std::decay_t<Call>(std::move(call))();
    }));
  }

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return scope_->context();
  }
  boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    if (never_inline_) return boost::asio::execution::blocking.never;
    return boost::asio::execution::blocking.possibly;
  }
  ActorExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return ActorExecutor(scope_, true);
  }
  ActorExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return ActorExecutor(scope_, false);
  }

 private:
  ScopePtr scope_;
  bool never_inline_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_
