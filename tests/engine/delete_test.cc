// Soft deletion: the object is gone, its history is not.

#include <filesystem>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class DeleteTest : public LogFixture {
 protected:
  std::vector<std::string> List(Listed which) {
    std::vector<std::string> names;
    EXPECT_OK(sim_.store().ListObjects(
        "",
        [&](const ObjectSummary& object) {
          names.push_back(object.name);
          return true;
        },
        which));
    std::sort(names.begin(), names.end());
    return names;
  }
  using Names = std::vector<std::string>;
};

// Goal: a deleted object is not there, says when it was deleted, and all of its past is.
// Method: looked at from memory, from the index and after a replay.
TEST_F(DeleteTest, GoneButNotItsPast) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("b", 9));
  ASSERT_OK(Put("a", 1));
  Bookmark first;
  Bookmark second;
  CommitInfo deletion;
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK_AND_ASSIGN(first, a->CurrentBookmark());
    sim_.clock().Advance(hours(1));
    ASSERT_OK(Put("a", 2));
    ASSERT_OK_AND_ASSIGN(second, a->CurrentBookmark());
    ASSERT_OK_AND_ASSIGN(const Snapshot kept, a->OpenSnapshot());
    sim_.clock().Advance(hours(1));
    ASSERT_OK_AND_ASSIGN(const RestoreInfo info, a->Delete());
    EXPECT_EQ(info.undo, second);
    EXPECT_EQ(info.to.kind, CommitKind::kNone);
    deletion = info.result;
    EXPECT_EQ(sim_.store().durable_lsn(), deletion.lsn) << "not durable";
    EXPECT_OK(kept.Verify());
    EXPECT_TRUE(ReadPage(kept, 1).value() == RandomPage(2));
    EXPECT_ERROR(a->Delete(), StatusCode::kNotFound, "was deleted at");
    sim_.clock().Advance(hours(1));
  }
  for (const char* const state : {"memory", "index", "replay"}) {
    SCOPED_TRACE(state);
    {
      EXPECT_ERROR(Open("a", IfMissing::kFail), StatusCode::kNotFound,
                   "rooms/a was deleted at " + FormatTime(deletion.time));
      EXPECT_ERROR(Open("a", IfMissing::kFail), StatusCode::kNotFound, "tidemark undelete");
      EXPECT_ERROR(Open("never", IfMissing::kDeleted), StatusCode::kNotFound, "does not exist");
      EXPECT_EQ(List(Listed::kExisting), Names{"b"});
      EXPECT_EQ(List(Listed::kDeleted), Names{"a"});
      ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kDeleted));
      EXPECT_FALSE(a->exists());
      EXPECT_EQ(a->head(), deletion);
      EXPECT_EQ(deletion.page_count, 0u);
      EXPECT_EQ(deletion.state_hash, 0u);
      EXPECT_EQ(deletion.kind, CommitKind::kDelete);
      ASSERT_OK_AND_ASSIGN(const Snapshot past, a->OpenSnapshot(first));
      EXPECT_TRUE(ReadPage(past, 1).value() == RandomPage(1));
      ASSERT_OK_AND_ASSIGN(const CommitInfo before, a->Resolve(deletion.time - seconds(1)));
      EXPECT_EQ(before.lsn, second.lsn);
      for (const Timestamp time : {deletion.time, deletion.time + hours(100)}) {
        EXPECT_ERROR(a->Resolve(time), StatusCode::kNotFound, "was deleted at");
      }
      std::vector<CommitKind> kinds;
      ASSERT_OK(a->History([&](const CommitInfo& commit) {
        kinds.push_back(commit.kind);
        return true;
      }));
      EXPECT_EQ(kinds,
                (std::vector{CommitKind::kDelete, CommitKind::kCommit, CommitKind::kCommit}));
      ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*a));
      ASSERT_EQ(journal.size(), 1u);
      EXPECT_EQ(journal[0].kind, CommitKind::kDelete);
      EXPECT_EQ(journal[0].from, second);
      EXPECT_FALSE(journal[0].to.has_value());
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
      EXPECT_TRUE(report.damage.empty());
    }
    if (state == std::string("memory")) {
      ASSERT_OK(sim_.Close());
    } else {
      sim_.Crash(PowerLoss::kNothing);
      std::filesystem::remove_all(sim_.options().index_directory);
    }
    ASSERT_OK(sim_.Open());
  }
}

// Goal: an undeletion brings back what was there, can be undone, and can be done again.
TEST_F(DeleteTest, UndeleteAndItsUndo) {
  ASSERT_OK(sim_.Open());
  EXPECT_ERROR(Open("a").value()->Undelete(), StatusCode::kNotFound, "does not exist");
  EXPECT_ERROR(Open("a").value()->Delete(), StatusCode::kNotFound, "does not exist");
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  EXPECT_ERROR(a->Undelete(), StatusCode::kExists, "is not deleted");
  ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, a->Delete());
  ASSERT_OK_AND_ASSIGN(const RestoreInfo undeleted, a->Undelete());
  EXPECT_EQ(undeleted.to, deleted.from);
  EXPECT_EQ(undeleted.result.kind, CommitKind::kUndelete);
  EXPECT_EQ(undeleted.result.restored_from, deleted.from.lsn);
  EXPECT_TRUE(Holds("a", 1));

  // The undo of an undeletion is a deletion.
  ASSERT_OK_AND_ASSIGN(const RestoreInfo again, a->Restore(undeleted.undo));
  EXPECT_EQ(again.result.kind, CommitKind::kDelete);
  EXPECT_ERROR(Open("a", IfMissing::kFail), StatusCode::kNotFound, "was deleted at");
  // And again, of what is deleted already.
  ASSERT_OK(a->Restore(undeleted.undo));
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK(a->Undelete());
  EXPECT_TRUE(Holds("a", 1));
  // Restoring is the other way back.
  ASSERT_OK(a->Delete());
  ASSERT_OK(a->Restore(deleted.undo));
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*a));
  std::vector<CommitKind> kinds;
  for (const RestoreEntry& entry : journal) kinds.push_back(entry.kind);
  EXPECT_EQ(kinds, (std::vector{CommitKind::kDelete, CommitKind::kUndelete, CommitKind::kDelete,
                                CommitKind::kDelete, CommitKind::kUndelete, CommitKind::kDelete,
                                CommitKind::kRestore}));
  EXPECT_EQ(journal[2].to, undeleted.undo);
}

// Goal: a name is free again, and what begins there begins from nothing; what was before stays in
// reach.
TEST_F(DeleteTest, BeginsAnew) {
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK(Commit(a, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
    ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, a->Delete());
    ASSERT_OK_AND_ASSIGN(const auto fresh, Open("a", IfMissing::kCreate));
    EXPECT_FALSE(fresh->exists());
    ASSERT_OK_AND_ASSIGN(const Snapshot nothing, fresh->OpenSnapshot());
    EXPECT_EQ(nothing.page_count(), 0u);
    // Of another page size, beyond the end of what was there, with a hole.
    ASSERT_OK(Commit(fresh, {{3, RandomPage(3, 1024)}}, 1024));
    EXPECT_TRUE(fresh->exists());
    EXPECT_TRUE(Reads(fresh, 1, PageBytes(1024)));
    EXPECT_TRUE(Reads(fresh, 3, RandomPage(3, 1024)));
    EXPECT_ERROR(fresh->Undelete(), StatusCode::kExists, deleted.undo.ToString());
    ASSERT_OK(sim_.store().Sync());
  }
  ASSERT_OK(sim_.Close());
  ByLogAndByIndex([this] {
    EXPECT_EQ(List(Listed::kExisting), Names{"a"});
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
    EXPECT_TRUE(Reads(a, 3, RandomPage(3, 1024)));
    const Status refused = a->Undelete().status();
    EXPECT_ERROR(refused, StatusCode::kExists, "begun anew");
    const std::string text = refused.message().substr(refused.message().size() - 59);
    ASSERT_OK_AND_ASSIGN(const Bookmark before, Bookmark::Parse(text));
    ASSERT_OK_AND_ASSIGN(const Snapshot past, a->OpenSnapshot(before));
    EXPECT_TRUE(ReadPage(past, 2).value() == RandomPage(2));
  });
}

// Goal: a writer keeps deletion and undeletion out.
TEST_F(DeleteTest, BusyWithAWriter) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  Transaction transaction(a);
  ASSERT_OK(transaction.Begin());
  EXPECT_ERROR(a->Delete(), StatusCode::kBusy, "rooms/a");
  transaction.End();
  ASSERT_OK(a->Delete());
  ASSERT_OK(transaction.Begin());
  EXPECT_ERROR(a->Undelete(), StatusCode::kBusy, "rooms/a");
  transaction.End();
  ASSERT_OK(a->Undelete());
}

// Goal: a deletion older than the retention is for good.
TEST_F(DeleteTest, Expires) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  sim_.clock().Advance(hours(10000));
  ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, a->Delete());
  sim_.clock().Advance(sim_.options().retention - seconds(1));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(a->Undelete());  // old, but there until a moment ago
  ASSERT_OK(a->Delete());
  sim_.clock().Advance(sim_.options().retention + seconds(1));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_ERROR(a->Undelete(), StatusCode::kExpired, "");
  EXPECT_ERROR(a->Restore(deleted.undo), StatusCode::kExpired, "");
}

// Goal: damage and deletion. What is damaged can be deleted, and an undeletion says why it cannot
// bring it back; an object of which the deletion is damaged is not shown as it was before.
TEST_F(DeleteTest, Damage) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("hurt", 1));
  ASSERT_OK(Put("hurt", 2));
  ASSERT_OK(Put("lost", 3));
  std::string undo;
  {
    ASSERT_OK_AND_ASSIGN(const auto lost, Open("lost"));
    ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, lost->Delete());
    undo = deleted.undo.ToString();
  }
  ASSERT_OK(Put("well", 4));
  sim_.Crash(PowerLoss::kNothing);
  for (const Place place : {PlaceOf(2), PlaceOf(undo)}) {
    sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2);
  }
  ByLogAndByIndex([&] {
    ASSERT_OK_AND_ASSIGN(const auto lost, Open("lost", IfMissing::kFail));
    EXPECT_ERROR(lost->OpenSnapshot(), StatusCode::kCorruption, "rooms/lost");
    EXPECT_TRUE(Holds("well", 4));
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kDeleted));
    if (hurt->exists()) {
      EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
      ASSERT_OK(hurt->Delete());
    }
    EXPECT_EQ(List(Listed::kDeleted), Names{"hurt"});
    EXPECT_ERROR(hurt->Undelete(), StatusCode::kCorruption, "rooms/hurt");
  });
}

}  // namespace
}  // namespace tidemark::testing
