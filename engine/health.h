// What a store knows of its own health: scrubs and restore drills, see Store::RunScrub.

#ifndef TIDEMARK_ENGINE_HEALTH_H_
#define TIDEMARK_ENGINE_HEALTH_H_

#include <cstdint>
#include <string>

#include "engine/clock.h"

namespace tidemark {

// Kept in the index when the store is closed; a store whose index was lost begins anew.
struct StoreHealth {
  // When the last scrub that came to its end did so, and how many damaged places it found; 1970 if
  // there was none.
  Timestamp last_scrub;
  uint64_t scrub_damage = 0;
  // When the last drill was made, and whether the state that it made was the one that had been
  // committed; 1970 if there was none.
  Timestamp last_drill;
  bool last_drill_ok = false;
  // The time of the oldest commit that a drill restored and found right, of those that have not
  // expired since; 1970 if there is none.
  Timestamp oldest_verified;

  bool operator==(const StoreHealth&) const = default;
};

// What Store::Drill did.
struct DrillReport {
  uint64_t drills = 0;  // points that were restored and checked
  uint64_t failures = 0;
  uint64_t bytes = 0;   // of their pages
  std::string failure;  // of the last that failed: object, point and reason
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_HEALTH_H_
