// Blame: the commits that changed a row, against a look at every commit.

#include "vfs/blame.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class BlameTest : public VfsTest {
 protected:
  void SetUp() override {
    OpenStore({.create_if_missing = true, .retention_share = 0, .clock = &clock_});
    db_.emplace(Open("o"));
    object_ = *store_->OpenObject("ns", "o", IfMissing::kCreate);
  }
  void TearDown() override {
    db_.reset();
    object_.reset();
    VfsTest::TearDown();
  }
  Bookmark Commit(const std::string& sql) {
    clock_.Advance(std::chrono::seconds(1));
    Exec(*db_, sql);
    return *object_->CurrentBookmark();
  }
  static std::string Text(const std::optional<BlamedRow>& row) {
    if (!row) return "-";
    std::string text;
    for (const BlamedValue& value : *row) {
      text += (text.empty() ? "" : ",") + value.literal;
    }
    return text;
  }
  // "LSN before>after" of each change, newest first, then the end.
  std::vector<std::string> Blamed(const std::string& table, const std::vector<std::string>& key,
                                  BlameResult* result = nullptr,
                                  EarlierRows earlier = EarlierRows::kYes) {
    std::vector<std::string> changes;
    const auto found = Blame(
        *store_, object_, table, key, Point(*object_->CurrentBookmark()),
        [&](const RowCommit& change) {
          changes.push_back(std::to_string(change.commit.lsn.value) + " " + Text(change.before) +
                            ">" + Text(change.after) + (change.or_before ? " or before" : ""));
          return true;
        },
        earlier);
    EXPECT_OK(found);
    if (found.ok() && result != nullptr) *result = *found;
    return changes;
  }

  ManualClock clock_;
  std::optional<Database> db_;
  std::shared_ptr<Object> object_;
};

std::string At(const Bookmark& bookmark, const std::string& change) {
  return std::to_string(bookmark.lsn.value) + " " + change;
}

// Goal: insertion, update, restore, deletion and dropping are told, each with what was before.
TEST_F(BlameTest, TellsEachKindOfChange) {
  Commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 0)");
  const Bookmark in = Commit("INSERT INTO t VALUES(7, 'a')");
  Commit("UPDATE t SET v = 'other' WHERE id = 1");
  const Bookmark up = Commit("UPDATE t SET v = 'b' WHERE id = 7");
  const Bookmark column = Commit("ALTER TABLE t ADD COLUMN n DEFAULT 5");
  const Bookmark gone = Commit("DELETE FROM t WHERE id = 7");
  Commit("UPDATE t SET v = 'again'");
  clock_.Advance(std::chrono::seconds(1));
  ASSERT_OK(object_->Restore(up));
  const Bookmark restored = *object_->CurrentBookmark();
  Commit("INSERT INTO t(id, v) VALUES(8, 'c')");
  const Bookmark drop = Commit("DROP TABLE t");
  const Bookmark made = Commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  BlameResult result;
  EXPECT_EQ(Blamed("T", {"7"}, &result),
            (std::vector<std::string>{At(drop, "7,'b'>-"), At(restored, "->7,'b'"),
                                      At(gone, "7,'b',5>-"), At(column, "7,'b'>7,'b',5"),
                                      At(up, "7,'a'>7,'b'"), At(in, "->7,'a'")}));
  EXPECT_EQ(result.end, BlameEnd::kCreation);
  EXPECT_EQ(result.row, std::nullopt);
  EXPECT_GT(made.lsn, drop.lsn);
  // The insertion ends it, but for what a restore brought back.
  Exec(*db_, "INSERT INTO t VALUES(7, 'again')");
  const Bookmark again = *object_->CurrentBookmark();
  EXPECT_EQ(Blamed("t", {"7"}, &result, EarlierRows::kNo),
            std::vector<std::string>{At(again, "->7,'again'")});
  EXPECT_EQ(result.end, BlameEnd::kInsertion);
  ASSERT_OK(object_->Restore(restored));
  EXPECT_EQ(
      Blamed("t", {"7"}, &result, EarlierRows::kNo),
      (std::vector<std::string>{std::to_string(object_->head().lsn.value) + " 7,'again'>7,'b'",
                                At(again, "->7,'again'")}));
  // So many as are asked for.
  int visited = 0;
  ASSERT_OK_AND_ASSIGN(const BlameResult stopped,
                       Blame(*store_, object_, "t", {"7"}, Point(restored),
                             [&](const RowCommit&) { return ++visited < 2; }));
  EXPECT_EQ(stopped.end, BlameEnd::kStopped);
  EXPECT_EQ(visited, 2);
}

// Goal: keys of each kind, and the same number as text and as integer.
TEST_F(BlameTest, Keys) {
  const Bookmark in = Commit(
      "CREATE TABLE pair(b TEXT, a INT, v, PRIMARY KEY(a, b)) WITHOUT ROWID;"
      "BEGIN; INSERT INTO pair VALUES('x', 1, 2); CREATE TABLE bare(v); INSERT INTO bare VALUES(3);"
      "CREATE TABLE word(k TEXT PRIMARY KEY COLLATE NOCASE); INSERT INTO word VALUES('Abc');"
      "CREATE TABLE any(k PRIMARY KEY); INSERT INTO any VALUES(5),('six'),(x'00ff'),(1.5); COMMIT");
  EXPECT_EQ(Blamed("pair", {"1", "x"}), std::vector<std::string>{At(in, "->'x',1,2")});
  EXPECT_EQ(Blamed("pair", {"1", "y"}), std::vector<std::string>());
  EXPECT_EQ(Blamed("bare", {"1"}), std::vector<std::string>{At(in, "->3")});
  EXPECT_EQ(Blamed("word", {"aBC"}), std::vector<std::string>{At(in, "->'Abc'")});
  EXPECT_EQ(Blamed("any", {"5"}), std::vector<std::string>{At(in, "->5")});
  EXPECT_EQ(Blamed("any", {"six"}), std::vector<std::string>{At(in, "->'six'")});
  EXPECT_EQ(Blamed("any", {"x'00FF'"}), std::vector<std::string>{At(in, "->x'00ff'")});
  EXPECT_EQ(Blamed("any", {"1.5"}), std::vector<std::string>{At(in, "->1.5")});
  const auto refused = [&](const std::string& table, const std::vector<std::string>& key,
                           StatusCode code, const std::string& why) {
    EXPECT_ERROR(Blame(*store_, object_, table, key, Point(in), [](const auto&) { return true; }),
                 code, why);
  };
  refused("pair", {"1"}, StatusCode::kInvalidArgument, "(a, b): give 2 values, not 1");
  refused("bare", {"1", "2"}, StatusCode::kInvalidArgument, "its rowid: give 1 value, not 2");
  refused("none", {"1"}, StatusCode::kNotFound, "there are: any, bare, pair, word");
  refused("sqlite_schema", {"1"}, StatusCode::kInvalidArgument, "SQLite's own");
}

// Goal: commits that wrote elsewhere are not looked at.
TEST_F(BlameTest, LooksWhereTheRowIs) {
  const Bookmark in = Commit(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
      "SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, zeroblob(100) FROM n");
  for (int i = 0; i < 200; ++i) {
    Commit("UPDATE t SET v = zeroblob(100) || " + std::to_string(i) +
           " WHERE id = " + std::to_string(1000 + i));
  }
  const Bookmark changed = Commit("UPDATE t SET v = 'x' WHERE id = 5");
  for (int i = 0; i < 200; ++i) Commit("UPDATE t SET v = 'y' WHERE id = 1999");
  BlameResult result;
  const auto changes = Blamed("t", {"5"}, &result);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].find(std::to_string(changed.lsn.value)), 0u);
  EXPECT_EQ(changes[1].find(std::to_string(in.lsn.value)), 0u);
  EXPECT_LE(result.looks, 6u);
}

// Goal: what has expired ends it, and is said; a fork's begins with the fork.
TEST_F(BlameTest, EndsAtTheHorizonAndAtTheFork) {
  Commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'a')");
  Commit("UPDATE t SET v = 'b'");
  const Bookmark last_old = Commit("UPDATE t SET v = 'c'");
  clock_.Advance(store_->options().retention + std::chrono::hours(1));
  const Bookmark fresh = Commit("UPDATE t SET v = 'd'");
  ASSERT_OK(store_->ConfirmClock());
  ASSERT_OK(store_->Prune());
  ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
  BlameResult result;
  EXPECT_EQ(Blamed("t", {"1"}, &result), std::vector<std::string>{At(fresh, "1,'c'>1,'d'")});
  EXPECT_EQ(result.end, BlameEnd::kHorizon);
  EXPECT_EQ(result.oldest.lsn, last_old.lsn);
  EXPECT_EQ(Text(result.row), "1,'c'");
  ASSERT_OK_AND_ASSIGN(const auto fork, store_->Fork(*object_, Point(fresh), "ns", "fork"));
  const auto of_fork = Blame(*store_, fork, "t", {"1"}, Point(*fork->CurrentBookmark()),
                             [](const RowCommit&) { return true; });
  ASSERT_OK(of_fork);
  EXPECT_EQ(of_fork->end, BlameEnd::kFork);
  EXPECT_EQ(Text(of_fork->row), "1,'d'");
}

// Goal: it tells what a look at every commit tells. Method: random changes of a few rows among
// many, restores, deletions, packing; then each row.
TEST_F(BlameTest, AgainstEveryCommit) {
  Random random(TestSeed());
  Commit(
      "BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE w(k TEXT PRIMARY KEY, v);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
      "INSERT INTO t SELECT i * 10, zeroblob(i) FROM n; INSERT INTO w SELECT 'k' || id, v FROM t; "
      "COMMIT");
  std::vector<Bookmark> points = {*object_->CurrentBookmark()};
  for (uint64_t round = 0; round < Scaled(3); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    for (int i = 0; i < 60; ++i) {
      clock_.Advance(std::chrono::seconds(1));
      const std::string id = std::to_string(random.Between(1, 20) * 200);
      const std::string near = std::to_string(random.Below(4000));
      switch (random.Below(16)) {
        case 0: ASSERT_OK(object_->Restore(points[random.Below(points.size())])); break;
        case 1:
          if (!random.OneIn(3)) break;
          db_.reset();
          ASSERT_OK(object_->Delete());
          ASSERT_OK(object_->Undelete());
          db_.emplace(Open("o"));
          break;
        case 2: Exec(*db_, "DELETE FROM t WHERE id = " + id); break;
        case 3: Exec(*db_, "DELETE FROM w WHERE k = 'k" + id + "'"); break;
        case 4:
          if (random.OneIn(4)) Exec(*db_, "VACUUM");
          break;
        case 5:
          if (!random.OneIn(4)) break;
          ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
          break;
        case 6: Exec(*db_, "UPDATE w SET v = zeroblob(9000) WHERE k = 'k" + id + "'"); break;
        case 7:
        case 8: Exec(*db_, "INSERT OR REPLACE INTO t VALUES(" + id + ", " + near + ")"); break;
        case 9: Exec(*db_, "INSERT OR REPLACE INTO w VALUES('k" + id + "', " + near + ")"); break;
        default: Exec(*db_, "INSERT OR REPLACE INTO t VALUES(" + near + ", zeroblob(50))"); break;
      }
      points.push_back(*object_->CurrentBookmark());
    }
    std::vector<CommitInfo> commits;
    ASSERT_OK(object_->History([&](const CommitInfo& commit) {
      commits.push_back(commit);
      return true;
    }));
    for (const int key : {200, 600, 2000, 4000, 1230}) {
      for (const std::string table : {"t", "w"}) {
        const std::string name = table == "t" ? std::to_string(key) : "k" + std::to_string(key);
        const std::string sql = "SELECT " + std::string(table == "t" ? "id" : "quote(k)") +
                                " || ',' || replace(quote(v), 'X', 'x') FROM " + table + " WHERE " +
                                (table == "t" ? "id" : "k") + " = '" + name + "'";
        std::vector<std::string> expected;
        std::string newer;
        for (size_t i = 0; i <= commits.size(); ++i) {
          std::string row = "-";
          if (i < commits.size() && commits[i].kind != CommitKind::kDelete) {
            const Database past = Open("o", {.at = object_->BookmarkOf(commits[i])});
            row = Query(past, sql);
            if (row.empty()) row = "-";
          }
          if (i > 0 && row != newer) {
            expected.push_back(std::to_string(commits[i - 1].lsn.value) + " " + row + ">" + newer);
          }
          newer = row;
        }
        std::vector<std::string> found = Blamed(table, {name});
        // Of long values literals have the beginning only.
        ASSERT_EQ(found.size(), expected.size()) << table << " " << name;
        for (size_t i = 0; i < found.size(); ++i) {
          if (found[i].find("...") == std::string::npos) {
            EXPECT_EQ(found[i], expected[i]);
          } else {
            EXPECT_EQ(found[i].substr(0, found[i].find(' ')),
                      expected[i].substr(0, expected[i].find(' ')));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
