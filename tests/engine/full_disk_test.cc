// A full disk: what goes on working on it, what ends with kFull, and that all goes on when there is
// room again, in the same store.

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;

class FullDiskTest : public StoreFixture {
 protected:
  void SetUp() override {
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 0));
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    first_ = a->BookmarkOf(first);
  }

  // Commits until one fails, on a disk with `room` for more than there is.
  void Fill(uint64_t room) {
    sim_.fs().SetCapacity(sim_.fs().UsedBytes() + room);
    Status status;
    for (last_ = 0; status.ok() && last_ < 2000;) {
      status = Put("a", last_ + 1).status();
      if (status.ok()) ++last_;
    }
    EXPECT_ERROR(status, StatusCode::kFull, "");
    EXPECT_GT(last_, 10u);
  }

  Bookmark first_;
  uint64_t last_ = 0;  // what object "a" holds
};

// Goal: on a disk that commits have filled one may read, restore, undo that, fork, label, delete,
// undelete, set policies and holds, close and open again; commits fail alike all the while, and go
// on in the same store when there is room. Method: the log may not grow by a byte.
TEST_F(FullDiskTest, WhatNeedsNoCommitGoesOn) {
  Fill(0);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    {
      ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
      EXPECT_TRUE(Holds("a", last_));
      ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, a->Restore(first_));
      EXPECT_TRUE(Holds("a", 0));
      ASSERT_OK(a->Restore(restored.undo));
      EXPECT_TRUE(Holds("a", last_));
      ASSERT_OK(a->SetLabel("first-" + std::to_string(round), first_));
      const std::string twin = "twin" + std::to_string(round);
      ASSERT_OK(sim_.store().Fork(*a, first_, "rooms", twin));
      EXPECT_TRUE(Holds(twin, 0));
      ASSERT_OK(a->Delete());
      ASSERT_OK(a->Undelete());
      ASSERT_OK(a->SetHold("a full disk"));
      ASSERT_OK(sim_.store().SetRetention({}, {.window = hours(24 * (round + 1))}));
      ASSERT_OK(sim_.store().Prune());
      EXPECT_ERROR(Put("a", last_ + 1), StatusCode::kFull, "");
      EXPECT_ERROR(Put("new", 1), StatusCode::kFull, "");
      ASSERT_OK(sim_.Checkpoint());
    }
    if (round == 0) continue;
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
  }
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_OK(Put("a", last_ + 1));
  EXPECT_TRUE(Holds("a", last_ + 1));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", last_ + 1));
}

// Goal: a restore can be scheduled on a full disk, waits there through a close, and happens, with
// its undo; without another byte of disk for the log.
TEST_F(FullDiskTest, ARestoreWaitsAndHappens) {
  Fill(0);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    Bookmark undo;
    {
      ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(undo, a->ScheduleRestore(first_));
      EXPECT_ERROR(Put("a", last_ + 1), StatusCode::kFull, "");
    }
    if (round == 1) {
      ASSERT_OK(sim_.Close());
      ASSERT_OK(sim_.Open());
    }
    if (round == 2) {
      ASSERT_OK(sim_.Checkpoint());
    }
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
    EXPECT_TRUE(Holds("a", last_));
    ASSERT_OK_AND_ASSIGN(const auto done, a->BeginSession());
    EXPECT_TRUE(done.has_value());
    EXPECT_TRUE(Holds("a", 0));
    ASSERT_OK(a->Restore(undo));
    EXPECT_TRUE(Holds("a", last_));
  }
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_OK(Put("a", last_ + 1));
  EXPECT_TRUE(Holds("a", last_ + 1));
}

// Goal: expiring history makes the room that commits lack, without another byte of disk, also if
// there is none at all; and the next time, too. Method: disks on which less than a segment is free,
// or nothing; commits that fill it, a month, a licence, a packing, twice.
TEST_F(FullDiskTest, PruningMakesRoom) {
  for (const uint64_t left : {300u << 10, 8u << 10, 0u, 0u}) {
    SCOPED_TRACE(left);
    sim_.fs().SetCapacity(UINT64_MAX);
    Fill((4u << 20) + left);
    sim_.clock().Advance(hours(24 * 31));
    ASSERT_OK(sim_.store().ConfirmClock());
    ASSERT_OK(sim_.store().Prune());
    const uint64_t before = sim_.fs().UsedBytes();
    ASSERT_OK(sim_.Reclaim(ReclaimWhat::kWhatPays));
    EXPECT_LT(sim_.fs().UsedBytes() + (1u << 20), before);
    EXPECT_TRUE(Holds("a", last_));
    for (uint64_t i = 1; i <= 300; ++i) ASSERT_OK(Put("a", last_ + i));
    EXPECT_TRUE(Holds("a", last_ + 300));
  }
}

// Goal: the head room itself ends with kFull and breaks nothing, and what it keeps for the close is
// enough for one, so that the next opening needs no room for a new segment. Method: labels until
// one fails; then close, and open with room.
TEST_F(FullDiskTest, TheHeadRoomEndsCleanly) {
  Fill(0);
  Status status;
  uint64_t labels = 0;
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
    for (; labels < 5000; ++labels) {
      status = a->SetLabel("label-" + std::to_string(labels), first_);
      if (!status.ok()) break;
    }
    EXPECT_ERROR(status, StatusCode::kFull, "");
    EXPECT_GT(labels, 100u);
    EXPECT_ERROR(a->Restore(first_), StatusCode::kFull, "");
  }
  EXPECT_TRUE(Holds("a", last_));
  const uint64_t epochs = sim_.fs().UsedBytes();
  ASSERT_OK(sim_.Close());
  EXPECT_ERROR(sim_.Open(), StatusCode::kFull, "");
  EXPECT_EQ(sim_.fs().UsedBytes(), epochs);
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const auto found, a->ListLabels());
  EXPECT_EQ(found.size(), labels);
  ASSERT_OK(Put("a", last_ + 1));
  EXPECT_TRUE(Holds("a", last_ + 1));
}

}  // namespace
}  // namespace tidemark::testing
