// Clock: where the store takes its time from. Passed in, so that a test owns time (ManualClock).

#ifndef TIDEMARK_ENGINE_CLOCK_H_
#define TIDEMARK_ENGINE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

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

  // Microseconds since some moment, which nobody sets and which goes on while the machine sleeps:
  // what tells time that has passed from a clock that was set. Likewise called from any thread.
  virtual std::chrono::microseconds Monotonic() const;

  // The machine's clock; lives for ever.
  static const Clock* System();
};

// A clock that stands still until it is moved: for tests, in which thirty days pass in a line. Any
// thread may read and move it.
class TIDEMARK_API ManualClock final : public Clock {
 public:
  // 2026-01-01T00:00:00Z: a time that is easy to see in a message.
  static constexpr Timestamp kStart{std::chrono::seconds{1767225600}};

  explicit ManualClock(Timestamp start = kStart) : now_(start.time_since_epoch().count()) {}

  Timestamp Now() const override { return Timestamp(std::chrono::microseconds(now_.load())); }

  std::chrono::microseconds Monotonic() const override {
    return std::chrono::microseconds(passed_.load());
  }

  // Time passes. Negative steps are allowed: real clocks are set back, too.
  void Advance(std::chrono::microseconds step) {
    // So that nobody sees a clock that was set ahead.
    if (step.count() > 0) passed_ += step.count();
    now_ += step.count();
  }
  // The clock is set: no time passes.
  void Set(Timestamp time) { now_ = time.time_since_epoch().count(); }

 private:
  std::atomic<int64_t> now_;
  std::atomic<int64_t> passed_{0};
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_CLOCK_H_
