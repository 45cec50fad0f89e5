// The verifier's look at restores that wait for a session.

#include <string>

#include "engine/internal/verifier.h"

namespace tidemark::internal {

// What waits is what the last record of the object says, be it a timeline's.
void Verifier::NoteSchedule(const ScheduleRow& row, Lsn lsn, Location place) {
  LoggedSchedule& last = schedules_[row.object];
  last.row = row;
  last.row.lsn = lsn;
  if (row.set && !row.session.valid()) last.row.session = lsn;
  last.location = place;
}

void Verifier::CheckSchedule(const DirectoryEntry& entry, const RecordView& record,
                             Location place) {
  const auto row = DecodeSchedule(record.fields);
  if (!row) return Report(place, ObjectOf(entry), "the scheduled restore's fields are malformed");
  NoteSchedule(*row, entry.lsn, place);
}

void Verifier::ReportSchedules() {
  const auto name_of = [this](const ScheduleRow& row) {
    const auto object = store_->AdoptObject(row.namespace_id, row.object, "");
    return object.ok() ? (*object)->DisplayName() : row.object.ToString();
  };
  for (const auto& [object, logged] : schedules_) {
    const auto known = store_->schedules().Find(object);
    if (!known.ok()) return Report({}, "", known.status().message());
    if (*known && (*known)->lsn > end_.lsn) continue;  // it came meanwhile
    const ScheduleRow& row = logged.row;
    bool fits = known->has_value() == row.set;
    if (fits && row.set) {
      ScheduleRow expected = row;
      expected.time = (*known)->time;
      fits = **known == expected;
    }
    // Cancelled, or made, meanwhile.
    if (!fits && row.set && !*known && store_->queue().last_lsn() > end_.lsn) continue;
    if (fits) continue;
    Report(logged.location, name_of(row),
           "the index has another restore wait for its next session than the log: it must be "
           "rebuilt from the log");
  }
  const auto waiting = store_->schedules().List();
  if (!waiting.ok()) return Report({}, "", waiting.status().message());
  for (const ScheduleRow& row : *waiting) {
    if (row.lsn > end_.lsn || schedules_.contains(row.object)) continue;
    Report({}, name_of(row),
           "the index has a restore wait for its next session of which the log does not tell");
  }
}

}  // namespace tidemark::internal
