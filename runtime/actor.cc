#include "runtime/actor.h"

#include "runtime/actor_error.h"
#include "runtime/internal/abort_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark {
namespace {

// What Abort throws: to be left to pass. That it was caught changes nothing.
struct Aborted {};

}  // namespace

const ActorId& ActorState::id() const { return host_.id(); }

ObjectStorage& ActorState::storage() const { return host_.storage(); }

boost::asio::any_io_executor ActorState::executor() const {
  const internal::Turn& turn = internal::CurrentTurn();
  return internal::ActorExecutor(turn.host == &host_ ? host_.EventScope() : host_.root_scope());
}

void ActorState::EnterTransaction() { host_.EnterTransaction(); }

void ActorState::LeaveTransaction() { host_.LeaveTransaction(); }

void ActorState::BeginSection(const std::shared_ptr<runtime_detail::CallBase>& section) {
  const internal::Turn& turn = internal::CurrentTurn();
  if (turn.host != &host_) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "BlockConcurrencyWhile() and Transaction() are for the actor's own code"));
  }
  const auto gate = internal::InputGate::MakeSection(turn.scope->gate());
  const size_t most = host_.runtime().options().most_nested_sections;
  if (gate->depth() > most) {
    throw Error(Status(StatusCode::kLimitExceeded,
                       "BlockConcurrencyWhile() or Transaction() is nested deeper than " +
                           std::to_string(most) + " times"));
  }
  section->set_host(&host_);
  section->set_section(gate);
  const internal::ScopePtr scope(
      new internal::ActorScope(host_.shared_from_this(), gate, trace_id()));
  host_.LimitSection(section);
  host_.WaitInSection(scope, internal::MakeWork([this, section] { host_.StartBody(*section); }));
}

namespace {

// What a timer ends.
class Signal final : public runtime_detail::Reply<void> {
 protected:
  void Invoke(Actor&) override {}
};

class BackgroundTask final : public runtime_detail::Reply<void> {
 public:
  explicit BackgroundTask(Task<> task) : task_(std::move(task)) {}

 protected:
  void Invoke(Actor&) override {
    Spawn(Run(std::static_pointer_cast<BackgroundTask>(shared_from_this())));
  }

 private:
  static Task<> Run(std::shared_ptr<BackgroundTask> self) {
    try {
      co_await std::move(self->task_);
    } catch (...) {
      self->host_->ReportTaskFailed(std::current_exception());
    }
    self->Finish();
  }

  Task<> task_;
};

}  // namespace

Task<> ActorState::Sleep(std::chrono::microseconds time) {
  const auto signal = std::make_shared<Signal>();
  signal->set_host(&host_);
  host_.EndAfter(time, signal);
  return runtime_detail::Await<void>(signal);
}

void ActorState::WaitUntil(Task<> task) {
  const auto call = std::make_shared<BackgroundTask>(std::move(task));
  call->set_host(&host_);
  host_.StartBody(*call);
}

void ActorState::Abort(const std::string& reason, const AbortOptions& options) {
  const std::string text =
      reason.empty() ? "the application called Abort() to reset its actor" : reason;
  host_.BreakAtEndOfTurn(
      std::make_exception_ptr(internal::AbortError(Status(StatusCode::kBroken, text),
                                                   host_.id().object, options.retry_alarm)),
      internal::Count::kResetByAbort);
  throw Aborted();
}

Actor::~Actor() = default;

Task<> Actor::PreShutdown(ShutdownReason /*reason*/) { co_return; }

Task<std::string> Actor::Fetch(std::string /*request*/) {
  throw Error(Status(StatusCode::kNotFound, "this actor has no Fetch()"));
  co_return "";
}

Task<> Actor::OnAlarm(AlarmEvent /*event*/) { co_return; }

}  // namespace tidemark
