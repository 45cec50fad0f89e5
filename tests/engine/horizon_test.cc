// Horizons as pure functions of times, held against a plain list of commits from which everything
// that is not kept is really removed.

#include "engine/internal/horizon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Random;
using testing::Scaled;
using testing::TestSeed;

constexpr Timestamp kMidnight{seconds{1767225600}};  // 2026-01-01

RetentionPolicy Policy(seconds window, seconds hourly = {}, seconds daily = {}) {
  return {.window = window, .hourly = hourly, .daily = daily};
}

// Which of the times (in order) the definition keeps: see horizon.h.
template <typename Unit>
bool IsLastOf(const std::vector<Timestamp>& times, size_t i) {
  return i + 1 == times.size() ||
         std::chrono::floor<Unit>(times[i + 1]) != std::chrono::floor<Unit>(times[i]);
}

bool IsCurrentAt(const std::vector<Timestamp>& times, size_t i, Timestamp horizon) {
  return times[i] <= horizon && (i + 1 == times.size() || times[i + 1] > horizon);
}

bool IsKept(const std::vector<Timestamp>& times, size_t i, const Horizons& h) {
  if (times[i] > h.everything) return true;
  if (times[i] > h.hourly && IsLastOf<hours>(times, i)) return true;
  if (times[i] > h.daily && IsLastOf<days>(times, i)) return true;
  return IsCurrentAt(times, i, h.everything) || IsCurrentAt(times, i, h.hourly) ||
         IsCurrentAt(times, i, h.daily);
}

std::vector<Timestamp> Kept(const std::vector<Timestamp>& times, const Horizons& horizons) {
  std::vector<Timestamp> kept;
  for (size_t i = 0; i < times.size(); ++i) {
    if (IsKept(times, i, horizons)) kept.push_back(times[i]);
  }
  return kept;
}

// The last one at or before `time`; nothing: kNoHorizon.
Timestamp Current(const std::vector<Timestamp>& times, Timestamp time) {
  const auto it = std::upper_bound(times.begin(), times.end(), time);
  return it == times.begin() ? kNoHorizon : *std::prev(it);
}

TEST(HorizonTest, Policies) {
  const Timestamp now = kMidnight + days(100) + hours(5);
  EXPECT_EQ(HorizonsOf(Policy(days(30)), now), Horizons::At(now - days(30)));
  // Stages end at the ends of days.
  const Timestamp end = kMidnight - microseconds(1);
  EXPECT_EQ(
      HorizonsOf(Policy(days(10), days(20), days(50)), now),
      (Horizons{.everything = now - days(10), .hourly = end + days(80), .daily = end + days(50)}));
  EXPECT_EQ(
      HorizonsOf(Policy(days(10), seconds(0), days(50)), now),
      (Horizons{.everything = now - days(10), .hourly = now - days(10), .daily = end + days(50)}));
  // A stage that ends before it begins is none.
  EXPECT_EQ(HorizonsOf(Policy(days(30), days(20), days(10)), now), Horizons::At(now - days(30)));
  EXPECT_EQ(HorizonsOf(Policy(days(366 * 10'000)), now), Horizons());
  EXPECT_EQ(LastEndOfDay(end), end);
  EXPECT_EQ(LastEndOfDay(end - microseconds(1)), end - days(1));
  EXPECT_EQ(LastEndOfDay(kNoHorizon), kNoHorizon);
  // Before the first licence nothing has expired, at any time.
  EXPECT_EQ(LastOfStage(Horizons(), kNoHorizon - days(1)), kNoHorizon - days(1));
  KeptWalk walk{Horizons()};
  EXPECT_TRUE(walk.Keeps(kNoHorizon - days(1)));
  EXPECT_TRUE(walk.Keeps(kNoHorizon - days(2)));
}

TEST(HorizonTest, NeverBack) {
  const Horizons floor = Horizons::At(kMidnight + hours(5));
  EXPECT_EQ(Advance(floor, Horizons::At(kMidnight)), floor);
  EXPECT_EQ(Advance(floor, Horizons::At(kMidnight + hours(6))), Horizons::At(kMidnight + hours(6)));
  // In what was thinned out a stage ends with a day.
  const Horizons thinned{.everything = kMidnight + days(5),
                         .hourly = kMidnight - microseconds(1),
                         .daily = kMidnight - days(1) - microseconds(1)};
  EXPECT_EQ(Advance(thinned, Horizons::At(kMidnight + hours(30))),
            (Horizons{.everything = thinned.everything,
                      .hourly = kMidnight + days(1) - microseconds(1),
                      .daily = kMidnight + days(1) - microseconds(1)}));
}

// Goal: whatever sequence of rules applies, what is kept was kept before; a walk from new to old
// tells it; and what was current at a time is told from what is left alone, or said to be unknown
// exactly where a commit that was current is gone. Method: random commits and rules, each step
// applied to what the one before left.
TEST(HorizonTest, WhatIsKeptWasKeptBefore) {
  Random random(TestSeed());
  for (uint64_t round = 0; round < Scaled(3000); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    std::vector<Timestamp> all;
    Timestamp time = kMidnight;
    for (uint64_t i = random.Between(1, 60); i > 0; --i) {
      time += random.OneIn(3) ? microseconds(random.Below(2)) : minutes(random.Below(900));
      if (random.OneIn(10)) time = std::chrono::floor<days>(time) + days(1);
      all.push_back(time);
    }
    Timestamp now = time;
    Horizons horizons;
    std::vector<Timestamp> left = all;
    RetentionPolicy policy = Policy(days(5));
    for (int step = 0; step < 6; ++step) {
      if (random.OneIn(2)) {
        policy = Policy(minutes(random.Below(6000)), minutes(random.Below(12000)),
                        minutes(random.Below(20000)));
        if (random.OneIn(2)) policy.hourly = {};
        if (random.OneIn(2)) policy.daily = {};
      }
      now += minutes(random.Below(2000));
      Horizons rule = HorizonsOf(policy, now);
      // One that somebody else's floor has shaped.
      if (random.OneIn(4)) rule = Advance(Horizons::At(now - minutes(random.Below(9000))), rule);
      const Horizons next = Advance(horizons, rule);
      EXPECT_GE(next.everything, horizons.everything);
      EXPECT_GE(next.hourly, horizons.hourly);
      EXPECT_GE(next.daily, horizons.daily);
      EXPECT_LE(next.daily, next.hourly);
      EXPECT_LE(next.hourly, next.everything);
      horizons = next;
      const std::vector<Timestamp> kept = Kept(all, horizons);
      // Nothing is wanted that went before, and removing in steps removes the same.
      EXPECT_EQ(Kept(left, horizons), kept);
      left = kept;

      KeptWalk walk(horizons);
      std::vector<Timestamp> walked;
      for (size_t i = all.size(); i-- > 0;) {
        if (walk.Keeps(all[i])) walked.push_back(all[i]);
      }
      std::reverse(walked.begin(), walked.end());
      EXPECT_EQ(walked, kept);

      for (int look = 0; look < 40; ++look) {
        Timestamp at = kMidnight - hours(1) +
                       minutes(random.Below(static_cast<uint64_t>((now - kMidnight) / minutes(1))));
        if (random.OneIn(3)) at = all[random.Below(all.size())];
        const Timestamp truth = Current(all, at);
        const Timestamp end = LastOfStage(horizons, at);
        const Timestamp found = Current(left, end);
        EXPECT_EQ(found, Current(all, end)) << "what is current at the end of a stage is kept";
        if (found > at) continue;
        EXPECT_EQ(found, truth);
      }
      for (const Timestamp commit : all) {
        const bool is_kept = std::find(kept.begin(), kept.end(), commit) != kept.end();
        EXPECT_EQ(
            commit > horizons.everything || Current(left, LastOfStage(horizons, commit)) == commit,
            is_kept);
      }
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tidemark::internal
