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

StorageOptions StorageOptionsOf(const RuntimeState& runtime) {
  StorageOptions options = runtime.options().storage;
  options.commit_mode = CommitMode::kTurn;
  options.durability = Durability::kPipelined;
  return options;
}

}  // namespace

const Turn& CurrentTurn() { return current_turn; }

ActorHost::ActorHost(std::shared_ptr<RuntimeState> runtime,
                     std::shared_ptr<const ActorClass> actor_class, ActorId id)
    : runtime_(std::move(runtime)),
      class_(std::move(actor_class)),
      id_(std::move(id)),
      last_active_(runtime_->Now().count()) {
  input_gate_ = InputGate::MakeRoot([this](WorkPtr work, InputGate::Lock lock) {
    let_in_.push_back({std::move(work), std::move(lock)});
  });
}

ActorHost::~ActorHost() = default;

// ---- any thread --------------------------------------------------------------------------------

bool ActorHost::Deliver(const std::shared_ptr<CallBase>& call) {
  call->set_host(this);
  {
    std::lock_guard lock(mutex_);
    if (over_) return false;
    if (waiting_calls_ < runtime_->options().most_waiting_calls) {
      ++waiting_calls_;
      if (root_scope_ == nullptr) root_scope_ = new ActorScope(shared_from_this(), input_gate_);
      incoming_.push_back({root_scope_, call});
      if (std::exchange(scheduled_, true)) return true;
    } else {
      call->Drop(std::make_exception_ptr(ActorError(
          ActorFailure::kOverloaded,
          Status(StatusCode::kLimitExceeded, class_->name + " " + id_.ToString() +
                                                 " is overloaded: too many calls wait for it"),
          id_.object)));
      return true;
    }
  }
  Schedule();
  return true;
}

void ActorHost::Post(ScopePtr scope, WorkPtr work) {
  if (current_turn.host == this && inline_next_) {
    inline_next_ = false;
    inline_work_ = std::move(work);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    incoming_.push_back({std::move(scope), std::move(work)});
    if (std::exchange(scheduled_, true)) return;
  }
  Schedule();
}

void ActorHost::PostSystem(WorkPtr work) { Post(nullptr, std::move(work)); }

void ActorHost::Schedule() {
  runtime_->Execute([self = shared_from_this()] { self->Run(); });
}

void ActorHost::BreakSoon(std::exception_ptr error) {
  PostSystem(MakeWork([this, error = std::move(error)] { Break(error); }));
}

void ActorHost::HibernateIfIdle(std::chrono::microseconds since) {
  PostSystem(MakeWork([this, since] {
    if (last_active() <= since) TryHibernate();
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

// False: there is nothing, and whoever comes next schedules.
bool ActorHost::TakeIn() {
  {
    std::lock_guard lock(mutex_);
    if (incoming_.empty()) {
      scheduled_ = false;
      return false;
    }
    std::swap(taken_, incoming_);
  }
  for (Incoming& incoming : taken_) {
    if (over_) {
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
  if (!std::exchange(started_, true)) Start();
  // Before any of it is seen outside: a manual clock may be moved by who sees it.
  const int64_t now = runtime_->Now().count();
  int count = 0;
  for (; count < kMostInARow; ++count) {
    if (let_in_.empty() && !TakeIn()) break;
    if (let_in_.empty()) continue;
    last_active_.store(now, std::memory_order_relaxed);
    if (resting_.load(std::memory_order_relaxed)) {
      resting_.store(false, std::memory_order_relaxed);
    }
    const LetIn next = let_in_.pop_front();
    RunTurn(ScopePtr(next.work->scope() != nullptr ? next.work->scope() : root_scope_.get()),
            next.work);
  }
  if (count == kMostInARow) Schedule();
}

void ActorHost::Start() {
  {
    std::lock_guard lock(mutex_);
    if (root_scope_ == nullptr) root_scope_ = new ActorScope(shared_from_this(), input_gate_);
  }
  try {
    storage_ = runtime_->OpenStorage(*class_, id_, StorageOptionsOf(*runtime_));
  } catch (const Error& error) {
    Break(std::make_exception_ptr(ActorError(
        error.code() == StatusCode::kBusy ? ActorFailure::kDisconnected : ActorFailure::kThrown,
        error.status(), id_.object, std::current_exception())));
    return;
  }
  state_ = std::make_unique<ActorState>(*this);
  RunTurn(root_scope_, MakeWork([this] {
            try {
              actor_ = class_->make(*state_);
            } catch (...) {
              BreakAtEndOfTurn(ErrorFor(std::current_exception()));
            }
          }));
}

void ActorHost::RunTurn(const ScopePtr& scope, const WorkPtr& work) {
  {
    const TurnScope turn({.host = this, .scope = scope.get()});
    work->Run();
  }
  EndTurn();
}

void ActorHost::RunSystem(const WorkPtr& work) {
  work->Run();
  if (break_with_ != nullptr) EndTurn();
}

void ActorHost::EndTurn() {
  if (over_) return;
  if (break_with_ == nullptr && input_gate_->broken() != nullptr) {
    break_with_ = input_gate_->broken();
  }
  if (break_with_ == nullptr) Commit();
  if (break_with_ != nullptr) {
    Break(std::exchange(break_with_, nullptr));
    return;
  }
  if (storage_->NeedsConfirmation()) return;  // a transaction that awaits: it is not made yet
  for (size_t i = 0; i < outgoing_.size(); ++i) output_gate_.Wait(std::move(outgoing_[i]));
  outgoing_.clear();
}

void ActorHost::Commit() {
  if (const Error* const error = storage_->broken()) {
    break_with_ = ResetError(error->code(), error->what());
    return;
  }
  if (storage_->in_transaction()) return;
  try {
    const bool confirmed = storage_->NeedsConfirmation();
    const Bookmark commit = storage_->Commit();
    if (!confirmed) return;
    const OutputGate::Token token = output_gate_.Lock();
    // Weak: an actor that was reset meanwhile has nothing to hear, and may outlive its runtime
    // else.
    storage_->OnDurable(commit, [weak = weak_from_this(), token](const Status& status) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->PostSystem(MakeWork([self, token, status] {
        if (self->over_) return;
        if (status.ok()) {
          self->output_gate_.Unlock(token, nullptr);
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
  if (in_turn && (!outgoing_.empty() || storage_ == nullptr || storage_->NeedsConfirmation() ||
                  break_with_ != nullptr)) {
    outgoing_.push_back(std::move(outgoing));
  } else {
    output_gate_.Wait(std::move(outgoing));
  }
}

void ActorHost::StartCall(CallBase& call) {
  {
    std::lock_guard lock(mutex_);
    --waiting_calls_;
  }
  StartBody(call);
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
  if (call->section() != nullptr) {
    FinishSection(call);
    return;
  }
  if (call->thrown() != nullptr) call->set_error(ErrorFor(call->thrown()));
  // Held back even if nothing was written: what was read may not be durable yet.
  SendOut(call);
}

// What awaits the section goes on before anything else that its parent holds back.
void ActorHost::FinishSection(const std::shared_ptr<CallBase>& section) {
  if (section->thrown() != nullptr) {
    BreakAtEndOfTurn(SectionError(section->thrown()));
    section->Drop(break_with_);
    return;
  }
  InputGate::Lock lock = section->section()->Succeed();
  inline_next_ = true;
  section->Leave();
  inline_next_ = false;
  if (WorkPtr work = std::move(inline_work_)) {
    let_in_.push_front({std::move(work), std::move(lock)});
  }
}

void ActorHost::EndAfter(std::chrono::microseconds time, const std::shared_ptr<CallBase>& call) {
  KeepOpen(call);
  runtime_->timers().Add(time, [self = shared_from_this(), call] {
    self->PostSystem(MakeWork([self, call] {
      if (self->open_calls_.erase(call->open_number) > 0) call->Leave();
    }));
  });
}

void ActorHost::LimitSection(const std::shared_ptr<CallBase>& section) {
  const std::chrono::milliseconds limit = runtime_->options().section_limit;
  const std::weak_ptr<ActorHost> weak = weak_from_this();
  const std::weak_ptr<CallBase> weak_section = section;
  runtime_->timers().Add(limit, [weak, weak_section, limit] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->PostSystem(MakeWork([self, weak_section, limit] {
      const auto late = weak_section.lock();
      if (late == nullptr || late->finished()) return;
      self->BreakAtEndOfTurn(std::make_exception_ptr(
          ActorError(ActorFailure::kOverloaded,
                     Status(StatusCode::kLimitExceeded,
                            "BlockConcurrencyWhile() of " + self->class_->name + " " +
                                self->id_.ToString() + " lasted longer than " +
                                std::to_string(limit.count()) + " ms: the actor was reset"),
                     self->id_.object)));
    }));
  });
}

void ActorHost::BreakAtEndOfTurn(std::exception_ptr error) {
  if (break_with_ == nullptr) break_with_ = std::move(error);
}

// ---- the end -----------------------------------------------------------------------------------

bool ActorHost::TryHibernate() {
  if (over_ || actor_ == nullptr || !let_in_.empty() || !input_gate_->idle() ||
      !output_gate_.open() || !open_calls_.empty() || root_scope_->use_count() > 1) {
    return false;
  }
  actor_.reset();
  state_.reset();
  for (const Incoming& incoming : Close()) {
    const auto call = std::dynamic_pointer_cast<CallBase>(incoming.work);
    if (call != nullptr) runtime_->Deliver(class_, id_, call);
  }
  return true;
}

// Nobody hears of it before the next instance can be made: who hears of it may ask for that.
void ActorHost::Break(std::exception_ptr error) {
  if (over_) return;
  fate_->Break(error);
  const std::vector<Incoming> late = Close();
  input_gate_->Fail(error);
  for (const LetIn& let_in : std::exchange(let_in_, {})) let_in.work->Drop(error);
  output_gate_.Break(error);
  for (const auto& outgoing : std::exchange(outgoing_, {})) outgoing->Fail(error);
  for (const auto& [number, call] : std::exchange(open_calls_, {})) call->Drop(error);
  for (const Incoming& incoming : late) incoming.work->Drop(error);
}

// Returns what has come and was not taken in.
std::vector<ActorHost::Incoming> ActorHost::Close() {
  storage_.reset();
  runtime_->Forget(*this);
  ScopePtr scope;  // not let go of under the lock: it may be the last to hold this
  std::lock_guard lock(mutex_);
  over_ = true;
  scope = std::move(root_scope_);
  return std::exchange(incoming_, {});
}

std::exception_ptr ActorHost::ResetError(StatusCode code, const std::string& message) const {
  return std::make_exception_ptr(
      ActorError(ActorFailure::kReset, Status(code, message), id_.object));
}

// What the application threw, as the error that resets the actor.
std::exception_ptr ActorHost::SectionError(std::exception_ptr thrown) const {
  try {
    std::rethrow_exception(ErrorFor(std::move(thrown)));
  } catch (const ActorError& error) {
    return std::make_exception_ptr(
        ActorError(ActorFailure::kReset, error.status(), id_.object, error.cause()));
  }
}

std::exception_ptr ActorHost::ErrorFor(std::exception_ptr thrown) const {
  if (break_with_ != nullptr) return break_with_;
  const auto remote = [&](StatusCode code, const char* message) {
    return std::make_exception_ptr(
        ActorError(ActorFailure::kThrown, Status(code, message), id_.object, thrown));
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return remote(error.code(), error.what());
  } catch (const std::exception& error) {
    return remote(StatusCode::kUnknown, error.what());
  } catch (...) {
    return remote(StatusCode::kUnknown, "internal error: what was thrown is no std::exception");
  }
}

}  // namespace tidemark::internal
