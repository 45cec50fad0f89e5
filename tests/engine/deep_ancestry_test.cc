// Timelines that descend from many others: what a page was is found through all of them, also when
// it is remembered which of them can have it.

#include <map>
#include <string>
#include <vector>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kPages = 40;

class DeepAncestryTest : public StoreFixture {
 protected:
  struct Past {
    std::shared_ptr<Object> object;
    Bookmark bookmark;
    std::map<uint32_t, PageBytes> pages;
  };

  // Commits a few random pages of `object`, on top of `pages`.
  void Write(const std::shared_ptr<Object>& object, std::map<uint32_t, PageBytes>& pages) {
    std::map<uint32_t, PageBytes> changes;
    for (int i = 0; i < 3; ++i) {
      changes[static_cast<uint32_t>(random_.Between(1, kPages))] = RandomPage(random_.Next());
    }
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object, changes));
    for (const auto& [number, page] : changes) pages[number] = page;
    pasts_.push_back({object, object->BookmarkOf(commit), pages});
  }

  void Check(const Past& past) {
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, past.object->OpenSnapshot(past.bookmark));
    // In order, as read-ahead has it, or not.
    const uint32_t step = random_.OneIn(2) ? 1 : 7;
    for (uint32_t i = 0; i < snapshot.page_count(); ++i) {
      const uint32_t number = i * step % snapshot.page_count() + 1;
      const auto there = past.pages.find(number);
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, number));
      if (there == past.pages.end()) {
        ASSERT_TRUE(page == PageBytes(kPageSize)) << number;
      } else {
        ASSERT_TRUE(page == there->second) << number;
      }
    }
  }

  Random random_{TestSeed()};
  std::vector<Past> pasts_;
};

// Goal: every bookmark of every timeline shows what it showed, through sixty forks and restores,
// while those that are descended from go on, too, and get pages that they did not have. Method:
// each round descends once more, by a fork or a restore, and looks at some of the past, and at the
// present often enough for it to be remembered; with and without the index.
TEST_F(DeepAncestryTest, EveryPastIsWhatItWas) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(auto object, Open("root"));
  std::map<uint32_t, PageBytes> pages;
  ASSERT_NO_FATAL_FAILURE(Write(object, pages));
  std::vector<std::pair<std::shared_ptr<Object>, std::map<uint32_t, PageBytes>>> left;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    if (round % 2 == 0) {
      left.emplace_back(object, pages);
      ASSERT_OK_AND_ASSIGN(const Bookmark now, object->CurrentBookmark());
      ASSERT_OK_AND_ASSIGN(
          object, sim_.store().Fork(*object, now, "copies", "fork-" + std::to_string(round)));
    } else {
      std::vector<const Past*> own;
      for (const Past& past : pasts_) {
        if (past.object == object) own.push_back(&past);
      }
      const Past& past = *own[random_.Below(own.size())];
      ASSERT_OK(object->Restore(past.bookmark));
      pages = past.pages;
    }
    ASSERT_NO_FATAL_FAILURE(Write(object, pages));
    auto& [ancestor, of_ancestor] = left[random_.Below(left.size())];
    ASSERT_NO_FATAL_FAILURE(Write(ancestor, of_ancestor));
    if (random_.OneIn(3)) {
      ASSERT_OK(sim_.Checkpoint());
    }
    for (int i = 0; i < 3; ++i) {
      ASSERT_NO_FATAL_FAILURE(Check(pasts_[random_.Below(pasts_.size())]));
      ASSERT_NO_FATAL_FAILURE(Check(pasts_[pasts_.size() - 2]));
    }
  }
  for (const Past& past : pasts_) ASSERT_NO_FATAL_FAILURE(Check(past));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

}  // namespace
}  // namespace tidemark::testing
