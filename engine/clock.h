// Clock: where the store takes its time from. Passed in, so that a test owns time.

#ifndef TIDEMARK_ENGINE_CLOCK_H_
#define TIDEMARK_ENGINE_CLOCK_H_

#include <chrono>

#include "engine/export.h"

namespace tidemark {

// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

class TIDEMARK_API Clock {
 public:
  virtual ~Clock() = default;

  // The time now. May step backward: the store itself never lets commit times do so.
  // Called from any thread, also while the store holds locks; must not block.
  virtual Timestamp Now() const = 0;

  // The machine's clock; lives for ever.
  static const Clock* System();
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_CLOCK_H_
