// The header of a segment: making and checking it.

#ifndef TIDEMARK_ENGINE_INTERNAL_SEGMENT_HEADER_H_
#define TIDEMARK_ENGINE_INTERNAL_SEGMENT_HEADER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/format.h"
#include "engine/internal/index.h"
#include "engine/status.h"

namespace tidemark::internal {

std::string SegmentName(uint32_t number);  // "00000001.seg"; "00000001.pack" of a packed one
// "segment 1", "packed segment 1": for messages.
std::string SegmentLabel(uint32_t number);
// Empty if it is no segment's name.
std::optional<uint32_t> ParseSegmentName(const std::string& name);

uint64_t HeaderHash(const format::SegmentHeader& header);

// A header for a new use of a file; the hash is filled in.
format::SegmentHeader MakeSegmentHeader(uint32_t number, uint64_t store_id, uint64_t incarnation,
                                        Location previous_end, Lsn first_lsn);
// Of a packed segment that stands for the log's segments from `first` up to `end`.
format::SegmentHeader MakePackedHeader(uint32_t number, uint64_t store_id, uint64_t incarnation,
                                       uint32_t first, Location end, Lsn first_lsn);

// The begin of a segment up to its first group: the header in both its places.
std::array<std::byte, format::kFirstGroupOffset> MakeHeaderBlocks(
    const format::SegmentHeader& header);

// Of a packed segment.
std::array<std::byte, format::kFirstGroupOffset> MakePackedBlocks(
    const format::SegmentHeader& header, const format::PackedLog& log);
uint64_t PackedLogHash(const format::PackedLog& log, uint64_t incarnation);

// What a header of the log must be. Errors: kCorruption, kUnsupportedVersion.
Status CheckSegmentHeader(const format::SegmentHeader& header, uint32_t number);

// Never 0; of the system's random numbers.
uint64_t RandomNumber();

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SEGMENT_HEADER_H_
