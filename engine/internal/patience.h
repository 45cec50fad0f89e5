// Patience: whether whoever would lead the next group of commits to the disk waits for more of
// them.
//
// Expected are those whom the last group let go, beside those who wait already. They are waited for
// as long as a sync takes at most, and at most kLongest: what a sync that they miss would cost
// them. When they do not come, the next groups, ever more of them, begin at once.
//
// Threads: the commit queue's, under its mutex.

#ifndef TIDEMARK_ENGINE_INTERNAL_PATIENCE_H_
#define TIDEMARK_ENGINE_INTERNAL_PATIENCE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tidemark::internal {

class Patience {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kLongest{200};
  static constexpr uint32_t kMostSkipped = 127;

  // A group is durable since `now`, after `sync`. It let `released` go; `waiting` wait for the
  // next.
  void GroupDone(Clock::time_point now, Clock::duration sync, uint32_t released, uint32_t waiting) {
    if (skip_ > 0) {
      --skip_;
      expected_ = 0;
      return;
    }
    expected_ = released + waiting;
    until_ = now + std::min<Clock::duration>(sync, kLongest);
  }

  // None: the group that `waiting` wait for is to be led now.
  std::optional<Clock::time_point> WaitUntil(uint32_t waiting) {
    if (waiting >= expected_) {
      if (expected_ > 1) missed_ = 0;
      return std::nullopt;
    }
    if (Clock::now() < until_) return until_;
    missed_ = std::min(2 * missed_ + 1, kMostSkipped);
    skip_ = missed_;
    expected_ = 0;
    return std::nullopt;
  }

 private:
  uint32_t expected_ = 0;
  Clock::time_point until_;
  uint32_t missed_ = 0;  // groups that are not waited for, when it happens once more
  uint32_t skip_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PATIENCE_H_
