// Promote: an object becomes what a fork of it is.

#include <filesystem>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class PromoteTest : public LogFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  Result<std::shared_ptr<Object>> Fork(const std::string& from, const std::string& to) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto source, Open(from, IfMissing::kFail));
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark now, source->CurrentBookmark());
    return sim_.store().Fork(*source, now, "rooms", to);
  }
};

// Goal: the parent takes the fork's state, the fork stays, each goes its own way, and it can be
// undone. Method: looked at before and after a reopening, and proven from the log.
TEST_F(PromoteTest, ParentTakesTheForksState) {
  Bookmark undo;
  Bookmark promoted;
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK(Commit(a, {{1, RandomPage(1)}, {2, RandomPage(2)}}));
    ASSERT_OK_AND_ASSIGN(const auto fork, Fork("a", "f"));
    ASSERT_OK(Commit(fork, {{2, RandomPage(3)}, {3, RandomPage(4)}}));
    ASSERT_OK_AND_ASSIGN(const RestoreInfo info, a->Promote(*fork));
    EXPECT_EQ(info.to, fork->head());
    EXPECT_EQ(info.result.kind, CommitKind::kPromote);
    EXPECT_EQ(info.result.state_hash, fork->head().state_hash);
    EXPECT_EQ(info.result.restored_from, fork->head().lsn);
    EXPECT_LT(info.result.log_bytes, 400u);
    EXPECT_EQ(sim_.store().durable_lsn(), info.result.lsn) << "not durable";
    undo = info.undo;
    promoted = fork->BookmarkOf(info.to);
    ASSERT_OK(Commit(a, {{4, RandomPage(5)}}));
    ASSERT_OK(Commit(fork, {{1, RandomPage(6)}}));
  }
  ASSERT_OK(sim_.Close());
  for (const char* const way : {"index", "log"}) {
    SCOPED_TRACE(way);
    ASSERT_OK(sim_.Open());
    {
      ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const auto fork, Open("f", IfMissing::kFail));
      for (const auto& [number, seed] :
           std::map<uint32_t, uint64_t>{{1, 1}, {2, 3}, {3, 4}, {4, 5}}) {
        EXPECT_TRUE(Reads(a, number, RandomPage(seed))) << number;
      }
      for (const auto& [number, seed] : std::map<uint32_t, uint64_t>{{1, 6}, {2, 3}, {3, 4}}) {
        EXPECT_TRUE(Reads(fork, number, RandomPage(seed))) << number;
      }
      ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*a));
      ASSERT_EQ(journal.size(), 1u);
      EXPECT_EQ(journal[0].kind, CommitKind::kPromote);
      EXPECT_EQ(journal[0].from, undo);
      EXPECT_EQ(journal[0].to, promoted);
      ASSERT_OK_AND_ASSIGN(const auto report, sim_.store().Verify());
      EXPECT_TRUE(report.damage.empty());
      ASSERT_OK_AND_ASSIGN(const CommitInfo at,
                           a->Resolve(Bookmark{.epoch = undo.epoch,
                                               .lsn = journal[0].lsn,
                                               .object_tag = undo.object_tag,
                                               .state_hash = promoted.state_hash}));
      ASSERT_OK_AND_ASSIGN(const ForkSource source, a->SourceOf(at));
      EXPECT_EQ(source.display_name, "rooms/f");
      EXPECT_EQ(source.bookmark, promoted);
    }
    ASSERT_OK(sim_.store().Sync());
    sim_.Crash(PowerLoss::kNothing);
    std::filesystem::remove_all(sim_.options().index_directory);
  }
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
  ASSERT_OK(a->Restore(undo));
  EXPECT_TRUE(Reads(a, 2, RandomPage(2)));
  EXPECT_EQ(a->head().page_count, 2u);
}

// Goal: what the parent did since is not replaced by mistake: the error says how much it is. What
// came from the fork itself is no loss.
TEST_F(PromoteTest, OverNewerCommits) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto fork, Fork("a", "f"));
  ASSERT_OK(Commit(fork, {{1, RandomPage(2)}}));
  ASSERT_OK_AND_ASSIGN(const CommitInfo newer, Put("a", 3));
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, "has a commit");
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, a->BookmarkOf(newer).ToString());
  ASSERT_OK(a->Restore(a->BookmarkOf(newer)));  // counts, too
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, "has 2 commits");
  EXPECT_TRUE(Holds("a", 3));
  ASSERT_OK(a->Promote(*fork, IfNewer::kReplace));
  EXPECT_TRUE(Holds("a", 2));

  // The fork goes on, and is promoted again, and once more without a change.
  ASSERT_OK(Commit(fork, {{1, RandomPage(4)}}));
  ASSERT_OK(a->Promote(*fork));
  ASSERT_OK(a->Promote(*fork));
  EXPECT_TRUE(Holds("a", 4));
  ASSERT_OK(a->Delete());
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, "has a commit");
  ASSERT_OK(a->Promote(*fork, IfNewer::kReplace));
  EXPECT_TRUE(Holds("a", 4));
  ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*a));
  EXPECT_EQ(journal.back().kind, CommitKind::kPromote);
}

// Goal: a fork of what a restore brought back has seen all that was before the restore.
TEST_F(PromoteTest, OfARestoredObject) {
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 1));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK(a->Restore(a->BookmarkOf(first)));
  ASSERT_OK_AND_ASSIGN(const auto fork, Fork("a", "f"));
  ASSERT_OK(Put("f", 3));
  ASSERT_OK(a->Promote(*fork));
  EXPECT_TRUE(Holds("a", 3));
  ASSERT_OK(a->Restore(a->BookmarkOf(first)));
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, "has a commit");
}

// Goal: many newer commits do not take long to be refused.
TEST_F(PromoteTest, OverVeryManyNewerCommits) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto fork, Fork("a", "f"));
  for (uint64_t i = 0; i < 1100; ++i) ASSERT_OK(Commit(a, {{1, RandomPage(10 + i)}}));
  EXPECT_ERROR(a->Promote(*fork), StatusCode::kExists, "at least 1000 commits");
}

// Goal: forks of forks can be promoted into each of their ancestors, and what is no fork into none.
TEST_F(PromoteTest, IntoAncestors) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Put("stranger", 9));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto stranger, Open("stranger"));
  ASSERT_OK_AND_ASSIGN(const auto child, Fork("a", "child"));
  ASSERT_OK_AND_ASSIGN(const auto grandchild, Fork("child", "grandchild"));
  ASSERT_OK_AND_ASSIGN(const auto sibling, Fork("a", "sibling"));
  EXPECT_ERROR(stranger->Promote(*grandchild), StatusCode::kForeign, "no fork of rooms/stranger");
  EXPECT_ERROR(a->Promote(*stranger), StatusCode::kForeign, "rooms/stranger is no fork");
  EXPECT_ERROR(a->Promote(*a), StatusCode::kForeign, "rooms/a is no fork");
  EXPECT_ERROR(child->Promote(*a), StatusCode::kForeign, "no fork");
  EXPECT_ERROR(sibling->Promote(*child), StatusCode::kForeign, "no fork");
  // One that shares no page with its ancestors any more is a fork of them still.
  ASSERT_OK(Commit(grandchild, {{1, RandomPage(2, 1024)}}, 1024));
  ASSERT_OK(a->Promote(*grandchild));
  EXPECT_TRUE(Reads(a, 1, RandomPage(2, 1024)));
  ASSERT_OK(child->Promote(*grandchild));
  EXPECT_TRUE(Reads(child, 1, RandomPage(2, 1024)));
  EXPECT_TRUE(Reads(sibling, 1, RandomPage(1)));

  ASSERT_OK(grandchild->Delete());
  EXPECT_ERROR(a->Promote(*grandchild), StatusCode::kNotFound, "was deleted");
  Transaction transaction(a);
  ASSERT_OK(transaction.Begin());
  EXPECT_ERROR(a->Promote(*sibling, IfNewer::kReplace), StatusCode::kBusy, "rooms/a");
  transaction.End();
}

// Goal: an object whose promote is damaged is not shown as it was before; one whose fork is damaged
// behind what was promoted is whole.
TEST_F(PromoteTest, Damage) {
  std::string promote;
  {
    ASSERT_OK(Put("a", 1));
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK_AND_ASSIGN(const auto f, Fork("a", "f"));
    ASSERT_OK(a->Promote(*f));
    ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*a));
    promote = journal[0].to->ToString();
    ASSERT_OK(Put("b", 2));
    ASSERT_OK_AND_ASSIGN(const auto b, Open("b"));
    ASSERT_OK_AND_ASSIGN(const auto g, Fork("b", "g"));
    ASSERT_OK(Put("g", 3));
    ASSERT_OK(b->Promote(*g));
    ASSERT_OK(Put("g", 4));
    ASSERT_OK(Put("well", 5));
  }
  sim_.Crash(PowerLoss::kNothing);
  for (const Place place : {PlaceOf(promote), PlaceOf(4)}) {
    sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2);
  }
  ByLogAndByIndex([this] {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a", IfMissing::kFail));
    EXPECT_ERROR(a->OpenSnapshot(), StatusCode::kCorruption, "rooms/a");
    EXPECT_TRUE(Holds("b", 3));
    ASSERT_OK_AND_ASSIGN(const auto b, Open("b", IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const auto g, Open("g", IfMissing::kFail));
    EXPECT_ERROR(g->OpenSnapshot(), StatusCode::kCorruption, "rooms/g");
    EXPECT_ERROR(b->Promote(*g, IfNewer::kReplace), StatusCode::kCorruption, "rooms/g");
    EXPECT_TRUE(Holds("f", 1));
  });
}

}  // namespace
}  // namespace tidemark::testing
