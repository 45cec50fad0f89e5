#include "engine/internal/schedule_record.h"

#include <algorithm>

#include "engine/format.h"
#include "engine/internal/coding.h"

namespace tidemark::internal {
namespace {

ObjectId ReadId(Reader& reader) {
  ObjectId id;
  const ConstBytes bytes = reader.Span(id.bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());  // none if there are too few
  return id;
}

}  // namespace

void EncodeSchedule(const ScheduleRow& row, Buffer& out) {
  const auto operation =
      row.set ? format::ScheduleOperation::kSet : format::ScheduleOperation::kCancel;
  out.push_back(static_cast<std::byte>(operation));
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
}

std::optional<ScheduleRow> DecodeSchedule(ConstBytes fields) {
  Reader reader(fields);
  ScheduleRow row;
  const auto operation = static_cast<format::ScheduleOperation>(reader.Fixed<uint8_t>());
  row.set = operation == format::ScheduleOperation::kSet;
  if (!row.set && operation != format::ScheduleOperation::kCancel) return std::nullopt;
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
  }
  if (!reader.AtEnd() || row.namespace_id == 0) return std::nullopt;
  return row;
}

}  // namespace tidemark::internal
