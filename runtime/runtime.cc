#include "runtime/runtime.h"

#include <sstream>

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
    const ClassTraits& traits) {
  return state_->Define({.name = name,
                         .space = name,
                         .ids = ObjectIdFactory(name),
                         .make = std::move(make),
                         .type = traits.type,
                         .options = traits.options,
                         .has_alarm_handler = traits.has_alarm_handler,
                         .has_pre_shutdown = traits.has_pre_shutdown});
}

std::shared_ptr<const internal::ActorClass> Runtime::FindClass(const std::string& name,
                                                               std::type_index type) const {
  return state_->FindClass(name, type);
}

MigrationReport Runtime::Migrate(const std::vector<Migration>& migrations) {
  return state_->Migrate(migrations);
}

void Runtime::Shutdown() {
  runtime_detail::StubState::RequireNoActor();
  state_->Shutdown();
}

void Runtime::RunDue() { state_->timers().RunDue(); }

AlarmCounters Runtime::alarm_counters() const { return state_->alarms().counters(); }

NamespacePage Runtime::ListNamespaces(const PageOptions& options) const {
  return state_->ListNamespaces(options);
}

void Runtime::WriteMetrics(std::ostream& out) const { state_->WriteMetrics(out); }

std::string Runtime::Metrics() const {
  std::ostringstream out;
  WriteMetrics(out);
  return out.str();
}

size_t Runtime::resident_count() const { return state_->resident_count(); }

}  // namespace tidemark
