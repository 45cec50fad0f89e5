#include "runtime/internal/actor_metrics.h"

#include <numeric>

namespace tidemark::internal {
namespace {

std::atomic<size_t> next_thread = 0;

}  // namespace

ActorMetrics::Part& ActorMetrics::Here() {
  thread_local const size_t thread = next_thread.fetch_add(1, std::memory_order_relaxed);
  return parts_[thread % kParts];
}

void ActorMetrics::Observe(Timing what, std::chrono::microseconds time) {
  Part& part = Here();
  const auto timing = static_cast<size_t>(what);
  size_t bucket = 0;
  while (bucket < kBucketBounds.size() && time.count() > kBucketBounds[bucket]) ++bucket;
  part.buckets[timing][bucket].fetch_add(1, std::memory_order_relaxed);
  if (time.count() <= 0) return;
  part.sums[timing].fetch_add(static_cast<uint64_t>(time.count()), std::memory_order_relaxed);
}

ActorMetrics::Sum ActorMetrics::Read() const {
  Sum sum;
  for (const Part& part : parts_) {
    for (size_t i = 0; i < kCounts; ++i) {
      sum.counts[i] += part.counts[i].load(std::memory_order_relaxed);
    }
    for (size_t i = 0; i < kTimings; ++i) {
      Histogram& histogram = sum.timings[i];
      for (size_t bucket = 0; bucket < histogram.buckets.size(); ++bucket) {
        histogram.buckets[bucket] += part.buckets[i][bucket].load(std::memory_order_relaxed);
      }
      histogram.sum_microseconds += part.sums[i].load(std::memory_order_relaxed);
    }
  }
  return sum;
}

uint64_t ActorMetrics::Histogram::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

}  // namespace tidemark::internal
