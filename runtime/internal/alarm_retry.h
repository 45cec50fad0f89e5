// AlarmRetry: when an alarm that failed is tried again.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ALARM_RETRY_H_
#define TIDEMARK_RUNTIME_INTERNAL_ALARM_RETRY_H_

#include <chrono>
#include <cstdint>
#include <optional>

namespace tidemark::internal {

// The documented backoff: 2 s, doubling up to 1024 s, and up to a quarter more by chance. Failures
// that count begin at 2 s again behind one that does not. Once six have counted, the next one of
// any kind is the last.
class AlarmRetry {
 public:
  enum class Counts { kNo, kYes };

  // How long to wait after one more failure; none: it is given up. `random` is any number.
  std::optional<std::chrono::microseconds> Fail(Counts counts, uint64_t random);

  int failures() const { return failures_; }

 private:
  static constexpr int kMostCounted = 6;
  static constexpr int kMostDoublings = 9;

  int failures_ = 0;
  int counted_ = 0;
  int doublings_ = 0;
  Counts last_ = Counts::kYes;
};

inline std::optional<std::chrono::microseconds> AlarmRetry::Fail(Counts counts, uint64_t random) {
  if (counted_ >= kMostCounted) return std::nullopt;
  if (counts == Counts::kYes) {
    if (last_ == Counts::kNo) doublings_ = 0;
    ++counted_;
  }
  last_ = counts;
  ++failures_;
  const std::chrono::microseconds delay = std::chrono::seconds(int64_t{2} << doublings_);
  if (doublings_ < kMostDoublings) ++doublings_;
  return delay + delay * static_cast<int64_t>(random % 1001) / 4000;
}

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ALARM_RETRY_H_
