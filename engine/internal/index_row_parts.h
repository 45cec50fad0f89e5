// What several kinds of rows of the index have: see index_rows.h.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_ROW_PARTS_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_ROW_PARTS_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "engine/clock.h"
#include "engine/internal/coding.h"
#include "engine/internal/index_rows.h"
#include "engine/object_id.h"

namespace tidemark::internal {

inline void AppendLocation(std::vector<std::byte>& out, Location location) {
  AppendFixed(out, location.segment);
  AppendFixed(out, location.offset);
}

inline Location ReadLocation(Reader& reader) {
  Location location;
  location.segment = reader.Fixed<uint32_t>();
  location.offset = reader.Fixed<uint32_t>();
  return location;
}

inline void AppendTime(std::vector<std::byte>& out, Timestamp time) {
  AppendFixed(out, time.time_since_epoch().count());
}

inline Timestamp ReadTime(Reader& reader) {
  return Timestamp(std::chrono::microseconds(reader.Fixed<int64_t>()));
}

inline ObjectId ReadObjectId(Reader& reader) {
  ObjectId id;
  const ConstBytes bytes = reader.Span(id.bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());  // none if there are too few
  return id;
}

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_ROW_PARTS_H_
