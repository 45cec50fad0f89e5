// ActorError: what a call to an actor throws when it did not return.

#ifndef TIDEMARK_RUNTIME_ACTOR_ERROR_H_
#define TIDEMARK_RUNTIME_ACTOR_ERROR_H_

#include <exception>
#include <optional>

#include "api/error.h"
#include "engine/export.h"
#include "engine/object_id.h"

namespace tidemark {

// What happened, and what the caller can do. (SEMANTICS: .remote, .overloaded, .retryable,
// .durableObjectReset.)
enum class ActorFailure {
  kThrown,      // the actor's own code threw: cause() has it. The actor lives on
  kReset,       // the actor was reset, by itself or by an error; storage that was confirmed stays.
                // The stub is broken: get a new one
  kOverloaded,  // too much waits for the actor: do not retry at once
  kDisconnected,  // it could not be reached (the runtime shuts down, the object is in use
                  // elsewhere): retry later, if the call may be made twice
};

class TIDEMARK_API ActorError : public Error {
 public:
  ActorError(ActorFailure failure, Status status, std::optional<ObjectId> id = std::nullopt,
             std::exception_ptr cause = nullptr);
  ~ActorError() override;

  ActorFailure failure() const { return failure_; }
  bool remote() const { return failure_ == ActorFailure::kThrown; }
  bool overloaded() const { return failure_ == ActorFailure::kOverloaded; }
  bool retryable() const { return failure_ == ActorFailure::kDisconnected; }
  bool reset() const { return failure_ == ActorFailure::kReset; }

  // The object whose actor it was.
  const std::optional<ObjectId>& object_id() const { return id_; }
  // What was thrown, as it was; null if nothing was. To be rethrown by whoever knows its type.
  const std::exception_ptr& cause() const { return cause_; }

 private:
  ActorFailure failure_;
  std::optional<ObjectId> id_;
  std::exception_ptr cause_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_ACTOR_ERROR_H_
