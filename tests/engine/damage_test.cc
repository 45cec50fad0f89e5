// One rotten byte costs what it hits and nothing else: records that belong to no object, and those
// that create one.

#include <filesystem>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class DamageTest : public LogFixture {
 protected:
  // Confirmed commits in two namespaces; the groups behind prove that those before were synced.
  void FillAndDie() {
    ASSERT_OK(sim_.Open());
    ASSERT_OK(Put("first", 1));
    ASSERT_OK_AND_ASSIGN(const auto other,
                         sim_.store().OpenObject("cellars", "wine", IfMissing::kCreate));
    ASSERT_OK(Commit(other, {{1, RandomPage(10)}}));
    ASSERT_OK(sim_.store().Sync());
    ASSERT_OK(Put("second", 2));
    ASSERT_OK(Put("second", 3));
    ASSERT_OK(Put("second", 4));
    sim_.Crash(PowerLoss::kNothing);
  }

  void Rot(Place place) { sim_.fs().FlipBit(PathOf(place.segment), place.offset, 2); }
};

// Goal: an object whose creation is damaged is neither missing nor empty: it is damaged, by name,
// also for who would create it; the others are well, and new ones can be made.
TEST_F(DamageTest, RecordThatCreatesAnObject) {
  FillAndDie();
  Rot(PlaceOf(std::string("first")));
  ByLogAndByIndex([this] {
    EXPECT_ERROR(Open("first", IfMissing::kFail), StatusCode::kCorruption, "rooms/first");
    EXPECT_ERROR(Open("first", IfMissing::kCreate), StatusCode::kCorruption, "segment 1");
    EXPECT_TRUE(Holds("second", 4));
    ASSERT_OK(Put("third", 5));
    EXPECT_TRUE(Holds("third", 5));
    EXPECT_EQ(sim_.store().Stats().damaged_object_count, 1u);
  });
}

// Goal: the same of a namespace; its objects go with it.
TEST_F(DamageTest, RecordThatCreatesANamespace) {
  FillAndDie();
  Rot(PlaceOf(std::string("cellars")));
  ByLogAndByIndex([this] {
    for (const IfMissing if_missing : {IfMissing::kFail, IfMissing::kCreate}) {
      EXPECT_ERROR(sim_.store().OpenObject("cellars", "wine", if_missing), StatusCode::kCorruption,
                   "namespace cellars");
    }
    EXPECT_TRUE(Holds("first", 1));
    EXPECT_TRUE(Holds("second", 4));
    ASSERT_OK_AND_ASSIGN(const auto attic,
                         sim_.store().OpenObject("attic", "box", IfMissing::kCreate));
    ASSERT_OK(Commit(attic, {{1, RandomPage(11)}}));
  });
}

// Goal: a damaged directory costs nothing, as the records say themselves whose they are. Method:
// every byte behind the records of a group.
TEST_F(DamageTest, DirectoryOfAGroup) {
  FillAndDie();
  const Group group = GroupAround(PlaceOf(3));
  const uint64_t records_end = PlaceOf(3).offset + kPageSize;
  for (uint64_t at = records_end; at < group.offset + group.length; ++at) {
    SCOPED_TRACE(at);
    Rot({group.segment, at});
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("first", 1));
    EXPECT_TRUE(Holds("second", 4));
    ASSERT_OK_AND_ASSIGN(const auto second, Open("second", IfMissing::kFail));
    EXPECT_EQ(sim_.store().Stats().damaged_object_count, 0u);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_EQ(report.damage.size(), 1u);
    sim_.Crash(PowerLoss::kNothing);
    Rot({group.segment, at});
  }
}

// Goal: one damaged page is one finding. Method: the page's bytes, in a group whose hash then does
// not fit either.
TEST_F(DamageTest, VerifyCountsDamageOnce) {
  FillAndDie();
  Rot({PlaceOf(3).segment, PlaceOf(3).offset + 7});
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  size_t of_the_log = 0;
  for (const Damage& damage : report.damage) of_the_log += damage.segment != 0;
  EXPECT_EQ(of_the_log, 1u);
}

// Goal: a file that is brought back after its damage was indexed is not enough, because the index
// has skipped what was in it; verify says so and what to do, and then everything is as it was.
// Method: a frame, and the record that creates an object, damaged and repaired.
TEST_F(DamageTest, RepairedAfterItWasIndexed) {
  FillAndDie();
  const Place places[] = {PlaceOf(3), PlaceOf(std::string("first"))};
  for (const Place& place : places) Rot(place);
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.Close());
  for (const Place& place : places) Rot(place);
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(sim_.store().Stats().damaged_object_count, 2u);
  {
    ASSERT_OK_AND_ASSIGN(const auto second, Open("second", IfMissing::kFail));
    EXPECT_ERROR(second->OpenSnapshot(), StatusCode::kCorruption, "rooms/second");
  }
  ASSERT_OK_AND_ASSIGN(VerifyReport report, sim_.store().Verify());
  for (const Place& place : places) {
    const Group group = GroupAround(place);
    EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
      return damage.segment == group.segment && damage.offset > group.offset &&
             damage.offset < group.offset + group.length &&
             damage.message.find("remove its index") != std::string::npos;
    }));
  }
  ASSERT_OK(sim_.Close());
  std::filesystem::remove(sim_.options().index_directory + "/data.mdb");
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(sim_.store().Stats().damaged_object_count, 0u);
  EXPECT_TRUE(Holds("first", 1));
  EXPECT_TRUE(Holds("second", 4));
  ASSERT_OK_AND_ASSIGN(report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: a stretch of which nothing can be told does not hide the damage behind it. Method: all of
// two groups is zeroed, which no directory survives, with a group between them and a page behind.
TEST_F(DamageTest, VerifyGoesOnBehindWhatCannotBeBlamed) {
  ASSERT_OK(sim_.Open());
  for (uint64_t seed = 1; seed <= 7; ++seed) ASSERT_OK(Put("a", seed));
  ASSERT_OK(Put("b", 8));
  ASSERT_OK(sim_.Close());
  const std::vector<Group> lost = {GroupAround(PlaceOf(2)), GroupAround(PlaceOf(4))};
  const Place page = PlaceOf(6);
  const Group hurt = GroupAround(page);
  for (const Group& group : lost) {
    sim_.fs().ZeroRange(PathOf(group.segment), group.offset, group.length);
  }
  Rot({page.segment, page.offset + 7});
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  const auto names = [&](uint64_t from, uint64_t to) {
    return std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
      return damage.segment == page.segment && damage.offset >= from && damage.offset < to;
    });
  };
  for (const Group& group : lost) EXPECT_TRUE(names(group.offset, group.offset + 1));
  EXPECT_TRUE(names(hurt.offset, hurt.offset + hurt.length));
  EXPECT_GT(report.bytes, uint64_t{5} * kPageSize);
  EXPECT_TRUE(Holds("b", 8));
}

// Goal: a directory is not taken for that of another group, by which damage would be blamed on
// those that have none, and what was lost served as it was before. Method: of two groups of the
// same length the second loses its header, and gets the first one's end.
TEST_F(DamageTest, DirectoryOfAnotherGroup) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Put("b", 2));
  ASSERT_OK(Put("a", 3));
  ASSERT_OK(Put("b", 4));
  ASSERT_OK(Put("a", 5));
  sim_.Crash(PowerLoss::kNothing);
  const Group from = GroupAround(PlaceOf(3));
  const Group to = GroupAround(PlaceOf(4));
  ASSERT_EQ(from.length, to.length);
  const auto bytes = sim_.fs().Contents(PathOf(from.segment));
  const auto end = bytes.begin() + from.offset + from.length;
  sim_.fs().Overwrite(PathOf(to.segment), to.offset + to.length - 40, PageBytes(end - 40, end));
  Rot({to.segment, to.offset + 9});
  const Status opened = sim_.Open();
  if (opened.ok()) {
    EXPECT_ERROR(Open("b", IfMissing::kFail).value()->OpenSnapshot(), StatusCode::kCorruption,
                 "rooms/b");
  } else {
    EXPECT_ERROR(opened, StatusCode::kCorruption, "segment 1");
  }
}

// Goal: what an object was at a time that damage makes doubtful is an error that names the last
// whole commit; earlier times are as they were. Method: commits an hour apart, the third damaged.
TEST_F(DamageTest, TimesAroundDamage) {
  ASSERT_OK(sim_.Open());
  std::vector<CommitInfo> commits;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    sim_.clock().Advance(std::chrono::hours(1));
    ASSERT_OK(Put("well", seed));
    sim_.clock().Advance(std::chrono::hours(1));
    ASSERT_OK_AND_ASSIGN(commits.emplace_back(), Put("hurt", 10 + seed));
  }
  ASSERT_OK(Put("well", 5));
  sim_.Crash(PowerLoss::kNothing);
  Rot({PlaceOf(13).segment, PlaceOf(13).offset + 7});
  ByLogAndByIndex([&] {
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    const auto at = [&](size_t commit, int minutes) {
      return hurt->Resolve(commits[commit].time + std::chrono::minutes(minutes));
    };
    ASSERT_OK_AND_ASSIGN(const CommitInfo first, at(0, 90));
    EXPECT_EQ(first, commits[0]);
    ASSERT_OK_AND_ASSIGN(const CommitInfo second, at(1, 30));
    EXPECT_EQ(second, commits[1]);
    const std::string whole = hurt->BookmarkOf(commits[1]).ToString();
    EXPECT_ERROR(at(2, 0), StatusCode::kCorruption, whole);
    EXPECT_ERROR(at(2, 30), StatusCode::kCorruption, whole);
    EXPECT_ERROR(at(3, 30), StatusCode::kCorruption, "rooms/hurt");
    EXPECT_ERROR(hurt->Resolve(hurt->BookmarkOf(commits[3])), StatusCode::kCorruption,
                 "rooms/hurt");
    EXPECT_OK(hurt->Resolve(hurt->BookmarkOf(commits[1])));
  });
}

}  // namespace
}  // namespace tidemark::testing
