#include "runtime/actor_error.h"

#include <utility>

namespace tidemark {

ActorError::ActorError(ActorFailure failure, Status status, std::optional<ObjectId> id,
                       std::exception_ptr cause)
    : Error(std::move(status)), failure_(failure), id_(id), cause_(std::move(cause)) {}

ActorError::~ActorError() = default;

}  // namespace tidemark
