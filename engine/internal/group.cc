#include "engine/internal/group.h"

#include <algorithm>

#include "engine/bookmark.h"
#include "engine/check.h"
#include "engine/internal/purge_record.h"

namespace tidemark::internal {
namespace {

constexpr size_t kHashedFooterBytes = offsetof(format::GroupFooter, hash);

size_t Align(size_t length) {
  return (length + format::kGroupAlignment - 1) / format::kGroupAlignment * format::kGroupAlignment;
}

}  // namespace

void GroupBuilder::Reserve(size_t bytes) {
  buffer_.reserve(bytes);
  directory_.reserve(bytes);
}

void GroupBuilder::Open(uint64_t incarnation, uint32_t epoch, Lsn first_lsn, Timestamp time) {
  CHECK(empty());
  incarnation_ = incarnation;
  header_ = {};
  header_.magic = format::kGroupMagic;
  header_.first_lsn = first_lsn.value;
  header_.time = static_cast<uint64_t>(time.time_since_epoch().count());
  header_.epoch = epoch;
  previous_lsn_ = Lsn();
  previous_offset_ = 0;
  buffer_.resize(sizeof(format::GroupHeader));
}

GroupBuilder::Added GroupBuilder::Add(RecordKind kind, Lsn lsn, Timestamp time, TimelineId timeline,
                                      uint64_t tag, ConstBytes fields, ConstBytes payload) {
  const auto offset = static_cast<uint32_t>(buffer_.size());
  RecordPlace place;
  place.lsn = lsn.value;
  place.time_delta = static_cast<uint64_t>(time.time_since_epoch().count()) - header_.time;
  place.group_offset = offset;
  const AppendedRecord record = AppendRecord(kind, place, fields, payload, incarnation_, buffer_);
  AppendVarint(directory_, lsn.value - previous_lsn_.value);
  AppendVarint(directory_, timeline.value);
  AppendVarint(directory_, offset - previous_offset_);
  if (timeline.value == lsn.value) AppendFixed(directory_, tag);
  previous_lsn_ = lsn;
  previous_offset_ = offset;
  ++record_count_;
  return {.offset = offset,
          .payload_offset = static_cast<uint32_t>(record.payload_offset),
          .hash = record.hash,
          .length = static_cast<uint32_t>(buffer_.size() - offset)};
}

size_t GroupBuilder::SealedLength() const {
  return Align(buffer_.size() + directory_.size() + sizeof(format::GroupFooter));
}

void GroupBuilder::Close() {
  const size_t length = SealedLength();
  buffer_.resize(length - directory_.size() - sizeof(format::GroupFooter));  // zeros
  AppendBytes(buffer_, directory_);
  format::GroupFooter footer{};
  footer.directory_length = static_cast<uint32_t>(directory_.size());
  footer.length = static_cast<uint32_t>(length);
  AppendBytes(buffer_, std::as_bytes(std::span(&footer, 1)));
  const ConstBytes hashed = ConstBytes(buffer_).subspan(length - sizeof(footer) - directory_.size(),
                                                        directory_.size() + kHashedFooterBytes);
  StoreFixed(buffer_.data() + length - sizeof(footer.hash), SeededHash(hashed, incarnation_));
  header_.length = static_cast<uint32_t>(length);
  header_.record_count = record_count_;
}

void GroupBuilder::Seal(Lsn durable_lsn) {
  header_.durable_lsn = durable_lsn.value;
  header_.body_hash =
      SeededHash(ConstBytes(buffer_).subspan(sizeof(format::GroupHeader)), incarnation_);
  const auto bytes = std::as_bytes(std::span(&header_, 1));
  header_.hash = SeededHash(bytes.subspan(sizeof(header_.hash)), incarnation_);
  std::memcpy(buffer_.data(), &header_, sizeof(header_));
}

void GroupBuilder::Clear() {
  buffer_.clear();
  directory_.clear();
  record_count_ = 0;
}

bool IsGroupHeader(const format::GroupHeader& header, uint64_t incarnation) {
  if (header.magic != format::kGroupMagic) return false;
  if (header.length < GroupBuilder::kOverhead - format::kGroupAlignment) return false;
  if (header.length % format::kGroupAlignment != 0) return false;
  // What is durable when a group is written stands before it.
  if (header.first_lsn > format::kMaxLsn || header.durable_lsn >= header.first_lsn) return false;
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return header.hash == SeededHash(bytes.subspan(sizeof(header.hash)), incarnation);
}

bool IsGroupIntact(ConstBytes group, uint64_t incarnation) {
  if (group.size() < sizeof(format::GroupHeader)) return false;
  format::GroupHeader header;
  std::memcpy(&header, group.data(), sizeof(header));
  return group.size() == header.length &&
         header.body_hash == SeededHash(group.subspan(sizeof(format::GroupHeader)), incarnation);
}

std::optional<format::GroupFooter> ParseFooter(ConstBytes bytes, uint64_t incarnation) {
  if (bytes.size() < sizeof(format::GroupFooter)) return std::nullopt;
  format::GroupFooter footer;
  std::memcpy(&footer, bytes.data() + bytes.size() - sizeof(footer), sizeof(footer));
  const size_t before = bytes.size() - sizeof(footer);
  if (footer.directory_length > before) return std::nullopt;
  const ConstBytes hashed =
      bytes.subspan(before - footer.directory_length, footer.directory_length + kHashedFooterBytes);
  if (footer.hash != SeededHash(hashed, incarnation)) return std::nullopt;
  return footer;
}

std::optional<std::vector<DirectoryEntry>> ParseDirectory(ConstBytes group_end,
                                                          uint64_t incarnation) {
  const auto footer = ParseFooter(group_end, incarnation);
  if (!footer) return std::nullopt;
  Reader reader(group_end.subspan(group_end.size() - sizeof(*footer) - footer->directory_length,
                                  footer->directory_length));
  std::vector<DirectoryEntry> entries;
  DirectoryEntry entry;
  while (reader.ok() && reader.remaining() > 0) {
    const uint64_t lsn_step = reader.Varint();
    // In packed segments several records may have one LSN.
    if ((lsn_step == 0 && entries.empty()) || lsn_step > UINT64_MAX - entry.lsn.value) {
      return std::nullopt;
    }
    entry.lsn = Lsn(entry.lsn.value + lsn_step);
    entry.timeline = TimelineId(reader.Varint());
    const uint64_t offset = uint64_t{entry.offset} + reader.Varint32();
    if (offset <= entry.offset || offset >= footer->length) return std::nullopt;
    entry.offset = static_cast<uint32_t>(offset);
    entry.tag = entry.creates() ? reader.Fixed<uint64_t>() : 0;
    entries.push_back(entry);
  }
  if (!reader.ok() || entries.empty()) return std::nullopt;
  if (entries.front().offset != sizeof(format::GroupHeader)) return std::nullopt;
  return entries;
}

bool IsDirectoryOf(const std::vector<DirectoryEntry>& directory,
                   const format::GroupHeader& header) {
  if (directory.size() != header.record_count) return false;
  uint64_t expected = header.first_lsn;
  return std::all_of(directory.begin(), directory.end(),
                     [&](const DirectoryEntry& entry) { return entry.lsn.value == expected++; });
}

namespace {

// What the directory should say of a record.
std::optional<DirectoryEntry> EntryOf(const RecordView& record, Lsn lsn, uint32_t offset) {
  DirectoryEntry entry{.lsn = lsn, .timeline = TimelineId(), .offset = offset, .tag = 0};
  switch (record.kind) {
    case RecordKind::kFrame: {
      const auto fields = DecodeFrame(record.fields);
      if (!fields) return std::nullopt;
      entry.timeline = fields->timeline;
      break;
    }
    case RecordKind::kNamespace: {
      const auto fields = DecodeNamespace(record.fields);
      if (!fields) return std::nullopt;
      entry.timeline = TimelineId(lsn.value);
      entry.tag = NamespaceTag(fields->name);
      break;
    }
    case RecordKind::kObject: {
      const auto fields = DecodeObject(record.fields);
      if (!fields) return std::nullopt;
      entry.timeline = TimelineId(lsn.value);
      entry.tag = ObjectTag(fields->id);
      break;
    }
    case RecordKind::kTimeline: {
      const auto fields = DecodeTimeline(record.fields);
      if (!fields) return std::nullopt;
      entry.timeline = fields->ended;
      break;
    }
    case RecordKind::kLabel: {
      const auto fields = DecodeLabel(record.fields);
      if (!fields) return std::nullopt;
      entry.timeline = TimelineId(lsn.value);
      entry.tag = ObjectTag(fields->object);
      break;
    }
    case RecordKind::kSchedule: {
      const auto row = DecodeSchedule(record.fields);
      if (!row) return std::nullopt;
      entry.timeline = TimelineId(lsn.value);
      entry.tag = ObjectTag(row->object);
      break;
    }
    case RecordKind::kPurge: {
      const auto purge = DecodePurge(record.fields);
      if (!purge) return std::nullopt;
      entry.timeline = TimelineId(lsn.value);
      entry.tag = ObjectTag(purge->object);
      break;
    }
    case RecordKind::kCommits:
    case RecordKind::kDictionary:
    case RecordKind::kHistory: {
      Reader reader(record.fields);
      entry.timeline = TimelineId(reader.Varint());
      if (!reader.ok()) return std::nullopt;
      break;
    }
    default: break;
  }
  return entry;
}

}  // namespace

std::optional<std::vector<DirectoryEntry>> DirectoryFromRecords(ConstBytes group,
                                                                const format::GroupHeader& header,
                                                                uint64_t incarnation) {
  std::vector<DirectoryEntry> entries;
  size_t at = sizeof(format::GroupHeader);
  for (uint32_t i = 0; i < header.record_count; ++i) {
    RecordView record;
    if (at >= group.size() ||
        ParseRecord(group.subspan(at), incarnation, record) != ParseOutcome::kOk) {
      return std::nullopt;
    }
    const auto entry = EntryOf(record, Lsn(record.place.lsn), static_cast<uint32_t>(at));
    const uint64_t least = entries.empty() ? header.first_lsn : entries.back().lsn.value;
    if (!entry || record.place.group_offset != at || record.place.lsn < least) return std::nullopt;
    entries.push_back(*entry);
    at += record.length;
  }
  if (entries.empty()) return std::nullopt;
  return entries;
}

}  // namespace tidemark::internal
