// Which keys a list means.

#ifndef TIDEMARK_API_INTERNAL_KEY_RANGE_H_
#define TIDEMARK_API_INTERNAL_KEY_RANGE_H_

#include <optional>
#include <string>
#include <string_view>

#include "api/kv.h"

namespace tidemark::internal {

// Keys at or above `low` and, if there is one, below `high`.
struct KeyRange {
  std::string low;
  std::optional<std::string> high;
  bool empty = false;
};

// Throws Error (kInvalidArgument).
KeyRange RangeOf(const ListOptions& options);

// The first key that does not begin with `prefix` and stands behind those that do; none if it is
// all 0xFF.
std::optional<std::string> AfterPrefix(std::string_view prefix);

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_KEY_RANGE_H_
