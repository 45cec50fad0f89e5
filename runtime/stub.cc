#include "runtime/stub.h"
#include "runtime/object_namespace.h"

#include <mutex>

#include "runtime/actor_error.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::runtime_detail {

using internal::ActorClass;
using internal::ActorHost;
using internal::CurrentTurn;
using internal::Fate;
using internal::RuntimeState;

// The instance that the last call went to.
struct StubState::Connection {
  std::mutex mutex;  // held while a call is handed over, so that calls stay in order
  std::weak_ptr<ActorHost> host;
  std::shared_ptr<const Fate> fate;

  void Deliver(RuntimeState& runtime, const std::shared_ptr<const ActorClass>& actor_class,
               const ActorId& id, const std::shared_ptr<CallBase>& call);
};

namespace {

// That an id knows, as Durable Objects' do.
constexpr size_t kMostNameBytes = 1024;

bool IsReset(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ActorError& actor_error) {
    return actor_error.reset();
  } catch (...) {
    return true;
  }
}

}  // namespace

void StubState::Connection::Deliver(RuntimeState& runtime,
                                    const std::shared_ptr<const ActorClass>& actor_class,
                                    const ActorId& id, const std::shared_ptr<CallBase>& call) {
  std::unique_lock lock(mutex);
  if (const auto error = fate == nullptr ? nullptr : fate->broken();
      error != nullptr && IsReset(error)) {
    lock.unlock();
    call->Drop(error);
    return;
  }
  try {
    std::shared_ptr<ActorHost> at = host.lock();
    if (at == nullptr) at = runtime.HostOf(actor_class, id);
    while (!at->Deliver(call)) at = runtime.HostOf(actor_class, id);
    host = at;
    fate = at->fate();
  } catch (const ActorError&) {
    lock.unlock();
    call->Drop(std::current_exception());
  }
}

// A call from within an actor, which waits for what that one wrote.
class StubState::OutgoingCall final : public Outgoing {
 public:
  OutgoingCall(const StubState& stub, std::shared_ptr<CallBase> call)
      : runtime_(stub.runtime_),
        class_(stub.class_),
        id_(stub.id_),
        connection_(stub.connection_),
        call_(std::move(call)) {}

  void Leave() override { connection_->Deliver(*runtime_, class_, id_, call_); }
  void Fail(const std::exception_ptr& error) override { call_->Drop(error); }

 private:
  const std::shared_ptr<RuntimeState> runtime_;
  const std::shared_ptr<const ActorClass> class_;
  const ActorId id_;
  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<CallBase> call_;
};

StubState::StubState(std::shared_ptr<RuntimeState> runtime,
                     std::shared_ptr<const ActorClass> actor_class, ActorId id)
    : runtime_(std::move(runtime)),
      class_(std::move(actor_class)),
      id_(std::move(id)),
      connection_(std::make_shared<Connection>()) {}

StubState::StubState(const StubState& other) : StubState(other.runtime_, other.class_, other.id_) {}

StubState::~StubState() = default;

void StubState::Send(const std::shared_ptr<CallBase>& call) {
  const TraceId trace = TraceScope::Current();
  call->trace = trace.none() ? TraceId::New() : trace;
  if (ActorHost* const from = CurrentTurn().host) {
    from->SendOut(std::make_shared<OutgoingCall>(*this, call));
  } else if (runtime_->stopping()) {
    call->Drop(std::make_exception_ptr(runtime_->ShutDownError(*class_, id_)));
  } else {
    connection_->Deliver(*runtime_, class_, id_, call);
  }
}

void StubState::RequireNoActor() {
  if (CurrentTurn().host == nullptr) return;
  throw Error(Status(StatusCode::kInvalidArgument,
                     "this call blocks, and an actor must not: use co_await"));
}

// ---- namespaces --------------------------------------------------------------------------------

NamespaceState::NamespaceState(std::shared_ptr<RuntimeState> runtime,
                               std::shared_ptr<const ActorClass> actor_class)
    : runtime_(std::move(runtime)), class_(std::move(actor_class)) {}

const std::string& NamespaceState::name() const { return class_->name; }

ActorId NamespaceState::IdFromName(std::string_view name) const {
  ActorId id{.object = class_->ids.FromName(name)};
  if (name.size() <= kMostNameBytes) id.name = name;
  return id;
}

ActorId NamespaceState::NewUniqueId() const { return {.object = class_->ids.NewUnique()}; }

ActorId NamespaceState::IdFromString(std::string_view hex) const {
  auto id = class_->ids.FromString(hex);
  if (!id.ok()) throw Error(id.status());
  return {.object = *id};
}

StubState NamespaceState::Get(const ActorId& id) const {
  if (!class_->ids.Owns(id.object)) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "the id " + id.ToString() + " is not valid for the namespace " + name()));
  }
  return StubState(runtime_, class_, id);
}

}  // namespace tidemark::runtime_detail
