#include "runtime/internal/actor_host.h"

#include <string>
#include <utility>

#include "engine/check.h"
#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {
namespace {

// So many pieces of work in a row, then others have the thread.
constexpr int kMostInARow = 64;

thread_local Turn current_turn;

class TurnScope {
 public:
  explicit TurnScope(Turn turn) : before_(std::exchange(current_turn, turn)) {}
  ~TurnScope() { current_turn = before_; }
  TurnScope(const TurnScope&) = delete;
  TurnScope& operator=(const TurnScope&) = delete;

 private:
  const Turn before_;
};

class ScopedWork final : public Work {
 public:
  ScopedWork(ScopePtr scope, WorkPtr work) : scope_(std::move(scope)), work_(std::move(work)) {}
  void Run() override { work_->Run(); }
  void Drop(const std::exception_ptr& error) override { work_->Drop(error); }
  ActorScope* scope() const override { return scope_.get(); }

 private:
  const ScopePtr scope_;
  const WorkPtr work_;
};

}  // namespace

const Turn& CurrentTurn() { return current_turn; }

void SetTurnScope(ActorScope* scope) { current_turn.scope = scope; }

ActorHost::ActorHost(std::shared_ptr<RuntimeState> runtime,
                     std::shared_ptr<const ActorClass> actor_class, ActorId id)
    : runtime_(std::move(runtime)),
      class_(std::move(actor_class)),
      id_(std::move(id)),
      last_active_(runtime_->Now().count()),
      output_gate_([this](std::chrono::microseconds waited) {
        class_->metrics->Observe(Timing::kOutputWait, waited);
      }) {
  input_gate_ = InputGate::MakeRoot([this](WorkPtr work, InputGate::Lock lock) {
    let_in_.push_back({std::move(work), std::move(lock)});
  });
}

ActorHost::~ActorHost() = default;

// ---- any thread --------------------------------------------------------------------------------

bool ActorHost::Deliver(const std::shared_ptr<CallBase>& call) {
  call->set_host(this);
  call->sent_at = runtime_->Now();
  std::optional<Count> overload;
  {
    std::lock_guard lock(mutex_);
    if (over_) return false;
    overload = OverloadBy(*call);
    if (!overload) {
      CountWaiting(*call);
      if (root_scope_ == nullptr) root_scope_ = new ActorScope(shared_from_this(), input_gate_);
      incoming_.push_back({root_scope_, call});
      if (std::exchange(scheduled_, true)) return true;
    }
  }
  if (overload) {
    Refuse(call, *overload);
  } else {
    Schedule();
  }
  return true;
}

void ActorHost::Post(ScopePtr scope, WorkPtr work) {
  if (current_turn.host == this && first_post_ != nullptr) {
    *std::exchange(first_post_, nullptr) = std::move(work);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    incoming_.push_back({std::move(scope), std::move(work)});
    if (std::exchange(scheduled_, true)) return;
  }
  if (over_) {
    Run();
  } else {
    Schedule();
  }
}

void ActorHost::PostSystem(WorkPtr work) { Post(nullptr, std::move(work)); }

void ActorHost::EndWork() {
  // It may have been what an actor that is over was kept for: DestroyIfOver.
  if (work_.fetch_sub(1) == 1 && over_) PostSystem(MakeWork([] {}));
}

void ActorHost::Schedule() {
  runtime_->Execute([self = shared_from_this()] { self->Run(); });
}

void ActorHost::HibernateIfIdle(std::chrono::microseconds since, Count reason) {
  PostSystem(MakeWork([this, since, reason] {
    if (last_active() <= since) TryHibernate(reason);
  }));
}

void ActorHost::RestIfIdle(std::chrono::microseconds since) {
  if (resting_.exchange(true, std::memory_order_relaxed)) return;
  PostSystem(MakeWork([this, since] {
    if (last_active() > since) {
      resting_.store(false, std::memory_order_relaxed);
    } else if (storage_ != nullptr) {
      storage_->ReleaseMemory();
    }
  }));
}

// ---- running -----------------------------------------------------------------------------------

// What its members hold, a timer the actor's executor for one, may hold this. But code that awaits
// something may look at them still.
void ActorHost::DestroyIfOver() {
  if (!over_ || actor_ == nullptr || work_ > 0) return;
  actor_.reset();
  state_.reset();
}

// False: there is nothing, and whoever comes next schedules: another thread may be in Run already.
bool ActorHost::TakeIn(bool read_clock) {
  {
    std::lock_guard lock(mutex_);
    if (incoming_.empty()) {
      running_since_.store(kNotRunning, std::memory_order_relaxed);
      scheduled_ = false;
      return false;
    }
    std::swap(taken_, incoming_);
  }
  if (read_clock) now_ = runtime_->Now();
  for (Incoming& taken : taken_) {
    Incoming incoming = std::move(taken);  // what is left was not taken in yet
    if (incoming.work == nullptr) {
      break;  // it left memory, and sent the rest on
    } else if (over_) {
      incoming.work->Drop(fate_->broken());
    } else if (incoming.scope == nullptr) {
      RunSystem(incoming.work);
    } else if (incoming.scope == root_scope_) {
      input_gate_->Wait(std::move(incoming.work));
    } else {
      WaitInSection(std::move(incoming.scope), std::move(incoming.work));
    }
  }
  taken_.clear();
  return true;
}

void ActorHost::WaitInSection(ScopePtr scope, WorkPtr work) {
  const std::shared_ptr<InputGate> gate = scope->gate();
  gate->Wait(std::make_shared<ScopedWork>(std::move(scope), std::move(work)));
}

void ActorHost::Run() {
  const std::shared_ptr<ActorHost> self = shared_from_this();
  // Before any of it is seen outside: a manual clock may be moved by who sees it.
  now_ = runtime_->Now();
  running_since_.store(now_.count(), std::memory_order_relaxed);
  if (!std::exchange(started_, true)) Start();
  for (int count = 0; count < kMostInARow || over_; ++count) {
    DestroyIfOver();
    if (let_in_.empty()) {
      if (!TakeIn(count > 0)) return;
      if (let_in_.empty()) continue;
    }
    last_active_.store(now_.count(), std::memory_order_relaxed);
    running_since_.store(now_.count(), std::memory_order_relaxed);
    if (resting_.load(std::memory_order_relaxed)) {
      resting_.store(false, std::memory_order_relaxed);
    }
    const LetIn next = let_in_.pop_front();
    RunTurn(ScopePtr(next.work->scope() != nullptr ? next.work->scope() : root_scope_.get()),
            next.work);
  }
  running_since_.store(kNotRunning, std::memory_order_relaxed);
  Schedule();
}

StorageOptions ActorHost::OptionsOfStorage() {
  StorageOptions options = runtime_->options().storage;
  options.commit_mode = CommitMode::kTurn;
  options.durability = Durability::kPipelined;
  options.hooks.on_commit = [this](const CommitEvent& event) {
    to_confirm_ = to_confirm_ || event.confirmed;
    alarms_.NoteCommit(event.commit);
    const auto& hook = runtime_->options().storage.hooks.on_commit;
    if (hook) hook(event);
  };
  if (!class_->has_alarm_handler) {
    options.hooks.may_set_alarm = [this] {
      if (actor_ == nullptr) return OkStatus();
      return Status(StatusCode::kInvalidArgument,
                    "the class " + class_->name +
                        " must have an OnAlarm() handler in order to call SetAlarm()");
    };
  }
  return options;
}

void ActorHost::Start() {
  {
    std::lock_guard lock(mutex_);
    if (root_scope_ == nullptr) root_scope_ = new ActorScope(shared_from_this(), input_gate_);
  }
  try {
    storage_ = runtime_->OpenStorage(*class_, id_, OptionsOfStorage());
    alarms_.Start(*storage_);
    // An instance before this one may have been reset behind a commit that is not durable yet.
    to_confirm_ = to_confirm_ || storage_->object().head().lsn > runtime_->store().durable_lsn();
  } catch (const Error& error) {
    break_reason_ = Count::kOpensFailed;
    Break(std::make_exception_ptr(ActorError(
        error.code() == StatusCode::kBusy ? ActorFailure::kDisconnected : ActorFailure::kThrown,
        error.status(), id_.object, std::current_exception())));
    return;
  }
  class_->metrics->Add(Count::kStarts);
  state_ = std::make_unique<ActorState>(*this);
  RunTurn(root_scope_, MakeWork([this] {
            try {
              actor_ = class_->make(*state_);
            } catch (...) {
              BreakAtEndOfTurn(ErrorFor(std::current_exception()), Count::kConstructorsFailed);
            }
          }));
}

void ActorHost::RunTurn(const ScopePtr& scope, const WorkPtr& work) {
  const TraceScope trace(scope->trace());
  {
    const TurnScope turn({.host = this, .scope = scope.get()});
    work->Run();
  }
  event_scope_ = nullptr;
  EndTurn();
}

void ActorHost::RunSystem(const WorkPtr& work) {
  work->Run();
  if (break_with_ != nullptr) EndTurn();
}

void ActorHost::EndTurn() {
  if (over_) return;
  if (input_gate_->broken() != nullptr) {
    BreakAtEndOfTurn(input_gate_->broken(), Count::kResetBySection);
  }
  if (break_with_ == nullptr) Commit();
  if (break_with_ != nullptr) {
    Break(std::exchange(break_with_, nullptr));
    return;
  }
  if (HoldsBack()) return;
  for (size_t i = 0; i < outgoing_.size(); ++i) output_gate_.Wait(std::move(outgoing_[i]), now_);
  outgoing_.clear();
}

// Something is written that is not committed: a transaction awaits that others can see.
bool ActorHost::HoldsBack() const { return transactions_ == 0 && storage_->NeedsConfirmation(); }

void ActorHost::Commit() {
  if (const Error* const error = storage_->broken()) {
    break_with_ = ResetError(error->code(), error->what());
    return;
  }
  try {
    const bool writes = storage_->NeedsConfirmation();
    const std::chrono::microseconds begun = writes ? runtime_->Now() : now_;
    if (!storage_->in_transaction()) {
      storage_->Commit();
      alarms_.EndTurn(*storage_);
    }
    if (!std::exchange(to_confirm_, false)) return;
    const std::chrono::microseconds made = runtime_->Now();
    if (writes) class_->metrics->Observe(Timing::kCommit, made - begun);
    const Object& object = storage_->object();
    const Bookmark commit = object.BookmarkOf(object.head());
    const OutputGate::Token token = output_gate_.Lock();
    // Weak: an actor that was reset meanwhile has nothing to hear, and may outlive its runtime
    // else.
    storage_->OnDurable(commit, [weak = weak_from_this(), token, made](const Status& status) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->class_->metrics->Observe(Timing::kDurable, self->runtime_->Now() - made);
      self->PostSystem(MakeWork([self, token, status] {
        if (self->over_) return;
        if (status.ok()) {
          self->output_gate_.Unlock(token, nullptr, self->now_);
          return;
        }
        const auto error = self->ResetError(status.code(), status.message());
        self->output_gate_.Unlock(token, error);
        self->break_with_ = error;
      }));
    });
  } catch (const Error& error) {
    break_with_ = ResetError(error.code(), error.what());
  }
}

// ---- the actor's code --------------------------------------------------------------------------

ObjectStorage& ActorHost::storage() {
  if (storage_ == nullptr || current_turn.host != this) {
    throw ActorError(ActorFailure::kReset,
                     Status(StatusCode::kBroken,
                            "the storage of " + class_->name + " " + id_.ToString() +
                                " is no longer accessible: this instance of the actor is over, or "
                                "the code that asks is none of its own"),
                     id_.object);
  }
  return *storage_;
}

void ActorHost::SendOut(std::shared_ptr<Outgoing> outgoing) {
  const bool in_turn = current_turn.host == this;
  if (in_turn && (!outgoing_.empty() || storage_ == nullptr || HoldsBack() || to_confirm_ ||
                  break_with_ != nullptr)) {
    outgoing_.push_back(std::move(outgoing));
  } else {
    output_gate_.Wait(std::move(outgoing), now_);
  }
}

void ActorHost::StartCall(CallBase& call) {
  {
    std::lock_guard lock(mutex_);
    UncountWaiting(call);
  }
  if (IsTooOld(call, now_)) {
    Refuse(call.shared_from_this(), Count::kOverloadedByAge);
    return;
  }
  class_->metrics->Observe(Timing::kInputWait, now_ - call.sent_at);
  TraceScope::Set(call.trace);
  StartBody(call);
  if (!call.finished()) LimitEvent(call.shared_from_this());
}

void ActorHost::StartBody(CallBase& call) {
  call.Start(*actor_);
  if (!call.finished()) KeepOpen(call.shared_from_this());
}

void ActorHost::KeepOpen(const std::shared_ptr<CallBase>& call) {
  call->open_number = ++last_opened_;
  open_calls_.emplace_hint(open_calls_.end(), call->open_number, call);
}

void ActorHost::Finish(const std::shared_ptr<CallBase>& call) {
  if (over_) return;
  open_calls_.erase(call->open_number);
  EventEnded(*call);
  if (call->section() != nullptr) {
    FinishSection(call);
    return;
  }
  if (call->thrown() != nullptr) {
    class_->metrics->Add(Count::kEventErrors);
    call->set_error(ErrorFor(call->thrown()));
  }
  // Held back even if nothing was written: what was read may not be durable yet.
  if (call->EndsItsTurn()) {
    outgoing_.push_back(call);
  } else {
    SendOut(call);
  }
}

// What awaits the section goes on before anything else that its parent holds back.
void ActorHost::FinishSection(const std::shared_ptr<CallBase>& section) {
  if (section->thrown() != nullptr) {
    BreakAtEndOfTurn(SectionError(section->thrown()), Count::kResetBySection);
    section->Drop(break_with_);
    return;
  }
  InputGate::Lock lock = section->section()->Succeed();
  WorkPtr behind = FirstPostOf([&] { section->Leave(); });
  if (behind != nullptr) let_in_.push_front({std::move(behind), std::move(lock)});
}

void ActorHost::EndAfter(std::chrono::microseconds time, const std::shared_ptr<CallBase>& call) {
  KeepOpen(call);
  runtime_->timers().Add(time, [self = shared_from_this(), call] {
    self->PostSystem(MakeWork([self, call] {
      if (self->open_calls_.erase(call->open_number) > 0) call->Leave();
    }));
  });
}

}  // namespace tidemark::internal
