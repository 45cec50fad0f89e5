// ActorScope: where code of an actor runs: the actor, and the critical section it is in. And its
// executor, which is what Asio sees of it.
//
// An event that leaves something behind, a coroutine for one, has a scope of its own, which knows
// its trace.
//
// All code of an actor is run by ActorHost, one piece at a time: what an executor is given waits at
// the input gate of its scope like any event. An executor that tracks outstanding work, as Asio has
// one for each coroutine and each operation that is under way, keeps the actor in memory; one that
// somebody merely holds, a timer that nobody waits for, does not.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_
#define TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_

#include <cstdint>
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
  ActorScope(std::shared_ptr<ActorHost> host, std::shared_ptr<InputGate> gate,
             const TraceId& trace = {})
      : host_(std::move(host)), gate_(std::move(gate)), trace_(trace) {}
  ~ActorScope();

  ActorHost& host() const { return *host_; }
  const std::shared_ptr<InputGate>& gate() const { return gate_; }
  const TraceId& trace() const { return trace_; }

  // To be run when its turn has come. Any thread.
  void Post(WorkPtr work);
  void BeginWork() const;
  void EndWork() const;
  // Does this thread run code of this very scope?
  bool IsRunning() const;
  boost::asio::execution_context& context() const;

 private:
  const std::shared_ptr<ActorHost> host_;
  std::shared_ptr<InputGate> gate_;  // let go of on the actor
  const TraceId trace_;
};

using ScopePtr = boost::intrusive_ptr<ActorScope>;

// Satisfies Asio's executor concept; small enough to be held by any_io_executor without memory.
class ActorExecutor {
 public:
  enum class Inline : uint8_t { kMay, kNever };
  enum class Work : uint8_t { kUntracked, kTracked };

  explicit ActorExecutor(ScopePtr scope, Inline may_inline = Inline::kMay,
                         Work work = Work::kUntracked) noexcept
      : scope_(std::move(scope)), inline_(may_inline), work_(work) {
    if (work_ == Work::kTracked) scope_->BeginWork();
  }
  ActorExecutor(const ActorExecutor& other) noexcept
      : ActorExecutor(other.scope_, other.inline_, other.work_) {}
  ActorExecutor(ActorExecutor&& other) noexcept
      : scope_(std::move(other.scope_)),
        inline_(other.inline_),
        work_(std::exchange(other.work_, Work::kUntracked)) {}
  ActorExecutor& operator=(ActorExecutor other) noexcept {
    scope_.swap(other.scope_);
    std::swap(inline_, other.inline_);
    std::swap(work_, other.work_);
    return *this;
  }
  ~ActorExecutor() {
    if (work_ == Work::kTracked) scope_->EndWork();
  }

  const ScopePtr& scope() const { return scope_; }

  bool operator==(const ActorExecutor& other) const noexcept {
    return scope_ == other.scope_ && inline_ == other.inline_ && work_ == other.work_;
  }

  template <typename Call>
  void execute(Call&& call) const {
    if (inline_ == Inline::kMay && scope_->IsRunning()) {
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
    if (inline_ == Inline::kNever) return boost::asio::execution::blocking.never;
    return boost::asio::execution::blocking.possibly;
  }
  ActorExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return ActorExecutor(scope_, Inline::kNever, work_);
  }
  ActorExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return ActorExecutor(scope_, Inline::kMay, work_);
  }
  boost::asio::execution::outstanding_work_t query(
      boost::asio::execution::outstanding_work_t) const noexcept {
    if (work_ == Work::kTracked) return boost::asio::execution::outstanding_work.tracked;
    return boost::asio::execution::outstanding_work.untracked;
  }
  ActorExecutor require(boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
    return ActorExecutor(scope_, inline_, Work::kTracked);
  }
  ActorExecutor require(boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
    return ActorExecutor(scope_, inline_, Work::kUntracked);
  }

 private:
  ScopePtr scope_;
  Inline inline_;
  Work work_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ACTOR_SCOPE_H_
