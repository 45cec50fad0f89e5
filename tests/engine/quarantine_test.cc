// What damage hits is quarantined whole: no way round it leads to older or empty pages given out as
// if they were what was committed.

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class QuarantineTest : public LogFixture {
 protected:
  void Rot(Place place) { sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2); }
};

// Goal: a snapshot that met damage goes on saying so. Method: pages that only a damaged timeline
// has, read one after the other through a restored one, so that read-ahead meets the damage: every
// page is an error, none is zeros.
TEST_F(QuarantineTest, ReadAheadBehindAnError) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt"));
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t number = 1; number <= 40; ++number) pages[number] = RandomPage(number);
  ASSERT_OK(Commit(object, pages));
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK(Put("hurt", 50));
  ASSERT_OK_AND_ASSIGN(const CommitInfo later, Put("hurt", 51));
  ASSERT_OK(Put("hurt", 52));
  ASSERT_OK(object->Restore(object->BookmarkOf(later)));
  ASSERT_OK(Put("well", 60));
  sim_.Crash(PowerLoss::kNothing);
  Rot(PlaceOf(50));
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, hurt->OpenSnapshot());
  for (uint32_t number = 1; number <= 40; ++number) {
    EXPECT_ERROR(ReadPage(snapshot, number), StatusCode::kCorruption, "rooms/hurt") << number;
  }
}

// Goal: an object whose first commit is damaged, and the record that created it is not, neither is
// missing nor can it be created anew.
TEST_F(QuarantineTest, FirstCommit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("well", 1));
  ASSERT_OK(Put("hurt", 2));
  ASSERT_OK(Put("well", 3));
  sim_.Crash(PowerLoss::kNothing);
  Rot(PlaceOf(2));
  ByLogAndByIndex([this] {
    for (const IfMissing if_missing : {IfMissing::kFail, IfMissing::kCreate}) {
      const auto hurt = Open("hurt", if_missing);
      EXPECT_ERROR(hurt, StatusCode::kCorruption, "rooms/hurt");
      EXPECT_ERROR(hurt, StatusCode::kCorruption, "segment 1");
    }
    EXPECT_TRUE(Holds("well", 3));
  });
}

// Goal: at the time of a damaged first commit the object is not said not to have existed; before
// it, it did not. Method: a later commit is whole, so that the object is known.
TEST_F(QuarantineTest, TimeOfTheFirstCommit) {
  ASSERT_OK(sim_.Open());
  sim_.clock().Advance(std::chrono::hours(1));
  ASSERT_OK(Put("well", 1));
  sim_.clock().Advance(std::chrono::hours(1));
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("hurt", 2));
  sim_.clock().Advance(std::chrono::hours(1));
  ASSERT_OK(Put("hurt", 3));
  ASSERT_OK(Put("well", 4));
  sim_.Crash(PowerLoss::kNothing);
  Rot(PlaceOf(2));
  ByLogAndByIndex([&] {
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    EXPECT_ERROR(hurt->Resolve(first.time + std::chrono::minutes(1)), StatusCode::kCorruption,
                 "rooms/hurt");
    EXPECT_ERROR(hurt->Resolve(first.time - std::chrono::minutes(61)), StatusCode::kNotFound,
                 "rooms/hurt");
  });
}

// Goal: an object whose only whole commits build on a damaged one opens, and says what it lacks.
// Method: its first commit is damaged; what a restore to it and a commit behind that added is not.
TEST_F(QuarantineTest, RestoredToTheFirstCommit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(auto object, Open("hurt"));
  ASSERT_OK_AND_ASSIGN(const CommitInfo first,
                       Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK(object->Restore(object->BookmarkOf(first)));
  ASSERT_OK(Put("hurt", 3));
  ASSERT_OK(Put("well", 4));
  object.reset();
  sim_.Crash(PowerLoss::kNothing);
  Rot(PlaceOf(1));
  ByLogAndByIndex([&] {
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, hurt->OpenSnapshot());
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, 1));
    EXPECT_TRUE(page == RandomPage(3));
    EXPECT_ERROR(ReadPage(snapshot, 2), StatusCode::kCorruption, "rooms/hurt");
  });
}

// Goal: an object whose change of page size is damaged is not shown as it was before, neither now
// nor at a time since. Method: the frame of the change rots, the record that begins its timeline
// does not; with a later commit on the new timeline, and without.
TEST_F(QuarantineTest, FirstCommitOfAnotherPageSize) {
  for (const bool later : {false, true}) {
    SCOPED_TRACE(later);
    const std::string name = later ? "hurt later" : "hurt";
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const CommitInfo before, Put(name, 1));
    sim_.clock().Advance(std::chrono::hours(1));
    ASSERT_OK_AND_ASSIGN(auto object, Open(name));
    const PageBytes page = RandomPage(later ? 2 : 3, 1024);
    ASSERT_OK_AND_ASSIGN(const CommitInfo change, Commit(object, {{1, page}}, 1024));
    ASSERT_OK(sim_.store().Sync());
    sim_.clock().Advance(std::chrono::hours(1));
    if (later) {
      ASSERT_OK(Commit(object, {{2, RandomPage(4, 1024)}}, 1024));
      ASSERT_OK(sim_.store().Sync());
    }
    ASSERT_OK(Put("well", 5));
    object.reset();
    sim_.Crash(PowerLoss::kNothing);
    Rot(PlaceOf(page));
    ByLogAndByIndex([&] {
      ASSERT_OK_AND_ASSIGN(const auto hurt, Open(name, IfMissing::kFail));
      EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, name);
      EXPECT_ERROR(hurt->Resolve(hurt->BookmarkOf(change)), StatusCode::kCorruption, name);
      EXPECT_ERROR(hurt->Resolve(change.time + std::chrono::minutes(1)), StatusCode::kCorruption,
                   name);
      ASSERT_OK_AND_ASSIGN(const CommitInfo whole,
                           hurt->Resolve(before.time + std::chrono::minutes(1)));
      EXPECT_EQ(whole, before);
      EXPECT_TRUE(Holds("well", 5));
    });
  }
}

// Goal: the index never shows pages of a commit that the log lost. Method: a checkpoint fails after
// it put the first pages of a large commit (the index may not grow); then the process dies, and the
// last group, which has the frame, rots in every part of it in turn.
TEST_F(QuarantineTest, PagesIndexedAheadOfTheCheckpoint) {
  constexpr uint32_t kSmallPage = 512;
  constexpr uint32_t kPages = 120'000;  // several steps
  for (const uint32_t from_end : {2u, 30u, 50u, 70u, 500u}) {
    SCOPED_TRACE(from_end);
    SimStore sim(TestSeed());
    ASSERT_OK(sim.Open());
    CommitInfo before;
    {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           sim.store().OpenObject("rooms", "a", IfMissing::kCreate));
      ASSERT_OK_AND_ASSIGN(before, Commit(object, {{2, RandomPage(3, kSmallPage)}}, kSmallPage));
      ASSERT_OK(sim.Close());
      sim.options().max_index_bytes = 4u << 20;  // the first step fits, the last does not
      ASSERT_OK(sim.Open());
    }
    {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           sim.store().OpenObject("rooms", "a", IfMissing::kFail));
      std::map<uint32_t, PageBytes> pages;
      for (uint32_t number = 1; number <= 2; ++number) {
        pages[number] = RandomPage(1000 + number, kSmallPage);
      }
      pages[kPages] = RandomPage(2000, kSmallPage);
      ASSERT_OK(Commit(object, pages, kSmallPage));
      ASSERT_OK(sim.store().Sync());
      ASSERT_ERROR(sim.store().Checkpoint(), StatusCode::kFull, "");
    }
    sim.Crash(PowerLoss::kNothing);
    sim.options().max_index_bytes = uint64_t{1} << 40;
    std::vector<Group> groups = GroupsOf(sim, 1);
    for (uint32_t next = 2; groups.empty() || sim.fs().Exists(PathOf(next)).value(); ++next) {
      const auto more = GroupsOf(sim, next);
      groups.insert(groups.end(), more.begin(), more.end());
    }
    const Group& last = groups.back();
    sim.fs().FlipBit(PathOf(last.segment),
                     last.offset + last.length - std::min(from_end, last.length - 60), 2);

    const Status opened = sim.Open();
    if (!opened.ok()) {
      EXPECT_EQ(opened.code(), StatusCode::kCorruption) << opened.ToString();
      continue;
    }
    ASSERT_OK_AND_ASSIGN(const auto object, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
    const auto snapshot = object->OpenSnapshot();
    if (snapshot.ok()) {
      // Found in spite of the damage: then all of it.
      EXPECT_EQ(snapshot->page_count(), kPages);
      EXPECT_OK(snapshot->Verify());
      continue;
    }
    EXPECT_EQ(snapshot.status().code(), StatusCode::kCorruption) << snapshot.status().ToString();
    ASSERT_OK(object->Restore(object->BookmarkOf(before)));
    EXPECT_TRUE(Reads(object, 2, RandomPage(3, kSmallPage)));
  }
}

// Goal: a record that stands in another's place is not taken for it, though its hash is right: an
// older commit is never shown as the newer one. Method: of two groups with one commit each of the
// same object, the second gets the first one's record, as a misdirected write would leave it.
TEST_F(QuarantineTest, RecordOfAnotherCommit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("hurt", 1));
  ASSERT_OK(Put("hurt", 2));
  ASSERT_OK(Put("hurt", 3));
  ASSERT_OK(Put("well", 4));
  ASSERT_OK(Put("well", 5));
  sim_.Crash(PowerLoss::kNothing);
  const Group from = GroupAround(PlaceOf(2));
  const Group to = GroupAround(PlaceOf(3));
  ASSERT_EQ(from.length, to.length);
  const auto segment = sim_.fs().Contents(PathOf(from.segment));
  const auto record = segment.begin() + from.offset + sizeof(format::GroupHeader);
  const auto record_end = segment.begin() + static_cast<ptrdiff_t>(PlaceOf(2).offset) + kPageSize;
  sim_.fs().Overwrite(PathOf(to.segment), to.offset + sizeof(format::GroupHeader),
                      PageBytes(record, record_end));
  ByLogAndByIndex([&] {
    EXPECT_TRUE(Holds("well", 5));
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
    EXPECT_OK(hurt->OpenSnapshot(hurt->BookmarkOf(first)));
  });
}

// Goal: one object's damaged batch does not stop the checkpoints of all. Method: rot in the header
// of a batch before its commit is indexed.
TEST_F(QuarantineTest, DamagedBatchBeforeItIsIndexed) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo before, Put("hurt", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt"));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= 100; ++number) pages[number] = RandomPage(1000 + number);
    ASSERT_OK(Commit(object, pages));
    ASSERT_OK(Put("well", 2));
    const Place first = PlaceOf(1001);
    sim_.fs().FlipBit(PathOf(first.segment), first.offset - 60, 3);
    ASSERT_OK(sim_.Checkpoint());
    EXPECT_ERROR(object->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
  }
  EXPECT_TRUE(Holds("well", 2));
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("well", 2));
  ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
  EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
  ASSERT_OK(hurt->Restore(hurt->BookmarkOf(before)));
  EXPECT_TRUE(Holds("hurt", 1));
}

}  // namespace
}  // namespace tidemark::testing
