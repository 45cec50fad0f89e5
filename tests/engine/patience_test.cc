// Patience: when whoever would lead a group waits for more commits, and when not.

#include "engine/internal/patience.h"

#include <gtest/gtest.h>

namespace tidemark::internal {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

class PatienceTest : public ::testing::Test {
 protected:
  // A group that let `released` go, and another `waiting` did not come in time for.
  void Done(uint32_t released, uint32_t waiting) {
    patience_.GroupDone(Patience::Clock::now() + hours(1), microseconds(100), released, waiting);
  }
  void DoneLongAgo(uint32_t released, uint32_t waiting) {
    patience_.GroupDone(Patience::Clock::now() - hours(1), microseconds(100), released, waiting);
  }
  bool Waits(uint32_t waiting) { return patience_.WaitUntil(waiting).has_value(); }

  Patience patience_;
};

// Goal: nobody waits who is alone, at the first group and behind any.
TEST_F(PatienceTest, OneWaiterNeverWaits) {
  EXPECT_FALSE(Waits(1));
  Done(1, 0);
  EXPECT_FALSE(Waits(1));
  Done(0, 0);
  EXPECT_FALSE(Waits(1));
}

// Goal: a group begins with those who were let go and those who wait already, and not before.
TEST_F(PatienceTest, ForAllThatWereLetGo) {
  Done(5, 3);
  EXPECT_TRUE(Waits(3));
  EXPECT_TRUE(Waits(7));
  EXPECT_FALSE(Waits(8));
  Done(8, 0);
  EXPECT_TRUE(Waits(7));
  EXPECT_FALSE(Waits(8));
}

// Goal: nobody waits for longer than a sync has taken, nor than kLongest.
TEST_F(PatienceTest, NoLongerThanASync) {
  const auto now = Patience::Clock::now() + hours(1);
  patience_.GroupDone(now, microseconds(70), 4, 0);
  EXPECT_EQ(patience_.WaitUntil(1), now + microseconds(70));
  patience_.GroupDone(now, std::chrono::seconds(1), 4, 0);
  EXPECT_EQ(patience_.WaitUntil(1), now + Patience::kLongest);
}

// Goal: where they do not come, groups begin at once, twice as many and one more each time it is
// tried in vain, up to kMostSkipped; and it begins anew when they have come.
TEST_F(PatienceTest, NotWhereNobodyComes) {
  uint32_t expected = 0;
  for (int misses = 0; misses < 10; ++misses) {
    DoneLongAgo(4, 0);
    EXPECT_FALSE(Waits(1));  // they had their time
    expected = std::min(2 * expected + 1, Patience::kMostSkipped);
    for (uint32_t skipped = 0; skipped < expected; ++skipped) {
      Done(4, 0);
      ASSERT_FALSE(Waits(1)) << misses << ", " << skipped;
    }
  }
  Done(4, 0);
  EXPECT_TRUE(Waits(1));
  EXPECT_FALSE(Waits(4));  // they have come
  DoneLongAgo(4, 0);
  EXPECT_FALSE(Waits(1));
  Done(4, 0);
  EXPECT_FALSE(Waits(1));
  Done(4, 0);
  EXPECT_TRUE(Waits(1));
}

}  // namespace
}  // namespace tidemark::internal
