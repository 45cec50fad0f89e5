// Damage to segments as files, and to where one goes over into the next: what was confirmed is
// never taken for a torn tail.

#include <filesystem>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class SegmentDamageTest : public LogFixture {
 protected:
  // Commits of "a" until the log is `groups` groups deep in `segment`, each confirmed and the last
  // by the one behind it; then the process dies.
  void FillAndDie(uint32_t segment, size_t groups) {
    ASSERT_OK(sim_.Open());
    for (uint64_t seed = 1; GroupCount(segment) < groups; ++seed) {
      ASSERT_OK(Put("a", seed));
      last_ = seed;
    }
    sim_.Crash(PowerLoss::kNothing);
  }
  size_t GroupCount(uint32_t segment) {
    return sim_.fs().Exists(PathOf(segment)).value() ? GroupsOf(segment).size() : 0;
  }
  void DropIndex() { std::filesystem::remove(sim_.options().index_directory + "/data.mdb"); }
  void Rot(uint32_t segment, uint64_t offset) { sim_.fs().FlipBit(PathOf(segment), offset, 3); }

  uint64_t last_ = 0;
};

// Goal: two damaged groups, the last of one segment and the first of the next, are not the end of
// the log. Method: the bodies of both; what is behind them is whole.
TEST_F(SegmentDamageTest, GroupsOnBothSidesOfABoundary) {
  FillAndDie(2, 4);
  const Group before = GroupsOf(1).back();
  const Group behind = GroupsOf(2).front();
  for (const uint64_t at : {uint64_t{0}, uint64_t{100}}) {
    SCOPED_TRACE(at);
    Rot(before.segment, before.offset + at);
    Rot(behind.segment, behind.offset + at);
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    EXPECT_ERROR(object->OpenSnapshot(), StatusCode::kCorruption, "segment 1, offset");
    EXPECT_ERROR(Put("a", 1000), StatusCode::kCorruption, "rooms/a");
    sim_.Crash(PowerLoss::kNothing);
    Rot(before.segment, before.offset + at);
    Rot(behind.segment, behind.offset + at);
  }
}

// Goal: the only segment of a store, cut within its header, is no store that was never finished,
// and nothing is made in its place. (Cut to nothing it tells nobody that it ever held something.)
TEST_F(SegmentDamageTest, CutWithinTheHeader) {
  FillAndDie(1, 3);
  DropIndex();
  const auto before = sim_.fs().Contents(PathOf(1));
  for (const uint64_t size : {1u, 40u, 64u, 4096u, 5000u}) {
    SCOPED_TRACE(size);
    ASSERT_OK_AND_ASSIGN(auto file, sim_.fs().Open(PathOf(1), OpenMode::kReadWrite));
    ASSERT_OK(file->Truncate(size));
    EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment");
    EXPECT_EQ(sim_.fs().Contents(PathOf(1)).size(), size);
    ASSERT_OK(file->WriteAt(0, before));
  }
  ASSERT_OK(sim_.Open());
}

// Likewise the first of three: the log does not begin with the second.
TEST_F(SegmentDamageTest, TheFirstIsCutWithinItsHeader) {
  FillAndDie(3, 3);
  DropIndex();
  ASSERT_OK_AND_ASSIGN(auto file, sim_.fs().Open(PathOf(1), OpenMode::kReadWrite));
  for (const uint64_t size : {63u, 36u, 0u}) {
    SCOPED_TRACE(size);
    ASSERT_OK(file->Truncate(size));
    EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment 2 goes on behind segment 1");
  }
}

// Goal: a segment that lost both its headers is neither a spare nor the end of the log, wherever it
// stands. Method: the first, the middle and the last of three, with and without an index.
TEST_F(SegmentDamageTest, BothHeaders) {
  FillAndDie(3, 3);
  for (uint32_t segment = 1; segment <= 3; ++segment) {
    SCOPED_TRACE(segment);
    const auto before = sim_.fs().Contents(PathOf(segment));
    Rot(segment, 20);
    Rot(segment, format::kSecondHeaderOffset + 20);
    const auto damaged = sim_.fs().Contents(PathOf(segment));
    EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment ");
    EXPECT_TRUE(sim_.fs().Contents(PathOf(segment)) == damaged) << "it was written to";
    sim_.fs().Overwrite(PathOf(segment), 0, before);
  }
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", last_));
}

// Goal: the same where the index has everything: the store opens, and only what stands in that
// segment is lost.
TEST_F(SegmentDamageTest, BothHeadersBehindTheCheckpoint) {
  FillAndDie(2, 3);
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("b", 7));
  ASSERT_OK(sim_.Close());
  Rot(1, 20);
  Rot(1, format::kSecondHeaderOffset + 20);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", last_));
  EXPECT_TRUE(Holds("b", 7));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(),
                          [](const Damage& damage) { return damage.segment == 1; }));
}

// Goal: a segment that is gone is missed. Method: the first and the middle of three, with an index
// that has nothing yet and without one.
TEST_F(SegmentDamageTest, MissingSegment) {
  FillAndDie(3, 3);
  for (uint32_t segment = 1; segment <= 2; ++segment) {
    SCOPED_TRACE(segment);
    const auto bytes = sim_.fs().Contents(PathOf(segment));
    ASSERT_OK(sim_.fs().Remove(PathOf(segment)));
    EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment");
    DropIndex();
    EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment");
    ASSERT_OK_AND_ASSIGN(const auto file, sim_.fs().Open(PathOf(segment), OpenMode::kCreateNew));
    ASSERT_OK(file->WriteAt(0, bytes));
    ASSERT_OK(file->Sync());
  }
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", last_));
}

// Goal: whichever file of the log is deleted, a store never shows less than was confirmed as if it
// were all: it does not open, or it opens with everything, or verify names what is gone. Method:
// four segments, of which the second was left by a crash and the others when they were full;
// stopped cleanly and not, with and without its index, with and without a spare behind the last
// segment.
//
// What cannot be told by what is left: that the log had gone on behind a full segment, when there
// is neither a checkpoint from then nor a later file. Then the store is, whole, as it was before.
TEST_F(SegmentDamageTest, EachFileDeleted) {
  for (const bool clean : {true, false}) {
    for (const bool spare : {true, false}) {
      SimStore sim(TestSeed());
      uint64_t last = 0;
      const auto put_until_groups = [&](uint32_t segment, size_t groups) {
        while (!sim.fs().Exists(PathOf(segment)).value() ||
               GroupsOf(sim, segment).size() < groups) {
          const auto object = sim.store().OpenObject("rooms", "a", IfMissing::kCreate);
          ASSERT_OK(object);
          ASSERT_OK(Commit(*object, {{1, RandomPage(++last)}}));
          ASSERT_OK(sim.store().Sync());
        }
      };
      ASSERT_OK(sim.Open());
      put_until_groups(2, 5);
      sim.Crash(PowerLoss::kNothing);
      ASSERT_OK(sim.Open());
      put_until_groups(4, 3);
      if (spare) {
        ASSERT_OK(sim.store().PrepareSegment());
      }
      if (clean) {
        ASSERT_OK(sim.Close());
      } else {
        sim.Crash(PowerLoss::kNothing);
      }
      const SimStore::Machine whole = sim.Save();
      ASSERT_EQ(sim.fs().Exists(PathOf(5)).value(), spare);

      for (const bool with_index : {true, false}) {
        for (uint32_t segment = 1; segment <= (spare ? 5u : 4u); ++segment) {
          SCOPED_TRACE(::testing::Message()
                       << "segment " << segment << (clean ? ", clean" : ", died")
                       << (spare ? ", spare" : "") << (with_index ? "" : ", no index"));
          SimStore::Machine machine = whole;
          if (!with_index) machine.index = nullptr;
          SimStore hurt(TestSeed(), machine);
          ASSERT_OK(hurt.fs().Remove(PathOf(segment)));
          const Status opened = hurt.Open();
          if (!opened.ok()) {
            EXPECT_LE(segment, 4u) << "a spare is not missed: " << opened.ToString();
            EXPECT_ERROR(opened, StatusCode::kCorruption, "segment " + std::to_string(segment));
            continue;
          }
          const auto object = hurt.store().OpenObject("rooms", "a", IfMissing::kFail);
          ASSERT_OK(object);
          const bool cannot_be_told = segment == 4 && !spare && !(clean && with_index);
          if (cannot_be_told) {
            const auto found = ReadPage(*object, 1);
            ASSERT_OK(found);
            bool is_one = false;
            for (uint64_t seed = 1; seed < last; ++seed) is_one |= *found == RandomPage(seed);
            EXPECT_TRUE(is_one);
            continue;
          }
          EXPECT_TRUE(Reads(*object, 1, RandomPage(last)));
          const auto report = hurt.store().Verify();
          ASSERT_OK(report);
          const bool named =
              std::any_of(report->damage.begin(), report->damage.end(),
                          [&](const Damage& damage) { return damage.segment == segment; });
          EXPECT_EQ(named, segment != 5);
        }
      }
    }
  }
}

// Goal: a segment that recovery left behind shows by its size that the log goes on, also if it has
// no block to give back. Method: commits, and then openings and closings, whose records are small,
// fill the segment into its last block; the process dies, and the segment entered behind it is
// deleted.
TEST_F(SegmentDamageTest, LeftBehindInItsLastBlock) {
  ASSERT_OK(sim_.Open());
  const auto room = [&] {
    const Group last = GroupsOf(1).back();
    return (1u << 20) - last.offset - last.length;
  };
  while (room() > 6000) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    ASSERT_OK(Commit(object, {{1, RandomPage(++last_, 512)}}, 512));
    ASSERT_OK(sim_.store().Sync());
  }
  while (room() > 3500) {
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
  }
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  ASSERT_EQ(GroupsOf(2).size(), 1u);
  ASSERT_OK(Put("b", 1));
  sim_.Crash(PowerLoss::kNothing);
  DropIndex();
  ASSERT_OK(sim_.fs().Remove(PathOf(2)));
  EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment 1");
}

// Goal: confirmed commits that were cut off with the end of the last segment's file are missed.
TEST_F(SegmentDamageTest, LastSegmentCutOff) {
  FillAndDie(2, 4);
  const Group group = GroupsOf(2)[1];
  ASSERT_OK_AND_ASSIGN(const auto file, sim_.fs().Open(PathOf(2), OpenMode::kReadWrite));
  ASSERT_OK(file->Truncate(group.offset));
  EXPECT_ERROR(sim_.Open(), StatusCode::kCorruption, "segment 2");
}

// Goal: the record that opens an epoch, when it is the last one, may be torn like any other group.
// Method: every byte of its group behind the header; what was confirmed before is there.
TEST_F(SegmentDamageTest, TornOpenRecord) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  for (uint32_t at = sizeof(format::GroupHeader); at < 104; ++at) {
    SCOPED_TRACE(at);
    sim_.Crash(PowerLoss::kNothing);
    if (at != sizeof(format::GroupHeader)) Rot(2, format::kFirstGroupOffset + at);
    ASSERT_OK(sim_.Open());  // enters segment 2, or uses it again
    EXPECT_TRUE(Holds("a", 1));
    ASSERT_EQ(GroupsOf(2).size(), 1u);
  }
}

// Goal: a header that an earlier use of the file left behind, where the newer one should be, does
// not hide the segment. Method: a crash leaves a segment entered and empty; its first header is
// kept, the segment used again, and the first sector then goes back to what it was.
TEST_F(SegmentDamageTest, OlderCopyOfAHeader) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());  // enters segment 2
  sim_.Crash(PowerLoss::kNothing);
  auto older = sim_.fs().Contents(PathOf(2));
  older.resize(512);
  sim_.fs().ZeroRange(PathOf(2), format::kFirstGroupOffset, 512);  // its first group was torn
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(Put("a", 3));
  sim_.Crash(PowerLoss::kNothing);
  sim_.fs().Overwrite(PathOf(2), 0, older);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", 3));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  ASSERT_EQ(report.damage.size(), 1u);
  EXPECT_EQ(report.damage[0].segment, 2u);
}

}  // namespace
}  // namespace tidemark::testing
