// A replay too long for memory: recovery writes what it has so far to the index, in the middle of
// the log, and goes on. A crash at any time later finds an index that is ahead of nothing.

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class LongReplayTest : public LogFixture {
 protected:
  static constexpr uint32_t kSize = 512;
  static constexpr uint32_t kPages = 900;
  // More page versions than a replay keeps in memory (2^20): each commit below makes kPages - 1.
  static constexpr uint64_t kCommits = 1200;

  // Page kPages is RandomPage(seed), between it and page 1 nothing.
  Result<CommitInfo> PutSparse(const std::shared_ptr<Object>& object, uint64_t seed) {
    Transaction transaction(object);
    TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
    TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(kSize));
    TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(std::min(1u, transaction.page_count())));
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(kPages), RandomPage(seed, kSize)));
    return transaction.Commit();
  }

  // The latest commit, and one from each part of the log.
  void CheckAll() {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    EXPECT_EQ(object->head(), commits_.back());
    for (const uint64_t seed : {uint64_t{0}, kCommits / 2, kCommits - 20, kCommits - 1}) {
      SCOPED_TRACE(seed);
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot,
                           object->OpenSnapshot(object->BookmarkOf(commits_[seed])));
      EXPECT_OK(snapshot.Verify());
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, kPages));
      EXPECT_TRUE(page == RandomPage(seed, kSize));
    }
    EXPECT_TRUE(Holds("b", 1));
  }

  std::vector<CommitInfo> commits_;
};

// Goal: see above. Method: a log with more page versions than a replay keeps in memory, none of
// them in the index. The process dies at the first write behind the checkpoint of its first
// opening, and then in each next one an operation later, once with the power, until one gets
// through.
TEST_F(LongReplayTest, DiesBehindItsCheckpoint) {
  ASSERT_OK(sim_.Open());
  const Lsn created = sim_.store().Stats().checkpoint_lsn;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    for (uint64_t seed = 0; seed < kCommits; ++seed) {
      ASSERT_OK_AND_ASSIGN(commits_.emplace_back(), PutSparse(object, seed));
      if (seed == kCommits / 3) {
        ASSERT_OK(Put("b", 1));
      }
    }
    ASSERT_OK(sim_.store().Sync());
    EXPECT_GT(sim_.store().Stats().recent_version_count, uint64_t{1} << 20);
    EXPECT_EQ(sim_.store().Stats().checkpoint_lsn, created);
  }
  sim_.Crash(PowerLoss::kNothing);

  bool opened = false;
  for (uint64_t nth = 1; !opened; ++nth) {
    SCOPED_TRACE(nth);
    sim_.fs().CrashAt(nth);
    const Status status = sim_.Open();
    opened = status.ok() && !sim_.fs().crashed();
    EXPECT_TRUE(opened || nth < 50) << status.ToString();
    if (opened || nth >= 50) break;
    // With the power an index can be lost, too, and the replay is long again: once is enough.
    sim_.Crash(nth == 3 ? PowerLoss::kAll : PowerLoss::kNothing);
  }
  ASSERT_TRUE(opened);
  sim_.fs().CrashAt(uint64_t{1} << 40);
  const StoreStats stats = sim_.store().Stats();
  EXPECT_GT(stats.checkpoint_lsn, created);
  EXPECT_LT(stats.checkpoint_lsn, commits_.back().lsn);
  EXPECT_LT(stats.recent_version_count, uint64_t{1} << 20);
  CheckAll();
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  CheckAll();
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: what the replay found damaged before its checkpoint in the middle of the log is known to
// the opening that starts from there. Method: an early commit of another object is damaged.
TEST_F(LongReplayTest, KeepsDamageOfBefore) {
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    ASSERT_OK(Put("b", 1));
    ASSERT_OK(Put("hurt", 2));
    ASSERT_OK(Put("hurt", 3));
    for (uint64_t seed = 0; seed < kCommits; ++seed) {
      ASSERT_OK_AND_ASSIGN(commits_.emplace_back(), PutSparse(object, seed));
    }
    ASSERT_OK(sim_.store().Sync());
  }
  sim_.Crash(PowerLoss::kNothing);
  const Place place = PlaceOf(3);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2);
  for (int i = 0; i < 2; ++i) {
    SCOPED_TRACE(i);
    ASSERT_OK(sim_.Open());
    CheckAll();
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
    EXPECT_EQ(sim_.store().Stats().damaged_object_count, 1u);
    sim_.Crash(PowerLoss::kNothing);
  }
}

}  // namespace
}  // namespace tidemark::testing
