#include "engine/internal/purge_record.h"

#include <algorithm>

#include "engine/format.h"
#include "engine/internal/coding.h"

namespace tidemark::internal {

void EncodePurge(const PurgeRow& row, Buffer& out) {
  AppendBytes(out, row.object.bytes);
  AppendVarint(out, row.namespace_id);
  AppendVarint(out, row.timelines.size());
  uint64_t before = 0;
  for (const TimelineId timeline : row.timelines) {
    AppendVarint(out, timeline.value - before);
    before = timeline.value;
  }
}

std::optional<PurgeRow> DecodePurge(ConstBytes fields) {
  Reader reader(fields);
  PurgeRow row;
  const ConstBytes id = reader.Span(row.object.bytes.size());
  std::copy(id.begin(), id.end(), row.object.bytes.begin());  // none if there are too few
  row.namespace_id = reader.Varint();
  const uint64_t count = reader.Varint();
  if (!reader.ok() || row.namespace_id == 0 || count == 0 || count > reader.remaining()) {
    return std::nullopt;
  }
  row.timelines.reserve(static_cast<size_t>(count));
  uint64_t last = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t step = reader.Varint();
    if (step == 0 || step > format::kMaxLsn - last) return std::nullopt;
    last += step;
    row.timelines.emplace_back(last);
  }
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

}  // namespace tidemark::internal
