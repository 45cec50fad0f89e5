// Records of scheduled restores to and from bytes, as engine/format.h gives them, and what the
// index keeps of one that waits.

#ifndef TIDEMARK_ENGINE_INTERNAL_SCHEDULE_RECORD_H_
#define TIDEMARK_ENGINE_INTERNAL_SCHEDULE_RECORD_H_

#include <cstdint>
#include <optional>

#include "engine/clock.h"
#include "engine/internal/page_codec.h"
#include "engine/lsn.h"
#include "engine/object.h"
#include "engine/object_id.h"

namespace tidemark::internal {

// A restore that waits for the object's next session; or, not set, that none does.
struct ScheduleRow {
  ObjectId object{};
  uint64_t namespace_id = 0;
  bool set = false;
  Lsn lsn{};         // of the record
  Timestamp time{};  // of that record
  // Of the first record of those that replaced each other since none waited: what the bookmarks
  // of the session's end have.
  Lsn session{};
  // The commit that is to come back, and whose it is: the object's own, or another's.
  uint64_t source_namespace = 0;
  ObjectId source{};
  TimelineId timeline{};
  Lsn commit{};
  uint32_t epoch = 0;
  uint64_t state_hash = 0;
  // The alarm that the object has then, if it is not that of the commit, of its own, or none, of
  // another's.
  std::optional<RestoreOptions> options{};
  bool operator==(const ScheduleRow&) const = default;
};

// The record: all but `lsn` and `time`. In one that begins a session `session` is not valid.
void EncodeSchedule(const ScheduleRow& row, Buffer& out);
std::optional<ScheduleRow> DecodeSchedule(ConstBytes fields);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SCHEDULE_RECORD_H_
