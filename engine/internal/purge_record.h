// Records of purges to and from bytes, as engine/format.h gives them, and what the index keeps of
// one that has not ended.

#ifndef TIDEMARK_ENGINE_INTERNAL_PURGE_RECORD_H_
#define TIDEMARK_ENGINE_INTERNAL_PURGE_RECORD_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/internal/page_codec.h"
#include "engine/lsn.h"
#include "engine/object_id.h"

namespace tidemark::internal {

// A purge that has begun. It has no name in it: the name goes with the rest.
struct PurgeRow {
  ObjectId object{};
  uint64_t namespace_id = 0;
  Lsn lsn{};                            // of its record: what the log tells before it goes
  std::vector<TimelineId> timelines{};  // of the object, in order
  // No file of the log has anything of it any more, its own record included.
  bool log_is_clean = false;
  // Packed segments from this number on were made since: there is nothing of it in them, but for
  // its own record. 0: not known.
  uint32_t first_packed = 0;
  bool operator==(const PurgeRow&) const = default;
};

// The record: all but `lsn`, `log_is_clean` and `first_packed`.
void EncodePurge(const PurgeRow& row, Buffer& out);
std::optional<PurgeRow> DecodePurge(ConstBytes fields);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PURGE_RECORD_H_
