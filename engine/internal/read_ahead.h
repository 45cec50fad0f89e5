// ReadAhead: what a snapshot has fetched beyond the page it was asked for.
//
// SQLite asks for one page at a time, also when it scans a table. A bulk load put such pages side
// by side in the log, so once reads are seen to be sequential, the places of the next pages are
// looked up in one index transaction and their bytes are read with one call.

#ifndef TIDEMARK_ENGINE_INTERNAL_READ_AHEAD_H_
#define TIDEMARK_ENGINE_INTERNAL_READ_AHEAD_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/page_codec.h"

namespace tidemark::internal {

struct ReadAhead {
  static constexpr uint32_t kPages = 32;
  static constexpr uint32_t kMaxBytes = 256u << 10;
  static constexpr uint32_t kSequentialReads = 3;

  uint32_t last_page = 0;   // the one read last
  uint32_t run_length = 0;  // how many were read in order up to it

  uint32_t first = 0;  // versions[i] is of page first + i
  std::vector<std::optional<PageVersion>> versions;
  Location begin;  // of `bytes`, which hold some of the versions
  Buffer bytes;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_READ_AHEAD_H_
