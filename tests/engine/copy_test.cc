// Copies of objects into other stores: at every point in time both show the same database.

#include "engine/copy.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/internal/commit_walk.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

// What the object shows at a time: nothing, or all of its pages.
std::vector<PageBytes> StateAt(const Object& object, Timestamp time) {
  std::vector<PageBytes> pages;
  const auto snapshot = object.OpenSnapshot(time);
  if (!snapshot.ok()) {
    EXPECT_EQ(snapshot.status().code(), StatusCode::kNotFound) << snapshot.status().ToString();
    return pages;
  }
  pages.push_back(PageBytes(snapshot->page_size()));  // tells sizes apart, and "empty" from nothing
  for (uint32_t number = 1; number <= snapshot->page_count(); ++number) {
    pages.push_back(ReadPage(*snapshot, number).value());
  }
  return pages;
}

class CopyTest : public StoreFixture {
 protected:
  void Tick() { sim_.clock().Advance(std::chrono::seconds(1)); }

  // A life with everything that makes a commit, each at a time of its own.
  void Live(const std::shared_ptr<Object>& object, uint32_t steps, Random& random) {
    std::vector<Bookmark> bookmarks;
    for (uint32_t step = 0; step < steps; ++step) {
      Tick();
      const auto kind = random.Next() % 12;
      if (!object->exists() || kind < 7) {
        std::map<uint32_t, PageBytes> pages;
        const uint64_t count = 1 + random.Next() % 3;
        for (uint64_t i = 0; i < count; ++i) {
          pages[static_cast<uint32_t>(1 + random.Next() % 12)] = RandomPage(random.Next());
        }
        ASSERT_OK(Commit(object, pages));
      } else if (kind == 7) {
        Transaction transaction(object);
        ASSERT_OK(transaction.Begin());
        ASSERT_OK(transaction.SetPageCount(1 + object->head().page_count / 2));
        ASSERT_OK(transaction.Commit());
      } else if (kind == 8 && !bookmarks.empty()) {
        ASSERT_OK(object->Restore(bookmarks[random.Next() % bookmarks.size()]));
      } else if (kind == 9) {
        ASSERT_OK(object->Delete());
        if (random.Next() % 2 == 0) {
          Tick();
          ASSERT_OK(object->Undelete());
        }
      } else if (kind == 10) {
        const uint32_t size = random.Next() % 2 == 0 ? 1024 : kPageSize;
        ASSERT_OK(
            Commit(object, {{1, RandomPage(step, size)}, {3, RandomPage(step + 1, size)}}, size));
        Tick();
        ASSERT_OK(Commit(object, {{2, RandomPage(step)}}));
      } else if (object->exists()) {
        const Bookmark here = object->CurrentBookmark().value();
        ASSERT_OK(object->SetLabel("at-" + std::to_string(here.lsn.value), here));
      }
      if (object->exists()) bookmarks.push_back(object->CurrentBookmark().value());
    }
  }

  // As a store for a history is opened.
  static Status OpenFor(SimStore& other) {
    other.clock().Set(ManualClock::kStart);
    return other.Open();
  }
  static Result<CopyReport> CopyHistory(const Object& from, SimStore& other) {
    return CopyObject(from, other.store(), "rooms", "copy",
                      {.history = true, .clock = &other.clock()});
  }
  static std::shared_ptr<Object> CopyIn(SimStore& other) {
    return other.store().OpenObject("rooms", "copy", IfMissing::kDeleted).value();
  }

  // At each commit, just before it, and by labels.
  static void ExpectSameHistory(const Object& from, const Object& copy) {
    std::vector<Timestamp> times;
    ASSERT_OK(from.History([&](const CommitInfo& commit) {
      times.push_back(commit.time);
      times.push_back(commit.time - std::chrono::microseconds(1));
      return true;
    }));
    for (const Timestamp time : times) {
      ASSERT_EQ(StateAt(copy, time), StateAt(from, time)) << FormatTime(time);
    }
    ASSERT_OK_AND_ASSIGN(const auto labels, from.ListLabels());
    for (const LabelInfo& label : labels) {
      if (label.automatic) continue;
      ASSERT_OK_AND_ASSIGN(const CommitInfo there, copy.Resolve(Label{label.name}));
      EXPECT_EQ(there.state_hash, label.commit.state_hash) << label.name;
    }
  }
};

// Goal: at every point in time, and by every label, the copy of a history shows what the object
// shows. Method: random lives, every other one packed before.
TEST_F(CopyTest, HistoriesAreTheSameAtEveryTime) {
  ASSERT_OK(sim_.Open());
  for (uint64_t life = 0; life < 6; ++life) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", life " << life);
    Random random(TestSeed() * 1000 + life);
    ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby-" + std::to_string(life)));
    ASSERT_NO_FATAL_FAILURE(Live(object, 60, random));
    if (life % 2 == 1) {
      ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
    }
    SimStore other(TestSeed() + life);
    ASSERT_OK(OpenFor(other));
    ASSERT_OK_AND_ASSIGN(const CopyReport report, CopyHistory(*object, other));
    EXPECT_GT(report.commits, 20u);
    EXPECT_EQ(report.found, 0u);
    ASSERT_NO_FATAL_FAILURE(ExpectSameHistory(*object, *CopyIn(other)));
    ASSERT_OK_AND_ASSIGN(const VerifyReport verified, other.store().Verify());
    EXPECT_TRUE(verified.damage.empty());
    ASSERT_OK(other.Close());
  }
}

// Goal: interrupted at any moment, the same call goes on, whatever the disk kept, and nothing is
// there twice. Method: the power of the other machine fails, a little later each time.
TEST_F(CopyTest, AnInterruptedOneGoesOn) {
  ASSERT_OK(sim_.Open());
  Random random(TestSeed());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  ASSERT_NO_FATAL_FAILURE(Live(object, 25, random));
  bool whole = false;
  for (uint64_t crash_at = 1; !whole; crash_at += 1 + random.Next() % 3) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    SimStore other(TestSeed() + crash_at);
    other.fs().CrashAt(crash_at);
    whole = OpenFor(other).ok() && CopyHistory(*object, other).ok();
    ASSERT_TRUE(whole || other.fs().crashed());
    other.Crash(PowerLoss::kSeeded);  // in any case: what is done is durable
    ASSERT_OK(OpenFor(other));
    ASSERT_OK_AND_ASSIGN(const CopyReport rest, CopyHistory(*object, other));
    if (whole) {
      EXPECT_EQ(rest.commits, 0u);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectSameHistory(*object, *CopyIn(other)));
    ASSERT_OK_AND_ASSIGN(const CopyReport again, CopyHistory(*object, other));
    EXPECT_EQ(again.commits, 0u);
    ASSERT_OK(other.Close());
  }
}

// Goal: a copy that is there gets what was committed since, and only that.
TEST_F(CopyTest, LaterCommitsAreAdded) {
  ASSERT_OK(sim_.Open());
  Random random(TestSeed());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  ASSERT_NO_FATAL_FAILURE(Live(object, 20, random));
  SimStore other(TestSeed());
  ASSERT_OK(OpenFor(other));
  ASSERT_OK_AND_ASSIGN(const CopyReport first, CopyHistory(*object, other));
  ASSERT_NO_FATAL_FAILURE(Live(object, 20, random));
  ASSERT_OK_AND_ASSIGN(const CopyReport second, CopyHistory(*object, other));
  EXPECT_EQ(second.found, first.commits);
  EXPECT_GT(second.commits, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectSameHistory(*object, *CopyIn(other)));
}

// Goal: the present state is one commit, all of it or nothing, and the same call again changes
// nothing. Method: the power fails at each operation.
TEST_F(CopyTest, ThePresentStateIsAllOrNothing) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}, {40, RandomPage(2)}}));
  bool whole = false;
  for (uint64_t crash_at = 1; !whole; ++crash_at) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    SimStore other(TestSeed() + crash_at);
    other.fs().CrashAt(crash_at);
    whole = other.Open().ok() && CopyObject(*object, other.store(), "rooms", "copy").ok();
    other.Crash(PowerLoss::kSeeded);
    ASSERT_OK(other.Open());
    const auto copy = other.store().OpenObject("rooms", "copy", IfMissing::kFail);
    if (copy.ok()) {
      EXPECT_EQ((*copy)->head().state_hash, object->head().state_hash);
    }
    ASSERT_OK_AND_ASSIGN(const CopyReport report,
                         CopyObject(*object, other.store(), "rooms", "copy"));
    EXPECT_EQ(report.commits, copy.ok() ? 0u : 1u);
    EXPECT_TRUE(copy.ok() || !whole);
    EXPECT_TRUE(Reads(CopyIn(other), 40, RandomPage(2)));
    ASSERT_OK(other.Close());
  }
}

// Goal: what is there already is never written over, and a time that cannot be kept is an error.
TEST_F(CopyTest, WhatIsNoCopyStays) {
  ASSERT_OK(sim_.Open());
  Tick();
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  EXPECT_ERROR(CopyObject(*object, sim_.store(), "rooms", "copy"), StatusCode::kNotFound, "lobby");
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}}));
  SimStore other(TestSeed());
  ASSERT_OK(OpenFor(other));
  EXPECT_ERROR(CopyObject(*object, other.store(), "rooms", "copy", {.history = true}),
               StatusCode::kInvalidArgument, "clock");
  EXPECT_ERROR(CopyObject(*object, other.store(), "", "copy"), StatusCode::kInvalidArgument, "");
  ASSERT_OK(CopyObject(*object, other.store(), "rooms", "copy"));
  ASSERT_OK(Commit(object, {{1, RandomPage(2)}}));
  EXPECT_ERROR(CopyObject(*object, other.store(), "rooms", "copy"), StatusCode::kExists,
               "is not what rooms/lobby is");
  EXPECT_TRUE(Reads(CopyIn(other), 1, RandomPage(1)));
  EXPECT_ERROR(CopyObject(*object, other.store(), "rooms", "else",
                          {.history = true, .clock = &other.clock()}),
               StatusCode::kExists, "rooms/copy");
  ASSERT_OK(CopyIn(other)->Delete());
  EXPECT_ERROR(CopyObject(*object, other.store(), "rooms", "copy"), StatusCode::kExists, "");
  ASSERT_OK(other.Close());

  // A copy of something else; and one that is too late.
  SimStore third(TestSeed());
  ASSERT_OK(OpenFor(third));
  ASSERT_OK_AND_ASSIGN(const auto stranger,
                       third.store().OpenObject("rooms", "copy", IfMissing::kCreate));
  ASSERT_OK(Commit(stranger, {{1, RandomPage(7)}}));
  EXPECT_ERROR(CopyHistory(*object, third), StatusCode::kExists, "is no copy of rooms/lobby");
  EXPECT_TRUE(Reads(stranger, 1, RandomPage(7)));
  ASSERT_OK(third.Close());
  SimStore late(TestSeed());
  ASSERT_OK(OpenFor(late));
  late.clock().Advance(std::chrono::hours(1));
  EXPECT_ERROR(CopyHistory(*object, late), StatusCode::kInvalidArgument, "newer than the history");
  ASSERT_OK(late.Close());
}

// Goal: a walk visits each commit once, the oldest first, however many there are.
TEST_F(CopyTest, AWalkGoesFromTheOldestToTheNewest) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  for (const uint32_t count : {0u, 1u, 1023u, 1024u, 1025u, 2500u}) {
    SCOPED_TRACE(count);
    std::vector<Lsn> newest_first;
    while (true) {
      newest_first.clear();
      ASSERT_OK(object->History([&](const CommitInfo& commit) {
        newest_first.push_back(commit.lsn);
        return true;
      }));
      if (newest_first.size() >= count) break;
      for (size_t i = newest_first.size(); i < count; ++i) {
        ASSERT_OK(Commit(object, {{1, PageBytes(kPageSize, std::byte(i))}}));
      }
    }
    ASSERT_OK_AND_ASSIGN(internal::CommitWalk walk, internal::CommitWalk::Begin(object.get()));
    EXPECT_EQ(walk.count(), count);
    std::vector<Lsn> walked;
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto commit, walk.Next());
      if (!commit) break;
      walked.push_back(commit->lsn);
    }
    EXPECT_EQ(walked, std::vector<Lsn>(newest_first.rbegin(), newest_first.rend()));
  }
}

}  // namespace
}  // namespace tidemark::testing
