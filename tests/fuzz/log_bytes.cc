#include "tests/fuzz/log_bytes.h"

#include <algorithm>
#include <cstring>

#include "engine/format.h"
#include "engine/internal/coding.h"
#include "engine/internal/group.h"
#include "engine/internal/record.h"
#include "tests/fuzz/fix_hashes.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::Bytes;
using internal::ConstBytes;

template <typename Header>
Header Load(ConstBytes bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

constexpr size_t kHeaderBytes = sizeof(format::SegmentHeader) + sizeof(format::PackedLog);

}  // namespace

LogBytes::LogBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {
  const auto groups = Groups();
  if (!groups.empty()) bytes_.resize(groups.back().offset + groups.back().length);
}

uint64_t LogBytes::incarnation() const {
  return Load<format::SegmentHeader>(ConstBytes(bytes_)).incarnation;
}

std::vector<LogBytes::Part> LogBytes::Groups() const {
  std::vector<Part> groups;
  const ConstBytes bytes(bytes_);
  for (size_t at = format::kFirstGroupOffset; at + sizeof(format::GroupHeader) <= bytes.size();) {
    const auto header = Load<format::GroupHeader>(bytes.subspan(at));
    if (header.magic != format::kGroupMagic || header.length > bytes.size() - at ||
        header.length < internal::GroupBuilder::kOverhead - format::kGroupAlignment) {
      break;
    }
    groups.push_back({at, header.length});
    at += header.length;
  }
  return groups;
}

std::vector<ConstBytes> LogBytes::AllGroups() const {
  std::vector<ConstBytes> groups;
  for (const Part& group : Groups()) groups.push_back(At(group));
  return groups;
}

std::vector<ConstBytes> LogBytes::AllRecords(ConstBytes group) const {
  const auto offset = static_cast<size_t>(group.data() - bytes_.data());
  std::vector<ConstBytes> records;
  for (const Part& record : Records({offset, group.size()})) records.push_back(At(record));
  return records;
}

std::vector<LogBytes::Part> LogBytes::Records(const Part& group) const {
  std::vector<Part> records;
  const size_t end = group.length - sizeof(format::GroupFooter);
  for (size_t at = sizeof(format::GroupHeader); at < end;) {
    internal::RecordView record;
    const auto outcome =
        internal::ParseRecord(At(group).subspan(at, end - at), incarnation(), record);
    if (outcome != internal::ParseOutcome::kOk || record.length > end - at) break;
    records.push_back({group.offset + at, record.length});
    at += record.length;
  }
  return records;
}

void LogBytes::Overwrite(FuzzInput& input, Bytes bytes) {
  if (bytes.empty()) return;
  const size_t at = input.Below(bytes.size());
  const auto with = input.Take(std::min<size_t>(input.Byte() % 24, bytes.size() - at));
  std::copy(with.begin(), with.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}

// In both its places.
void LogBytes::ChangeHeader(FuzzInput& input) {
  if (bytes_.size() < format::kFirstGroupOffset) return;
  const Bytes first = Bytes(bytes_).first(kHeaderBytes);
  Overwrite(input, first);
  std::copy(first.begin(), first.end(), bytes_.begin() + format::kSecondHeaderOffset);
}

// Builds the group anew with one record changed, left out or told twice.
void LogBytes::ChangeRecord(FuzzInput& input, const Part& group) {
  const auto records = Records(group);
  const auto directory = internal::ParseDirectory(At(group), incarnation());
  if (records.empty() || !directory || directory->size() != records.size()) return;
  const auto header = Load<format::GroupHeader>(At(group));
  const size_t chosen = input.Below(records.size());
  const uint8_t how = input.Byte();
  internal::GroupBuilder builder;
  const Timestamp begin{std::chrono::microseconds(static_cast<int64_t>(header.time))};
  builder.Open(incarnation(), header.epoch, Lsn(header.first_lsn), begin);
  for (size_t i = 0; i < records.size(); ++i) {
    internal::RecordView record;
    internal::ParseRecord(At(records[i]), incarnation(), record);
    const ConstBytes payload = At(records[i]).subspan(record.payload_offset, record.payload_length);
    Buffer fields(record.fields.begin(), record.fields.end());
    internal::RecordKind kind = record.kind;
    internal::DirectoryEntry entry = (*directory)[i];
    int times = 1;
    if (i == chosen) {
      if (how % 8 == 0) kind = static_cast<internal::RecordKind>(input.Byte() % 20);
      if (how % 8 == 1) times = 0;
      if (how % 8 == 2) times = 2;
      if (how % 8 == 3) entry.timeline = TimelineId(input.Byte());
      if (how % 8 == 4) entry.lsn = Lsn(entry.lsn.value + input.Byte());
      const size_t at = input.Below(fields.size() + 1);
      const size_t cut = std::min<size_t>(input.Byte() % 8, fields.size() - at);
      const auto put = input.Take(input.Byte() % 16);
      const auto from = fields.begin() + static_cast<ptrdiff_t>(at);
      fields.insert(fields.erase(from, from + static_cast<ptrdiff_t>(cut)), put.begin(), put.end());
    }
    const Timestamp time = begin + std::chrono::microseconds(record.place.time_delta);
    for (int j = 0; j < times; ++j) {
      builder.Add(kind, entry.lsn, time, entry.timeline, entry.tag, fields, payload);
    }
  }
  if (builder.empty()) return;
  builder.Close();
  builder.Seal(Lsn(header.durable_lsn));
  const auto from = bytes_.begin() + static_cast<ptrdiff_t>(group.offset);
  const Buffer built(builder.bytes().begin(), builder.bytes().end());
  bytes_.insert(bytes_.erase(from, from + static_cast<ptrdiff_t>(group.length)), built.begin(),
                built.end());
}

void LogBytes::Change(FuzzInput& input, const LogBytes& other) {
  const auto groups = Groups();
  const uint8_t how = input.Byte() % 9;
  if (how == 0 || groups.empty()) return ChangeHeader(input);
  const Part group = groups[input.Below(groups.size())];
  switch (how) {
    case 1:
    case 2: return ChangeRecord(input, group);
    case 3:  // a record's bytes as they stand
    case 4: {
      const auto records = Records(group);
      if (records.empty()) return;
      const Bytes record = At(records[input.Below(records.size())]);
      return Overwrite(input,
                       how == 3 ? record.first(std::min<size_t>(48, record.size())) : record);
    }
    case 5:  // header, but for its length
      return Overwrite(input, At(group).subspan(16, sizeof(format::GroupHeader) - 16));
    case 6: {  // directory and footer
      const size_t length = std::min<size_t>(input.Byte(), group.length);
      return Overwrite(input, At(group).last(length));
    }
    case 7: {  // a group of the other file in its place
      const auto others = other.Groups();
      if (others.empty()) return;
      const auto source = other.At(others[input.Below(others.size())]);
      const Buffer copy(source.begin(), source.end());
      const auto from = bytes_.begin() + static_cast<ptrdiff_t>(group.offset);
      bytes_.insert(bytes_.erase(from, from + static_cast<ptrdiff_t>(group.length)), copy.begin(),
                    copy.end());
      return;
    }
    default:  // cut off
      bytes_.resize(group.offset + input.Below(group.length + 1));
  }
}

void LogBytes::FixHashes() { FixSegment(bytes_); }

}  // namespace tidemark::testing
