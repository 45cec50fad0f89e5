#include "runtime/runtime.h"

#include "runtime/internal/runtime_state.h"

namespace tidemark {

Runtime::Runtime(Store& store, const RuntimeOptions& options)
    : state_(std::make_shared<internal::RuntimeState>(store, options)) {
  state_->StartSweeping();
  state_->alarms().Start(state_);
}

Runtime::~Runtime() { Shutdown(); }

std::shared_ptr<const internal::ActorClass> Runtime::DefineClass(
    const std::string& name, std::function<std::unique_ptr<Actor>(ActorState&)> make,
    runtime_detail::AlarmHandler alarm_handler) {
  return state_->Define(name, std::move(make), alarm_handler);
}

void Runtime::Shutdown() {
  runtime_detail::StubState::RequireNoActor();
  state_->Shutdown();
}

void Runtime::RunDue() { state_->timers().RunDue(); }

AlarmCounters Runtime::alarm_counters() const { return state_->alarms().counters(); }

size_t Runtime::resident_count() const { return state_->resident_count(); }

}  // namespace tidemark
