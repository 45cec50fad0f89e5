// SafetyLabels: automatic labels before statements that may take away more than was meant.

#ifndef TIDEMARK_TOOLS_SAFETY_LABELS_H_
#define TIDEMARK_TOOLS_SAFETY_LABELS_H_

#include <cstdint>
#include <string>

#include "engine/object.h"

namespace tidemark::tools {

// Makes an automatic label of the object's latest commit before it may be regretted: at most one a
// commit, and none of an object that does not exist. None is waited for.
class SafetyLabels {
 public:
  // `object` must outlive it.
  explicit SafetyLabels(Object& object) : object_(object) {}

  // `what` is about to be done: "drop", "delete".
  Status Before(const std::string& what);

  const std::string& first() const { return first_; }  // empty if none was made
  uint64_t count() const { return count_; }

 private:
  Object& object_;
  Lsn labelled_;
  std::string first_;
  uint64_t count_ = 0;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SAFETY_LABELS_H_
