// Where a budget's horizon may stop, as pure functions of sizes and times.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/internal/budget.h"
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

// Three files of 400 bytes, each of four hours.
HistorySizes ThreeFiles() {
  HistorySizes sizes{.first = kMidnight, .files = {}};
  for (int i = 1; i <= 3; ++i)
    sizes.files.push_back({.last = kMidnight + hours(4 * i), .bytes = 400});
  return sizes;
}

TEST(BudgetStopsTest, FourInEachFile) {
  const auto stops = BudgetStops(ThreeFiles(), {.from = kNoHorizon, .newest = Timestamp::max()});
  ASSERT_EQ(stops.size(), 12u);
  for (size_t i = 0; i < stops.size(); ++i) {
    EXPECT_EQ(stops[i], (BudgetStop{.horizon = kMidnight + hours(i + 1), .bytes = 100 * (i + 1)}));
  }
  // What was let go of before does not count again, and the present is out of reach.
  const auto some = BudgetStops(
      ThreeFiles(), {.from = kMidnight + hours(6), .newest = kMidnight + minutes(7 * 60 + 30)});
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[0], (BudgetStop{.horizon = kMidnight + hours(7), .bytes = 100}));
  EXPECT_EQ(some[1].horizon, kMidnight + minutes(7 * 60 + 30));
  EXPECT_TRUE(
      BudgetStops(ThreeFiles(), {.from = kMidnight + hours(6), .newest = kMidnight + hours(6)})
          .empty());
  EXPECT_TRUE(BudgetStops({}, {.from = kNoHorizon, .newest = Timestamp::max()}).empty());
}

// Goal: it is the first stop that can be enough; none without need; in steps that end.
TEST(BudgetStopsTest, Choice) {
  const auto stops = BudgetStops(ThreeFiles(), {.from = kNoHorizon, .newest = Timestamp::max()});
  EXPECT_EQ(ChooseStop(stops, 1200, 1200), std::nullopt);
  EXPECT_EQ(ChooseStop(stops, 1200, 1199), 0u);
  EXPECT_EQ(ChooseStop(stops, 1200, 1100), 0u);
  EXPECT_EQ(ChooseStop(stops, 1200, 1099), 1u);
  EXPECT_EQ(ChooseStop(stops, 1200, 1), 11u);
  EXPECT_EQ(ChooseStop(stops, 5000, 1), 11u) << "what stays for other reasons is more";
  EXPECT_EQ(ChooseStop({}, 5000, 1), std::nullopt);
  EXPECT_EQ(ChooseStop(stops, 3201, 3200), 0u);
  EXPECT_EQ(ChooseStop(stops, 6401, 6400), 1u) << "a 32nd of the budget at least";
}

// Goal: where something is thinned out the horizon stops at ends of days only.
TEST(BudgetStopsTest, EndsOfDays) {
  HistorySizes sizes{.first = kMidnight, .files = {}};
  for (int i = 1; i <= 8; ++i) {
    sizes.files.push_back({.last = kMidnight + hours(10 * i), .bytes = 400});
  }
  const Timestamp thinned = kMidnight + days(2) + hours(3);
  const auto stops = BudgetStops(
      sizes,
      {.from = kMidnight + hours(1), .newest = kMidnight + hours(75), .thinned_until = thinned});
  ASSERT_GE(stops.size(), 3u);
  EXPECT_EQ(stops[0].horizon, kMidnight + days(1) - microseconds(1));
  EXPECT_EQ(stops[1].horizon, kMidnight + days(2) - microseconds(1));
  EXPECT_GE(stops[2].horizon, thinned);
}

// Goal: stops are in order, behind where it was, never beyond the newest, with bytes that grow and
// are never more than there are. Method: random files.
TEST(BudgetStopsTest, Random) {
  const uint64_t rounds = Scaled(2000);
  testing::Random random(TestSeed());
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    const auto time = [&] { return kMidnight + minutes(random.Below(6 * 24 * 60)); };
    HistorySizes sizes{.first = time(), .files = {}};
    std::vector<Timestamp> ends(random.Below(6));
    for (Timestamp& end : ends) end = time();
    std::sort(ends.begin(), ends.end());
    for (const Timestamp end : ends) {
      sizes.files.push_back({.last = end, .bytes = random.Below(1000)});
    }
    const BudgetLimits limits{.from = random.OneIn(3) ? kNoHorizon : time(),
                              .newest = time(),
                              .thinned_until = random.OneIn(2) ? kNoHorizon : time()};
    Timestamp horizon = limits.from;
    uint64_t bytes = 0;
    for (const BudgetStop& stop : BudgetStops(sizes, limits)) {
      EXPECT_GT(stop.horizon, horizon);
      EXPECT_LE(stop.horizon, limits.newest);
      EXPECT_TRUE(stop.horizon >= limits.thinned_until ||
                  stop.horizon == LastEndOfDay(stop.horizon));
      EXPECT_GE(stop.bytes, bytes);
      EXPECT_LE(stop.bytes, sizes.TotalBytes());
      horizon = stop.horizon;
      bytes = stop.bytes;
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tidemark::internal
