// Changes: the commits of objects, told as what they changed.

#include "vfs/changes.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "tests/vfs/diff_work.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/diff_script.h"

namespace tidemark::testing {
namespace {

class ChangesTest : public VfsTest {
 protected:
  void SetUp() override { OpenStore({.create_if_missing = true, .clock = &clock_}); }

  std::shared_ptr<Object> TheObject(const std::string& name = "o") {
    return store_->OpenObject("ns", name, IfMissing::kDeleted).value();
  }

  // "ns/o commit 5: t+1-0~0", a line each commit that is left.
  static std::string Rest(Changes& changes) {
    std::string lines;
    while (true) {
      auto next = changes.Next();
      EXPECT_OK(next);
      if (!next.ok() || !*next) return lines;
      Result<RowDiff> diff = changes.Diff(**next);
      EXPECT_OK(diff);
      if (!diff.ok()) return lines;
      lines += (*next)->object->DisplayName() + " " +
               std::string(CommitKindName((*next)->commit.kind)) + ":";
      for (const DiffTable& table : diff->tables()) {
        std::map<ChangeKind, int> counts;
        EXPECT_OK(diff->VisitRows(table, [&](const RowChange& row) {
          ++counts[row.kind];
          return true;
        }));
        lines += " " + table.name + "+" + std::to_string(counts[ChangeKind::kInserted]) + "-" +
                 std::to_string(counts[ChangeKind::kDeleted]) + "~" +
                 std::to_string(counts[ChangeKind::kChanged]);
      }
      lines += "\n";
    }
  }

  ManualClock clock_;
};

// Goal: each kind of commit is told as what it changed, of one object and of a namespace; a
// position of any line leads to the rest. Method: one of each, by hand.
TEST_F(ChangesTest, EveryKindOfCommit) {
  {
    Database database = Open("o");
    Exec(database, "CREATE TABLE t(a)");
    Exec(database, "INSERT INTO t VALUES(1),(2)");
    Exec(database, "UPDATE t SET a = 3 WHERE a = 1");
  }
  const CommitInfo changed = Head("o");
  ASSERT_OK(store_->Fork(*TheObject(), TheObject()->CurrentBookmark().value(), "ns", "fork"));
  {
    Database database = Open("fork");
    Exec(database, "DELETE FROM t");
  }
  ASSERT_OK(TheObject()->Restore(TheObject()->BookmarkOf(changed)));
  ASSERT_OK(TheObject()->Promote(*TheObject("fork"), IfNewer::kReplace));
  ASSERT_OK(TheObject()->Delete());
  ASSERT_OK(TheObject()->Undelete());
  ASSERT_OK(TheObject("fork")->Delete());
  ASSERT_OK(store_->Sync());
  const std::string expected =
      "ns/o commit: t+0-0~0\n"
      "ns/o commit: t+2-0~0\n"
      "ns/o commit: t+0-0~1\n"
      "ns/fork fork: t+2-0~0\n"
      "ns/fork commit: t+0-2~0\n"
      "ns/o restore: t+0-0~0\n"
      "ns/o promote: t+0-2~0\n"
      "ns/o delete: t+0-0~0\n"
      "ns/o undelete: t+0-0~0\n"
      "ns/fork delete: t+0-0~0\n";
  Changes all = Changes::OfNamespace(*store_, "ns", Lsn(0));
  EXPECT_EQ(Rest(all), expected);
  EXPECT_EQ(Rest(all), "");  // and nothing until there is more
  Changes one = Changes::OfObject(*store_, TheObject("fork"), Lsn(0));
  EXPECT_EQ(Rest(one), "ns/fork fork: t+2-0~0\nns/fork commit: t+0-2~0\nns/fork delete: t+0-0~0\n");
  // Every line's position, in turn.
  std::string rest = expected;
  Changes steps = Changes::OfNamespace(*store_, "ns", Lsn(0));
  while (true) {
    ASSERT_OK_AND_ASSIGN(const auto next, steps.Next());
    if (!next) break;
    rest = rest.substr(rest.find('\n') + 1);
    Changes resumed = Changes::OfNamespace(*store_, "ns", next->commit.lsn);
    EXPECT_EQ(Rest(resumed), rest) << next->commit.lsn.value;
  }
  EXPECT_EQ(rest, "");
  EXPECT_EQ(Changes::OfNamespace(*store_, "none", Lsn(0)).Next().status().code(),
            StatusCode::kNotFound);
}

// Goal: what is not confirmed is not told, and comes when it is. Method: nobody writes but by hand.
TEST_F(ChangesTest, OnlyWhatIsConfirmed) {
  ASSERT_OK(store_->Close());
  OpenStore({.background_work = BackgroundWork::kManual, .clock = &clock_});
  Database database = Open("o", {.synchronous = Synchronous::kNormal});
  Exec(database, "CREATE TABLE t(a)");
  ASSERT_OK(store_->Sync());
  Changes changes = Changes::OfObject(*store_, TheObject(), Lsn(0));
  EXPECT_EQ(Rest(changes), "ns/o commit: t+0-0~0\n");
  Exec(database, "INSERT INTO t VALUES(1)");
  ASSERT_LT(store_->durable_lsn(), Head("o").lsn);
  EXPECT_EQ(Rest(changes), "");
  ASSERT_OK(store_->Sync());
  EXPECT_EQ(Rest(changes), "ns/o commit: t+1-0~0\n");
}

// Goal: a start of which something behind it has expired is refused, naming the earliest that there
// is, which works; so does one within the window, packed. Method: two commits, a month, two more,
// and a licence.
TEST_F(ChangesTest, StartThatHasExpired) {
  Database database = Open("o");
  Exec(database, "CREATE TABLE t(a)");
  const CommitInfo first = Head("o");
  Exec(database, "INSERT INTO t VALUES(1)");
  const CommitInfo second = Head("o");
  for (int day = 0; day < 40; ++day) {
    clock_.Advance(std::chrono::hours(24));
    if (day == 35) Exec(database, "INSERT INTO t VALUES(2)");
  }
  ASSERT_OK(store_->ConfirmClock());
  ASSERT_OK(store_->Prune());
  ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
  for (const Lsn since : {Lsn(0), first.lsn}) {
    Changes changes = Changes::OfObject(*store_, TheObject(), since);
    const Status status = changes.Next().status();
    EXPECT_EQ(status.code(), StatusCode::kExpired) << status.ToString();
    EXPECT_NE(status.message().find(TheObject()->BookmarkOf(second).ToString()), std::string::npos)
        << status.ToString();
  }
  Changes changes = Changes::OfObject(*store_, TheObject(), second.lsn);
  EXPECT_EQ(Rest(changes), "ns/o commit: t+1-0~0\n");
}

// Goal: whoever applies what is told, from nothing, has the state; from any position the rest is
// the same; packing changes nothing. Method: random work of all kinds, restores, deletions; the
// script of each commit's difference applied in order, against the object itself.
TEST_F(ChangesTest, ReplayedGivesTheState) {
  const uint64_t rounds = Scaled(3);
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    DiffWork work(TestSeed() * 1000 + round);
    const std::string name = "o" + std::to_string(round);
    Database database = Open(name);
    Try(database, work.Setup());
    std::vector<CommitInfo> commits = {Head(name)};
    for (int i = 0; i < 40; ++i) {
      if (work.random().OneIn(15)) {
        const CommitInfo& to = commits[work.random().Below(commits.size())];
        ASSERT_OK(TheObject(name)->Restore(TheObject(name)->BookmarkOf(to)));
      } else if (work.random().OneIn(30)) {
        ASSERT_OK(TheObject(name)->Delete());
        ASSERT_OK(TheObject(name)->Undelete());
      } else if (Try(database, work.Next()) != SQLITE_OK) {
        Try(database, "ROLLBACK");
      }
      if (work.random().OneIn(30)) {
        ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
      }
      commits.push_back(Head(name));
    }
    ASSERT_OK(store_->Sync());
    Connection replica(":memory:");
    ASSERT_EQ(Try(replica.handle(), Query(database, "PRAGMA encoding") == "UTF-8"
                                        ? "PRAGMA encoding='UTF-8'"
                                        : "PRAGMA encoding='UTF-16le'"),
              SQLITE_OK);
    Changes changes = Changes::OfObject(*store_, TheObject(name), Lsn(0));
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto next, changes.Next());
      if (!next) break;
      if (work.random().OneIn(3)) {  // goes on from here, as another process would
        changes = Changes::OfObject(*store_, TheObject(name), next->commit.lsn);
      }
      ASSERT_OK_AND_ASSIGN(RowDiff diff, changes.Diff(*next));
      std::string script;
      ASSERT_OK(WriteDiffScript(diff, {}, [&](std::string_view sql) { script += sql; }));
      ASSERT_EQ(Try(replica.handle(), script), SQLITE_OK)
          << sqlite3_errmsg(replica.handle()) << "\n"
          << script.substr(0, 3000);
    }
    ASSERT_EQ(DumpExactly(replica.handle()), DumpExactly(database.handle()));
  }
}

}  // namespace
}  // namespace tidemark::testing
