// The manifest of a standby: which of its files count, and up to where (engine/standby.h).
//
//   tidemark standby 1
//   source PATH
//   store ID                 hexadecimal, of the log's headers
//   lsn N                    of the last record
//   time N                   of that record, microseconds since 1970
//   last OFFSET HASH         the last group of the last segment, and its header's hash,
//   hexadecimal;
//                            offset 0 if that segment has none yet
//   file NAME BYTES          packed segments, then segments, each in order; the last one grows
//   hash HASH                hexadecimal, XXH3 of all lines above
//
// Text, so that a person can read it. Replaced by a rename, never written in place. A reader
// refuses what is not so to the byte.

#ifndef TIDEMARK_ENGINE_INTERNAL_STANDBY_MANIFEST_H_
#define TIDEMARK_ENGINE_INTERNAL_STANDBY_MANIFEST_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/clock.h"
#include "engine/file_system.h"
#include "engine/lsn.h"
#include "engine/result.h"

namespace tidemark::internal {

struct StandbyManifest {
  std::string source;
  uint64_t store_id = 0;
  Lsn lsn;
  Timestamp time;
  uint32_t last_group = 0;
  uint64_t last_hash = 0;
  std::map<uint32_t, uint64_t> packed;    // bytes, by number
  std::map<uint32_t, uint32_t> segments;  // likewise; at least one

  uint64_t bytes() const;
  std::string Encode() const;
  // Errors: kCorruption.
  static Result<StandbyManifest> Decode(std::string_view text);

  // Of the standby in `directory`; none if there is none. Errors: kCorruption; kIoError.
  static Result<std::optional<StandbyManifest>> Read(FileSystem& files,
                                                     const std::string& directory);
  // Durable when it returns. Errors: those of writing.
  Status Write(FileSystem& files, const std::string& directory) const;

  static constexpr char kName[] = "STANDBY";
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_STANDBY_MANIFEST_H_
