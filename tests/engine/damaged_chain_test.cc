// A chain of patches of which one rots behind the checkpoint. The only row of the index that leads
// to what stands before it is behind it, and may be another object's matter: all the same it costs
// what builds on it, and nothing else.

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class DamagedChainTest : public LogFixture {
 protected:
  // Commits page 1 with 20 bytes more of it replaced: a patch, but for the first one. A group of
  // its own if it is synced.
  enum class Then { kSync, kGoOn };
  void Add(const std::shared_ptr<Object>& object, Then then) {
    const size_t link = pages_.size();
    PageBytes page = link == 0 ? RandomPage(1) : pages_.back();
    const PageBytes bytes = BytesOf(link);
    std::copy(bytes.begin(), bytes.end(), page.begin() + static_cast<ptrdiff_t>(link * 40));
    ASSERT_OK_AND_ASSIGN(commits_.emplace_back(), Commit(object, {{1, page}}));
    pages_.push_back(page);
    if (then == Then::kGoOn) return;
    ASSERT_OK(sim_.store().Sync());
  }

  PageBytes BytesOf(size_t link) { return RandomPage(100 + link, 20); }
  Place PlaceOfLink(size_t link) { return PlaceOf(BytesOf(link)); }

  // Of the links those from `rotten` on are lost, and no other.
  void Check(const std::string& name, size_t rotten) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
    for (size_t i = 0; i < pages_.size(); ++i) {
      SCOPED_TRACE(i);
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot(commits_[i]));
      const auto page = ReadPage(snapshot, 1);
      if (i < rotten) {
        ASSERT_OK(page);
        EXPECT_TRUE(*page == pages_[i]);
      } else {
        EXPECT_ERROR(page, StatusCode::kCorruption, "rooms/" + name);
      }
    }
  }

  std::vector<CommitInfo> commits_;
  std::vector<PageBytes> pages_;
};

// Goal: a link that rots costs itself and what builds on it, and nothing before it; and the object
// goes on from there. Method: commits that each replace a few bytes of one page, with others
// between them; one of them rots; a restore to the one before it, and a patch on that.
TEST_F(DamagedChainTest, ALink) {
  constexpr size_t kLinks = 30;
  constexpr size_t kRotten = 17;
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("chain"));
    for (size_t i = 0; i < kLinks; ++i) {
      Add(object, Then::kGoOn);
      ASSERT_OK(Put("well", i));
    }
  }
  ASSERT_OK(sim_.Close());
  const Place place = PlaceOfLink(kRotten);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset, 3);
  ASSERT_OK(sim_.Open());
  Check("chain", kRotten);
  ASSERT_OK_AND_ASSIGN(const auto object, Open("chain", IfMissing::kFail));
  ASSERT_OK(object->Restore(object->BookmarkOf(commits_[kRotten - 1])));
  PageBytes next = pages_[kRotten - 1];
  next[0] ^= std::byte{1};
  ASSERT_OK(Commit(object, {{1, next}}));
  EXPECT_TRUE(Reads(object, 1, next));
}

// Goal: the same within one group, of which then only the records that prove themselves count.
TEST_F(DamagedChainTest, ALinkBesideOthersInItsGroup) {
  constexpr size_t kLinks = 12;
  constexpr size_t kRotten = 7;
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("chain"));
    for (size_t i = 0; i < kLinks; ++i) Add(object, Then::kGoOn);
  }
  ASSERT_OK(sim_.Close());
  const Place place = PlaceOfLink(kRotten);
  ASSERT_EQ(GroupAround(place).offset, GroupAround(PlaceOfLink(0)).offset);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset, 3);
  ASSERT_OK(sim_.Open());
  Check("chain", kRotten);
}

// Goal: the same if the group directly behind the last whole link is lost, and nothing says whose
// it was.
TEST_F(DamagedChainTest, AGroupThatCannotBeBlamed) {
  constexpr size_t kLinks = 12;
  constexpr size_t kRotten = 7;
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("chain"));
    for (size_t i = 0; i < kLinks; ++i) Add(object, Then::kSync);
  }
  ASSERT_OK(sim_.Close());
  const Group group = GroupAround(PlaceOfLink(kRotten));
  sim_.fs().ZeroRange(PathOf(group.segment), group.offset, group.length);
  ASSERT_OK(sim_.Open());
  Check("chain", kRotten);
}

// Goal: promise 2 among forks: what a fork has written, and lost, costs neither those it was made
// of nor those made of it before, though its first row in the index leads to their pages, too.
// Method: a fork of a fork, then a patch by the first one, which rots: a bit of it, the block of
// the disk that it stands in, the file of the log.
TEST_F(DamagedChainTest, OfAForkCostsNoOther) {
  sim_.options().segment_size_bytes = 1u << 20;
  ASSERT_OK(sim_.Open());
  uint64_t seed = 1000;
  const auto fill = [&](size_t pages) {  // so that others stand in other blocks, or files
    for (size_t i = 0; i < pages; ++i) ASSERT_OK(Put("well", seed++));
  };
  CommitInfo begin;
  {
    ASSERT_OK_AND_ASSIGN(const auto origin, Open("origin"));
    for (int i = 0; i < 3; ++i) Add(origin, Then::kSync);
    ASSERT_OK_AND_ASSIGN(
        const auto hurt,
        sim_.store().Fork(*origin, origin->BookmarkOf(commits_[2]), "rooms", "hurt"));
    begin = hurt->head();
    ASSERT_OK_AND_ASSIGN(const auto whole,
                         sim_.store().Fork(*hurt, hurt->BookmarkOf(begin), "rooms", "whole"));
    fill(300);
    Add(hurt, Then::kSync);
    fill(300);
  }
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  const Place place = PlaceOfLink(3);
  ASSERT_GT(place.segment, PlaceOfLink(2).segment);
  const std::string path = PathOf(place.segment);
  enum class Damage { kBit, kBlock, kFile };
  for (const Damage damage : {Damage::kBit, Damage::kBlock, Damage::kFile}) {
    SCOPED_TRACE(static_cast<int>(damage));
    SimStore sim(TestSeed(), machine);
    sim.options().segment_size_bytes = sim_.options().segment_size_bytes;
    switch (damage) {
      case Damage::kBit: sim.fs().FlipBit(path, place.offset, 3); break;
      case Damage::kBlock: sim.fs().FailReadsOf(path, place.offset / 4096 * 4096, 4096); break;
      case Damage::kFile: ASSERT_OK(sim.fs().Remove(path)); break;
    }
    ASSERT_OK(sim.Open());
    const auto open = [&](const char* name) {
      return sim.store().OpenObject("rooms", name, IfMissing::kFail);
    };
    ASSERT_OK_AND_ASSIGN(const auto whole, open("whole"));
    EXPECT_TRUE(Reads(whole, 1, pages_[2]));
    ASSERT_OK_AND_ASSIGN(const auto origin, open("origin"));
    EXPECT_TRUE(Reads(origin, 1, pages_[2]));
    PageBytes next = pages_[2];
    next[0] ^= std::byte{1};
    ASSERT_OK(Commit(whole, {{1, next}}));
    EXPECT_TRUE(Reads(whole, 1, next));
    const auto hurt = open("hurt");
    const Status now = hurt.ok() ? ReadPage(*hurt, 1).status() : hurt.status();
    EXPECT_EQ(now.code(), damage == Damage::kBlock ? StatusCode::kIoError : StatusCode::kCorruption)
        << now.ToString();
    if (!hurt.ok()) continue;
    ASSERT_OK_AND_ASSIGN(const Snapshot past, (*hurt)->OpenSnapshot(begin));
    const auto page = ReadPage(past, 1);
    ASSERT_OK(page);
    EXPECT_TRUE(*page == pages_[2]);
  }
}

}  // namespace
}  // namespace tidemark::testing
