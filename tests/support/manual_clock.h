// A clock that stands still until a test moves it.

#ifndef TIDEMARK_TESTS_SUPPORT_MANUAL_CLOCK_H_
#define TIDEMARK_TESTS_SUPPORT_MANUAL_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/clock.h"

namespace tidemark::testing {

// Any thread may read and move it.
class ManualClock final : public Clock {
 public:
  // 2026-01-01T00:00:00Z: a time that is easy to see in a message.
  static constexpr Timestamp kStart{std::chrono::seconds{1767225600}};

  explicit ManualClock(Timestamp start = kStart) : now_(start.time_since_epoch().count()) {}

  Timestamp Now() const override { return Timestamp(std::chrono::microseconds(now_.load())); }

  // Negative steps are allowed: real clocks are set back, too.
  void Advance(std::chrono::microseconds step) { now_ += step.count(); }
  void Set(Timestamp time) { now_ = time.time_since_epoch().count(); }

 private:
  std::atomic<int64_t> now_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_MANUAL_CLOCK_H_
