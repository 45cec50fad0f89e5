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

}  // namespace
}  // namespace tidemark::testing
