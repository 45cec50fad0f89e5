#include "api/internal/key_range.h"

#include <algorithm>

#include "api/error.h"

namespace tidemark::internal {

std::optional<std::string> AfterPrefix(std::string_view prefix) {
  std::string after(prefix);
  while (!after.empty() && after.back() == '\xff') after.pop_back();
  if (after.empty()) return std::nullopt;
  ++after.back();
  return after;
}

KeyRange RangeOf(const ListOptions& options) {
  if (options.start && options.start_after) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "list() cannot be called with both start and startAfter: give one of them"));
  }
  if (options.limit && *options.limit <= 0) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "List limit must be positive, and it is " + std::to_string(*options.limit)));
  }
  KeyRange range{.low = options.start.value_or(""), .high = options.end};
  if (options.start_after) range.low = *options.start_after + '\0';
  if (options.prefix) {
    range.low = std::max(range.low, *options.prefix);
    const std::optional<std::string> after = AfterPrefix(*options.prefix);
    if (after && (!range.high || *range.high > *after)) range.high = after;
  }
  range.empty = range.high && *range.high <= range.low;
  return range;
}

}  // namespace tidemark::internal
