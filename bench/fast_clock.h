// FastClock: the machine's clock, only faster, so that the windows of retention pass in seconds.

#ifndef TIDEMARK_BENCH_FAST_CLOCK_H_
#define TIDEMARK_BENCH_FAST_CLOCK_H_

#include <atomic>
#include <chrono>

#include "engine/clock.h"

namespace tidemark::bench {

class FastClock final : public Clock {
 public:
  explicit FastClock(int times) : times_(times), begin_(Clock::System()->Monotonic()) {}

  Timestamp Now() const override { return ManualClock::kStart + Monotonic(); }
  std::chrono::microseconds Monotonic() const override {
    const std::chrono::microseconds stopped(stopped_.load());
    return stopped.count() > 0 ? stopped : (Clock::System()->Monotonic() - begin_) * times_;
  }
  // It stands still from here on.
  void Stop() { stopped_ = Monotonic().count(); }

 private:
  const int times_;
  const std::chrono::microseconds begin_;
  std::atomic<int64_t> stopped_{0};
};

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_FAST_CLOCK_H_
