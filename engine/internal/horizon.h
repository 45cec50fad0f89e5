// Horizons: how far back the history of an object reaches, as pure functions of times.
//
//          daily          hourly          everything           now
//   gone     |  one a day    |  one an hour    |  every commit   |
//
// A commit is kept if its time is behind `everything`; if it is the last one of its UTC hour (day)
// and its time is behind `hourly` (`daily`); or if it was current at one of the three. Horizons
// move forward only, each of them, and then what is kept now was kept before, too. That takes a
// care: `hourly` and `daily` may only stop where what was current has been kept, which is at the
// end of a day, or where everything was kept.
//
// So what an object was at a time is known from what is kept: see LastOfStage.

#ifndef TIDEMARK_ENGINE_INTERNAL_HORIZON_H_
#define TIDEMARK_ENGINE_INTERNAL_HORIZON_H_

#include "engine/clock.h"
#include "engine/retention.h"

namespace tidemark::internal {

// Before all times: nothing has expired. Times before 1970 are taken for this one.
inline constexpr Timestamp kNoHorizon{};

// daily <= hourly <= everything.
struct Horizons {
  Timestamp everything = kNoHorizon;
  Timestamp hourly = kNoHorizon;
  Timestamp daily = kNoHorizon;
  bool operator==(const Horizons&) const = default;

  static Horizons At(Timestamp time) { return {time, time, time}; }
};

// What a policy lets expire at `now`.
Horizons HorizonsOf(const RetentionPolicy& policy, Timestamp now);

// The horizons when `rule` is applied to an object, or others, that had `floor` until now.
Horizons Advance(const Horizons& floor, Horizons rule);

// The end (the last microsecond) of the last whole UTC day at or before a time.
Timestamp LastEndOfDay(Timestamp time);

// The last moment at which what was current is kept and shows what was current at `time`: what
// was current there is the answer for `time` if it is not of a time behind it, else the answer has
// expired, and that commit is the next one that is kept.
Timestamp LastOfStage(const Horizons& horizons, Timestamp time);

// Tells which commits are kept, when it is asked for all of an object (or for all that other
// horizons had left of it) from new to old, beginning at or before the one current at
// `everything`.
class KeptWalk {
 public:
  explicit KeptWalk(const Horizons& horizons) : horizons_(horizons) {}
  bool Keeps(Timestamp time);
  // Nothing older is kept.
  bool done() const { return done_; }

 private:
  const Horizons horizons_;
  bool first_ = true;
  bool done_ = false;
  Timestamp newer_{};  // the time of the commit before this call
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_HORIZON_H_
