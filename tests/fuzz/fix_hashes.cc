#include "tests/fuzz/fix_hashes.h"

#include <cstring>
#include <span>

#include "engine/format.h"
#include "engine/internal/coding.h"
#include "engine/internal/group.h"
#include "engine/internal/record.h"
#include "engine/internal/segment_header.h"

namespace tidemark::testing {
namespace {

using internal::Bytes;
using internal::ConstBytes;
using internal::Reader;

// A page version without a base whose form is raw, of a whole page: the only ones of which the hash
// is that of bytes which stand there.
size_t FixPageVersion(Bytes bytes) {
  const auto version = internal::ParsePageVersion(bytes);
  if (!version) return 0;
  if (version->form == format::PageForm::kRaw) {
    Reader reader(bytes);
    reader.Varint();
    internal::StoreFixed(bytes.data() + reader.position() + 1,
                         internal::PageHash(version->page, version->data));
  }
  return version->length;
}

void FixPayload(format::RecordKind kind, Bytes payload) {
  if (kind == format::RecordKind::kDictionary) {
    if (payload.size() < sizeof(uint64_t)) return;
    internal::StoreFixed(payload.data(),
                         internal::SeededHash(payload.subspan(sizeof(uint64_t)), 0));
    return;
  }
  const bool is_history = kind == format::RecordKind::kHistory;
  while (!payload.empty()) {
    const size_t length = is_history ? FixBlock(payload) : FixPageVersion(payload);
    if (length == 0) return;
    payload = payload.subspan(length);
  }
}

// Sets the hash of the bytes up to where it stands.
void SetHashBehind(Bytes bytes, size_t length, uint64_t seed) {
  internal::StoreFixed(bytes.data() + length, internal::SeededHash(bytes.first(length), seed));
}

void FixHeader(Bytes file, size_t offset) {
  if (file.size() < offset + sizeof(format::SegmentHeader) + sizeof(format::PackedLog)) return;
  format::SegmentHeader header;
  std::memcpy(&header, file.data() + offset, sizeof(header));
  if (header.magic != format::kSegmentMagic) return;
  header.hash = internal::HeaderHash(header);
  std::memcpy(file.data() + offset, &header, sizeof(header));
  if (header.packed_from == 0) return;
  format::PackedLog log;
  std::byte* const at = file.data() + offset + sizeof(header);
  std::memcpy(&log, at, sizeof(log));
  log.hash = internal::PackedLogHash(log, header.incarnation);
  std::memcpy(at, &log, sizeof(log));
}

}  // namespace

size_t FixBlock(Bytes bytes) {
  Reader reader(bytes);
  const uint32_t page = reader.Varint32();
  const uint64_t length = reader.Varint();
  const size_t hash_at = reader.position();
  reader.Fixed<uint64_t>();
  if (!reader.ok() || length > reader.remaining()) return 0;
  const size_t begin = reader.position();
  internal::StoreFixed(bytes.data() + hash_at,
                       internal::SeededHash(bytes.subspan(begin, length), page));
  return begin + length;
}

size_t FixRecord(Bytes bytes, uint64_t incarnation) {
  Reader reader(bytes);
  const auto kind = static_cast<format::RecordKind>(reader.Fixed<uint8_t>());
  const uint64_t header_length = reader.Varint();
  const uint64_t payload_length = reader.Varint();
  if (!reader.ok() || header_length > reader.remaining()) return 0;
  const size_t hash_at = reader.position() + header_length;
  const size_t payload_at = hash_at + sizeof(uint64_t);
  if (payload_at > bytes.size() || payload_length > bytes.size() - payload_at) return 0;
  SetHashBehind(bytes, hash_at, incarnation);
  FixPayload(kind, bytes.subspan(payload_at, payload_length));
  return payload_at + payload_length;
}

void FixGroup(Bytes group, uint64_t incarnation) {
  if (group.size() < sizeof(format::GroupHeader) + sizeof(format::GroupFooter)) return;
  format::GroupHeader header;
  std::memcpy(&header, group.data(), sizeof(header));
  const size_t footer_at = group.size() - sizeof(format::GroupFooter);
  size_t at = sizeof(header);
  for (uint32_t i = 0; i < header.record_count && at < footer_at; ++i) {
    const size_t length = FixRecord(group.subspan(at, footer_at - at), incarnation);
    if (length == 0) break;
    at += length;
  }
  format::GroupFooter footer;
  std::memcpy(&footer, group.data() + footer_at, sizeof(footer));
  if (footer.directory_length <= footer_at) {
    const size_t from = footer_at - footer.directory_length;
    SetHashBehind(group.subspan(from),
                  footer.directory_length + offsetof(format::GroupFooter, hash), incarnation);
  }
  header.body_hash = internal::SeededHash(group.subspan(sizeof(header)), incarnation);
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.hash = internal::SeededHash(bytes.subspan(sizeof(header.hash)), incarnation);
  std::memcpy(group.data(), &header, sizeof(header));
}

void FixSegment(Bytes file) {
  FixHeader(file, 0);
  FixHeader(file, format::kSecondHeaderOffset);
  format::SegmentHeader segment;
  if (file.size() < format::kFirstGroupOffset) return;
  std::memcpy(&segment, file.data(), sizeof(segment));
  for (size_t at = format::kFirstGroupOffset; at + sizeof(format::GroupHeader) <= file.size();) {
    format::GroupHeader header;
    std::memcpy(&header, file.data() + at, sizeof(header));
    if (header.magic != format::kGroupMagic || header.length == 0 ||
        header.length > file.size() - at) {
      return;
    }
    FixGroup(file.subspan(at, header.length), segment.incarnation);
    at += header.length;
  }
}

}  // namespace tidemark::testing
