// KeptPoints: which commits of one timeline must stay readable.

#ifndef TIDEMARK_ENGINE_INTERNAL_KEPT_POINTS_H_
#define TIDEMARK_ENGINE_INTERNAL_KEPT_POINTS_H_

#include <algorithm>
#include <vector>

#include "engine/lsn.h"

namespace tidemark::internal {

// A point is an LSN at which the timeline may be read: a page version is needed iff a point lies
// between its own LSN and that of the page's next version on the timeline.
class KeptPoints {
 public:
  static KeptPoints All() {
    KeptPoints points;
    points.AddFrom(Lsn());
    return points;
  }

  // Is there one in [from, to)?
  bool AnyIn(Lsn from, Lsn to) const {
    if (to > all_from_) return true;
    const auto it = std::lower_bound(points_.begin(), points_.end(), from);
    return it != points_.end() && *it < to;
  }
  bool Has(Lsn lsn) const { return AnyIn(lsn, Lsn(lsn.value + 1)); }
  bool empty() const { return points_.empty() && !has_all_from_; }

  // Everything from here on, or one point. Sort before asking.
  void AddFrom(Lsn lsn) {
    all_from_ = std::min(all_from_, lsn);
    has_all_from_ = true;
  }
  void Add(Lsn lsn) { points_.push_back(lsn); }
  void Sort() {
    std::sort(points_.begin(), points_.end());
    points_.erase(std::unique(points_.begin(), points_.end()), points_.end());
  }

 private:
  Lsn all_from_ = Lsn(UINT64_MAX);
  bool has_all_from_ = false;
  std::vector<Lsn> points_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_KEPT_POINTS_H_
