#include "engine/internal/horizon.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;

Timestamp Before(Timestamp now, std::chrono::seconds span) {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - kNoHorizon);
  return span >= since ? kNoHorizon : now - microseconds(span);
}

template <typename Unit>
Timestamp EndOf(Timestamp time) {
  return Timestamp(std::chrono::floor<Unit>(time) + Unit(1)) - microseconds(1);
}

}  // namespace

Timestamp LastEndOfDay(Timestamp time) {
  const Timestamp end = Timestamp(std::chrono::floor<days>(time + microseconds(1)));
  return end <= kNoHorizon ? kNoHorizon : end - microseconds(1);
}

Horizons HorizonsOf(const RetentionPolicy& policy, Timestamp now) {
  Horizons rule = Horizons::At(Before(now, policy.window));
  if (policy.hourly > policy.window) rule.hourly = LastEndOfDay(Before(now, policy.hourly));
  rule.daily = rule.hourly;
  if (policy.daily > std::max(policy.window, policy.hourly)) {
    rule.daily = std::min(rule.hourly, LastEndOfDay(Before(now, policy.daily)));
  }
  return rule;
}

Horizons Advance(const Horizons& floor, Horizons rule) {
  // Among what was thinned out, only the ends of days are kept for certain.
  if (rule.hourly < floor.everything) rule.hourly = LastEndOfDay(rule.hourly);
  if (rule.daily < floor.everything) rule.daily = LastEndOfDay(rule.daily);
  return {.everything = std::max(floor.everything, rule.everything),
          .hourly = std::max(floor.hourly, rule.hourly),
          .daily = std::max(floor.daily, rule.daily)};
}

Timestamp LastOfStage(const Horizons& horizons, Timestamp time) {
  if (time >= horizons.everything || horizons.everything == kNoHorizon) return time;
  if (time > horizons.hourly) return std::min(EndOf<hours>(time), horizons.everything);
  if (time == horizons.hourly || time == horizons.daily) return time;
  if (time > horizons.daily) return std::min(EndOf<days>(time), horizons.hourly);
  return horizons.daily;
}

bool KeptWalk::Keeps(Timestamp time) {
  if (done_) return false;
  const bool first = std::exchange(first_, false);
  const Timestamp newer = std::exchange(newer_, time);
  if (time > horizons_.everything || horizons_.everything == kNoHorizon) return true;
  // What was current at a horizon: the first one at or before it.
  const auto current_at = [&](Timestamp horizon) {
    return time <= horizon && (first || newer > horizon);
  };
  if (time <= horizons_.daily) {
    done_ = true;
    return true;
  }
  if (current_at(horizons_.hourly) || current_at(horizons_.everything)) return true;
  if (time > horizons_.hourly) return newer > EndOf<hours>(time);
  return newer > EndOf<days>(time);
}

}  // namespace tidemark::internal
