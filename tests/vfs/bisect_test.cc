// Bisect: the commit it finds, against a scan of all of them, and what it refuses.

#include "vfs/bisect.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/blame.h"

namespace tidemark::testing {
namespace {

class BisectTest : public VfsTest {
 protected:
  void SetUp() override {
    VfsTest::SetUp();
    db_.emplace(Open("o"));
    object_ = *store_->OpenObject("ns", "o", IfMissing::kCreate);
  }
  void TearDown() override {
    db_.reset();
    object_.reset();
    VfsTest::TearDown();
  }
  Bookmark Commit(const std::string& sql) {
    Exec(*db_, sql);
    return *object_->CurrentBookmark();
  }
  Result<BisectResult> Find(const Bookmark& good, const Bookmark& bad, const std::string& sql) {
    return Bisect(*store_, object_, good, bad, sql);
  }

  std::optional<Database> db_;
  std::shared_ptr<Object> object_;
};

// Goal: of a hundred commits the one is found, by few looks, and the one before it.
TEST_F(BisectTest, FindsTheCommit) {
  const Bookmark good = Commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  std::vector<Bookmark> commits = {good};
  for (int i = 1; i <= 100; ++i) {
    commits.push_back(Commit("INSERT INTO t VALUES(" + std::to_string(i) + ", 0)"));
  }
  for (const int i : {1, 2, 50, 99, 100}) {
    ASSERT_OK_AND_ASSIGN(
        const BisectResult found,
        Find(good, commits.back(), "SELECT count(*) >= " + std::to_string(i) + " FROM t"));
    EXPECT_EQ(object_->BookmarkOf(found.first), commits[static_cast<size_t>(i)]);
    EXPECT_EQ(object_->BookmarkOf(found.before), commits[static_cast<size_t>(i - 1)]);
    EXPECT_LE(found.looks, 10u);
  }
  uint64_t done = 0;
  uint64_t total = 0;
  ASSERT_OK(Bisect(*store_, object_, good, commits.back(), "exists (SELECT 1 FROM t WHERE id = 7)",
                   [&](uint64_t d, uint64_t t) {
                     EXPECT_GE(d, done);
                     EXPECT_GT(t, d);
                     done = d;
                     total = t;
                   }));
  EXPECT_GT(total, 0u);
}

// Goal: where there is no such table or column, or no object, it is not true.
TEST_F(BisectTest, WhatWasNotThereYet) {
  const Bookmark good = Commit("CREATE TABLE other(x)");
  const Bookmark table = Commit("CREATE TABLE t(id)");
  const Bookmark column = Commit("ALTER TABLE t ADD COLUMN v");
  const Bookmark last = Commit("INSERT INTO other VALUES(1)");
  ASSERT_OK_AND_ASSIGN(const auto by_table, Find(good, last, "(SELECT count(*) FROM t) = 0"));
  EXPECT_EQ(by_table.first.lsn, table.lsn);
  EXPECT_GT(by_table.without, 0u);
  ASSERT_OK_AND_ASSIGN(const auto by_column, Find(good, last, "SELECT count(v) = 0 FROM t"));
  EXPECT_EQ(by_column.first.lsn, column.lsn);
  ASSERT_OK(object_->Delete());
  const Bookmark deleted = *object_->CurrentBookmark();
  ASSERT_OK(object_->Undelete());
  const Bookmark back = *object_->CurrentBookmark();
  ASSERT_OK_AND_ASSIGN(const auto undeleted, Find(deleted, back, "1"));
  EXPECT_EQ(undeleted.first.kind, CommitKind::kUndelete);
  EXPECT_EQ(undeleted.before.kind, CommitKind::kDelete);
}

// Goal: each wrong request is told apart.
TEST_F(BisectTest, Refuses) {
  const Bookmark good = Commit("CREATE TABLE t(v)");
  const Bookmark one = Commit("INSERT INTO t VALUES(1)");
  const Bookmark bad = Commit("INSERT INTO t VALUES(2)");
  const auto refused = [&](const Bookmark& a, const Bookmark& b, const std::string& sql,
                           const std::string& why) {
    EXPECT_ERROR(Find(a, b, sql), StatusCode::kInvalidArgument, why) << sql;
  };
  const std::string two = "(SELECT count(*) FROM t) = 2";
  refused(bad, good, two, "is not before the bad one");
  refused(bad, bad, two, "is not before the bad one");
  refused(good, one, two, "not true at the bad point, " + one.ToString());
  refused(good, bad, "1", "true already at the good point, " + good.ToString());
  refused(good, bad, "SELECT max(v) > 1 FROM t", "at " + good.ToString());
  refused(good, bad, "SELECT max(v) > 1 FROM t", "NULL");
  refused(good, bad, "SELECT v FROM t WHERE v > 5", "NULL");
  refused(good, bad, "SELECT 1; DELETE FROM t", "semicolon");
  refused(good, bad, "DELETE FROM t", "syntax error");
  refused(good, bad, "load_extension('x')", "load_extension()");
  refused(good, bad, "random() > 0", "random()");
  refused(good, bad, "(SELECT count(*) FROM u) = 2", "no such table: u");
  refused(good, bad, "(SELECT count(\"w\") FROM t) = 2", "no such column: w");
  refused(good, bad, "(SELECT count(w) FROM t) = 2", "no such column: w");
  refused(good, bad, "(SELECT v, v FROM t)", "columns");
  refused(good, bad, "", "empty");
  EXPECT_ERROR(Bisect(*store_, object_, good, Label{"none"}, two), StatusCode::kNotFound, "none");
  Bookmark foreign = good;
  ++foreign.object_tag;
  EXPECT_ERROR(Find(foreign, bad, two), StatusCode::kForeign, "");
}

// Goal: commits that cannot be read are passed over, and counted; blame ends there, as at the
// horizon. Method: a blob that is there for four commits rots in the log.
TEST_F(BisectTest, PassesOverDamage) {
  Random random(TestSeed());
  // All byte values but quotes and zero: it is stored as it is, on pages of its own.
  std::string blob;
  while (blob.size() < 12000) {
    const auto byte = static_cast<char>(random.Between(1, 255));
    if (byte != '\'') blob += byte;
  }
  const Bookmark good = Commit("CREATE TABLE t(v); CREATE TABLE b(id INTEGER PRIMARY KEY, v)");
  std::vector<Bookmark> commits = {good};
  for (int i = 1; i <= 20; ++i) {
    std::string more;
    if (i == 8) more = "INSERT INTO b VALUES(1, '" + blob + "');";
    if (i == 12) more = "DELETE FROM b;";
    commits.push_back(Commit("BEGIN; INSERT INTO t VALUES(0);" + more + "COMMIT"));
  }
  db_.reset();
  object_.reset();
  ASSERT_OK(store_->Close());
  store_.reset();
  bool found_blob = false;
  for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/store/log")) {
    std::fstream log(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(log)), {});
    const size_t at = bytes.find(blob.substr(9000, 20));
    if (at == std::string::npos) continue;
    found_blob = true;
    log.clear();
    log.seekp(static_cast<std::streamoff>(at));
    log.put('#');
  }
  ASSERT_TRUE(found_blob);
  OpenStore({});
  object_ = *store_->OpenObject("ns", "o", IfMissing::kFail);
  db_.emplace(Open("o"));
  ASSERT_OK_AND_ASSIGN(
      const BisectResult found,
      Find(good, commits[20],
           "(SELECT count(*) FROM t) >= 10 AND (SELECT count(*) FROM b WHERE v LIKE '%9') = 0"));
  EXPECT_EQ(found.first.lsn, commits[12].lsn);
  EXPECT_EQ(found.before.lsn, commits[7].lsn);
  EXPECT_GT(found.unreadable, 0u);
  EXPECT_ERROR(Find(good, commits[9], "(SELECT count(*) FROM b WHERE v LIKE 'x%') = 0"),
               StatusCode::kCorruption, "ns/o");
  std::vector<Lsn> changes;
  ASSERT_OK_AND_ASSIGN(
      const BlameResult blamed,
      Blame(*store_, object_, "b", {"1"}, Point(commits[20]), [&](const RowCommit& change) {
        changes.push_back(change.commit.lsn);
        return true;
      }));
  EXPECT_TRUE(changes.empty());
  EXPECT_EQ(blamed.end, BlameEnd::kHorizon);
  EXPECT_EQ(blamed.oldest.lsn, commits[12].lsn);
}

// Goal: what is found is a commit that made it true, the first one where it stays true from there
// on. Method: random commits, restores and deletions; a look at each of them tells.
TEST_F(BisectTest, AgainstALinearScan) {
  Random random(TestSeed());
  Commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  Database noise = Open("noise");
  Exec(noise, "CREATE TABLE n(x)");
  std::vector<Bookmark> points = {*object_->CurrentBookmark()};
  uint64_t compared = 0;
  uint64_t monotone = 0;
  for (uint64_t round = 0; round < Scaled(25); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    for (uint64_t i = random.Between(5, 25); i > 0; --i) {
      const Bookmark& back = points[random.Below(points.size())];
      if (random.OneIn(40)) {
        db_.reset();
        ASSERT_OK(object_->Delete());
        ASSERT_OK(object_->Undelete());
        db_.emplace(Open("o"));
      } else if (random.OneIn(25)) {
        ASSERT_OK(object_->Restore(back));
      } else {
        Exec(*db_, "INSERT INTO t(v) VALUES(" + std::to_string(random.Below(9)) + ")");
      }
      // Others have LSNs in between.
      if (random.OneIn(3)) Exec(noise, "INSERT INTO n VALUES(1)");
      points.push_back(*object_->CurrentBookmark());
    }
    const std::string predicate =
        "(SELECT count(*) FROM t WHERE v = " + std::to_string(random.Below(9)) + ") > " +
        std::to_string(random.Below(4));
    std::vector<CommitInfo> commits;
    ASSERT_OK(object_->History([&](const CommitInfo& commit) {
      commits.push_back(commit);
      return true;
    }));
    std::reverse(commits.begin(), commits.end());
    std::vector<bool> is_true;
    for (const CommitInfo& commit : commits) {
      if (commit.kind == CommitKind::kDelete) {
        is_true.push_back(false);
        continue;
      }
      const Database past = Open("o", {.at = object_->BookmarkOf(commit)});
      is_true.push_back(Query(past, "SELECT " + predicate) == "1");
    }
    for (int i = 0; i < 60; ++i) {
      const size_t good = random.Below(commits.size());
      const size_t bad = random.Below(commits.size());
      if (good >= bad || is_true[good] || !is_true[bad]) continue;
      ASSERT_OK_AND_ASSIGN(
          const BisectResult found,
          Find(object_->BookmarkOf(commits[good]), object_->BookmarkOf(commits[bad]), predicate));
      const auto at = static_cast<size_t>(std::find(commits.begin(), commits.end(), found.first) -
                                          commits.begin());
      ASSERT_LT(at, commits.size());
      ASSERT_GT(at, good);
      ASSERT_LE(at, bad);
      EXPECT_TRUE(is_true[at]);
      EXPECT_FALSE(is_true[at - 1]);
      EXPECT_EQ(found.before, commits[at - 1]);
      EXPECT_LE(found.looks, 2u + static_cast<unsigned>(std::bit_width(commits[bad].lsn.value -
                                                                       commits[good].lsn.value)));
      ++compared;
      const auto begin = is_true.begin() + static_cast<std::ptrdiff_t>(good);
      const auto end = is_true.begin() + static_cast<std::ptrdiff_t>(bad) + 1;
      if (!std::is_sorted(begin, end)) continue;
      EXPECT_EQ(at, static_cast<size_t>(std::find(begin, end, true) - is_true.begin()));
      ++monotone;
    }
  }
  if (Scaled(25) >= 25) {  // the few rounds of a shorter run may come to none
    EXPECT_GT(compared, 0u);
    EXPECT_GT(monotone, 0u);
  }
}

}  // namespace
}  // namespace tidemark::testing
