#include "tools/time_buckets.h"

#include <array>
#include <utility>

#include "engine/bookmark.h"

namespace tidemark::tools {

namespace {

constexpr int64_t kMinute = 60;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
// Seconds, each a multiple of the one before. The last gives kMaxBuckets to all the time that a
// Timestamp can be.
constexpr std::array<int64_t, 17> kWidths = {
    1,          5,           15,           kMinute,       5 * kMinute,   15 * kMinute,
    kHour,      3 * kHour,   6 * kHour,    kDay,          7 * kDay,      28 * kDay,
    364 * kDay, 3640 * kDay, 36400 * kDay, 364000 * kDay, 3640000 * kDay};

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t Seconds(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

void TimeBuckets::Add(Timestamp time, uint64_t bytes) {
  Sum& sum = sums_[FloorDivide(Seconds(time), kWidths[width_])];
  ++sum.count;
  sum.bytes += bytes;
  while (sums_.rbegin()->first - sums_.begin()->first >= kMaxBuckets) Widen();
}

void TimeBuckets::Widen() {
  const int64_t before = kWidths[width_];
  const int64_t after = kWidths[++width_];
  std::map<int64_t, Sum> wider;
  for (const auto& [place, sum] : sums_) {
    Sum& to = wider[FloorDivide(place * before, after)];
    to.count += sum.count;
    to.bytes += sum.bytes;
  }
  sums_ = std::move(wider);
}

std::vector<TimeBuckets::Bucket> TimeBuckets::Buckets() const {
  std::vector<Bucket> buckets;
  if (sums_.empty()) return buckets;
  for (int64_t place = sums_.begin()->first; place <= sums_.rbegin()->first; ++place) {
    Bucket bucket;
    bucket.begin = Timestamp(std::chrono::seconds(place * kWidths[width_]));
    if (const auto it = sums_.find(place); it != sums_.end()) {
      bucket.count = it->second.count;
      bucket.bytes = it->second.bytes;
    }
    buckets.push_back(bucket);
  }
  return buckets;
}

std::chrono::seconds TimeBuckets::width() const { return std::chrono::seconds(kWidths[width_]); }

std::string TimeBuckets::Label(const Bucket& bucket) const {
  std::string text = FormatTime(bucket.begin);  // 2026-11-21T04:05:06.000000Z
  if (kWidths[width_] >= kDay) return text.substr(0, 10);
  text[10] = ' ';
  if (kWidths[width_] >= kMinute) return text.substr(5, 11);
  return text.substr(11, 8);
}

}  // namespace tidemark::tools
