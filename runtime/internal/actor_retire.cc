// How an actor leaves memory, other than by a reset.
//
//   idle -> (PreShutdown, if the class has it) -> storage closed -> calls that wait are sent on
//
// Whoever waits is called by the next instance: calls of one stub stay in order, for the old
// instance takes and sends on what comes until all of it is with the new one.

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {
namespace {

class PreShutdownCall final : public runtime_detail::Reply<void> {
 public:
  explicit PreShutdownCall(ShutdownReason reason) : reason_(reason) {}

 protected:
  void Invoke(Actor& actor) override {
    Spawn(Run(std::static_pointer_cast<PreShutdownCall>(shared_from_this()), actor));
  }

 private:
  static Task<> Run(std::shared_ptr<PreShutdownCall> self, Actor& actor) {
    try {
      Task<> task = actor.PreShutdown(self->reason_);
      co_await std::move(task);
    } catch (...) {
      self->host_->ReportPreShutdownFailed(std::current_exception());
    }
    self->Finish();
  }

  const ShutdownReason reason_;
};

// What DeleteAll leaves, and what was never written to: a page without a table, view or index.
bool IsEmpty(ObjectStorage& storage) {
  if (storage.object().head().page_count > 1) return false;
  try {
    return storage.sql().Exec("SELECT count(*) FROM sqlite_schema").One().Get<int64_t>(0) == 0;
  } catch (const Error&) {
    return false;  // whatever it is, the next session meets it
  }
}

}  // namespace

bool ActorHost::IsIdle() const {
  return !over_ && actor_ != nullptr && retirement_ == nullptr && let_in_.empty() &&
         input_gate_->idle() && output_gate_.open() && open_calls_.empty() && work_ == 0 &&
         NothingHasCome();
}

bool ActorHost::NothingHasCome() const {
  const auto is_of_the_system = [](const Incoming& incoming) { return incoming.scope == nullptr; };
  if (!std::all_of(taken_.begin(), taken_.end(), is_of_the_system)) return false;
  std::lock_guard lock(mutex_);
  return std::all_of(incoming_.begin(), incoming_.end(), is_of_the_system);
}

void ActorHost::TryHibernate(Count reason) {
  if (!IsIdle()) return;
  if (class_->options.prevent_eviction && reason != Count::kHibernatedShutdown) return;
  if (class_->has_pre_shutdown) {
    BeginRetirement(reason);
  } else {
    LeaveMemory(reason);
  }
}

void ActorHost::BeginRetirement(Count reason) {
  retirement_ = std::make_unique<Retirement>();
  retirement_->lock = InputGate::Lock(input_gate_);
  retirement_->gate = InputGate::MakeRoot([this](WorkPtr work, InputGate::Lock lock) {
    let_in_.push_back({std::move(work), std::move(lock)});
  });
  const auto call = std::make_shared<PreShutdownCall>(
      reason == Count::kHibernatedShutdown ? ShutdownReason::kShutdown : ShutdownReason::kInactive);
  call->set_host(this);
  const std::weak_ptr<ActorHost> weak = weak_from_this();
  const std::weak_ptr<CallBase> weak_call = call;
  const auto leave = [weak, weak_call, reason] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->PostSystem(MakeWork([self, weak_call, reason] {
      if (self->over_) return;
      const auto ended = weak_call.lock();
      if (ended != nullptr && !ended->finished()) {
        self->ReportPreShutdownFailed(std::make_exception_ptr(
            std::runtime_error("PreShutdown() took too long, and was abandoned")));
      }
      self->LeaveMemory(reason);
    }));
  };
  // When what it wrote is durable.
  call->WhenDone(MakeWork([leave] { leave(); }));
  retirement_->limit = runtime_->timers().Add(runtime_->options().pre_shutdown_limit, leave);
  const ScopePtr scope(new ActorScope(shared_from_this(), retirement_->gate, TraceId::New()));
  WaitInSection(scope, MakeWork([this, call] { StartBody(*call); }));
}

void ActorHost::LeaveMemory(Count reason) {
  std::vector<WorkPtr> waiting;
  if (retirement_ != nullptr) {
    runtime_->timers().Cancel(retirement_->limit);
    waiting = input_gate_->TakeWaiting([](const Work&) { return true; });
  }
  for (Incoming& rest : taken_) {
    if (rest.work != nullptr) waiting.push_back(std::move(rest.work));
  }
  if (work_ == 0) {  // else what is left of a coroutine may look at it
    actor_.reset();
    state_.reset();
  }
  ReportHibernation(reason);
  Close(&waiting);
  // What an abandoned PreShutdown left, and what it began and did not wait for.
  const auto error = std::make_exception_ptr(ActorError(
      ActorFailure::kDisconnected, Status(StatusCode::kBusy, "the actor left memory"), id_.object));
  if (retirement_ != nullptr) retirement_->gate->Fail(error);
  let_in_ = {};
  for (const auto& outgoing : std::exchange(outgoing_, {})) outgoing->Fail(error);
  output_gate_.Break(error);
  for (const auto& [number, call] : std::exchange(open_calls_, {})) call->Drop(error);
}

std::vector<ActorHost::Incoming> ActorHost::Close(std::vector<WorkPtr>* hand_over) {
  std::shared_ptr<Object> object;
  if (hand_over != nullptr && storage_->object().exists() && IsEmpty(*storage_)) {
    auto opened = runtime_->store().OpenObject(class_->space, id_.object, IfMissing::kFail);
    if (opened.ok()) object = *std::move(opened);
  }
  storage_.reset();
  if (object != nullptr) VanishIfEmpty(*object);
  runtime_->Forget(*this);
  ScopePtr scope;  // not let go of under the lock: it may be the last to hold this
  std::lock_guard lock(mutex_);
  over_ = true;
  scope = std::move(root_scope_);
  std::vector<Incoming> late = std::exchange(incoming_, {});
  if (hand_over == nullptr) return late;
  for (Incoming& incoming : late) hand_over->push_back(std::move(incoming.work));
  for (const WorkPtr& work : *hand_over) {
    const auto call = std::dynamic_pointer_cast<CallBase>(work);
    if (call != nullptr) runtime_->Deliver(class_, id_, call);
  }
  return {};
}

// It stops existing when it leaves memory with nothing stored, no alarm, and no restore that waits
// for its next session. Its history stays for as long as any deleted object's.
void ActorHost::VanishIfEmpty(Object& object) {
  if (object.alarm()) return;
  const auto scheduled = object.scheduled_restore();
  if (!scheduled.ok() || scheduled->has_value()) return;
  if (object.Delete().ok()) class_->metrics->Add(Count::kVanished);
}

}  // namespace tidemark::internal
