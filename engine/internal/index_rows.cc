#include "engine/internal/index_rows.h"

#include <algorithm>
#include <cstring>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/index_row_parts.h"

namespace tidemark::internal {
namespace {

constexpr uint32_t kLengthBits = 17;
constexpr uint32_t kDepthBits = 7;

// Flags of rows of purges.
constexpr uint8_t kPurgeLogIsClean = 1;
constexpr uint8_t kPurgeHasFirstPacked = 2;

bool IsTimelineKind(TimelineKind kind) {
  return kind >= TimelineKind::kCreate && kind <= TimelineKind::kUndelete;
}

}  // namespace

const std::array<LmdbTable, kIndexTableCount> kIndexTables = {{
    {"meta", LmdbTableKind::kPlain},
    {"namespaces", LmdbTableKind::kDuplicates},
    {"objects", LmdbTableKind::kPlain},
    {"timelines", LmdbTableKind::kPlain},
    {"object_timelines", LmdbTableKind::kDuplicates},
    {"pages", LmdbTableKind::kDuplicates},
    {"commits", LmdbTableKind::kPlain},
    {"times", LmdbTableKind::kPlain},
    {"epochs", LmdbTableKind::kPlain},
    {"restores", LmdbTableKind::kPlain},
    {"damage", LmdbTableKind::kPlain},
    {"labels", LmdbTableKind::kPlain},
    {"packed", LmdbTableKind::kPlain},
    {"rules", LmdbTableKind::kPlain},
    {"children", LmdbTableKind::kDuplicates},
    {"runs", LmdbTableKind::kDuplicates},
    {"alarms", LmdbTableKind::kPlain},
    {"schedules", LmdbTableKind::kPlain},
}};

void AppendPageVersion(const PageVersion& version, std::vector<std::byte>& out) {
  CHECK(version.length < 1u << kLengthBits);
  CHECK(version.depth < 1u << kDepthBits);
  const uint32_t shape = version.length | uint32_t{version.depth} << kLengthBits |
                         uint32_t{version.chain_units} << (kLengthBits + kDepthBits);
  AppendBigEndian(out, version.lsn.value);
  AppendFixed(out, shape);
  AppendFixed(out, version.hash);
  AppendLocation(out, version.location);
}

std::optional<PageVersion> DecodePageVersion(ConstBytes value) {
  if (value.size() != kPageVersionBytes) return std::nullopt;
  const auto shape = LoadFixed<uint32_t>(value.data() + 8);
  PageVersion version;
  version.lsn = Lsn(LoadBigEndian<uint64_t>(value.data()));
  version.length = shape & ((1u << kLengthBits) - 1);
  version.depth = static_cast<uint8_t>(shape >> kLengthBits & ((1u << kDepthBits) - 1));
  version.chain_units = static_cast<uint8_t>(shape >> (kLengthBits + kDepthBits));
  version.hash = LoadFixed<uint64_t>(value.data() + 12);
  version.location.segment = LoadFixed<uint32_t>(value.data() + 20);
  version.location.offset = LoadFixed<uint32_t>(value.data() + 24);
  return version;
}

void AppendCommitRunRow(const CommitRunRow& row, std::vector<std::byte>& out) {
  AppendBigEndian(out, row.lsn.value);
  AppendLocation(out, row.location);
  AppendFixed(out, row.count);
}

std::optional<CommitRunRow> DecodeCommitRunRow(ConstBytes value) {
  if (value.size() != kCommitRunRowBytes) return std::nullopt;
  Reader reader(value.subspan(kLsnBytes));
  CommitRunRow row;
  row.lsn = Lsn(LoadBigEndian<uint64_t>(value.data()));
  row.location = ReadLocation(reader);
  row.count = reader.Fixed<uint32_t>();
  return row;
}

std::array<std::byte, kNamespaceRowBytes> EncodeNamespaceRow(const NamespaceRow& row) {
  CHECK(row.name.size() <= kMaxKeyBytes + 1);
  std::array<std::byte, kNamespaceRowBytes> value{};
  if (row.name.size() > kMaxKeyBytes) value[0] = static_cast<std::byte>(row.name.back());
  StoreFixed(value.data() + 1, row.id);
  return value;
}

std::optional<NamespaceRow> DecodeNamespaceRow(ConstBytes key, ConstBytes value) {
  if (value.size() != kNamespaceRowBytes) return std::nullopt;
  NamespaceRow row;
  row.name.assign(reinterpret_cast<const char*>(key.data()), key.size());
  if (value[0] != std::byte{0}) {
    if (key.size() != kMaxKeyBytes) return std::nullopt;
    row.name.push_back(static_cast<char>(value[0]));
  }
  row.id = LoadFixed<uint64_t>(value.data() + 1);
  return row;
}

std::vector<std::byte> EncodeCheckpointRow(const CheckpointRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.lsn.value);
  AppendLocation(out, row.position);
  AppendTime(out, row.time);
  AppendFixed(out, row.group_length);
  AppendFixed(out, row.group_hash);
  return out;
}

std::optional<CheckpointRow> DecodeCheckpointRow(ConstBytes value) {
  Reader reader(value);
  CheckpointRow row;
  row.lsn = Lsn(reader.Fixed<uint64_t>());
  row.position = ReadLocation(reader);
  row.time = ReadTime(reader);
  row.group_length = reader.Fixed<uint32_t>();
  row.group_hash = reader.Fixed<uint64_t>();
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeObjectRow(const ObjectRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.timeline.value);
  AppendFixed(out, row.created.value);
  AppendString(out, row.name);
  if (row.alarm) AppendTime(out, *row.alarm);
  return out;
}

std::optional<ObjectRow> DecodeObjectRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key40)) return std::nullopt;
  Reader key_reader(key.subspan(8));
  Reader reader(value);
  ObjectRow row;
  row.namespace_id = LoadBigEndian<uint64_t>(key.data());
  row.id = ReadObjectId(key_reader);
  row.timeline = TimelineId(reader.Fixed<uint64_t>());
  row.created = Lsn(reader.Fixed<uint64_t>());
  row.name = reader.String();
  if (reader.ok() && reader.remaining() > 0) row.alarm = ReadTime(reader);
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeTimelineRow(const TimelineRow& row) {
  std::vector<std::byte> out;
  out.reserve(80);
  AppendFixed(out, static_cast<uint8_t>(row.kind));
  AppendFixed(out, row.namespace_id);
  AppendBytes(out, row.object.bytes);
  AppendFixed(out, row.parent.value);
  AppendFixed(out, row.parent_lsn.value);
  return out;
}

std::optional<TimelineRow> DecodeTimelineRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key8)) return std::nullopt;
  Reader reader(value);
  TimelineRow row;
  row.id = TimelineId(LoadBigEndian<uint64_t>(key.data()));
  row.kind = static_cast<TimelineKind>(reader.Fixed<uint8_t>());
  row.namespace_id = reader.Fixed<uint64_t>();
  row.object = ReadObjectId(reader);
  row.parent = TimelineId(reader.Fixed<uint64_t>());
  row.parent_lsn = Lsn(reader.Fixed<uint64_t>());
  if (!reader.AtEnd()) return std::nullopt;
  if (!IsTimelineKind(row.kind)) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeEpochRow(const EpochRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.first_lsn.value);
  AppendFixed(out, row.previous_end.value);
  return out;
}

std::optional<EpochRow> DecodeEpochRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key4)) return std::nullopt;
  Reader reader(value);
  EpochRow row;
  row.epoch = LoadNumberKey4(key);
  row.first_lsn = Lsn(reader.Fixed<uint64_t>());
  row.previous_end = Lsn(reader.Fixed<uint64_t>());
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeRestoreRow(const RestoreRow& row) {
  std::vector<std::byte> out;
  AppendTime(out, row.time);
  AppendFixed(out, static_cast<uint8_t>(row.kind));
  AppendString(out, row.from_bookmark);
  AppendString(out, row.to_bookmark);
  if (row.session.valid()) AppendFixed(out, row.session.value);
  return out;
}

std::optional<RestoreRow> DecodeRestoreRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key40)) return std::nullopt;
  Reader key_reader(key);
  Reader reader(value);
  RestoreRow row;
  row.object = ReadObjectId(key_reader);
  row.lsn = Lsn(LoadBigEndian<uint64_t>(key.data() + 32));
  row.time = ReadTime(reader);
  row.kind = static_cast<TimelineKind>(reader.Fixed<uint8_t>());
  row.from_bookmark = reader.String();
  row.to_bookmark = reader.String();
  if (reader.ok() && reader.remaining() > 0) row.session = Lsn(reader.Fixed<uint64_t>());
  if (!reader.AtEnd() || !IsTimelineKind(row.kind)) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeDamageRow(const DamageRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.damage.lsn.value);
  AppendLocation(out, row.damage.location);
  AppendTime(out, row.damage.time);
  AppendFixed(out, row.tag);
  return out;
}

std::optional<DamageRow> DecodeDamageRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(Key8)) return std::nullopt;
  Reader reader(value);
  DamageRow row;
  row.timeline = TimelineId(LoadBigEndian<uint64_t>(key.data()));
  row.damage.lsn = Lsn(reader.Fixed<uint64_t>());
  row.damage.location = ReadLocation(reader);
  row.damage.time = ReadTime(reader);
  row.tag = reader.Fixed<uint64_t>();
  if (!reader.AtEnd()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeLabelRow(const LabelRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, static_cast<uint8_t>(row.automatic));
  AppendFixed(out, row.lsn.value);
  AppendTime(out, row.time);
  AppendFixed(out, row.timeline.value);
  AppendFixed(out, row.commit.value);
  AppendFixed(out, row.epoch);
  AppendFixed(out, row.state_hash);
  return out;
}

std::optional<LabelRow> DecodeLabelRow(ConstBytes key, ConstBytes value) {
  Reader key_reader(key);
  Reader reader(value);
  LabelRow row;
  row.object = ReadObjectId(key_reader);
  const ConstBytes name = key_reader.Span(key_reader.remaining());
  row.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  const auto automatic = reader.Fixed<uint8_t>();
  row.automatic = automatic == 1;
  row.lsn = Lsn(reader.Fixed<uint64_t>());
  row.time = ReadTime(reader);
  row.timeline = TimelineId(reader.Fixed<uint64_t>());
  row.commit = Lsn(reader.Fixed<uint64_t>());
  row.epoch = reader.Fixed<uint32_t>();
  row.state_hash = reader.Fixed<uint64_t>();
  if (!reader.AtEnd() || automatic > 1 || row.name.empty()) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodePackedRow(const PackedRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.first);
  AppendFixed(out, row.last);
  return out;
}

std::optional<PackedRow> DecodePackedRow(ConstBytes key, ConstBytes value) {
  if (key.size() != sizeof(uint32_t)) return std::nullopt;
  Reader reader(value);
  PackedRow row;
  row.number = LoadNumberKey4(key);
  row.first = reader.Fixed<uint32_t>();
  row.last = reader.Fixed<uint32_t>();
  if (!reader.ok() || reader.remaining() != 0) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodePurgeRow(const PurgeRow& row) {
  std::vector<std::byte> out;
  AppendFixed(out, row.lsn.value);
  AppendFixed(out, static_cast<uint8_t>((row.log_is_clean ? kPurgeLogIsClean : 0) |
                                        (row.first_packed != 0 ? kPurgeHasFirstPacked : 0)));
  if (row.first_packed != 0) AppendFixed(out, row.first_packed);
  EncodePurge(row, out);
  return out;
}

std::optional<PurgeRow> DecodePurgeRow(ConstBytes key, ConstBytes value) {
  Reader reader(value);
  const Lsn lsn(reader.Fixed<uint64_t>());
  const auto flags = reader.Fixed<uint8_t>();
  const bool has_first = (flags & kPurgeHasFirstPacked) != 0;
  const uint32_t first_packed = has_first ? reader.Fixed<uint32_t>() : 0;
  auto row = DecodePurge(reader.Span(reader.remaining()));
  if (!row || flags > (kPurgeLogIsClean | kPurgeHasFirstPacked) ||
      has_first != (first_packed != 0) || !std::ranges::equal(key, PurgeKey(row->object))) {
    return std::nullopt;
  }
  row->lsn = lsn;
  row->log_is_clean = (flags & kPurgeLogIsClean) != 0;
  row->first_packed = first_packed;
  return row;
}

std::vector<std::byte> EncodeHealthRow(const StoreHealth& row) {
  std::vector<std::byte> out;
  AppendTime(out, row.last_scrub);
  AppendFixed(out, row.scrub_damage);
  AppendTime(out, row.last_drill);
  AppendFixed(out, static_cast<uint8_t>(row.last_drill_ok));
  AppendTime(out, row.oldest_verified);
  return out;
}

std::optional<StoreHealth> DecodeHealthRow(ConstBytes value) {
  Reader reader(value);
  StoreHealth row;
  row.last_scrub = ReadTime(reader);
  row.scrub_damage = reader.Fixed<uint64_t>();
  row.last_drill = ReadTime(reader);
  const auto ok = reader.Fixed<uint8_t>();
  row.last_drill_ok = ok == 1;
  row.oldest_verified = ReadTime(reader);
  if (!reader.AtEnd() || ok > 1) return std::nullopt;
  return row;
}

Key16 EncodeChildRow(const ChildRow& row) {
  Key16 value;
  StoreBigEndian(value.data(), row.parent_lsn.value);
  StoreBigEndian(value.data() + 8, row.id.value);
  return value;
}

std::optional<ChildRow> DecodeChildRow(ConstBytes value) {
  if (value.size() != sizeof(Key16)) return std::nullopt;
  return ChildRow{.parent_lsn = Lsn(LoadBigEndian<uint64_t>(value.data())),
                  .id = TimelineId(LoadBigEndian<uint64_t>(value.data() + 8))};
}

}  // namespace tidemark::internal
