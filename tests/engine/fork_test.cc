// Forks: a new object that begins as what another one was, and goes its own way.

#include <filesystem>

#include "engine/internal/index.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class ForkTest : public LogFixture {
 protected:
  // "to" in the namespace "copies" becomes a fork of "from" in "rooms".
  Result<std::shared_ptr<Object>> Fork(const std::string& from, const std::string& to) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto source, Open(from, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark now, source->CurrentBookmark());
    return sim_.store().Fork(*source, now, "copies", to);
  }
  Result<std::shared_ptr<Object>> Copy(const std::string& name) {
    return sim_.store().OpenObject("copies", name, IfMissing::kFail);
  }
  // The kinds of the object's commits, newest first.
  std::vector<CommitKind> Kinds(const Object& object) {
    std::vector<CommitKind> kinds;
    EXPECT_OK(object.History([&](const CommitInfo& commit) {
      kinds.push_back(commit.kind);
      return true;
    }));
    return kinds;
  }
  void Rot(Place place) { sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2); }
  std::vector<std::string> DamagedObjects() {
    std::vector<std::string> names;
    const auto report = sim_.store().Verify();
    EXPECT_OK(report);
    for (const Damage& damage : report->damage) names.push_back(damage.object);
    return names;
  }
};

// Goal: what either side writes never shows on the other, and a fork costs the same whatever the
// size. Method: a database of one page and one of 300, both forked, both sides written and cut off;
// before and after a reopening by the log and by the index.
TEST_F(ForkTest, CopyOnWriteInConstantSpace) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("small", 1));
  ASSERT_OK_AND_ASSIGN(const auto large, Open("large"));
  std::map<uint32_t, PageBytes> pages;
  for (uint32_t number = 1; number <= 300; ++number) pages[number] = RandomPage(number);
  ASSERT_OK(Commit(large, pages));
  ASSERT_OK(sim_.store().Sync());
  for (const char* const name : {"small", "large"}) {
    const uint64_t before = sim_.store().Stats().log_bytes;
    ASSERT_OK_AND_ASSIGN(const auto fork, Fork(name, name));
    EXPECT_LT(sim_.store().Stats().log_bytes - before, 1000u) << name;
    EXPECT_EQ(fork->head().kind, CommitKind::kFork);
    EXPECT_EQ(sim_.store().durable_lsn(), fork->head().lsn) << "not durable";
    EXPECT_TRUE(Reads(fork, 1, RandomPage(1)));
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto fork, Copy("large"));
    EXPECT_TRUE(Reads(fork, 300, RandomPage(300)));
    ASSERT_OK(Commit(large, {{2, RandomPage(1002)}, {301, RandomPage(1301)}}));
    ASSERT_OK(Commit(fork, {{3, RandomPage(2003)}}));
    ASSERT_OK(sim_.store().Sync());
  }
  ASSERT_OK(sim_.Close());
  for (const char* const way : {"index", "log"}) {
    SCOPED_TRACE(way);
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const auto parent, Open("large", IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const auto fork, Copy("large"));
    EXPECT_TRUE(Reads(parent, 2, RandomPage(1002)));
    EXPECT_TRUE(Reads(parent, 3, RandomPage(3)));
    EXPECT_TRUE(Reads(fork, 2, RandomPage(2)));
    EXPECT_TRUE(Reads(fork, 3, RandomPage(2003)));
    EXPECT_EQ(fork->head().page_count, 300u);
    EXPECT_EQ(DamagedObjects(), std::vector<std::string>());
    ASSERT_OK(sim_.store().Sync());
    sim_.Crash(PowerLoss::kNothing);
    std::filesystem::remove_all(sim_.options().index_directory);
  }
}

// Goal: a fork's history is its own, begins with the fork and says what it is of; no bookmark of
// the one is one of the other. Method: a fork of a past commit, found from memory, from the index,
// and by a replay.
TEST_F(ForkTest, HistoryOfItsOwn) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  CommitInfo fork_commit;
  Bookmark first;
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK_AND_ASSIGN(first, a->CurrentBookmark());
    sim_.clock().Advance(hours(1));
    ASSERT_OK(Put("a", 2));
    sim_.clock().Advance(hours(1));
    ASSERT_OK_AND_ASSIGN(const auto fork, sim_.store().Fork(*a, first, "copies", "c"));
    fork_commit = fork->head();
    EXPECT_EQ(fork_commit.restored_from, first.lsn);
    EXPECT_EQ(fork_commit.state_hash, first.state_hash);
    EXPECT_ERROR(fork->Resolve(first), StatusCode::kForeign, "copies/c");
    EXPECT_ERROR(a->Resolve(fork->BookmarkOf(fork_commit)), StatusCode::kForeign, "rooms/a");
    EXPECT_ERROR(a->Source(), StatusCode::kNotFound, "rooms/a is no fork");
    EXPECT_ERROR(a->SourceOf(a->head()), StatusCode::kInvalidArgument, "neither");
    sim_.clock().Advance(hours(1));
    ASSERT_OK(Commit(fork, {{1, RandomPage(3)}}));
    ASSERT_OK(fork->Restore(fork->BookmarkOf(fork_commit)));
    EXPECT_TRUE(Reads(fork, 1, RandomPage(1)));
  }
  for (const char* const state : {"memory", "index", "replay"}) {
    SCOPED_TRACE(state);
    {
      ASSERT_OK_AND_ASSIGN(const auto fork, Copy("c"));
      EXPECT_EQ(Kinds(*fork),
                (std::vector{CommitKind::kRestore, CommitKind::kCommit, CommitKind::kFork}));
      EXPECT_ERROR(fork->Resolve(fork_commit.time - seconds(1)), StatusCode::kNotFound, "copies/c");
      ASSERT_OK_AND_ASSIGN(const CommitInfo then, fork->Resolve(fork_commit.time + seconds(1)));
      EXPECT_EQ(then, fork_commit);
      ASSERT_OK_AND_ASSIGN(const ForkSource source, fork->Source());
      EXPECT_EQ(source.display_name, "rooms/a");
      EXPECT_EQ(source.bookmark, first);
      ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*fork));
      ASSERT_EQ(journal.size(), 1u) << "a fork is no restore";
      EXPECT_TRUE(Holds("a", 2));
    }
    if (state == std::string("memory")) {
      ASSERT_OK(sim_.Close());
    } else {
      sim_.Crash(PowerLoss::kNothing);
      std::filesystem::remove_all(sim_.options().index_directory);
    }
    ASSERT_OK(sim_.Open());
  }
}

// Goal: forks of forks, of restored objects and of other page sizes read what they must, also
// those without a commit of their own.
TEST_F(ForkTest, ForksOfForks) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK_AND_ASSIGN(const Bookmark first, a->CurrentBookmark());
    ASSERT_OK(Put("a", 2));
    ASSERT_OK(a->Restore(first));
    std::shared_ptr<Object> last = a;
    for (int depth = 1; depth <= 20; ++depth) {
      ASSERT_OK_AND_ASSIGN(const Bookmark now, last->CurrentBookmark());
      ASSERT_OK_AND_ASSIGN(last,
                           sim_.store().Fork(*last, now, "rooms", "f" + std::to_string(depth)));
      if (depth % 2 == 0) {
        ASSERT_OK(Commit(last, {{static_cast<uint32_t>(depth),
                                 RandomPage(static_cast<uint64_t>(100 + depth))}}));
      }
    }
    ASSERT_OK(Commit(last, {{1, RandomPage(5, 1024)}}, 1024));
    ASSERT_OK_AND_ASSIGN(const Bookmark now, last->CurrentBookmark());
    ASSERT_OK(sim_.store().Fork(*last, now, "rooms", "other size"));
  }
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  for (int depth = 1; depth < 20; ++depth) {
    ASSERT_OK_AND_ASSIGN(const auto fork, Open("f" + std::to_string(depth), IfMissing::kFail));
    EXPECT_TRUE(Reads(fork, 1, RandomPage(1)));
    if (depth >= 2) {
      EXPECT_TRUE(Reads(fork, 2, RandomPage(102)));
    }
    ASSERT_OK_AND_ASSIGN(const ForkSource source, fork->Source());
    EXPECT_EQ(source.name, depth == 1 ? "a" : "f" + std::to_string(depth - 1));
  }
  ASSERT_OK_AND_ASSIGN(const auto other, Open("other size", IfMissing::kFail));
  EXPECT_TRUE(Reads(other, 1, RandomPage(5, 1024)));
}

// Goal: what must be refused is, says why, and changes nothing.
TEST_F(ForkTest, Refused) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Put("b", 2));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto b, Open("b"));
  ASSERT_OK_AND_ASSIGN(const Bookmark now, a->CurrentBookmark());
  Store& store = sim_.store();
  EXPECT_ERROR(store.Fork(*a, now, "rooms", "b"), StatusCode::kExists, "rooms/b exists");
  EXPECT_ERROR(store.Fork(*a, now, "rooms", "a"), StatusCode::kExists, "rooms/a exists");
  EXPECT_ERROR(store.Fork(*a, now, "ro/oms", "c"), StatusCode::kInvalidArgument, "");
  EXPECT_ERROR(store.Fork(*a, now, "rooms", ""), StatusCode::kInvalidArgument, "");
  EXPECT_ERROR(store.Fork(*b, now, "rooms", "c"), StatusCode::kForeign, "rooms/b");
  Bookmark future = now;
  ++future.epoch;
  EXPECT_ERROR(store.Fork(*a, future, "rooms", "c"), StatusCode::kFuture, "");
  EXPECT_ERROR(store.Fork(*a, ManualClock::kStart - hours(1), "rooms", "c"), StatusCode::kNotFound,
               "did not exist");
  ASSERT_OK(b->Delete());
  EXPECT_ERROR(store.Fork(*a, now, "rooms", "b"), StatusCode::kExists, "was deleted at");
  EXPECT_ERROR(store.Fork(*b, b->CurrentBookmark().value(), "rooms", "c"), StatusCode::kNotFound,
               "deletion");
  ASSERT_OK_AND_ASSIGN(const auto c, Open("c"));
  EXPECT_FALSE(c->exists());

  SimStore elsewhere(TestSeed());
  ASSERT_OK(elsewhere.Open());
  EXPECT_ERROR(elsewhere.store().Fork(*a, now, "rooms", "c"), StatusCode::kInvalidArgument,
               "another store");
  ASSERT_OK(elsewhere.Close());
}

// Goal: a handle of the new object that was there before the fork is its handle. Method: one with a
// transaction that is under way keeps the fork out; one that begins afterwards goes on from it; a
// snapshot of nothing stays one.
TEST_F(ForkTest, HandleFromBefore) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark now, a->CurrentBookmark());
  ASSERT_OK_AND_ASSIGN(const auto handle, Open("new"));
  ASSERT_OK_AND_ASSIGN(const Snapshot nothing, handle->OpenSnapshot());
  const uint32_t counter = handle->change_counter();
  Transaction transaction(handle);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.ResetPageSize(kPageSize));
  ASSERT_OK(transaction.WritePage(PageNo(1), RandomPage(7)));
  ASSERT_OK(transaction.Prepare());
  EXPECT_ERROR(sim_.store().Fork(*a, now, "rooms", "new"), StatusCode::kExists, "being created");
  transaction.End();

  ASSERT_OK(sim_.store().Fork(*a, now, "rooms", "new"));
  EXPECT_TRUE(handle->exists());
  EXPECT_GT(handle->change_counter(), counter);
  EXPECT_EQ(nothing.page_count(), 0u);
  ASSERT_OK(Commit(handle, {{2, RandomPage(8)}}));
  EXPECT_TRUE(Reads(handle, 1, RandomPage(1)));
  EXPECT_TRUE(Reads(handle, 2, RandomPage(8)));
}

// Goal: a fork does not need its parent. Method: the parent is deleted and begins anew.
TEST_F(ForkTest, OutlivesItsParent) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Fork("a", "c"));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK(a->Delete());
    ASSERT_OK(Put("a", 2));
  }
  ASSERT_OK(sim_.Close());
  ByLogAndByIndex([this] {
    ASSERT_OK_AND_ASSIGN(const auto fork, Copy("c"));
    EXPECT_TRUE(Reads(fork, 1, RandomPage(1)));
    EXPECT_TRUE(Holds("a", 2));
    ASSERT_OK(Commit(fork, {{2, RandomPage(3)}}));
    EXPECT_EQ(DamagedObjects(), std::vector<std::string>());
  });
}

// Goal: damage before the point is the fork's too, damage behind it is not. Method: a commit before
// and one behind rots, with a group of its own each.
TEST_F(ForkTest, InheritsDamageBeforeThePoint) {
  for (const bool before : {true, false}) {
    SCOPED_TRACE(before);
    const std::string name = before ? "before" : "behind";
    const uint64_t seed = before ? 10 : 20;
    ASSERT_OK(sim_.Open());
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK(Commit(object, {{1, RandomPage(seed)}, {2, RandomPage(seed + 1)}}));
      ASSERT_OK(sim_.store().Sync());
      ASSERT_OK(Put(name, seed + 2));
      ASSERT_OK(Fork(name, name));
      ASSERT_OK(Put(name, seed + 3));
      ASSERT_OK(Put("well", seed + 4));
    }
    sim_.Crash(PowerLoss::kNothing);
    Rot(PlaceOf(before ? seed + 2 : seed + 3));
    ByLogAndByIndex([&] {
      ASSERT_OK_AND_ASSIGN(const auto fork, Copy(name));
      ASSERT_OK_AND_ASSIGN(const auto parent, Open(name, IfMissing::kFail));
      EXPECT_ERROR(parent->OpenSnapshot(), StatusCode::kCorruption, name);
      if (before) {
        ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, fork->OpenSnapshot());
        for (uint32_t number = 1; number <= 2; ++number) {
          EXPECT_ERROR(ReadPage(snapshot, number), StatusCode::kCorruption, "copies/" + name);
        }
      } else {
        EXPECT_TRUE(Reads(fork, 1, RandomPage(seed + 2)));
        EXPECT_TRUE(Reads(fork, 2, RandomPage(seed + 1)));
      }
      EXPECT_TRUE(Holds("well", seed + 4));
    });
  }
}

// Goal: verify finds a fork of which the index says that it is of another commit, also where that
// one has the same state. Method: the row is changed while the store is closed.
TEST_F(ForkTest, VerifyKnowsWhereItBegins) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 1));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(auto fork, Fork("a", "c"));
  const TimelineId id = fork->head().timeline;
  fork.reset();
  ASSERT_OK(sim_.Close());
  {
    ASSERT_OK_AND_ASSIGN(const auto index,
                         internal::Index::Open(sim_.options().index_directory, {}));
    ASSERT_OK_AND_ASSIGN(auto row, index->FindTimeline(id));
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->kind, internal::TimelineKind::kFork);
    row->parent_lsn = first.lsn;
    ASSERT_OK(
        index->Update([&](internal::IndexWriter& writer) { return writer.PutTimeline(*row); }));
    ASSERT_OK(index->EndUpdates());
  }
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(DamagedObjects(), std::vector<std::string>{"copies/c"});
}

// Goal: a fork of which a record is damaged is neither missing nor free to be created, and its
// parent is whole. Method: a bit rots in the object's record, then in the timeline's; the fork has
// commits of its own, or none.
TEST_F(ForkTest, DamagedRecords) {
  int fork_number = 0;
  for (const bool written : {false, true}) {
    for (const bool timeline : {false, true}) {
      const std::string name = "fork-" + std::to_string(++fork_number);
      SCOPED_TRACE(name);
      ASSERT_OK(sim_.Open());
      ASSERT_OK(Put("a", 1));
      std::string inside = name;  // stands in the object's record
      {
        ASSERT_OK_AND_ASSIGN(const auto fork, Fork("a", name));
        // Of its bookmark, the source's: stands in the fork's record, and in no other.
        if (timeline) inside = fork->Source().value().bookmark.ToString();
        if (written) {
          ASSERT_OK(Commit(fork, {{2, RandomPage(static_cast<uint64_t>(50 + fork_number))}}));
        }
      }
      ASSERT_OK(sim_.store().Sync());
      ASSERT_OK(Put("a", 2));
      sim_.Crash(PowerLoss::kNothing);
      const Place place = PlaceOf(inside);
      sim_.fs().FlipBit(PathOf(place.segment), place.offset + 3, 2);
      ByLogAndByIndex([&] {
        for (const IfMissing if_missing : {IfMissing::kFail, IfMissing::kCreate}) {
          EXPECT_ERROR(sim_.store().OpenObject("copies", name, if_missing), StatusCode::kCorruption,
                       "copies/" + name);
        }
        EXPECT_TRUE(Holds("a", 2));
        ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
        EXPECT_ERROR(sim_.store().Fork(*a, a->CurrentBookmark().value(), "copies", name),
                     StatusCode::kCorruption, "copies/" + name);
      });
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
