// The index's rows of alarms and of restores that wait, see index_rows.h.

#include <algorithm>

#include "engine/internal/coding.h"
#include "engine/internal/index_row_parts.h"
#include "engine/internal/index_rows.h"

namespace tidemark::internal {

std::vector<std::byte> EncodeAlarmRow(const AlarmRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.namespace_id);
  return out;
}

std::optional<AlarmRow> DecodeAlarmRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key40)) return std::nullopt;
  Reader reader(value);
  AlarmRow row;
  row.due = LoadTimeKey(key);
  Reader id(key.subspan(sizeof(Key8)));
  row.id = ReadObjectId(id);
  row.namespace_id = reader.Fixed<uint64_t>();
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeScheduleRow(const ScheduleRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.lsn.value);
  AppendTime(out, row.time);
  EncodeSchedule(row, out);
  return out;
}

std::optional<ScheduleRow> DecodeScheduleRow(ConstBytes key, ConstBytes value) {
  Reader reader(value);
  const Lsn lsn(reader.Fixed<uint64_t>());
  const Timestamp time = ReadTime(reader);
  auto row = DecodeSchedule(reader.Span(reader.remaining()));
  if (!row || !row->set || !std::ranges::equal(key, row->object.bytes)) return std::nullopt;
  row->lsn = lsn;
  row->time = time;
  return row;
}

}  // namespace tidemark::internal
