// Point-in-time recovery through object storage (SEMANTICS 2.4).

#include <future>

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class RecoveryTest : public ApiTest {};

// C163: a bookmark names a commit here, so without one in between the same one comes again
// (DESIGN: Timelines); with one, each is greater.
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

// C344.
TEST_F(RecoveryTest, ADurableCommitIsCalledBack) {
  Open({.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined});
  std::vector<std::future<Status>> called;
  for (int i = 0; i < 10; ++i) {
    kv().Put("k", i);
    const Bookmark token = storage_->Commit();
    auto promise = std::make_shared<std::promise<Status>>();
    called.push_back(promise->get_future());
    storage_->OnDurable(token, [promise](const Status& status) { promise->set_value(status); });
  }
  for (auto& call : called) EXPECT_OK(call.get());
  EXPECT_GE(store_->durable_lsn(), storage_->object().head().lsn);
}

}  // namespace
}  // namespace tidemark::testing
