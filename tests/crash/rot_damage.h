// What rots, and what that hits, by the map of the log.

#ifndef TIDEMARK_TESTS_CRASH_ROT_DAMAGE_H_
#define TIDEMARK_TESTS_CRASH_ROT_DAMAGE_H_

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "tests/crash/rot_work.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

enum class Rot {
  kBit,
  kBurst,     // up to 300 bytes of noise
  kZeros,     // a sector
  kSwap,      // two sectors
  kOlder,     // a sector as it was some time ago
  kTruncate,  // a segment ends early
  kMissing,   // a segment is gone
  kTwice,     // bursts in two places
  kCount,
};
inline constexpr std::array<const char*, static_cast<size_t>(Rot::kCount)> kRotNames = {
    "bit", "burst", "zeros", "swap", "older", "truncate", "missing", "twice"};

struct RotHit {
  std::string what;
  std::set<uint64_t> lsns;  // of records that lost bytes, or whose group's header did
  std::set<uint32_t> segments;
  bool only_segment_headers = true;
  std::set<std::string> objects;    // "rooms/a", that have one of these records
  uint64_t lost_from = UINT64_MAX;  // nothing in the log proves that records from here on were
  bool nothing() const { return segments.empty(); }
};

// Damages the log on `fs`, a copy of the work's disk.
RotHit Damage(const RotWork& work, Rot rot, Random& random, SimFileSystem& fs);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_ROT_DAMAGE_H_
