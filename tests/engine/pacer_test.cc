// The pacer: how long background work pauses, and what ends a pause.

#include "engine/internal/pacer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tidemark::internal {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(PacerTest, WorkAndPausesTakeTurns) {
  ManualClock clock;
  Pacer pacer(&clock, 0.1);
  pacer.Begin();
  EXPECT_EQ(pacer.Owed(), milliseconds(0));
  clock.Advance(milliseconds(1));
  EXPECT_EQ(pacer.Owed(), milliseconds(0)) << "too little to pause for";
  EXPECT_TRUE(pacer.Pause());
  clock.Advance(milliseconds(9));
  EXPECT_EQ(pacer.Owed(), milliseconds(90));
  clock.Advance(milliseconds(90));
  EXPECT_EQ(pacer.Owed(), milliseconds(900)) << "a long piece is paid for by a long pause";
  pacer.Begin();
  EXPECT_EQ(pacer.Owed(), milliseconds(0)) << "what others did meanwhile is no work";

  Pacer all(&clock, 1);
  all.Begin();
  clock.Advance(hours(1));
  EXPECT_EQ(all.Owed(), milliseconds(0));
  Pacer little(&clock, 1e-300);
  little.Begin();
  clock.Advance(milliseconds(10));
  EXPECT_EQ(little.Owed(), hours(1)) << "for ever is too long";
}

// Goal: an hour's pause ends at once when somebody interrupts or stops it. Method: it would last an
// hour.
TEST(PacerTest, PausesEnd) {
  ManualClock clock;
  Pacer pacer(&clock, 1e-300);
  for (const auto end : {&Pacer::Interrupt, &Pacer::Stop}) {
    pacer.Begin();
    clock.Advance(milliseconds(10));
    std::thread other([&] {
      while (!pacer.pausing()) std::this_thread::yield();
      (pacer.*end)();
    });
    EXPECT_FALSE(pacer.Pause());
    other.join();
    EXPECT_FALSE(pacer.Pause()) << "not only once";
  }
  pacer.Begin();
  EXPECT_FALSE(pacer.Pause()) << "what was stopped stays so";

  Pacer another(&clock, 1);
  another.Interrupt();
  another.Begin();
  EXPECT_TRUE(another.Pause()) << "an interruption is for the work under way";
}

// Goal: a share that grows while the work pauses ends the pause. Method: it would last an hour.
TEST(PacerTest, TheShareMayGrow) {
  ManualClock clock;
  std::atomic<double> share{1e-300};
  Pacer pacer(&clock, 1e-300, [&] { return share.load(); });
  pacer.Begin();
  clock.Advance(milliseconds(10));
  EXPECT_EQ(pacer.Owed(), hours(1));
  std::thread other([&] {
    while (!pacer.pausing()) std::this_thread::yield();
    share = 1;
  });
  EXPECT_TRUE(pacer.Pause());
  other.join();
  clock.Advance(hours(1));
  EXPECT_EQ(pacer.Owed(), milliseconds(0));
}

}  // namespace
}  // namespace tidemark::internal
