#include "engine/internal/record.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "engine/bookmark.h"
#include "engine/check.h"

namespace tidemark::internal {
namespace {

// A chain is bounded by what it costs to read, in units of 256 bytes of byte ranges. A zstd patch
// takes 1 to 2 us to apply, ten times as long as ranges: it counts for four more.
constexpr size_t kZstdPatchUnits = 4;

void AppendPageSize(Buffer& out, uint32_t page_size) {
  out.push_back(static_cast<std::byte>(page_size == 0 ? 0 : std::countr_zero(page_size)));
}

// 0 stands for a database that has no page size yet.
bool DecodePageSize(uint8_t log2, uint32_t& page_size) {
  page_size = 0;
  if (log2 == 0) return true;
  if (log2 < 9 || log2 > 16) return false;
  page_size = uint32_t{1} << log2;
  return true;
}

void AppendId(Buffer& out, const ObjectId& id) { AppendBytes(out, id.bytes); }

ObjectId ReadId(Reader& reader) {
  ObjectId id;
  const ConstBytes bytes = reader.Span(id.bytes.size());
  if (bytes.size() == id.bytes.size()) std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

void AppendBatchReference(Buffer& out, const BatchReference& batch) {
  AppendVarint(out, batch.location.segment);
  AppendVarint(out, batch.location.offset);
  AppendFixed(out, batch.record_hash);
}

BatchReference ReadBatchReference(Reader& reader) {
  BatchReference batch;
  batch.location.segment = reader.Varint32();
  batch.location.offset = reader.Varint32();
  batch.record_hash = reader.Fixed<uint64_t>();
  return batch;
}

// Nothing if it is more than an alarm can be.
std::optional<Timestamp> ReadAlarm(Reader& reader) {
  const uint64_t number = reader.Varint();
  if (!reader.ok() || number > format::kMaxAlarm) return std::nullopt;
  return AlarmOf(number);
}

}  // namespace

std::optional<Timestamp> RecordedAlarm(std::optional<Timestamp> alarm) {
  if (!alarm) return alarm;
  return std::chrono::floor<std::chrono::milliseconds>(std::max(*alarm, Timestamp()));
}

uint64_t AlarmNumber(Timestamp alarm) {
  return static_cast<uint64_t>(alarm.time_since_epoch().count()) / 1000;
}

Timestamp AlarmOf(uint64_t number) {
  return Timestamp(std::chrono::milliseconds(static_cast<int64_t>(number)));
}

uint64_t SeededHash(ConstBytes bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t NamespaceTag(std::string_view name) {
  return XXH3_64bits_withSeed(name.data(), name.size(), 0);
}

void EncodeFrame(const FrameFields& f, Buffer& out) {
  AppendVarint(out, f.timeline.value);
  const int flags = (f.batch_count == 0 ? 0 : format::kFrameHasBatches) |
                    (f.alarm ? format::kFrameHasAlarm : 0) |
                    (f.schema_changed ? format::kFrameChangesSchema : 0);
  out.push_back(static_cast<std::byte>(flags));
  AppendPageSize(out, f.page_size);
  AppendVarint(out, f.page_count);
  AppendFixed(out, f.state_hash);
  AppendVarint(out, f.version_count);
  if (f.batch_count > 0) {
    AppendVarint(out, f.batch_count);
    AppendVarint(out, f.batch_versions);
    AppendVarint(out, f.batch_bytes);
    AppendBatchReference(out, f.last_batch);
  }
  if (f.alarm) AppendVarint(out, AlarmNumber(*f.alarm));
}

std::optional<FrameFields> DecodeFrame(ConstBytes fields) {
  Reader reader(fields);
  FrameFields f;
  f.timeline = TimelineId(reader.Varint());
  const auto flags = reader.Fixed<uint8_t>();
  const auto log2_page_size = reader.Fixed<uint8_t>();
  f.page_count = reader.Varint32();
  f.state_hash = reader.Fixed<uint64_t>();
  f.version_count = reader.Varint32();
  constexpr uint8_t kKnown =
      format::kFrameHasBatches | format::kFrameHasAlarm | format::kFrameChangesSchema;
  if (!reader.ok() || (flags & ~kKnown) != 0) return std::nullopt;
  if (!DecodePageSize(log2_page_size, f.page_size)) return std::nullopt;
  f.schema_changed = (flags & format::kFrameChangesSchema) != 0;
  if ((flags & format::kFrameHasBatches) != 0) {
    f.batch_count = reader.Varint32();
    f.batch_versions = reader.Varint();
    f.batch_bytes = reader.Varint();
    f.last_batch = ReadBatchReference(reader);
    if (f.batch_count == 0) return std::nullopt;
  }
  if ((flags & format::kFrameHasAlarm) != 0) {
    f.alarm = ReadAlarm(reader);
    if (!f.alarm) return std::nullopt;
  }
  if (!reader.AtEnd()) return std::nullopt;
  return f;
}

void EncodeBatch(const BatchFields& f, Buffer& out) {
  AppendVarint(out, f.number);
  if (f.number != 1) AppendBatchReference(out, f.previous);
  AppendVarint(out, f.pages.size());
  uint32_t previous = 0;
  for (const BatchEntry& entry : f.pages) {
    CHECK(entry.page.value > previous);
    AppendVarint(out, entry.page.value - previous);
    AppendVarint(out, entry.length);
    AppendFixed(out, entry.depth);
    AppendFixed(out, entry.chain_units);
    AppendFixed(out, entry.hash);
    previous = entry.page.value;
  }
}

std::optional<BatchFields> DecodeBatch(ConstBytes fields) {
  Reader reader(fields);
  BatchFields f;
  f.number = reader.Varint32();
  if (f.number > 1) f.previous = ReadBatchReference(reader);
  const uint64_t count = reader.Varint();
  if (f.number == 0 || count == 0 || count > reader.remaining()) return std::nullopt;
  f.pages.reserve(static_cast<size_t>(count));
  uint64_t page = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t step = reader.Varint32();
    page += step;
    if (step == 0 || page > UINT32_MAX) return std::nullopt;
    BatchEntry entry;
    entry.page = PageNo(static_cast<uint32_t>(page));
    entry.length = reader.Varint32();
    entry.depth = reader.Fixed<uint8_t>();
    entry.chain_units = reader.Fixed<uint8_t>();
    entry.hash = reader.Fixed<uint64_t>();
    if (entry.length == 0) return std::nullopt;
    f.pages.push_back(entry);
  }
  if (!reader.AtEnd()) return std::nullopt;
  return f;
}

void EncodeOpen(const OpenFields& f, Buffer& out) {
  AppendVarint(out, f.epoch);
  AppendVarint(out, f.previous_end.value);
  AppendString(out, f.library_version);
}

std::optional<OpenFields> DecodeOpen(ConstBytes fields) {
  Reader reader(fields);
  OpenFields f;
  f.epoch = reader.Varint32();
  f.previous_end = Lsn(reader.Varint());
  f.library_version = reader.String();
  if (!reader.AtEnd()) return std::nullopt;
  return f;
}

void EncodeNamespace(const NamespaceFields& f, Buffer& out) {
  AppendString(out, f.name);
  AppendString(out, f.unique_key);
}

std::optional<NamespaceFields> DecodeNamespace(ConstBytes fields) {
  Reader reader(fields);
  NamespaceFields f;
  f.name = reader.String();
  f.unique_key = reader.String();
  // Keys of the index, and what is printed, rely on names being such.
  if (!reader.AtEnd() || !ValidateNamespaceName(f.name).ok()) return std::nullopt;
  return f;
}

void EncodeObject(const ObjectFields& f, Buffer& out) {
  AppendVarint(out, f.namespace_id);
  AppendId(out, f.id);
  AppendString(out, f.name);
}

std::optional<ObjectFields> DecodeObject(ConstBytes fields) {
  Reader reader(fields);
  ObjectFields f;
  f.namespace_id = reader.Varint();
  f.id = ReadId(reader);
  f.name = reader.String();
  if (!reader.AtEnd() || !(f.name.empty() || ValidateName("object name", f.name).ok())) {
    return std::nullopt;
  }
  return f;
}

void EncodeTimeline(const TimelineFields& f, Buffer& out) {
  const int alarm = f.alarm ? format::kTimelineHasAlarm : 0;
  out.push_back(static_cast<std::byte>(static_cast<int>(f.operation) | alarm));
  AppendId(out, f.object);
  AppendVarint(out, f.ended.value);
  AppendVarint(out, f.parent.value);
  AppendVarint(out, f.parent_lsn.value);
  AppendPageSize(out, f.page_size);
  AppendVarint(out, f.page_count);
  AppendFixed(out, f.state_hash);
  AppendString(out, f.from);
  AppendString(out, f.to);
  if (f.alarm) AppendVarint(out, AlarmNumber(*f.alarm));
  if (f.operation == format::TimelineOperation::kScheduledRestore) {
    AppendVarint(out, f.session.value);
  }
}

std::optional<TimelineFields> DecodeTimeline(ConstBytes fields) {
  Reader reader(fields);
  TimelineFields f;
  const auto operation = reader.Fixed<uint8_t>();
  const bool has_alarm = (operation & format::kTimelineHasAlarm) != 0;
  f.operation =
      static_cast<format::TimelineOperation>(operation & ~unsigned{format::kTimelineHasAlarm});
  f.object = ReadId(reader);
  f.ended = TimelineId(reader.Varint());
  f.parent = TimelineId(reader.Varint());
  f.parent_lsn = Lsn(reader.Varint());
  const auto log2_page_size = reader.Fixed<uint8_t>();
  f.page_count = reader.Varint32();
  f.state_hash = reader.Fixed<uint64_t>();
  f.from = reader.String();
  f.to = reader.String();
  if (has_alarm) f.alarm = ReadAlarm(reader);
  if (f.operation == format::TimelineOperation::kScheduledRestore) {
    f.session = Lsn(reader.Varint());
    if (!f.session.valid() || f.session.value > format::kMaxLsn) return std::nullopt;
  }
  if (!reader.AtEnd() || !DecodePageSize(log2_page_size, f.page_size)) return std::nullopt;
  if (has_alarm != f.alarm.has_value()) return std::nullopt;
  switch (f.operation) {
    case format::TimelineOperation::kRestore:
    case format::TimelineOperation::kScheduledRestore:
    case format::TimelineOperation::kFork:
    case format::TimelineOperation::kPromote:
    case format::TimelineOperation::kUndelete: return f;
    case format::TimelineOperation::kDelete:
    case format::TimelineOperation::kRewrite: return has_alarm ? std::nullopt : std::optional(f);
  }
  return std::nullopt;
}

void EncodeLabel(const LabelFields& f, Buffer& out) {
  out.push_back(static_cast<std::byte>(f.operation));
  AppendId(out, f.object);
  AppendString(out, f.name);
  if (f.operation == format::LabelOperation::kRemove) return;
  out.push_back(static_cast<std::byte>(f.automatic ? format::kLabelIsAutomatic : 0));
  AppendVarint(out, f.timeline.value);
  AppendVarint(out, f.commit.value);
  AppendVarint(out, f.epoch);
  AppendFixed(out, f.state_hash);
}

std::optional<LabelFields> DecodeLabel(ConstBytes fields) {
  Reader reader(fields);
  LabelFields f;
  const auto operation = reader.Fixed<uint8_t>();
  f.operation = static_cast<format::LabelOperation>(operation);
  f.object = ReadId(reader);
  f.name = reader.String();
  if (f.operation == format::LabelOperation::kSet) {
    const auto flags = reader.Fixed<uint8_t>();
    f.automatic = flags == format::kLabelIsAutomatic;
    f.timeline = TimelineId(reader.Varint());
    f.commit = Lsn(reader.Varint());
    f.epoch = reader.Varint32();
    f.state_hash = reader.Fixed<uint64_t>();
    if ((flags & ~format::kLabelIsAutomatic) != 0) return std::nullopt;
  } else if (f.operation != format::LabelOperation::kRemove) {
    return std::nullopt;
  }
  if (!reader.AtEnd() || !ValidateLabelName(f.name).ok()) return std::nullopt;
  return f;
}

AppendedRecord AppendRecord(RecordKind kind, const RecordPlace& place, ConstBytes fields,
                            ConstBytes payload, uint64_t incarnation, Buffer& out) {
  std::byte common[3 * kMaxVarintBytes];
  std::byte* common_end = StoreVarint(common, place.lsn);
  common_end = StoreVarint(common_end, place.time_delta);
  common_end = StoreVarint(common_end, place.group_offset);
  const auto common_length = static_cast<size_t>(common_end - common);

  const size_t begin = out.size();
  out.resize(begin + kRecordOverhead + fields.size() + payload.size());
  std::byte* at = out.data() + begin;
  *at++ = static_cast<std::byte>(kind);
  at = StoreVarint(at, common_length + fields.size());
  at = StoreVarint(at, payload.size());
  at = std::copy(common, common_end, at);
  if (!fields.empty()) at = std::copy(fields.begin(), fields.end(), at);
  const ConstBytes hashed(out.data() + begin, static_cast<size_t>(at - (out.data() + begin)));
  AppendedRecord appended;
  appended.hash = SeededHash(hashed, incarnation);
  StoreFixed(at, appended.hash);
  at += sizeof(appended.hash);
  appended.payload_offset = static_cast<size_t>(at - out.data());
  if (!payload.empty()) at = std::copy(payload.begin(), payload.end(), at);
  out.resize(static_cast<size_t>(at - out.data()));
  return appended;
}

ParseOutcome ParseRecord(ConstBytes bytes, uint64_t incarnation, RecordView& out) {
  // The lengths take at most 11 bytes; ask for more only if they really are not there.
  Reader lengths(bytes.first(std::min<size_t>(bytes.size(), 1 + 2 * kMaxVarintBytes)));
  const auto kind = lengths.Fixed<uint8_t>();
  const uint64_t header_length = lengths.Varint();
  const uint64_t payload_length = lengths.Varint();
  if (!lengths.ok()) {
    out.length = 1 + 2 * kMaxVarintBytes;
    return bytes.size() < out.length ? ParseOutcome::kShort : ParseOutcome::kBad;
  }
  if (kind < static_cast<uint8_t>(RecordKind::kFrame) ||
      kind > static_cast<uint8_t>(RecordKind::kSchedule) ||
      kind == static_cast<uint8_t>(RecordKind::kMigration)) {
    return ParseOutcome::kBad;
  }
  constexpr uint64_t kMaxLength = uint64_t{1} << 30;
  if (header_length > kMaxLength || payload_length > kMaxLength) return ParseOutcome::kBad;
  const size_t header_end = lengths.position() + static_cast<size_t>(header_length);
  out.payload_offset = header_end + sizeof(uint64_t);
  if (bytes.size() < out.payload_offset) {
    out.length = out.payload_offset;
    return ParseOutcome::kShort;
  }
  out.hash = LoadFixed<uint64_t>(bytes.data() + header_end);
  if (out.hash != SeededHash(bytes.first(header_end), incarnation)) return ParseOutcome::kBad;
  Reader header(bytes.subspan(lengths.position(), static_cast<size_t>(header_length)));
  out.place.lsn = header.Varint();
  out.place.time_delta = header.Varint();
  out.place.group_offset = header.Varint32();
  if (!header.ok()) return ParseOutcome::kBad;
  out.fields = header.Span(header.remaining());
  out.kind = static_cast<RecordKind>(kind);
  out.payload_length = static_cast<size_t>(payload_length);
  out.length = out.payload_offset + out.payload_length;
  return ParseOutcome::kOk;
}

std::optional<PageVersionView> ParsePageVersion(ConstBytes bytes) {
  Reader reader(bytes);
  PageVersionView view;
  view.page = PageNo(reader.Varint32());
  const auto form = reader.Fixed<uint8_t>();
  view.hash = reader.Fixed<uint64_t>();
  if (form > static_cast<uint8_t>(format::PageForm::kZstdPatch)) return std::nullopt;
  view.form = static_cast<format::PageForm>(form);
  if (format::IsPatch(view.form)) {
    view.depth = reader.Fixed<uint8_t>();
    view.chain_units = reader.Fixed<uint8_t>();
    view.base_lsn = Lsn(reader.Varint());
    view.base.segment = reader.Varint32();
    view.base.offset = reader.Varint32();
    view.base_length = reader.Varint32();
    if (view.depth == 0 || view.depth >= PageVersion::kBlock || !view.base_lsn.valid() ||
        (view.base_length == 0) != (view.base.segment == 0)) {
      return std::nullopt;
    }
  }
  const uint32_t data_length = reader.Varint32();
  if (data_length > 2 * format::kMaxPageSize) return std::nullopt;
  if (view.form == format::PageForm::kZero && data_length != 0) return std::nullopt;
  view.data = reader.Span(data_length);
  if (!reader.ok() || !view.page.valid()) return std::nullopt;
  view.length = reader.position();
  return view;
}

void AppendPageVersion(PageNo page, format::PageForm form, uint64_t hash, const PageVersion* base,
                       ConstBytes data, Buffer& out, PageVersion& version) {
  const size_t begin = out.size();
  out.resize(begin + kPageVersionOverhead + data.size());
  std::byte* at = out.data() + begin;
  at = StoreVarint(at, page.value);
  *at++ = static_cast<std::byte>(form);
  StoreFixed(at, hash);
  at += sizeof(hash);
  version.hash = hash;
  version.depth = 0;
  version.chain_units = 0;
  if (base != nullptr) {
    version.depth = static_cast<uint8_t>(base->depth + 1);
    const size_t units =
        (data.size() + 255) / 256 + (form == format::PageForm::kZstdPatch ? kZstdPatchUnits : 0);
    const size_t chain_units = base->chain_units + units;
    version.chain_units = static_cast<uint8_t>(std::min<size_t>(chain_units, 255));
    *at++ = static_cast<std::byte>(version.depth);
    *at++ = static_cast<std::byte>(version.chain_units);
    at = StoreVarint(at, base->lsn.value);
    at = StoreVarint(at, base->location.segment);
    at = StoreVarint(at, base->location.offset);
    at = StoreVarint(at, base->length);
  }
  at = StoreVarint(at, data.size());
  if (!data.empty()) at = std::copy(data.begin(), data.end(), at);
  out.resize(static_cast<size_t>(at - out.data()));
  version.length = static_cast<uint32_t>(out.size() - begin);
}

}  // namespace tidemark::internal
