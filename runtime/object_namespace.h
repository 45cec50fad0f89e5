// ObjectNamespace: the actors of one class, by names and ids.
//
// Threads: any.

#ifndef TIDEMARK_RUNTIME_OBJECT_NAMESPACE_H_
#define TIDEMARK_RUNTIME_OBJECT_NAMESPACE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/export.h"
#include "runtime/actor_id.h"
#include "runtime/listing.h"
#include "runtime/stub.h"

namespace tidemark {

namespace runtime_detail {

// What is the same for all classes.
class TIDEMARK_API NamespaceState {
 public:
  NamespaceState(std::shared_ptr<internal::RuntimeState> runtime,
                 std::shared_ptr<const internal::ActorClass> actor_class);

  const std::string& name() const;
  ActorId IdFromName(std::string_view name) const;
  ActorId NewUniqueId() const;
  ActorId IdFromString(std::string_view hex) const;
  StubState Get(const ActorId& id) const;
  StubState GetExisting(const ActorId& id) const;
  ActorPage List(const PageOptions& options) const;

 private:
  std::shared_ptr<internal::RuntimeState> runtime_;
  std::shared_ptr<const internal::ActorClass> class_;
};

}  // namespace runtime_detail

template <typename T>
class ObjectNamespace {
 public:
  // Runtime::Define makes them.
  ObjectNamespace(std::shared_ptr<internal::RuntimeState> runtime,
                  std::shared_ptr<const internal::ActorClass> actor_class)
      : state_(std::move(runtime), std::move(actor_class)) {}

  const std::string& name() const { return state_.name(); }

  // The same name, the same id. None of these makes an object. Any bytes are a name, none too. The
  // id, and the actor that is got by it, knows names of up to 1024 bytes; the store keeps those
  // that ValidateName allows, of up to 512, and lists objects by them: others are listed without a
  // name.
  ActorId IdFromName(std::string_view name) const { return state_.IdFromName(name); }
  // An id that nobody else has; it has no name.
  ActorId NewUniqueId() const { return state_.NewUniqueId(); }
  // From what ActorId::ToString gave; it has no name. Errors: kInvalidArgument: "must be 64 hex
  // digits", "not valid for this namespace".
  ActorId IdFromString(std::string_view hex) const { return state_.IdFromString(hex); }

  // Errors: kInvalidArgument if the id is of another namespace.
  Stub<T> Get(const ActorId& id) const { return Stub<T>(state_.Get(id)); }
  Stub<T> GetByName(std::string_view name) const { return Get(IdFromName(name)); }
  // If something is stored of it, confirmed or not. Errors: kNotFound; as Get; those of the store.
  Stub<T> GetExisting(const ActorId& id) const { return Stub<T>(state_.GetExisting(id)); }

  // What is stored of this class, page by page. Errors: kInvalidArgument (the limit; `after` is no
  // cursor of this namespace); those of the store.
  ActorPage List(const PageOptions& options = {}) const { return state_.List(options); }

 private:
  runtime_detail::NamespaceState state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_OBJECT_NAMESPACE_H_
