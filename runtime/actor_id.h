// ActorId: which actor of a namespace.

#ifndef TIDEMARK_RUNTIME_ACTOR_ID_H_
#define TIDEMARK_RUNTIME_ACTOR_ID_H_

#include <optional>
#include <string>

#include "engine/object_id.h"

namespace tidemark {

// Equal if they name the same object, whatever is known of its name.
struct ActorId {
  ObjectId object;
  // What it was made of. None of an id that is unique, or that was read from its digits.
  std::optional<std::string> name{};

  bool operator==(const ActorId& other) const { return object == other.object; }
  std::string ToString() const { return object.ToString(); }
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_ACTOR_ID_H_
