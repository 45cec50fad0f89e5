// A disk that cannot read some of its blocks: never taken for the end of the log, and dear only
// where it must be.

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class UnreadableTest : public LogFixture {
 protected:
  static constexpr uint64_t kBlock = 4096;

  // Confirmed commits of "old" (seed 1) and of "well" (2 and 3), all of them indexed if `indexed`.
  // Each has pages around page 1, so that the block in its middle holds nothing else.
  void Fill(bool indexed) {
    ASSERT_OK(sim_.Open());
    for (const auto& [name, seed] : {std::pair("old", 1), {"well", 2}, {"well", 3}}) {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      const auto number = static_cast<uint64_t>(seed);
      ASSERT_OK(Commit(
          object,
          {{1, RandomPage(number + 10)}, {2, RandomPage(number)}, {3, RandomPage(number + 20)}}));
      ASSERT_OK(sim_.store().Sync());
    }
    if (indexed) {
      ASSERT_OK(sim_.Close());
    } else {
      sim_.Crash(PowerLoss::kNothing);
    }
  }

  ::testing::AssertionResult IsThere(const std::string& name, uint64_t seed) {
    const auto object = Open(name, IfMissing::kFail);
    if (!object.ok()) return ::testing::AssertionFailure() << object.status().ToString();
    return Reads(*object, 2, RandomPage(seed));
  }

  void FailReadsAt(Place place) {
    sim_.fs().FailReadsOf(PathOf(place.segment), place.offset / kBlock * kBlock, kBlock);
  }
};

// Goal: a block of the log's tail that cannot be read does not cost the commits that stand in it:
// the store does not open, says which file, where, and what to do, and nothing has changed when the
// block can be read again; or else the rescued copy costs the objects in it. Method: the block of
// each commit of a log that must be replayed.
TEST_F(UnreadableTest, TailStopsTheOpen) {
  Fill(false);
  const SimStore::Machine machine = sim_.Save();
  for (const uint64_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    Place place = PlaceOf(seed);
    place.offset += kPageSize / 2;
    const std::string block = std::to_string(place.offset / kBlock * kBlock);
    for (const bool passes : {true, false}) {
      SimStore sim(TestSeed(), machine);
      sim.fs().FailReadsOf(PathOf(place.segment), place.offset / kBlock * kBlock, kBlock);
      const Status opened = sim.Open();
      EXPECT_ERROR(opened, StatusCode::kIoError, PathOf(place.segment));
      EXPECT_ERROR(opened, StatusCode::kIoError, "at offset " + block);
      EXPECT_ERROR(opened, StatusCode::kIoError, "ddrescue");
      sim.fs().FailReadsOf("", 0, 0);
      if (!passes) {
        sim.fs().ZeroRange(PathOf(place.segment), place.offset / kBlock * kBlock, kBlock);
      }
      const Status again = sim.Open();
      if (!passes && seed == 3) {
        // Nothing behind the last commit proves it: the rescued copy ends before it.
        ASSERT_OK(again);
        const auto well = sim.store().OpenObject("rooms", "well", IfMissing::kFail);
        ASSERT_OK(well);
        EXPECT_TRUE(Reads(*well, 2, RandomPage(2)));
        continue;
      }
      ASSERT_OK(again);
      const auto old = sim.store().OpenObject("rooms", "old", IfMissing::kFail);
      const auto well = sim.store().OpenObject("rooms", "well", IfMissing::kFail);
      if (passes || seed == 2) {
        ASSERT_OK(old);
        EXPECT_TRUE(Reads(*old, 2, RandomPage(1)));
      } else {
        EXPECT_ERROR(old.ok() ? (*old)->OpenSnapshot().status() : old.status(),
                     StatusCode::kCorruption, "rooms/old");
      }
      if (passes || seed == 1) {
        ASSERT_OK(well);
        EXPECT_TRUE(Reads(*well, 2, RandomPage(3)));
      } else {
        EXPECT_ERROR(well.ok() ? (*well)->OpenSnapshot().status() : well.status(),
                     StatusCode::kCorruption, "rooms/well");
      }
    }
  }
}

// Goal: an old page that cannot be read costs its object, in this session only, and nobody else.
// Method: each block of a closed log that holds something of "old", its page and its record; the
// store opens, lists, writes and reads everything else, and verify reports it and goes on.
TEST_F(UnreadableTest, OldPageCostsItsObject) {
  Fill(true);
  const Place page = PlaceOf(1);
  // The block in front holds the record and the begin of the first page.
  for (const uint64_t offset : {page.offset - kPageSize - 60, page.offset + kPageSize / 2}) {
    SCOPED_TRACE(offset);
    FailReadsAt({page.segment, offset});
    ASSERT_OK(sim_.Open());
    const auto old = Open("old", IfMissing::kFail);
    const auto read = old.ok() ? ReadPage(*old, 2) : old.status();
    EXPECT_ERROR(read, StatusCode::kIoError, PathOf(page.segment));
    EXPECT_TRUE(IsThere("well", 3));
    ASSERT_OK(Put("new", offset));
    int listed = 0;
    ASSERT_OK(sim_.store().ListObjects("rooms", [&](const ObjectSummary& object) {
      listed += object.name == "old" || object.name == "well";
      if (object.name == "well") {
        EXPECT_OK(object.damage);
      } else if (!old.ok() && object.name == "old") {
        EXPECT_ERROR(object.damage, StatusCode::kIoError, "ddrescue");
      }
      return true;
    }));
    EXPECT_EQ(listed, 2);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    const auto says = [&](const std::string& object, const std::string& what) {
      return std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
        return damage.object == object && damage.message.find(what) != std::string::npos;
      });
    };
    EXPECT_TRUE(says("", "ddrescue"));
    EXPECT_TRUE(says("rooms/old", ""));
    EXPECT_FALSE(says("rooms/well", ""));
    ASSERT_OK(sim_.Close());
    sim_.fs().FailReadsOf("", 0, 0);
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(IsThere("old", 1));
    ASSERT_OK_AND_ASSIGN(const VerifyReport whole, sim_.store().Verify());
    EXPECT_TRUE(whole.damage.empty());
    ASSERT_OK(sim_.Close());
  }
}

// Goal: one copy of a segment's header is enough, and so is one without the first group; but what
// may be a segment is never taken for a spare, which would be written over. Method: each of the
// three blocks, then all.
TEST_F(UnreadableTest, BeginOfASegment) {
  Fill(true);
  for (const uint64_t offset : {uint64_t{0}, kBlock, 2 * kBlock}) {
    SCOPED_TRACE(offset);
    FailReadsAt({1, offset});
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(IsThere("well", 3));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_FALSE(report.damage.empty());
    ASSERT_OK(sim_.Close());
  }
  for (const uint64_t size : {2 * kBlock, 3 * kBlock}) {
    sim_.fs().FailReadsOf(PathOf(1), 0, size);
    EXPECT_ERROR(sim_.Open(), StatusCode::kIoError, PathOf(1));
  }
  sim_.fs().FailReadsOf("", 0, 0);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(IsThere("old", 1));
  EXPECT_TRUE(IsThere("well", 3));
}

// Goal: a disk that is gone, of which every read fails wherever it is, ends reads and checks with
// that error: a search for what cannot be read finds an end. Method: a page whose past stands in a
// chain without rows of its own, and a verify.
TEST_F(UnreadableTest, DiskThatIsGone) {
  ASSERT_OK(sim_.Open());
  PageBytes page = RandomPage(1);
  std::vector<CommitInfo> commits;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("chain"));
    for (size_t i = 0; i < 8; ++i) {
      page[i] ^= std::byte{1};
      ASSERT_OK_AND_ASSIGN(commits.emplace_back(), Commit(object, {{2, page}}));
    }
  }
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("chain", IfMissing::kFail));
  std::vector<Snapshot> snapshots;
  for (const CommitInfo& commit : commits) {
    ASSERT_OK_AND_ASSIGN(snapshots.emplace_back(), object->OpenSnapshot(commit));
  }
  sim_.fs().FailReads(1, true);
  for (const Snapshot& snapshot : snapshots) {
    EXPECT_ERROR(ReadPage(snapshot, 2), StatusCode::kIoError, PathOf(1));
  }
  const auto report = sim_.store().Verify();
  EXPECT_FALSE(report.ok() && report->damage.empty());
  EXPECT_GT(sim_.fs().FailReads(0, false), 0u);
}

}  // namespace
}  // namespace tidemark::testing
