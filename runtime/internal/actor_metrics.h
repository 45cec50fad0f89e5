// ActorMetrics: what the actors of one class did, counted.
//
// Counting is a relaxed addition in a part of memory that few threads share; whoever reads adds the
// parts up, and may see one thing counted before another that came earlier.
//
// Threads: any.

#ifndef TIDEMARK_RUNTIME_INTERNAL_ACTOR_METRICS_H_
#define TIDEMARK_RUNTIME_INTERNAL_ACTOR_METRICS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidemark::internal {

// Prometheus names, help and labels are in runtime_metrics.cc: a row for each.
enum class Count : size_t {
  kEventErrors,
  kStarts,
  kConstructorsFailed,
  kOpensFailed,
  kTasksFailed,
  kPreShutdownsFailed,
  kThreadsBlocked,
  kHibernatedIdle,
  kHibernatedCap,
  kHibernatedShutdown,
  kVanished,
  kResetByAbort,
  kResetBySection,
  kResetBySectionLimit,
  kResetByEventLimit,
  kResetByAlarmLimit,
  kResetByStorage,
  kResetByShutdown,
  kOverloadedByCount,
  kOverloadedByBytes,
  kOverloadedByAge,
  kEnd,
};

enum class Timing : size_t {
  kInputWait,   // of a call, from where it was made to where its method begins
  kOutputWait,  // of what is held back, until it leaves
  kCommit,      // of a turn's writes, until the object sees them
  kDurable,     // from there until they are durable
  kEnd,
};

inline constexpr size_t kCounts = static_cast<size_t>(Count::kEnd);
inline constexpr size_t kTimings = static_cast<size_t>(Timing::kEnd);

// Upper bounds of a histogram's buckets, in microseconds; one more has what is beyond.
inline constexpr std::array<int64_t, 18> kBucketBounds = {
    10,     25,     50,     100,     250,     500,       1'000,     2'500,      5'000,
    10'000, 25'000, 50'000, 100'000, 250'000, 1'000'000, 2'500'000, 10'000'000, 30'000'000};

class ActorMetrics {
 public:
  struct Histogram {
    std::array<uint64_t, kBucketBounds.size() + 1> buckets{};  // each by itself, not added up
    uint64_t sum_microseconds = 0;
    uint64_t count() const;
  };
  struct Sum {
    std::array<uint64_t, kCounts> counts{};
    std::array<Histogram, kTimings> timings{};
    uint64_t count(Count what) const { return counts[static_cast<size_t>(what)]; }
    const Histogram& timing(Timing what) const { return timings[static_cast<size_t>(what)]; }
  };

  void Add(Count what) {
    Here().counts[static_cast<size_t>(what)].fetch_add(1, std::memory_order_relaxed);
  }
  // Less than nothing is nothing.
  void Observe(Timing what, std::chrono::microseconds time);
  Sum Read() const;

 private:
  struct alignas(64) Part {
    std::array<std::atomic<uint64_t>, kCounts> counts{};
    std::array<std::array<std::atomic<uint64_t>, kBucketBounds.size() + 1>, kTimings> buckets{};
    std::array<std::atomic<uint64_t>, kTimings> sums{};
  };
  static constexpr size_t kParts = 8;

  Part& Here();

  std::array<Part, kParts> parts_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_ACTOR_METRICS_H_
