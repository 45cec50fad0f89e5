// Point-in-time recovery through object storage.

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class RecoveryTest : public ApiTest {};

// C163: a bookmark names a commit here, so without one in between the same one comes again
//; with one, each is greater.
TEST_F(RecoveryTest, BookmarksGrowWithCommits) {
  kv().Put("k", 0);
  Bookmark last = storage_->GetCurrentBookmark();
  EXPECT_EQ(storage_->GetCurrentBookmark(), last);
  for (int i = 1; i < 20; ++i) {
    kv().Put("k", i);
    const Bookmark next = storage_->GetCurrentBookmark();
    EXPECT_LT(last.ToString(), next.ToString());
    last = next;
  }
  ReopenStore();
  kv().Put("k", 20);
  EXPECT_LT(last.ToString(), storage_->GetCurrentBookmark().ToString());
}

// C164.
TEST_F(RecoveryTest, ABookmarkLooksAsDocumented) {
  kv().Put("k", 0);
  EXPECT_THAT(storage_->GetCurrentBookmark().ToString(),
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}"));
  Open();
  storage_ = nullptr;
  storage_ = ObjectStorage::Open(*store_, "ns", "empty");
  EXPECT_EQ(ErrorOf([&] { storage_->GetCurrentBookmark(); })->code(), StatusCode::kNotFound);
}

// C166: asking ends the turn, so what it wrote is in the bookmark.
TEST_F(RecoveryTest, ABookmarkHasWhatTheTurnWrote) {
  Open({.commit_mode = CommitMode::kTurn});
  kv().Put("k", 1);
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  kv().Put("k", 2);
  storage_->Commit();
  storage_.reset();
  ASSERT_OK_AND_ASSIGN(auto object, store_->OpenObject("ns", "object", IfMissing::kFail));
  ASSERT_OK(object->Restore(bookmark));
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 1);
  storage_->Transaction(
      [&] { EXPECT_FAILS(storage_->GetCurrentBookmark(), "inside of a transaction"); });
}

// C173, C174.
TEST_F(RecoveryTest, ATimeMeansTheLastCommitBeforeIt) {
  kv().Put("k", 1);
  const Bookmark first = storage_->GetCurrentBookmark();
  clock_.Advance(hours(1));
  const Timestamp between = clock_.Now();
  clock_.Advance(hours(1));
  kv().Put("k", 2);
  EXPECT_EQ(storage_->GetBookmarkForTime(between), first);
  EXPECT_EQ(storage_->GetBookmarkForTime(between), first);
  EXPECT_EQ(storage_->GetBookmarkForTime(clock_.Now() + hours(5)), storage_->GetCurrentBookmark());
  EXPECT_EQ(ErrorOf([&] { storage_->GetBookmarkForTime(between - hours(2)); })->code(),
            StatusCode::kNotFound);
}

// C181.
TEST_F(RecoveryTest, WaitingForABookmarkIsOverAtOnce) {
  kv().Put("k", 1);
  const Bookmark first = storage_->GetCurrentBookmark();
  kv().Put("k", 2);
  storage_->WaitForBookmark(first);
  Bookmark foreign = first;
  foreign.object_tag ^= 1;
  EXPECT_EQ(ErrorOf([&] { storage_->WaitForBookmark(foreign); })->code(), StatusCode::kForeign);
}

// C167, C168: SQL and keys alike; until the session ends nothing changes.
TEST_F(RecoveryTest, ARestoreHappensAtTheNextSession) {
  kv().Put("a", 1);
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES('a')");
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  kv().Put("b", 1);
  Exec("INSERT INTO t VALUES('b')");
  storage_->OnNextSessionRestoreBookmark(bookmark);
  EXPECT_EQ(kv().Get<int>("b"), 1);
  kv().Put("c", 1);
  Exec("INSERT INTO t VALUES('c')");
  EXPECT_EQ(Query("SELECT v FROM t"), "a b c");
  Open();
  ASSERT_TRUE(storage_->restored().has_value());
  EXPECT_EQ(storage_->restored()->to.lsn, bookmark.lsn);
  EXPECT_EQ(Query("SELECT v FROM t"), "a");
  EXPECT_EQ(kv().Get<int>("a"), 1);
  EXPECT_EQ(kv().Get("b"), std::nullopt);
  EXPECT_EQ(kv().Get("c"), std::nullopt);
  Open();
  EXPECT_FALSE(storage_->restored().has_value()) << "once";
}

// C169.
TEST_F(RecoveryTest, TheUndoBookmarkIsTheEndOfTheSession) {
  kv().Put("k", 1);
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  kv().Put("k", 2);
  const Bookmark undo = storage_->OnNextSessionRestoreBookmark(bookmark);
  EXPECT_EQ(ErrorOf([&] { storage_->WaitForBookmark(undo); })->code(), StatusCode::kFuture);
  kv().Put("k", 3);
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 1);
  storage_->OnNextSessionRestoreBookmark(undo);
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 3);
}

// C171.
TEST_F(RecoveryTest, TheLastOfSeveralCallsWins) {
  std::vector<Bookmark> bookmarks;
  for (int i = 0; i < 3; ++i) {
    kv().Put("k", i);
    bookmarks.push_back(storage_->GetCurrentBookmark());
  }
  const Bookmark first = storage_->OnNextSessionRestoreBookmark(bookmarks[0]);
  EXPECT_EQ(storage_->OnNextSessionRestoreBookmark(bookmarks[1]), first) << "the same end";
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 1);
  storage_->OnNextSessionRestoreBookmark(bookmarks[0]);
  storage_->CancelOnNextSessionRestore();
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 1);
  EXPECT_EQ(ErrorOf([&] { storage_->CancelOnNextSessionRestore(); })->code(),
            StatusCode::kNotFound);
}

// C172.
TEST_F(RecoveryTest, ASessionMayEndInAnyWay) {
  kv().Put("k", 1);
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  kv().Put("k", 2);
  storage_->OnNextSessionRestoreBookmark(bookmark);
  storage_.reset();
  store_.reset();  // without Close: as in a crash
  OpenStore();
  Open();
  EXPECT_EQ(kv().Get<int>("k"), 1);
}

// C176: of another object; from the future; altered. Nothing is scheduled.
TEST_F(RecoveryTest, ABookmarkThatIsNoneSchedulesNothing) {
  kv().Put("k", 1);
  const Bookmark own = storage_->GetCurrentBookmark();
  Bookmark foreign = own;
  foreign.object_tag ^= 1;
  Bookmark future = own;
  future.lsn.value += 1000;
  Bookmark altered = own;
  altered.state_hash ^= 1;
  for (const auto& [bookmark, code] :
       {std::pair(foreign, StatusCode::kForeign), std::pair(future, StatusCode::kFuture),
        std::pair(altered, StatusCode::kCorruption)}) {
    const Bookmark& point = bookmark;
    const auto error = ErrorOf([&] { storage_->OnNextSessionRestoreBookmark(point); });
    EXPECT_EQ(error->code(), code);
  }
  EXPECT_FALSE(Bookmark::Parse("not a bookmark").ok());
  Open();
  EXPECT_FALSE(storage_->restored().has_value());
}

// C177: a restore brings back the schema, full-text tables, and what DeleteAll took.
TEST_F(RecoveryTest, ARestoreBringsBackEverything) {
  Exec("CREATE VIRTUAL TABLE doc USING fts5(body); INSERT INTO doc VALUES('some words')");
  kv().Put("k", 1);
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  Exec("DROP TABLE doc");
  storage_->DeleteAll();
  kv().Put("k", 2);
  storage_->OnNextSessionRestoreBookmark(bookmark);
  Open();
  EXPECT_EQ(Query("SELECT body FROM doc WHERE doc MATCH 'words'"), "some words");
  EXPECT_EQ(kv().Get<int>("k"), 1);
}

// C182, C183: into an object of another namespace; its alarm does not come along.
TEST_F(RecoveryTest, ASnapshotOfAnotherObject) {
  kv().Put("k", "theirs");
  storage_->SetAlarm(clock_.Now() + hours(1));
  const StorageSnapshot snapshot = storage_->Snapshot();
  kv().Put("k", "later");
  auto other = ObjectStorage::Open(*store_, "elsewhere", "copy");
  other->kv().Put("own", "mine");
  other->SetAlarm(clock_.Now() + hours(2));
  const Bookmark undo = other->OnNextSessionRestore(snapshot);
  EXPECT_EQ(other->kv().Get("own"), "mine");
  other.reset();
  other = ObjectStorage::Open(*store_, "elsewhere", "copy");
  EXPECT_EQ(other->kv().Get("k"), "theirs");
  EXPECT_EQ(other->kv().Get("own"), std::nullopt);
  EXPECT_EQ(other->GetAlarm(), std::nullopt);
  EXPECT_EQ(kv().Get("k"), "later");
  other->OnNextSessionRestoreBookmark(undo);
  other.reset();
  other = ObjectStorage::Open(*store_, "elsewhere", "copy");
  EXPECT_EQ(other->kv().Get("own"), "mine");
  EXPECT_EQ(other->kv().Get("k"), std::nullopt);
  static_assert(!std::is_convertible_v<StorageSnapshot, std::string_view>, "no value for a key");
}

// C182 again, into an object that has never been: the usual way to make a copy.
TEST_F(RecoveryTest, ASnapshotIntoANewObject) {
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    kv().Put("k", 1);
    const std::string name = mode == CommitMode::kTurn ? "turns" : "calls";
    auto other = ObjectStorage::Open(*store_, "ns", name, {.commit_mode = mode});
    const Bookmark undo = other->OnNextSessionRestore(storage_->Snapshot());
    EXPECT_EQ(other->kv().Get("k"), std::nullopt);
    other.reset();
    other = ObjectStorage::Open(*store_, "ns", name);
    EXPECT_EQ(other->kv().Get<int>("k"), 1);
    other->OnNextSessionRestoreBookmark(undo);
    other.reset();
    other = ObjectStorage::Open(*store_, "ns", name);
    EXPECT_EQ(other->sql().Exec("SELECT count(*) FROM sqlite_schema").One<int>(), 0);
  }
}

// Of a past that a bookmark names.
TEST_F(RecoveryTest, ASnapshotOfThePast) {
  kv().Put("k", 1);
  const Bookmark bookmark = storage_->GetCurrentBookmark();
  kv().Put("k", 2);
  auto other = ObjectStorage::Open(*store_, "ns", "other");
  other->kv().Put("k", 3);
  other->OnNextSessionRestore(storage_->Snapshot(bookmark));
  other.reset();
  other = ObjectStorage::Open(*store_, "ns", "other");
  EXPECT_EQ(other->kv().Get<int>("k"), 1);
}

}  // namespace
}  // namespace tidemark::testing
