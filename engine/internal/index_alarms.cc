// Index's look-ups of alarms, and of restores that wait, see index.h.

#include "engine/internal/index_impl.h"

namespace tidemark::internal {
namespace {

bool SeekAlarm(LmdbCursor& cursor, const std::optional<AlarmRow>& after) {
  if (!after) {
    const std::byte first[1] = {};  // LMDB has no empty keys
    return cursor.SeekAtOrAfter(first);
  }
  const Key40 key = AlarmKey(after->due, after->id);
  if (!cursor.SeekAtOrAfter(key)) return false;
  return !std::ranges::equal(cursor.key(), key) || cursor.Next();
}

}  // namespace

Result<std::vector<AlarmRow>> Index::ListAlarms(const std::optional<AlarmRow>& after,
                                                Timestamp due_by, size_t limit) const {
  const auto is_due = [due_by](const LmdbCursor& cursor) {
    return cursor.key().size() != sizeof(Key40) || LoadTimeKey(cursor.key()) <= due_by;
  };
  return impl_->List<AlarmRow>(
      kAlarmsTable, [&](LmdbCursor& cursor) { return SeekAlarm(cursor, after) && is_due(cursor); },
      [&](LmdbCursor& cursor) { return cursor.Next() && is_due(cursor); }, DecodeAlarmRow, limit);
}

Result<std::vector<AlarmRow>> Index::ListStrayAlarms(const std::optional<AlarmRow>& after,
                                                     size_t limit,
                                                     std::optional<AlarmRow>* next) const {
  std::vector<AlarmRow> stray;
  next->reset();
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& alarms = read.cursor(kAlarmsTable);
  LmdbCursor& objects = read.cursor(kObjectsTable);
  for (bool there = SeekAlarm(alarms, after); there; there = alarms.Next()) {
    const auto row = DecodeAlarmRow(alarms.key(), alarms.value());
    if (!row) return impl_->Damaged(kAlarmsTable);
    std::optional<ObjectRow> object;
    if (objects.Seek(ObjectKey(row->namespace_id, row->id))) {
      object = DecodeObjectRow(objects.key(), objects.value());
      if (!object) return impl_->Damaged(kObjectsTable);
    }
    if (!object || object->alarm != row->due) stray.push_back(*row);
    if (--limit > 0) continue;
    *next = row;
    break;
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return stray;
}

Result<bool> Index::HasItsAlarm(uint64_t namespace_id, const ObjectId& id) const {
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& objects = read.cursor(kObjectsTable);
  bool has = true;
  if (objects.Seek(ObjectKey(namespace_id, id))) {
    const auto object = DecodeObjectRow(objects.key(), objects.value());
    if (!object) return impl_->Damaged(kObjectsTable);
    if (object->alarm) {
      LmdbCursor& alarms = read.cursor(kAlarmsTable);
      has = alarms.Seek(AlarmKey(*object->alarm, id));
      if (has) {
        const auto row = DecodeAlarmRow(alarms.key(), alarms.value());
        has = row && row->namespace_id == namespace_id;
      }
    }
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return has;
}

uint64_t Index::AlarmCount() const { return impl_->Count(kAlarmsTable); }

Result<std::optional<ScheduleRow>> Index::FindSchedule(const ObjectId& object) const {
  return impl_->Find(
      kSchedulesTable, [&](LmdbCursor& cursor) { return cursor.Seek(object.bytes); },
      DecodeScheduleRow);
}

Result<std::vector<ScheduleRow>> Index::ListSchedules() const {
  return impl_->ListPrefix<ScheduleRow>(kSchedulesTable, {}, DecodeScheduleRow);
}

uint64_t Index::ScheduleCount() const { return impl_->Count(kSchedulesTable); }

}  // namespace tidemark::internal
