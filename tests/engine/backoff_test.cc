#include "engine/internal/backoff.h"

#include <gtest/gtest.h>

namespace tidemark::internal {
namespace {

// How many occasions pass by before the next attempt is due, which ends as `pays` says.
int Skipped(Backoff& backoff, bool pays) {
  int skipped = 0;
  while (!backoff.IsDue()) ++skipped;
  backoff.Note(pays);
  return skipped;
}

// Goal: attempts that never pay become rare, but never stop; one that pays brings all back.
TEST(BackoffTest, WaitsLongerEachTime) {
  Backoff backoff;
  for (const int expected : {0, 1, 3, 7, 15, 31, 63, 63, 63}) {
    EXPECT_EQ(Skipped(backoff, false), expected);
  }
  EXPECT_EQ(Skipped(backoff, true), 63);
  EXPECT_EQ(Skipped(backoff, true), 0);
  EXPECT_EQ(Skipped(backoff, false), 0);
  EXPECT_EQ(Skipped(backoff, false), 1);
}

}  // namespace
}  // namespace tidemark::internal
