// What a caller of a store sees: opening, limits, transactions, snapshots. point_in_time_test.cc
// has the way back.

#include "engine/store.h"

#include <unistd.h>

#include <cstring>

#include "engine/format.h"
#include "engine/internal/record.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

class StoreTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }
};

// ---- opening -----------------------------------------------------------------------------------

// Goal: each way in which a directory is not a store that can be opened has its own error, and a
// directory of somebody else's is left as it was.
TEST(StoreOpenTest, NoStoreThere) {
  SimStore sim(TestSeed());
  sim.options().create_if_missing = false;
  EXPECT_ERROR(sim.Open(), StatusCode::kNotFound, "store");
  EXPECT_FALSE(sim.fs().Exists("store").value());
  ASSERT_OK(sim.fs().CreateDirectory("store"));
  EXPECT_ERROR(sim.Open(), StatusCode::kNotFound, "store");
}

TEST(StoreOpenTest, DirectoryWithOtherFiles) {
  SimStore sim(TestSeed());
  ASSERT_OK(sim.fs().CreateDirectory("store"));
  ASSERT_OK(sim.fs().Open("store/notes.txt", OpenMode::kCreateNew));
  EXPECT_ERROR(sim.Open(), StatusCode::kNotFound, "store is not a tidemark store");
  EXPECT_ERROR(Store::Create("store", sim.options()), StatusCode::kExists, "not empty");
  ASSERT_OK_AND_ASSIGN(const auto names, sim.fs().ListDirectory("store"));
  EXPECT_EQ(names, std::vector<std::string>{"notes.txt"});
}

TEST(StoreOpenTest, CreateTwice) {
  SimStore sim(TestSeed());
  ASSERT_OK(Store::Create("store", sim.options()));
  EXPECT_ERROR(Store::Create("store", sim.options()), StatusCode::kExists, "already");
  EXPECT_OK(sim.Open());
}

TEST(StoreOpenTest, NewerFormatVersion) {
  SimStore sim(TestSeed());
  ASSERT_OK(sim.Open());
  ASSERT_OK(sim.Close());
  const std::string path = "store/log/00000001.seg";
  format::SegmentHeader header;
  std::memcpy(&header, sim.fs().Contents(path).data(), sizeof(header));
  ++header.version;
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.hash = internal::SeededHash(bytes.first(offsetof(format::SegmentHeader, hash)), 0);
  sim.fs().Overwrite(path, 0, bytes);
  sim.fs().Overwrite(path, format::kSecondHeaderOffset, bytes);
  EXPECT_ERROR(sim.Open(), StatusCode::kUnsupportedVersion,
               "version " + std::to_string(format::kFormatVersion + 1));
}

TEST(StoreOpenTest, InUseNamesTheOwner) {
  const TempDirectory directory;
  StoreOptions options;
  options.create_if_missing = true;
  options.segment_size_bytes = 1u << 20;
  options.background_work = BackgroundWork::kManual;
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(directory / "store", options));
  EXPECT_ERROR(Store::Open(directory / "store", options), StatusCode::kInUse,
               std::to_string(getpid()));
  ASSERT_OK(store->Close());
  EXPECT_OK(Store::Open(directory / "store", options));
}

// ---- limits ------------------------------------------------------------------------------------

// Goal: a full disk is an error like another: the commit that met it changed nothing, reads go on,
// and so do commits when there is room again. Method: no file may grow; commits until one fails.
TEST_F(StoreTest, FullDisk) {
  ASSERT_OK(Put("a", 0));
  sim_.fs().SetCapacity(sim_.fs().UsedBytes());
  uint64_t next = 1;
  Status status;
  while (true) {
    const auto commit = Put("a", next);
    status = commit.status();
    if (!status.ok() || next > 1000) break;
    ++next;
  }
  EXPECT_ERROR(status, StatusCode::kFull, "");
  EXPECT_TRUE(Holds("a", next - 1));
  EXPECT_ERROR(Put("a", next), StatusCode::kFull, "");
  EXPECT_TRUE(Holds("a", next - 1));
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_OK(Put("a", next));
  EXPECT_TRUE(Holds("a", next));
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", next));
}

// Goal: an index that may not grow fails the checkpoint, not the commits, and nothing is lost.
// Method: more page versions than a small index can know, then an opening that allows more.
TEST_F(StoreTest, FullIndex) {
  ASSERT_OK(sim_.Close());
  sim_.options().max_index_bytes = 256u << 10;
  ASSERT_OK(sim_.Open());
  constexpr uint32_t kSize = 512;
  Status full;
  uint32_t rounds = 0;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    while (full.ok() && rounds < 100) {
      std::map<uint32_t, PageBytes> pages;
      for (uint32_t i = 1; i <= 200; ++i) pages[i] = RandomPage(rounds * 1000 + i, kSize);
      ASSERT_OK(Commit(object, pages, kSize));
      ++rounds;
      // A checkpoint that fails moves nothing: what the index does not have stays in memory.
      const Lsn before = sim_.store().Stats().checkpoint_lsn;
      full = sim_.store().Checkpoint();
      EXPECT_EQ(sim_.store().Stats().checkpoint_lsn == before, !full.ok());
    }
    EXPECT_ERROR(full, StatusCode::kFull, "");
    EXPECT_TRUE(Reads(object, 7, RandomPage((rounds - 1) * 1000 + 7, kSize)));
    ASSERT_OK(Commit(object, {{7, RandomPage(1, kSize)}}, kSize));
    ASSERT_OK(sim_.store().Sync());
    EXPECT_TRUE(Reads(object, 7, RandomPage(1, kSize)));
  }
  sim_.Crash(PowerLoss::kNothing);
  sim_.options().max_index_bytes = uint64_t{1} << 40;
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  EXPECT_TRUE(Reads(object, 7, RandomPage(1, kSize)));
  EXPECT_TRUE(Reads(object, 8, RandomPage((rounds - 1) * 1000 + 8, kSize)));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// ---- transactions and snapshots ----------------------------------------------------------------

// Goal: pages that were cut off never come back. Method: cut and grow in one transaction, and in
// two, over pages that were committed.
TEST_F(StoreTest, TruncatedPagesReadAsZerosWhenGrownAgain) {
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}, {3, RandomPage(3)}}));
  const PageBytes zeros(kPageSize);
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.SetPageCount(2));
  ASSERT_OK(transaction.WritePage(PageNo(4), RandomPage(4)));
  ASSERT_OK(transaction.Commit());
  EXPECT_TRUE(Reads(object, 2, RandomPage(2)));
  EXPECT_TRUE(Reads(object, 3, zeros));
  EXPECT_TRUE(Reads(object, 4, RandomPage(4)));
  ASSERT_OK(transaction.SetPageCount(1));
  ASSERT_OK(transaction.Commit());
  ASSERT_OK(transaction.SetPageCount(3));
  ASSERT_OK(transaction.Commit());
  transaction.End();
  for (const bool indexed : {false, true}) {
    SCOPED_TRACE(indexed);
    EXPECT_EQ(object->head().page_count, 3u);
    EXPECT_TRUE(Reads(object, 1, RandomPage(1)));
    EXPECT_TRUE(Reads(object, 2, zeros));
    EXPECT_TRUE(Reads(object, 3, zeros));
    ASSERT_OK(sim_.Checkpoint());
  }
}

// Goal: a snapshot shows its commit, whatever is committed, cut off, indexed or restored later.
TEST_F(StoreTest, SnapshotsStandStill) {
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot());
  const auto check = [&] {
    EXPECT_OK(snapshot.Verify());
    EXPECT_EQ(snapshot.page_count(), 2u);
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, 1));
    EXPECT_TRUE(page == RandomPage(1));
  };
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.WritePage(PageNo(1), RandomPage(10)));
  check();
  ASSERT_OK(transaction.SetPageCount(1));
  ASSERT_OK(transaction.Commit());
  check();
  transaction.End();
  ASSERT_OK(sim_.Checkpoint());
  check();
  ASSERT_OK(object->Restore(object->BookmarkOf(snapshot.commit())));
  ASSERT_OK(Put("a", 11));
  check();
}

// Goal: a listing goes on behind any id, whether the index has the objects or not. Method: pages of
// two, with objects of both kinds, and from ids that no object has.
TEST_F(StoreTest, ListingsGoOnBehindAnId) {
  for (int i = 0; i < 6; ++i) ASSERT_OK(Put("indexed" + std::to_string(i), 1));
  ASSERT_OK(sim_.Checkpoint());
  for (int i = 0; i < 5; ++i) ASSERT_OK(Put("recent" + std::to_string(i), 2));
  const auto list = [&](size_t most, std::optional<ObjectId> after) {
    std::vector<ObjectId> ids;
    const auto visit = [&](const ObjectSummary& object) {
      ids.push_back(object.id);
      return ids.size() < most;
    };
    EXPECT_OK(sim_.store().ListObjects("rooms", visit, Listed::kExisting, after));
    return ids;
  };
  const std::vector<ObjectId> all = list(SIZE_MAX, std::nullopt);
  ASSERT_EQ(all.size(), 11u);
  std::vector<ObjectId> paged;
  std::optional<ObjectId> after;
  for (auto page = list(2, after); !page.empty(); page = list(2, after)) {
    paged.insert(paged.end(), page.begin(), page.end());
    after = page.back();
  }
  EXPECT_EQ(paged, all);
  EXPECT_EQ(list(SIZE_MAX, ObjectId{}), all);
  ObjectId between = all[4];
  between.bytes[31] = std::byte(uint8_t(between.bytes[31]) - 1);
  EXPECT_EQ(list(1, between), std::vector<ObjectId>{all[4]});
}

// Goal: an object is there from its first commit on, not from when one was prepared. Method: one
// whose first transaction is prepared, then rolled back, then committed; listed, counted, verified
// and checkpointed each time.
TEST_F(StoreTest, PreparedObjectIsNotThere) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("b"));
  const auto expect_objects = [&](uint64_t count) {
    for (const bool indexed : {false, true}) {
      SCOPED_TRACE(::testing::Message() << count << (indexed ? ", indexed" : ""));
      uint64_t listed = 0;
      ASSERT_OK(sim_.store().ListObjects("rooms", [&](const ObjectSummary& summary) {
        EXPECT_OK(summary.damage);
        return ++listed > 0;
      }));
      EXPECT_EQ(listed, count);
      EXPECT_EQ(sim_.store().Stats().object_count, count);
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
      EXPECT_EQ(report.objects, count);
      ASSERT_OK(Put("a", 2));  // so that there is something to index
      ASSERT_OK(sim_.Checkpoint());
    }
  };
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.ResetPageSize(kPageSize));
  ASSERT_OK(transaction.WritePage(PageNo(1), RandomPage(3)));
  ASSERT_OK(transaction.Prepare());
  expect_objects(1);
  transaction.Rollback();
  expect_objects(1);
  ASSERT_OK(transaction.ResetPageSize(kPageSize));
  ASSERT_OK(transaction.WritePage(PageNo(1), RandomPage(4)));
  ASSERT_OK(transaction.Prepare());
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK(transaction.Publish());
  transaction.End();
  expect_objects(2);
  EXPECT_TRUE(Holds("b", 4));
}

}  // namespace
}  // namespace tidemark::testing
