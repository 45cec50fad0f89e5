// Chains of patches: what they cost in the log, how long they get, and that each link reads.

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

class PatchChainTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  // `count` commits of page 1, each made from the one before by `change`.
  template <typename Change>
  void Write(int count, Change change) {
    ASSERT_OK_AND_ASSIGN(object_, Open("chain"));
    PageBytes page = RandomPage(1);
    for (int i = 0; i < count; ++i) {
      if (i > 0) change(page);
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object_, {{1, page}}));
      commits_.push_back(commit);
      pages_.push_back(page);
    }
    ASSERT_OK(sim_.store().Sync());
  }

  void ExpectAllReadable() {
    for (size_t i = 0; i < commits_.size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object_->OpenSnapshot(commits_[i]));
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, 1));
      ASSERT_TRUE(page == pages_[i]) << "commit " << i;
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_TRUE(report.damage.empty());
  }

  // Commits that wrote the whole page, which does not compress.
  size_t FullImages() const {
    return static_cast<size_t>(
        std::count_if(commits_.begin(), commits_.end(),
                      [](const CommitInfo& commit) { return commit.log_bytes > kPageSize; }));
  }

  std::shared_ptr<Object> object_;
  std::vector<CommitInfo> commits_;
  std::vector<PageBytes> pages_;
};

// Goal: rows that move inside a page, which byte ranges cannot follow, leave little in the log, and
// their chains, slow to read, are cut sooner. Method: each commit inserts eight bytes; all that is
// behind them moves.
TEST_F(PatchChainTest, RowsThatMove) {
  Random random(TestSeed() + 1000);  // other bytes than those of the first page
  Write(100, [&](PageBytes& page) {
    const auto at = page.begin() + static_cast<ptrdiff_t>(random.Below(1000));
    std::rotate(at, page.end() - 8, page.end());
    for (auto byte = at; byte != at + 8; ++byte) *byte = static_cast<std::byte>(random.Next());
  });
  for (const CommitInfo& commit : commits_) {
    EXPECT_TRUE(commit.log_bytes > kPageSize || commit.log_bytes < 200) << commit.log_bytes;
  }
  // A link counts for 5 of 128 units.
  EXPECT_EQ(FullImages(), 4u);
  ExpectAllReadable();
  ASSERT_OK(sim_.store().Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(object_, Open("chain", IfMissing::kFail));
  ExpectAllReadable();
}

// Goal: a value that is replaced where it stands stays a byte range, up to max_chain_length.
TEST_F(PatchChainTest, ValuesReplaced) {
  Random random(TestSeed() + 1000);  // other bytes than those of the first page
  Write(130, [&](PageBytes& page) {
    const auto at = page.begin() + static_cast<ptrdiff_t>(random.Below(3900));
    for (auto byte = at; byte != at + 100; ++byte) *byte = static_cast<std::byte>(random.Next());
  });
  for (const CommitInfo& commit : commits_) {
    EXPECT_TRUE(commit.log_bytes > kPageSize || commit.log_bytes < 180) << commit.log_bytes;
  }
  EXPECT_EQ(FullImages(), 2u);  // with the first; the other one at the 97th
  ExpectAllReadable();
}

// Goal: where zstd wins nothing, the page stays a byte range. Method: 300 random bytes replaced.
TEST_F(PatchChainTest, LargeValuesReplaced) {
  Random random(TestSeed() + 1000);  // other bytes than those of the first page
  Write(60, [&](PageBytes& page) {
    const auto at = page.begin() + static_cast<ptrdiff_t>(random.Below(3700));
    for (auto byte = at; byte != at + 300; ++byte) *byte = static_cast<std::byte>(random.Next());
  });
  for (const CommitInfo& commit : commits_) {
    EXPECT_TRUE(commit.log_bytes > kPageSize || commit.log_bytes < 400) << commit.log_bytes;
  }
  EXPECT_EQ(FullImages(), 1u);
  ExpectAllReadable();
}

}  // namespace
}  // namespace tidemark::testing
