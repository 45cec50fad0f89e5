// Backoff: whether an attempt that costs more than it brings is worth making this time.

#ifndef TIDEMARK_ENGINE_INTERNAL_BACKOFF_H_
#define TIDEMARK_ENGINE_INTERNAL_BACKOFF_H_

#include <algorithm>
#include <cstdint>

namespace tidemark::internal {

// Each attempt in a row that did not pay doubles the number of occasions that are let go by before
// the next one, up to 64; one that paid makes every occasion due again. For one thread at a time.
class Backoff {
 public:
  // Ask once an occasion; after true, say how the attempt ended.
  bool IsDue() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }

  void Note(bool paid) {
    wait_ = paid ? 0 : std::min(2 * wait_ + 1, kMostSkipped);
    skip_ = wait_;
  }

 private:
  static constexpr uint32_t kMostSkipped = 63;
  uint32_t wait_ = 0;
  uint32_t skip_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_BACKOFF_H_
