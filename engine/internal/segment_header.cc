#include "engine/internal/segment_header.h"

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>

#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

constexpr uint64_t kHeaderSeed = 0;

}  // namespace

std::string SegmentName(uint32_t number) {
  char name[24];
  std::snprintf(name, sizeof(name), format::IsPacked(number) ? "%08u.pack" : "%08u.seg",
                number & ~format::kPackedBit);
  return name;
}

std::string SegmentLabel(uint32_t number) {
  return format::IsPacked(number) ? "packed segment " + std::to_string(number & ~format::kPackedBit)
                                  : "segment " + std::to_string(number);
}

std::optional<uint32_t> ParseSegmentName(const std::string& name) {
  const bool packed = name.ends_with(".pack");
  if (name.size() != (packed ? 13u : 12u) || (!packed && !name.ends_with(".seg"))) {
    return std::nullopt;
  }
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 8, number);
  if (error != std::errc() || end != name.data() + 8 || number == 0) return std::nullopt;
  return packed ? number | format::kPackedBit : number;
}

uint64_t HeaderHash(const format::SegmentHeader& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return SeededHash(bytes.first(offsetof(format::SegmentHeader, hash)), kHeaderSeed);
}

uint64_t RandomNumber() {
  std::random_device device;
  uint64_t number = 0;
  while (number == 0) number = (uint64_t{device()} << 32) | device();
  return number;
}

format::SegmentHeader MakeSegmentHeader(uint32_t number, uint64_t store_id, uint64_t incarnation,
                                        Location previous_end, Lsn first_lsn) {
  format::SegmentHeader header{};
  header.magic = format::kSegmentMagic;
  header.version = format::kFormatVersion;
  header.number = number;
  header.store_id = store_id;
  header.incarnation = incarnation;
  header.previous = previous_end.segment;
  header.previous_end = previous_end.offset;
  header.first_lsn = first_lsn.value;
  header.hash = HeaderHash(header);
  return header;
}

format::SegmentHeader MakePackedHeader(uint32_t number, uint64_t store_id, uint64_t incarnation,
                                       uint32_t first, Location end, Lsn first_lsn) {
  format::SegmentHeader header = MakeSegmentHeader(number, store_id, incarnation, end, first_lsn);
  header.packed_from = first;
  header.hash = HeaderHash(header);
  return header;
}

std::array<std::byte, format::kFirstGroupOffset> MakeHeaderBlocks(
    const format::SegmentHeader& header) {
  std::array<std::byte, format::kFirstGroupOffset> blocks{};
  std::memcpy(blocks.data(), &header, sizeof(header));
  std::memcpy(blocks.data() + format::kSecondHeaderOffset, &header, sizeof(header));
  return blocks;
}

uint64_t PackedLogHash(const format::PackedLog& log, uint64_t incarnation) {
  const auto bytes = std::as_bytes(std::span(&log, 1));
  return SeededHash(bytes.first(offsetof(format::PackedLog, hash)), incarnation);
}

std::array<std::byte, format::kFirstGroupOffset> MakePackedBlocks(
    const format::SegmentHeader& header, const format::PackedLog& log) {
  auto blocks = MakeHeaderBlocks(header);
  format::PackedLog hashed = log;
  hashed.hash = PackedLogHash(log, header.incarnation);
  for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
    std::memcpy(blocks.data() + offset + sizeof(header), &hashed, sizeof(hashed));
  }
  return blocks;
}

Status CheckSegmentHeader(const format::SegmentHeader& header, uint32_t number) {
  const std::string name = SegmentLabel(number);
  if (header.magic != format::kSegmentMagic || header.hash != HeaderHash(header)) {
    return Status(StatusCode::kCorruption, name + ": its header is damaged");
  }
  if (header.version != format::kFormatVersion) {
    return Status(StatusCode::kUnsupportedVersion,
                  name + " has format version " + std::to_string(header.version) +
                      ", this library reads version " + std::to_string(format::kFormatVersion) +
                      (header.version < format::kFormatVersion
                           ? ": copy its objects out of it with the tidemark that wrote it"
                           : ": use a newer tidemark"));
  }
  if (header.reserved != 0 || (header.packed_from != 0) != format::IsPacked(number)) {
    return Status(StatusCode::kUnsupportedVersion,
                  name + " is of a kind that this library does not know: use a newer tidemark");
  }
  if (header.number != number) {
    return Status(StatusCode::kCorruption,
                  name + ": its header says " + std::to_string(header.number));
  }
  return OkStatus();
}

}  // namespace tidemark::internal
