// The way back: bookmarks and what is wrong with them, times, restores and their undoing.

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class PointInTimeTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  Timestamp At(int64_t second) { return ManualClock::kStart + seconds(second); }

  // Page 1 of the object at `point`.
  Result<PageBytes> ReadAt(const std::shared_ptr<Object>& object, const Point& point) {
    TIDEMARK_ASSIGN_OR_RETURN(const Snapshot snapshot, object->OpenSnapshot(point));
    TIDEMARK_RETURN_IF_ERROR(snapshot.Verify());
    return ReadPage(snapshot, 1);
  }

  void ExpectAt(const std::shared_ptr<Object>& object, const Point& point, uint64_t seed) {
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadAt(object, point));
    EXPECT_TRUE(page == RandomPage(seed)) << "not page " << seed;
  }
};

// ---- bookmarks and times -----------------------------------------------------------------------

// Goal: six ways in which a bookmark is no good are six errors. (kLost is also in recovery_test.)
TEST_F(PointInTimeTest, BookmarkErrors) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Put("b", 2));
  ASSERT_OK_AND_ASSIGN(auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto b, Open("b"));
  ASSERT_OK_AND_ASSIGN(const Bookmark good, a->CurrentBookmark());
  ASSERT_OK(a->Resolve(good));
  EXPECT_ERROR(Bookmark::Parse(good.ToString() + "0"), StatusCode::kMalformed, "");
  EXPECT_ERROR(b->Resolve(good), StatusCode::kForeign, "b");

  Bookmark future = good;
  ++future.epoch;
  EXPECT_ERROR(a->Resolve(future), StatusCode::kFuture, "");
  future = good;
  future.lsn = Lsn(sim_.store().Stats().last_lsn.value + 1);
  EXPECT_ERROR(a->Resolve(future), StatusCode::kFuture, "");

  Bookmark damaged = good;
  damaged.state_hash ^= 1;
  EXPECT_ERROR(a->Resolve(damaged), StatusCode::kCorruption, damaged.ToString());
  damaged = good;
  damaged.lsn = b->head().lsn;  // another object's commit
  EXPECT_ERROR(a->Resolve(damaged), StatusCode::kCorruption, damaged.ToString());
  EXPECT_ERROR(a->Restore(damaged), StatusCode::kCorruption, "");
  EXPECT_TRUE(Holds("a", 1));

  ASSERT_OK_AND_ASSIGN(const CommitInfo unconfirmed, Commit(a, {{1, RandomPage(3)}}));
  const Bookmark lost = a->BookmarkOf(unconfirmed);
  ASSERT_OK(a->Resolve(lost));
  a.reset();
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(a, Open("a"));
  EXPECT_ERROR(a->Resolve(lost), StatusCode::kLost, "");
  EXPECT_OK(a->Resolve(good));
}

// Goal: a bookmark expires when a licence finds its state replaced before the horizon, not earlier.
TEST_F(PointInTimeTest, ExpiredBookmarks) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark first, object->CurrentBookmark());
  sim_.clock().Advance(hours(24));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const Bookmark second, object->CurrentBookmark());
  sim_.clock().Advance(sim_.options().retention - seconds(1));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_OK(object->Resolve(first));  // the state until a second after the horizon
  sim_.clock().Advance(seconds(2));
  EXPECT_OK(object->Resolve(first));  // nobody has let it go yet
  ASSERT_OK(sim_.store().Prune());
  EXPECT_ERROR(object->Resolve(first), StatusCode::kExpired, first.ToString());
  EXPECT_ERROR(object->Restore(first), StatusCode::kExpired, first.ToString());
  EXPECT_ERROR(object->Resolve(At(60)), StatusCode::kExpired, "horizon");
  sim_.clock().Advance(hours(1000));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_OK(object->Resolve(second));  // still the present
  EXPECT_TRUE(Holds("a", 2));
}

// Goal: a time means the last commit at or before it, on the timeline that the object had then;
// from memory and from the index alike.
TEST_F(PointInTimeTest, TimesAcrossRestores) {
  sim_.clock().Set(At(10));
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark first, object->CurrentBookmark());
  sim_.clock().Set(At(20));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(Put("other", 9));
  sim_.clock().Set(At(30));
  ASSERT_OK(object->Restore(first));
  sim_.clock().Set(At(40));
  ASSERT_OK(Put("a", 3));
  sim_.clock().Set(At(50));
  for (const bool reopened : {false, true}) {
    SCOPED_TRACE(reopened);
    EXPECT_ERROR(object->Resolve(At(9)), StatusCode::kNotFound, "did not exist");
    ExpectAt(object, At(10), 1);
    ExpectAt(object, At(19), 1);
    ExpectAt(object, At(20), 2);
    ExpectAt(object, At(29), 2);
    ExpectAt(object, At(30), 1);
    ExpectAt(object, At(39), 1);
    ExpectAt(object, At(40), 3);
    ExpectAt(object, At(1000), 3);
    ASSERT_OK_AND_ASSIGN(const CommitInfo restore, object->Resolve(At(35)));
    EXPECT_EQ(restore.kind, CommitKind::kRestore);
    EXPECT_EQ(restore.restored_from, first.lsn);
    if (reopened) break;
    object.reset();
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(object, Open("a", IfMissing::kFail));
  }
}

// ---- restores ----------------------------------------------------------------------------------

// Goal: a restore brings back exactly what was, its undo what was before it, and a restore is a
// commit to restore to like any other. Method: there, back and there again, with writes between,
// held against the journal, before and after a reopening.
TEST_F(PointInTimeTest, RestoreUndoAndRestoreOfARestore) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark first, object->CurrentBookmark());
  ASSERT_OK(Commit(object, {{1, RandomPage(2)}, {2, RandomPage(22)}}));
  ASSERT_OK_AND_ASSIGN(const Bookmark second, object->CurrentBookmark());

  ASSERT_OK_AND_ASSIGN(const RestoreInfo back, object->Restore(first));
  EXPECT_EQ(back.undo, second);
  EXPECT_TRUE(Holds("a", 1));
  EXPECT_EQ(object->head().page_count, 1u);
  ASSERT_OK_AND_ASSIGN(const Bookmark restored, object->CurrentBookmark());
  EXPECT_EQ(restored.state_hash, first.state_hash);
  EXPECT_GT(restored, second);

  ASSERT_OK(object->Restore(back.undo));
  EXPECT_TRUE(Holds("a", 2));
  EXPECT_TRUE(Reads(object, 2, RandomPage(22)));
  ASSERT_OK(Put("a", 3));
  EXPECT_TRUE(Reads(object, 2, RandomPage(22)));
  ASSERT_OK(object->Restore(restored));
  EXPECT_TRUE(Holds("a", 1));

  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  EXPECT_ERROR(object->Restore(second), StatusCode::kBusy, "a");
  transaction.End();

  object.reset();
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK_AND_ASSIGN(object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*object));
  ASSERT_EQ(journal.size(), 3u);
  EXPECT_EQ(journal[0].from, second);
  EXPECT_EQ(journal[0].to, first);
  EXPECT_EQ(journal[1].from, restored);
  EXPECT_EQ(journal[1].to, second);
  EXPECT_EQ(journal[2].to, restored);
  ASSERT_OK(object->Restore(journal[2].from));
  EXPECT_TRUE(Holds("a", 3));
}

// Goal: what an object says of itself is the same before and after a checkpoint and a reopening.
TEST_F(PointInTimeTest, CheckpointAndReopenEquals) {
  for (uint64_t i = 1; i <= 20; ++i) {
    ASSERT_OK(Put("a", i));
    sim_.clock().Advance(seconds(1));
  }
  std::vector<CommitInfo> before;
  for (int state = 0; state < 3; ++state) {
    SCOPED_TRACE(state);
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    std::vector<CommitInfo> commits;
    ASSERT_OK(object->History([&](const CommitInfo& commit) {
      commits.push_back(commit);
      return true;
    }));
    ASSERT_EQ(commits.size(), 20u);
    if (state == 0) before = commits;
    EXPECT_TRUE(commits == before);
    for (size_t i = 0; i < commits.size(); ++i) {
      ExpectAt(object, object->BookmarkOf(commits[i]), 20 - i);
    }
    if (state == 0) {
      ASSERT_OK(sim_.Checkpoint());
    } else {
      ASSERT_OK(sim_.Close());
      ASSERT_OK(sim_.Open());
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
