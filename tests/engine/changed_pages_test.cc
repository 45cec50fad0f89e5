// Snapshot::VisitChangedPages: no page that differs is missed, and few others are told.

#include <set>
#include <string>
#include <vector>

#include "tests/engine/packing_fixture.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {
namespace {

Result<std::vector<uint32_t>> Changed(const Snapshot& a, const Snapshot& b) {
  std::vector<uint32_t> pages;
  TIDEMARK_RETURN_IF_ERROR(a.VisitChangedPages(b, [&](PageNo page) {
    pages.push_back(page.value);
    return true;
  }));
  return pages;
}

class ChangedPagesTest : public PackingFixture {
 protected:
  Result<std::vector<uint32_t>> ChangedBetween(const std::shared_ptr<Object>& object,
                                               const CommitInfo& a, const CommitInfo& b) {
    TIDEMARK_ASSIGN_OR_RETURN(const Snapshot first, object->OpenSnapshot(a));
    TIDEMARK_ASSIGN_OR_RETURN(const Snapshot second, object->OpenSnapshot(b));
    TIDEMARK_ASSIGN_OR_RETURN(const std::vector<uint32_t> there, Changed(first, second));
    TIDEMARK_ASSIGN_OR_RETURN(const std::vector<uint32_t> back, Changed(second, first));
    EXPECT_EQ(there, back);
    return there;
  }

  // A random version of a random object, that has pages or not.
  static std::pair<std::string, const StoreModel::Version*> AnyVersion(StoreModel& model) {
    std::vector<std::string> names;
    for (const auto& [name, object] : model.objects()) {
      if (!object.versions.empty()) names.push_back(name);
    }
    const std::string& name = names[model.random().Below(names.size())];
    const auto& versions = model.objects().at(name).versions;
    return {name, &versions[model.random().Below(versions.size())]};
  }

  // Where the model keeps it: some of its forks are in another namespace.
  Result<std::shared_ptr<Object>> OpenModel(const std::string& name) {
    const bool elsewhere = name.starts_with("fork") && name.back() % 2 != 0;
    return sim_.store().OpenObject(elsewhere ? "copies" : "rooms", name, IfMissing::kDeleted);
  }

  static PageBytes BytesOf(const StoreModel::Page& page, uint32_t page_size) {
    return page == nullptr ? PageBytes(page_size) : *page;
  }

  // Compares two versions with what the model knows of their pages. Counts the pages that were told
  // and that are the same.
  void Compare(StoreModel& model) {
    const auto [name_a, a] = AnyVersion(model);
    auto [name_b, b] = AnyVersion(model);
    if (!model.random().OneIn(4)) {  // mostly of the same object
      const auto& versions = model.objects().at(name_a).versions;
      name_b = name_a;
      b = &versions[model.random().Below(versions.size())];
    }
    SCOPED_TRACE(name_a + " LSN " + std::to_string(a->commit.lsn.value) + ", " + name_b + " LSN " +
                 std::to_string(b->commit.lsn.value));
    ASSERT_OK_AND_ASSIGN(const auto object_a, OpenModel(name_a));
    ASSERT_OK_AND_ASSIGN(const auto object_b, OpenModel(name_b));
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot_a, object_a->OpenSnapshot(a->commit));
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot_b, object_b->OpenSnapshot(b->commit));
    ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> changed, Changed(snapshot_a, snapshot_b));
    EXPECT_TRUE(std::is_sorted(changed.begin(), changed.end()));
    const std::set<uint32_t> told(changed.begin(), changed.end());
    const size_t count = std::max(a->pages.size(), b->pages.size());
    EXPECT_TRUE(told.empty() || *told.rbegin() <= count);
    for (size_t i = 0; i < count; ++i) {
      const bool same = a->page_size == b->page_size && i < a->pages.size() &&
                        i < b->pages.size() &&
                        BytesOf(a->pages[i], a->page_size) == BytesOf(b->pages[i], b->page_size);
      const bool is_told = told.contains(static_cast<uint32_t>(i) + 1);
      EXPECT_TRUE(same || is_told) << "page " << i + 1 << " was missed";
      ++(same ? (is_told ? over_ : same_) : differing_);
    }
  }

  uint64_t same_ = 0;
  uint64_t over_ = 0;
  uint64_t differing_ = 0;
};

// Goal: whatever two versions of whatever two objects are compared, all pages that differ are told:
// before and behind restores, forks, deletions, truncation and regrowth, changes of the page size,
// checkpoints and packing, with patches and large transactions. Not all others are told. Method:
// random work, and the model's pages.
TEST_F(ChangedPagesTest, NoneIsMissed) {
  sim_.options().transaction_memory_bytes = 32u << 10;
  StoreModel model(TestSeed(), {.objects = 3, .pages = 100});
  ASSERT_OK(sim_.Open());
  const uint64_t rounds = Scaled(8);
  for (uint64_t round = 1; round <= rounds; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    for (int i = 1; i <= 60; ++i) ASSERT_NO_FATAL_FAILURE(Step(model, i));
    for (int i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(Compare(model));
    if (round % 2 == 0) {
      ASSERT_OK(sim_.Checkpoint());
    }
    for (int i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(Compare(model));
    if (round % 4 == 0) {
      ASSERT_OK(model.Sync(sim_.store()));
      ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
      for (int i = 0; i < 200; ++i) ASSERT_NO_FATAL_FAILURE(Compare(model));
    }
  }
  EXPECT_GT(differing_, 0u);
  EXPECT_GT(10 * same_, over_);
}

// Goal: of a database of which one page changed only that page is told, wherever its versions
// stand: in memory, in the index, in blocks of one version and of several. Method: three commits to
// different pages; each place in turn.
TEST_F(ChangedPagesTest, OnlyWhatWasWritten) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t number = 1; number <= 50; ++number) pages[number] = RandomPage(number);
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Commit(object, pages));
  ASSERT_OK_AND_ASSIGN(const CommitInfo second, Commit(object, {{7, RandomPage(107)}}));
  ASSERT_OK_AND_ASSIGN(const CommitInfo third,
                       Commit(object, {{7, RandomPage(207)}, {9, RandomPage(109)}}));
  const auto check = [&](const char* when) {
    SCOPED_TRACE(when);
    const auto expect = [&](const CommitInfo& a, const CommitInfo& b,
                            const std::vector<uint32_t>& expected) {
      ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> changed, ChangedBetween(object, a, b));
      EXPECT_EQ(changed, expected);
    };
    expect(first, second, {7});
    expect(second, third, {7, 9});
    expect(first, third, {7, 9});
    expect(third, third, {});
  };
  check("recent");
  ASSERT_OK(sim_.Checkpoint());
  check("indexed");
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
  check("packed");
}

// Goal: a restored object differs from its past by what was undone, and a fork from its parent by
// what each wrote since. Method: one page on each side.
TEST_F(ChangedPagesTest, AcrossTimelines) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t number = 1; number <= 20; ++number) pages[number] = RandomPage(number);
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Commit(object, pages));
  ASSERT_OK_AND_ASSIGN(const CommitInfo second, Commit(object, {{3, RandomPage(103)}}));
  ASSERT_OK(object->Restore(object->BookmarkOf(first)));
  ASSERT_OK_AND_ASSIGN(const CommitInfo third, Commit(object, {{5, RandomPage(105)}}));
  ASSERT_OK_AND_ASSIGN(const auto fork,
                       sim_.store().Fork(*object, object->BookmarkOf(third), "rooms", "fork"));
  ASSERT_OK(Commit(fork, {{6, RandomPage(106)}}));
  ASSERT_OK(Commit(object, {{8, RandomPage(108)}}));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> undone, ChangedBetween(object, first, third));
  EXPECT_EQ(undone, std::vector<uint32_t>({5}));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> sides, ChangedBetween(object, second, third));
  EXPECT_EQ(sides, std::vector<uint32_t>({3, 5}));
  ASSERT_OK_AND_ASSIGN(const Snapshot parent_now, object->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(const Snapshot fork_now, fork->OpenSnapshot());
  ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> forked, Changed(parent_now, fork_now));
  EXPECT_EQ(forked, std::vector<uint32_t>({6, 8}));
}

// Goal: what has no page differs in all pages of the other; `visit` can end it. Method: an empty
// snapshot.
TEST_F(ChangedPagesTest, FromNothing) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}, {2, RandomPage(2)}, {3, RandomPage(3)}}));
  ASSERT_OK_AND_ASSIGN(const Snapshot now, object->OpenSnapshot());
  const Snapshot nothing;
  ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> all, Changed(nothing, now));
  EXPECT_EQ(all, std::vector<uint32_t>({1, 2, 3}));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint32_t> back, Changed(now, nothing));
  EXPECT_EQ(back, all);
  int visited = 0;
  ASSERT_OK(now.VisitChangedPages(nothing, [&](PageNo) { return ++visited < 2; }));
  EXPECT_EQ(visited, 2);
}

}  // namespace
}  // namespace tidemark::testing
