#include "engine/internal/schedule_record.h"

#include <algorithm>

#include "engine/format.h"
#include "engine/internal/coding.h"
#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

ObjectId ReadId(Reader& reader) {
  ObjectId id;
  const ConstBytes bytes = reader.Span(id.bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());  // none if there are too few
  return id;
}

using format::ScheduleAlarm;
using format::ScheduleOperation;

ScheduleAlarm ChoiceOf(const RestoreOptions& options) {
  if (options.alarm) return ScheduleAlarm::kThis;
  switch (options.alarms) {
    case Alarms::kRestore: return ScheduleAlarm::kRestore;
    case Alarms::kKeep: return ScheduleAlarm::kKeep;
    case Alarms::kClear: break;
  }
  return ScheduleAlarm::kClear;
}

// Nothing if they are not as EncodeSchedule writes them; `own` says whose commit it is.
std::optional<RestoreOptions> ReadOptions(Reader& reader, bool own) {
  switch (static_cast<ScheduleAlarm>(reader.Fixed<uint8_t>())) {
    case ScheduleAlarm::kRestore:
      if (own) break;
      return RestoreOptions{.alarms = Alarms::kRestore};
    case ScheduleAlarm::kKeep: return RestoreOptions{.alarms = Alarms::kKeep};
    case ScheduleAlarm::kClear:
      if (!own) break;
      return RestoreOptions{.alarms = Alarms::kClear};
    case ScheduleAlarm::kThis: {
      const uint64_t number = reader.Varint();
      if (!reader.ok() || number > format::kMaxAlarm) break;
      return RestoreOptions{.alarm = AlarmOf(number)};
    }
  }
  return std::nullopt;
}

}  // namespace

void EncodeSchedule(const ScheduleRow& row, Buffer& out) {
  const auto set = row.options ? ScheduleOperation::kSetWithAlarm : ScheduleOperation::kSet;
  out.push_back(static_cast<std::byte>(row.set ? set : ScheduleOperation::kCancel));
  AppendVarint(out, row.namespace_id);
  AppendBytes(out, row.object.bytes);
  if (!row.set) return;
  AppendVarint(out, row.session.value);
  AppendVarint(out, row.source_namespace);
  AppendBytes(out, row.source.bytes);
  AppendVarint(out, row.timeline.value);
  AppendVarint(out, row.commit.value);
  AppendVarint(out, row.epoch);
  AppendFixed(out, row.state_hash);
  if (!row.options) return;
  out.push_back(static_cast<std::byte>(ChoiceOf(*row.options)));
  if (row.options->alarm) AppendVarint(out, AlarmNumber(*row.options->alarm));
}

std::optional<ScheduleRow> DecodeSchedule(ConstBytes fields) {
  Reader reader(fields);
  ScheduleRow row;
  const auto operation = static_cast<ScheduleOperation>(reader.Fixed<uint8_t>());
  const bool with_alarm = operation == ScheduleOperation::kSetWithAlarm;
  row.set = with_alarm || operation == ScheduleOperation::kSet;
  if (!row.set && operation != ScheduleOperation::kCancel) return std::nullopt;
  row.namespace_id = reader.Varint();
  row.object = ReadId(reader);
  if (row.set) {
    row.session = Lsn(reader.Varint());
    row.source_namespace = reader.Varint();
    row.source = ReadId(reader);
    row.timeline = TimelineId(reader.Varint());
    row.commit = Lsn(reader.Varint());
    row.epoch = reader.Varint32();
    row.state_hash = reader.Fixed<uint64_t>();
    if (row.source_namespace == 0 || !row.timeline.valid() || !row.commit.valid() ||
        row.commit.value > format::kMaxLsn || row.session.value > format::kMaxLsn) {
      return std::nullopt;
    }
    if (with_alarm) {
      row.options = ReadOptions(reader, row.source == row.object);
      if (!row.options) return std::nullopt;
    }
  }
  if (!reader.AtEnd() || row.namespace_id == 0) return std::nullopt;
  return row;
}

}  // namespace tidemark::internal
