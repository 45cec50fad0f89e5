// TimeBuckets: counts over time in few bars of a round width, whatever span they come to cover.

#ifndef TIDEMARK_TOOLS_TIME_BUCKETS_H_
#define TIDEMARK_TOOLS_TIME_BUCKETS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/clock.h"

namespace tidemark::tools {

class TimeBuckets {
 public:
  static constexpr int64_t kMaxBuckets = 90;

  void Add(Timestamp time, uint64_t bytes);

  struct Bucket {
    Timestamp begin;
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  // In order of time, without gaps, at most kMaxBuckets.
  std::vector<Bucket> Buckets() const;
  // Of each bucket; they begin at multiples of it since 1970.
  std::chrono::seconds width() const;
  // The beginning of a bucket in UTC, no finer than the width asks for: "2026-11-21", "11-21
  // 04:05", "04:05:06".
  std::string Label(const Bucket& bucket) const;

 private:
  struct Sum {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  void Widen();

  size_t width_ = 0;             // place in the list of widths
  std::map<int64_t, Sum> sums_;  // by begin / width
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_TIME_BUCKETS_H_
