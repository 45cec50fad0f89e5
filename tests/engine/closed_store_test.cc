// A store that is closed while it is still in use: every call says so, and none of them touches
// what has been released.

#include <functional>

#include "engine/transaction_set.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

// One store with a commit of each state in which handles can be, closed under them.
class ClosedStoreTest : public StoreFixture {
 protected:
  void SetUp() override {
    options_ = sim_.options();
    ASSERT_OK_AND_ASSIGN(store_, Store::Open("store", options_));
    ASSERT_OK_AND_ASSIGN(object_, store_->OpenObject("rooms", "a", IfMissing::kCreate));
    ASSERT_OK_AND_ASSIGN(first_, Commit(object_, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
    ASSERT_OK(store_->Checkpoint());
    ASSERT_OK(Commit(object_, {{1, RandomPage(3)}}));
    sim_.clock().Advance(std::chrono::hours(1));
  }

  template <typename T>
  static void ExpectClosed(const T& outcome) {
    EXPECT_ERROR(outcome, StatusCode::kBroken, "the store store is closed");
  }

  StoreOptions options_;
  std::vector<std::unique_ptr<Store>> closed_;  // handles of theirs may be there
  std::unique_ptr<Store> store_;
  std::shared_ptr<Object> object_;
  CommitInfo first_;
};

// Goal: each method of a closed store that can fail does, and the others have a value. Method: all
// of them, with the index gone from memory and the directory owned by a second store.
TEST_F(ClosedStoreTest, Store) {
  const StoreStats before = store_->Stats();
  ASSERT_OK(store_->Close());
  ASSERT_OK_AND_ASSIGN(const auto owner, Store::Open("store", options_));
  const auto files = sim_.fs().ListDirectory("store/log").value();

  EXPECT_OK(store_->Close());
  EXPECT_EQ(store_->directory(), "store");
  EXPECT_EQ(store_->options().segment_size_bytes, options_.segment_size_bytes);
  ExpectClosed(store_->OpenObject("rooms", "a", IfMissing::kFail));
  ExpectClosed(store_->OpenObject("rooms", "new", IfMissing::kCreate));
  ExpectClosed(store_->OpenObject("rooms", object_->id(), IfMissing::kFail));
  ExpectClosed(store_->ListNamespaces());
  ExpectClosed(store_->ListObjects("", [](const ObjectSummary&) { return true; }));
  ExpectClosed(store_->ListRestores(*object_));
  EXPECT_OK(store_->WaitDurable(first_.lsn));  // it is
  ExpectClosed(store_->WaitDurable(Lsn(UINT64_MAX)));
  ExpectClosed(store_->Sync());
  ExpectClosed(store_->Checkpoint());
  ExpectClosed(store_->PrepareSegment());
  ExpectClosed(store_->Verify());
  ExpectClosed(store_->Reclaim());
  ExpectClosed(store_->RunRetention());
  const StoreStats stats = store_->Stats();
  EXPECT_EQ(stats.store_id, before.store_id);
  EXPECT_EQ(stats.object_count, 1u);
  EXPECT_EQ(stats.last_lsn, Lsn(before.last_lsn.value + 1));  // the close record
  EXPECT_EQ(stats.durable_lsn, stats.last_lsn);
  EXPECT_EQ(store_->durable_lsn(), stats.last_lsn);
  EXPECT_GT(stats.index_bytes, 0u);
  EXPECT_EQ(sim_.fs().ListDirectory("store/log").value(), files);
}

// Goal: the same of an object's handle and of snapshots; what needs no store is still there.
TEST_F(ClosedStoreTest, ObjectsAndSnapshots) {
  const Point now = sim_.clock().Now();
  const Point bookmark = object_->BookmarkOf(first_);
  ASSERT_OK_AND_ASSIGN(const Snapshot recent, object_->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(const Snapshot indexed, object_->OpenSnapshot(first_));
  ASSERT_OK_AND_ASSIGN(const auto missing,
                       store_->OpenObject("rooms", "missing", IfMissing::kCreate));
  ASSERT_OK(store_->Close());

  EXPECT_EQ(object_->DisplayName(), "rooms/a");
  EXPECT_TRUE(object_->exists());
  EXPECT_EQ(object_->head().page_count, 2u);
  EXPECT_GT(object_->change_counter(), 0u);
  for (const auto& object : {object_, missing}) {
    ExpectClosed(object->OpenSnapshot());
    ExpectClosed(object->OpenSnapshot(now));
    ExpectClosed(object->OpenSnapshot(bookmark));
    ExpectClosed(object->OpenSnapshot(first_));
    ExpectClosed(object->CurrentBookmark());
    ExpectClosed(object->Resolve(now));
    ExpectClosed(object->Resolve(bookmark));
    ExpectClosed(object->History([](const CommitInfo&) { return true; }));
    ExpectClosed(object->PlanRestore(bookmark));
    ExpectClosed(object->Restore(bookmark));
  }
  for (const Snapshot* const snapshot : {&recent, &indexed}) {
    for (const uint32_t page : {1u, 2u}) ExpectClosed(ReadPage(*snapshot, page));
    ExpectClosed(snapshot->Verify());
  }
}

// Goal: a transaction that the close overtakes can do nothing more, and what it staged is lost
// whole. Method: one with staged pages, one with more than fits into memory, and one that was
// prepared; every call of each, and then what a new owner finds.
TEST_F(ClosedStoreTest, Transactions) {
  enum Stage { kStaged, kInBatches, kPrepared };
  for (const Stage stage : {kStaged, kInBatches, kPrepared}) {
    SCOPED_TRACE(stage);
    Transaction transaction(object_);
    ASSERT_OK(transaction.Begin());
    const uint32_t pages = stage == kInBatches ? 200 : 3;
    for (uint32_t page = 1; page <= pages; ++page) {
      if (page == 2) continue;
      ASSERT_OK(transaction.WritePage(PageNo(page), RandomPage(page + 1000)));
    }
    if (stage == kPrepared) {
      ASSERT_OK(transaction.Prepare());
    }
    Transaction idle(object_);
    ASSERT_OK(store_->Close());
    ASSERT_OK_AND_ASSIGN(auto owner, Store::Open("store", options_));
    const Lsn last = owner->Stats().last_lsn;

    if (stage == kPrepared) ExpectClosed(transaction.Publish());
    ExpectClosed(transaction.Prepare());
    ExpectClosed(transaction.Commit());
    PageBytes page(kPageSize);
    EXPECT_ERROR(transaction.ReadPage(PageNo(2), page), StatusCode::kBroken, "is closed");
    ExpectClosed(transaction.SetPageCount(1));
    Status status;
    for (uint32_t number = 3; number < 500 && status.ok(); ++number) {
      status = transaction.WritePage(PageNo(number), RandomPage(number));
    }
    ExpectClosed(status);  // at the latest when it would write a batch
    transaction.Rollback();
    transaction.End();
    ExpectClosed(idle.Begin());

    ASSERT_OK_AND_ASSIGN(object_, owner->OpenObject("rooms", "a", IfMissing::kFail));
    EXPECT_TRUE(Reads(object_, 1, RandomPage(3)));
    EXPECT_TRUE(Reads(object_, 2, RandomPage(2)));
    EXPECT_EQ(owner->Stats().last_lsn, last);
    closed_.push_back(std::exchange(store_, std::move(owner)));
  }
}

// Goal: what is prepared and will never be published can hold all the room there is, and the store
// closes all the same, with nothing of it. Method: a set of as many objects as share a group, and
// then as many bytes as go in beside them; less is left than the close record needs.
TEST_F(ClosedStoreTest, TransactionsThatFillTheQueue) {
  std::vector<std::unique_ptr<Transaction>> members;
  TransactionSet set;
  // Two pages with so many bytes that do not compress, and nothing but zeros in the others.
  const auto fits = [&](size_t count, size_t bytes) {
    set.Clear();
    members.clear();
    for (size_t i = 0; i < count; ++i) {
      const auto object = store_->OpenObject("rooms", std::to_string(i), IfMissing::kCreate);
      members.push_back(std::make_unique<Transaction>(object.value()));
      EXPECT_OK(members.back()->Begin());
      EXPECT_OK(members.back()->ResetPageSize(kPageSize));
      for (uint32_t page = 1; page <= 2; ++page) {
        PageBytes content(kPageSize);
        const size_t random = i == 0 ? bytes / 2 : 0;
        std::ranges::copy(RandomPage(page, random), content.begin());
        EXPECT_OK(members.back()->WritePage(PageNo(page), content));
      }
      const Status prepared = set.Prepare(members.back().get());
      if (prepared.code() == StatusCode::kInvalidArgument) return false;
      EXPECT_OK(prepared);
    }
    return true;
  };
  size_t count = 1;
  while (fits(count + 1, 0)) ++count;
  size_t most = 0;
  for (size_t step = kPageSize; step >= 2; step /= 2) {
    if (fits(count, most + step)) most += step;
  }
  ASSERT_TRUE(fits(count, most));
  ASSERT_LT(most, 2 * (kPageSize - 2)) << "there is room for more";

  ASSERT_OK(store_->Close());
  ExpectClosed(set.Publish());
  ASSERT_OK_AND_ASSIGN(const auto owner, Store::Open("store", options_));
  EXPECT_EQ(owner->Stats().object_count, 1u);
  ASSERT_OK_AND_ASSIGN(const auto object, owner->OpenObject("rooms", "a", IfMissing::kFail));
  EXPECT_TRUE(Reads(object, 1, RandomPage(3)));
  object_.reset();
  closed_.push_back(std::move(store_));
}

// Goal: the same where the close itself fails: the directory is released, and the first failure is
// what everybody is told.
TEST_F(ClosedStoreTest, CloseThatFails) {
  sim_.fs().FailWrite(1, StatusCode::kIoError);
  EXPECT_FALSE(store_->Close().ok());
  EXPECT_ERROR(store_->Sync(), StatusCode::kBroken, "broken");
  EXPECT_GT(store_->Stats().last_lsn.value, 0u);
  EXPECT_ERROR(object_->OpenSnapshot(), StatusCode::kBroken, "broken");
  EXPECT_OK(store_->Close());
  EXPECT_OK(Store::Open("store", options_));
}

}  // namespace
}  // namespace tidemark::testing
