// DatabaseOptions::begin_empty: a connection whose first commit replaces the whole database.

#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class BeginEmptyTest : public VfsTest {
 protected:
  static DatabaseOptions Empty(Synchronous synchronous = Synchronous::kFull) {
    return {.locking = Locking::kExclusive, .synchronous = synchronous, .begin_empty = true};
  }
  void Fill() {
    Exec(Open("a"), "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(zeroblob(100000))");
  }
};

// Goal: one commit replaces everything, whatever the pragmas of opening; the old state comes back.
TEST_F(BeginEmptyTest, TheFirstCommitReplacesEverything) {
  for (const auto synchronous : {Synchronous::kFull, Synchronous::kNormal, Synchronous::kOff}) {
    Fill();
    const CommitInfo before = Head("a");
    {
      Database db = Open("a", Empty(synchronous));
      EXPECT_EQ(Query(db, "SELECT count(*) FROM sqlite_schema"), "0");
      EXPECT_EQ(Head("a"), before) << "nothing has happened yet";
      Exec(db, "CREATE TABLE u(x); INSERT INTO u VALUES(5)");
    }
    EXPECT_EQ(Head("a").page_count, 2u);
    Database db = Open("a");
    EXPECT_EQ(Query(db, "SELECT name FROM sqlite_schema"), "u");
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
    ASSERT_OK(db.object().Restore(db.object().BookmarkOf(before)));
    EXPECT_EQ(Query(Open("a"), "SELECT count(*) FROM t").empty(), false);
  }
}

// Goal: without a commit nothing happens, and readers see what was there.
TEST_F(BeginEmptyTest, ClosedBeforeItNothingHasHappened) {
  Fill();
  const CommitInfo before = Head("a");
  {
    Database db = Open("a", Empty());
    Exec(db, "BEGIN; CREATE TABLE u(x)");
    EXPECT_EQ(Query(Open("a", {.read_only = true}), "SELECT count(*) FROM t"), "1");
  }
  EXPECT_EQ(Head("a"), before);
  EXPECT_EQ(Query(Open("a"), "SELECT count(*) FROM t"), "1");
}

TEST_F(BeginEmptyTest, IsForConnectionsThatHoldTheWriteLock) {
  Fill();
  DatabaseOptions options = Empty();
  options.locking = Locking::kNormal;
  EXPECT_EQ(Database::Open(*store_, "ns", "a", options).status().code(),
            StatusCode::kInvalidArgument);
  Database writer = Open("a", {.locking = Locking::kExclusive});
  EXPECT_EQ(Database::Open(*store_, "ns", "a", Empty()).status().code(), StatusCode::kBusy);
}

}  // namespace
}  // namespace tidemark::testing
