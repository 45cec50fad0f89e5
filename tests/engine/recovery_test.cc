// What a store makes of a log whose end is torn, or in which bytes have rotted.

#include <cstring>

#include "engine/format.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class RecoveryTest : public LogFixture {
 protected:
  // Confirmed commits of "hurt" (pages 1, then 2) and of "well" (3, then 4), each a group of its
  // own; the groups behind prove that those before were synced. Then the process dies.
  void FillAndDie() {
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(first_, Put("hurt", 1));
    ASSERT_OK(Put("well", 3));
    ASSERT_OK_AND_ASSIGN(second_, Put("hurt", 2));
    ASSERT_OK(Put("well", 4));
    ASSERT_OK(Put("well", 5));
    sim_.Crash(PowerLoss::kNothing);
  }

  // "hurt" is quarantined because of `place`, and comes back by a restore; "well" is well.
  void ExpectOnlyHurtIsHurt(const std::string& place) {
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("well", 5));
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    EXPECT_ERROR(ReadPage(hurt, 1), StatusCode::kCorruption, place);
    EXPECT_ERROR(Commit(hurt, {{1, RandomPage(6)}}), StatusCode::kCorruption, place);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(),
                            [](const Damage& damage) { return damage.object == "rooms/hurt"; }));
    EXPECT_TRUE(std::none_of(report.damage.begin(), report.damage.end(),
                             [](const Damage& damage) { return damage.object == "rooms/well"; }));
    EXPECT_EQ(sim_.store().Stats().damaged_object_count, 1u);

    ASSERT_OK(hurt->Restore(hurt->BookmarkOf(first_)));
    EXPECT_TRUE(Holds("hurt", 1));
    ASSERT_OK(Put("hurt", 7));
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("hurt", 7));
    EXPECT_TRUE(Holds("well", 5));
  }

  CommitInfo first_;
  CommitInfo second_;
};

// Goal: a torn tail is no damage: the store opens with what was confirmed before it, the lost
// commit's LSN is never used again, and its bookmark says what happened. Method: the last group,
// which nothing proves to be durable, loses its bytes from one sector on, for each of its sectors.
TEST_F(RecoveryTest, TornTailOpensWithThePrefix) {
  for (uint32_t sector = 0; sector < 14; ++sector) {
    SCOPED_TRACE(::testing::Message() << "from sector " << sector);
    SimStore sim(TestSeed() + sector);
    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(const auto kept, sim.store().OpenObject("rooms", "a", IfMissing::kCreate));
    ASSERT_OK(Commit(kept, {{1, RandomPage(1)}}));
    ASSERT_OK(sim.store().Sync());
    ASSERT_OK_AND_ASSIGN(const auto torn, sim.store().OpenObject("rooms", "b", IfMissing::kCreate));
    ASSERT_OK_AND_ASSIGN(const CommitInfo lost_a, Commit(kept, {{1, RandomPage(2)}}));
    ASSERT_OK(Commit(torn, {{1, RandomPage(3)}}));
    ASSERT_OK(sim.store().Sync());
    const Bookmark bookmark = kept->BookmarkOf(lost_a);
    const auto bytes = sim.fs().Contents(PathOf(1));
    const PageBytes page = RandomPage(2);
    const auto begin =
        static_cast<uint64_t>(std::search(bytes.begin(), bytes.end(), page.begin(), page.end()) -
                              bytes.begin()) /
            512 * 512 +
        512;
    // Both pages follow; a little more than 8 KiB are left.
    const uint64_t from = begin + uint64_t{sector} * 512;
    sim.Crash(PowerLoss::kNothing);
    sim.fs().ZeroRange(PathOf(1), from, 3 * kPageSize);

    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(const auto again, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
    EXPECT_TRUE(Reads(again, 1, RandomPage(1)));
    EXPECT_ERROR(sim.store().OpenObject("rooms", "b", IfMissing::kFail), StatusCode::kNotFound,
                 "b");
    EXPECT_ERROR(again->Resolve(bookmark), StatusCode::kLost, bookmark.ToString());
    ASSERT_OK_AND_ASSIGN(const CommitInfo next, Commit(again, {{1, RandomPage(4)}}));
    EXPECT_GT(next.lsn, lost_a.lsn);
    EXPECT_GT(next.epoch, lost_a.epoch);
    EXPECT_ERROR(again->Resolve(bookmark), StatusCode::kLost, bookmark.ToString());
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
    EXPECT_TRUE(report.damage.empty());
  }
}

// Goal: who opens a store sees how far the replay is. Method: a log of some commits behind the
// checkpoint; the reports rise, and none is beyond the total.
TEST_F(RecoveryTest, ReportsProgress) {
  FillAndDie();
  std::vector<uint64_t> reports;
  sim_.options().recovery_progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GT(done, reports.empty() ? 0 : reports.back());
    EXPECT_LE(done, total);
    reports.push_back(done);
  };
  ASSERT_OK(sim_.Open());
  EXPECT_GE(reports.size(), 5u);
}

// Goal: a commit that the power took before it was confirmed leaves no trace but its LSN, which
// stays unused. Method: two unclean stops in a row, each with a commit that was not waited for.
TEST_F(RecoveryTest, LostLsnsAreNotReused) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  std::vector<Bookmark> lost;
  Lsn highest;
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object, {{1, RandomPage(2)}}));
    EXPECT_GT(commit.lsn, highest);
    highest = commit.lsn;
    lost.push_back(object->BookmarkOf(commit));
    sim_.Crash(PowerLoss::kAll);
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("a", 1));
  }
  ASSERT_OK_AND_ASSIGN(const CommitInfo next, Put("a", 3));
  EXPECT_GT(next.lsn, highest);
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  for (const Bookmark& bookmark : lost) {
    EXPECT_ERROR(object->Resolve(bookmark), StatusCode::kLost, bookmark.ToString());
  }
}

// Goal: rot in one commit's pages, below the durable LSN, costs that object only, is named, and a
// restore to what was before brings the object back. Method: one bit of the page, after a crash.
TEST_F(RecoveryTest, DamagedPayloadQuarantinesItsObject) {
  FillAndDie();
  const Place place = PlaceOf(2);
  const Group group = GroupAround(place);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset + 100, 3);
  // The frame begins between the group's header and the page.
  ASSERT_GT(place.offset, group.offset);
  ExpectOnlyHurtIsHurt("segment 1, offset " + std::to_string(group.offset + 56));
}

// Goal: the same when the header of the commit's group is unreadable: the directory at the group's
// end says whose it was.
TEST_F(RecoveryTest, DamagedGroupHeaderQuarantinesItsObjects) {
  FillAndDie();
  const Group group = GroupAround(PlaceOf(2));
  sim_.fs().FlipBit(PathOf(group.segment), group.offset + 16, 0);
  ExpectOnlyHurtIsHurt("segment 1, offset " + std::to_string(group.offset + 56));
}

// Goal: a restore whose record rots does not show the object as it was before the restore. Method:
// the record's text names the bookmark it went to; one bit of that flips after a crash.
TEST_F(RecoveryTest, DamagedRestoreQuarantinesItsObject) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(first_, Put("hurt", 1));
  ASSERT_OK(Put("hurt", 2));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt", IfMissing::kFail));
  const std::string to = object->BookmarkOf(first_).ToString();
  ASSERT_OK(object->Restore(object->BookmarkOf(first_)));
  ASSERT_OK(Put("well", 4));
  ASSERT_OK(Put("well", 5));
  sim_.Crash(PowerLoss::kNothing);
  const std::vector<std::byte> log = sim_.fs().Contents(PathOf(1));
  const auto text = std::as_bytes(std::span(to));
  const auto at = std::search(log.begin(), log.end(), text.begin(), text.end());
  ASSERT_NE(at, log.end());
  sim_.fs().FlipBit(PathOf(1), static_cast<uint64_t>(at - log.begin()), 1);
  ExpectOnlyHurtIsHurt("segment 1, offset ");
}

// Goal: rot that is already indexed is found by whoever reads it, and never given out. Method: the
// bit flips after a clean close, so that recovery never sees it.
TEST_F(RecoveryTest, DamageBehindTheCheckpointIsFoundByReading) {
  FillAndDie();
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.Close());
  const Place place = PlaceOf(2);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset + 100, 3);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("well", 5));
  ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
  EXPECT_ERROR(ReadPage(hurt, 1), StatusCode::kCorruption, "segment 1, offset ");
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
    return damage.object == "rooms/hurt" && damage.segment == place.segment;
  }));
  ASSERT_OK(hurt->Restore(hurt->BookmarkOf(first_)));
  EXPECT_TRUE(Holds("hurt", 1));
}

// Goal: the loss of one block does not make a segment unreadable, and Verify reports it. Method:
// either copy of the segment's header becomes zeros.
TEST_F(RecoveryTest, OneCopyOfTheSegmentHeaderIsEnough) {
  for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
    SCOPED_TRACE(offset);
    SimStore sim(TestSeed());
    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(auto object, sim.store().OpenObject("rooms", "a", IfMissing::kCreate));
    ASSERT_OK(Commit(object, {{1, RandomPage(1)}}));
    ASSERT_OK(sim.store().Sync());
    sim.Crash(PowerLoss::kNothing);
    sim.fs().ZeroRange(PathOf(1), offset, sizeof(format::SegmentHeader));
    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(object, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
    EXPECT_TRUE(Reads(object, 1, RandomPage(1)));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].segment, 1u);
    EXPECT_EQ(report.damage[0].offset, offset);
  }
}

// Goal: what an earlier life of a segment left behind never verifies, even where it follows
// without a gap, with the LSN and the epoch that are due. Method: segment 2 lives, gets the header
// of another segment (as a file that is used again has it), and lives again with commits of the
// same sizes, but one less; then the rest of its earlier life stands exactly at the end of the log.
TEST_F(RecoveryTest, LeftoversOfAnEarlierLifeNeverVerify) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(Put("a", 3));
  ASSERT_OK(Put("a", 4));
  const std::vector<Group> before = GroupsOf(2);
  ASSERT_EQ(before.size(), 4u);  // the open record and three commits
  sim_.Crash(PowerLoss::kNothing);
  sim_.fs().Overwrite(PathOf(2), 0,
                      internal::MakeHeaderBlocks(internal::MakeSegmentHeader(9, 1, 1, {}, Lsn(1))));
  ASSERT_OK_AND_ASSIGN(const auto first, sim_.fs().Open(PathOf(1), OpenMode::kReadWrite));
  ASSERT_OK(first->Allocate(sim_.options().segment_size_bytes));  // segment 2 was never entered

  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK(Put("a", 12));
  sim_.Crash(PowerLoss::kAll);
  const std::vector<Group> after = GroupsOf(2);
  ASSERT_EQ(after.size(), 4u);
  for (size_t i = 0; i < after.size(); ++i) ASSERT_EQ(after[i].offset, before[i].offset);
  ASSERT_EQ(PlaceOf(12).segment, 2u);
  ASSERT_EQ(PlaceOf(3).segment, 2u);

  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", 12));
  ASSERT_OK(Put("a", 13));
  EXPECT_TRUE(Holds("a", 13));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
  uint64_t commits = 0;
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  ASSERT_OK(object->History([&](const CommitInfo&) { return ++commits != 0; }));
  EXPECT_EQ(commits, 3u);
}

// Goal: after a failed sync nobody knows what is on the disk, so everything fails until the store
// is opened again; and then what was confirmed is there, and what is shown stays. Method: one sync
// fails; after reopening, whatever is there must survive a loss of everything unsynced.
TEST_F(RecoveryTest, FailedSyncBreaksUntilReopened) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const CommitInfo second, Commit(object, {{1, RandomPage(2)}}));
    sim_.fs().FailSync(1);
    EXPECT_ERROR(sim_.store().WaitDurable(second.lsn), StatusCode::kBroken, "");
    EXPECT_ERROR(sim_.store().WaitDurable(second.lsn), StatusCode::kBroken, "");
    EXPECT_ERROR(sim_.store().Sync(), StatusCode::kBroken, "reopened");
    EXPECT_ERROR(sim_.store().Checkpoint(), StatusCode::kBroken, "reopened");
    EXPECT_ERROR(sim_.store().Verify(), StatusCode::kBroken, "reopened");
    EXPECT_ERROR(Commit(object, {{1, RandomPage(3)}}), StatusCode::kBroken, "reopened");
    EXPECT_ERROR(object->Restore(object->BookmarkOf(first)), StatusCode::kBroken, "reopened");
    EXPECT_EQ(sim_.store().durable_lsn(), first.lsn);
    EXPECT_ERROR(sim_.Close(), StatusCode::kBroken, "reopened");
  }
  ASSERT_OK(sim_.Open());
  const bool second_is_there = static_cast<bool>(Holds("a", 2));
  EXPECT_TRUE(second_is_there || Holds("a", 1));
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", second_is_there ? 2 : 1));
  ASSERT_OK(Put("a", 4));
  EXPECT_TRUE(Holds("a", 4));
}

}  // namespace
}  // namespace tidemark::testing
