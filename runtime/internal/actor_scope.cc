#include "runtime/internal/actor_scope.h"

#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {

// Gates are the actor's own.
ActorScope::~ActorScope() {
  if (gate_->depth() > 0) host_->PostSystem(MakeWork([gate = std::move(gate_)] {}));
}

void ActorScope::Post(WorkPtr work) { host_->Post(ScopePtr(this), std::move(work)); }

void ActorScope::BeginWork() const { host_->BeginWork(); }

void ActorScope::EndWork() const { host_->EndWork(); }

bool ActorScope::IsRunning() const { return CurrentTurn().scope == this; }

boost::asio::execution_context& ActorScope::context() const { return host_->runtime().context(); }

}  // namespace tidemark::internal
