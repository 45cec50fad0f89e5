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

  // As a number, to be kept.
  int64_t Pack() const;
  // Of a number that no Pack() gave, 0 for one, what has not failed yet.
  static AlarmRetry Unpack(int64_t packed);

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

// From the low end: four bits of doublings, four of those that counted, one for the last, failures.
inline int64_t AlarmRetry::Pack() const {
  const int64_t last = last_ == Counts::kYes ? 1 : 0;
  return int64_t{failures_} << 9 | last << 8 | counted_ << 4 | doublings_;
}

inline AlarmRetry AlarmRetry::Unpack(int64_t packed) {
  AlarmRetry retry;
  const int64_t failures = packed >> 9;
  const int counted = static_cast<int>(packed >> 4 & 15);
  const int doublings = static_cast<int>(packed & 15);
  if (failures < counted || failures > INT32_MAX || failures <= 0) return retry;
  if (counted > kMostCounted || doublings > kMostDoublings) return retry;
  retry.failures_ = static_cast<int>(failures);
  retry.counted_ = counted;
  retry.doublings_ = doublings;
  retry.last_ = (packed >> 8 & 1) != 0 ? Counts::kYes : Counts::kNo;
  return retry;
}

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ALARM_RETRY_H_
