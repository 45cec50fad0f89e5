// A commit of the history that rots behind the checkpoint: the index knows that it was, the log no
// longer says what. Times and the list of commits go round it, and neither passes over it in
// silence.

#include <set>

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

class DamagedHistoryTest : public LogFixture {
 protected:
  static constexpr size_t kCommits = 6;

  // Commits of "hurt" with seeds 0 to 5, an hour apart and each with one of "well" before it.
  void Fill() {
    ASSERT_OK(sim_.Open());
    for (uint64_t seed = 0; seed < kCommits; ++seed) {
      sim_.clock().Advance(std::chrono::hours(1));
      ASSERT_OK(Put("well", 100 + seed));
      sim_.clock().Advance(std::chrono::hours(1));
      ASSERT_OK_AND_ASSIGN(commits_.emplace_back(), Put("hurt", seed));
    }
    sim_.clock().Advance(std::chrono::hours(1));
    ASSERT_OK(Put("well", 200));
  }

  // Rots the header of the record of a commit's frame, and with kWithGroup its group's header too.
  enum class What { kRecord, kWithGroup };
  void Rot(size_t commit, What what) {
    const Group group = GroupAround(PlaceOf(commit));
    sim_.fs().FlipBit(PathOf(group.segment), PlaceOf(commit).offset - 25, 2);
    if (what == What::kWithGroup) sim_.fs().FlipBit(PathOf(group.segment), group.offset + 20, 2);
  }

  // What the object was at each commit's time, a minute before it and a minute after.
  void CheckTimes(const std::set<size_t>& damaged, What what) {
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    for (size_t i = 0; i < kCommits; ++i) {
      SCOPED_TRACE(i);
      const auto at = [&](int minutes) {
        return hurt->Resolve(commits_[i].time + std::chrono::minutes(minutes));
      };
      if (i == 0) {
        EXPECT_ERROR(at(-1), StatusCode::kNotFound, "rooms/hurt");
      } else if (damaged.contains(i) && what == What::kWithGroup) {
        // Nothing says when the damaged one was made, but that it was after the one before it.
        EXPECT_ERROR(hurt->Resolve(commits_[i - 1].time + std::chrono::minutes(119)),
                     StatusCode::kCorruption, "rooms/hurt");
      } else if (!damaged.contains(i - 1)) {
        ASSERT_OK_AND_ASSIGN(const CommitInfo before, at(-1));
        EXPECT_EQ(before, commits_[i - 1]);
      }
      for (const int minutes : {0, 1}) {
        if (damaged.contains(i)) {
          EXPECT_ERROR(at(minutes), StatusCode::kCorruption, "rooms/hurt");
          EXPECT_ERROR(at(minutes), StatusCode::kCorruption, "segment 1, offset");
        } else {
          ASSERT_OK_AND_ASSIGN(const CommitInfo found, at(minutes));
          EXPECT_EQ(found, commits_[i]);
        }
      }
    }
  }

  void CheckHistoryWithout(size_t damaged) {
    SCOPED_TRACE(damaged);
    Rot(damaged, What::kRecord);
    ASSERT_OK(sim_.Open());
    {
      ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
      const Lsn lsn = commits_[damaged].lsn;
      std::vector<Lsn> expected;
      for (auto commit = commits_.rbegin(); commit != commits_.rend(); ++commit) {
        expected.push_back(commit->lsn);
      }
      std::vector<Lsn> seen;
      std::vector<Lsn> reported;
      const auto visit = [&](const CommitInfo& commit) {
        EXPECT_NE(commit.lsn, lsn);
        seen.push_back(commit.lsn);
        return true;
      };
      ASSERT_OK(hurt->History(visit, [&](const DamagedCommit& commit) {
        EXPECT_ERROR(commit.why, StatusCode::kCorruption, "rooms/hurt");
        EXPECT_ERROR(commit.why, StatusCode::kCorruption, "segment 1, offset");
        EXPECT_ERROR(commit.why, StatusCode::kCorruption, "LSN " + std::to_string(lsn.value));
        EXPECT_EQ(commit.lsn, lsn);
        reported.push_back(commit.lsn);
        seen.push_back(commit.lsn);
        return true;
      }));
      EXPECT_TRUE(seen == expected);
      EXPECT_EQ(reported.size(), 1u);

      seen.clear();
      EXPECT_ERROR(hurt->History(visit), StatusCode::kCorruption,
                   "LSN " + std::to_string(lsn.value));
      EXPECT_EQ(seen.size(), kCommits - 1);
      seen.clear();
      EXPECT_OK(hurt->History(visit, [](const DamagedCommit&) { return false; }));
      EXPECT_EQ(seen.size(), kCommits - 1 - damaged);
    }
    sim_.Crash(PowerLoss::kNothing);
    Rot(damaged, What::kRecord);
  }

  std::vector<CommitInfo> commits_;
};

// Goal: when the latest commit's record is gone, the times before it still resolve. Method: with
// the header of its group, which says the time, and without.
TEST_F(DamagedHistoryTest, TimesBeforeTheHead) {
  Fill();
  ASSERT_OK(sim_.Close());
  for (const What what : {What::kRecord, What::kWithGroup}) {
    SCOPED_TRACE(static_cast<int>(what));
    Rot(kCommits - 1, what);
    ASSERT_OK(sim_.Open());
    CheckTimes({kCommits - 1}, what);
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    EXPECT_ERROR(hurt->OpenSnapshot(), StatusCode::kCorruption, "rooms/hurt");
    EXPECT_TRUE(Holds("well", 200));
    sim_.Crash(PowerLoss::kNothing);
    Rot(kCommits - 1, what);
  }
}

// Goal: a commit in the middle that is gone hides none of its neighbours, whichever the search for
// a time comes upon first. Method: each of them, and two that follow each other.
TEST_F(DamagedHistoryTest, TimesAroundOthers) {
  Fill();
  ASSERT_OK(sim_.Close());
  const std::set<size_t> cases[] = {{1}, {2}, {3}, {4}, {2, 3}, {1, 3}};
  for (const std::set<size_t>& damaged : cases) {
    SCOPED_TRACE(*damaged.begin());
    for (const size_t commit : damaged) Rot(commit, What::kRecord);
    ASSERT_OK(sim_.Open());
    CheckTimes(damaged, What::kRecord);
    EXPECT_TRUE(Holds("hurt", kCommits - 1));
    sim_.Crash(PowerLoss::kNothing);
    for (const size_t commit : damaged) Rot(commit, What::kRecord);
  }
}

// Goal: the time of a commit is not taken from another group's header, which a misdirected write
// has put in the place of its own. Method: each of two commits gets that of each other one.
TEST_F(DamagedHistoryTest, TheHeaderOfAnotherGroup) {
  Fill();
  ASSERT_OK(sim_.Close());
  for (const size_t commit : {size_t{2}, kCommits - 1}) {
    for (size_t other = 1; other < kCommits; ++other) {
      if (other == commit) continue;
      SCOPED_TRACE(::testing::Message() << commit << ", " << other);
      const auto header_of = [&](const Group& group) {
        const auto bytes = sim_.fs().Contents(PathOf(group.segment));
        const auto begin = bytes.begin() + group.offset;
        return PageBytes(begin, begin + sizeof(format::GroupHeader));
      };
      const Group group = GroupAround(PlaceOf(commit));
      const PageBytes own = header_of(group);
      sim_.fs().Overwrite(PathOf(group.segment), group.offset,
                          header_of(GroupAround(PlaceOf(other))));
      ASSERT_OK(sim_.Open());
      CheckTimes({commit}, What::kWithGroup);
      {
        ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
        EXPECT_ERROR(hurt->OpenSnapshot(hurt->BookmarkOf(commits_[commit])),
                     StatusCode::kCorruption, "rooms/hurt");
      }
      sim_.Crash(PowerLoss::kNothing);
      sim_.fs().Overwrite(PathOf(group.segment), group.offset, own);
    }
  }
}

// Goal: the same of restores in a packed segment, whose groups leave LSNs out. Method: more than
// one group of them; the second one gets the first one's header.
TEST_F(DamagedHistoryTest, TheHeaderOfAnotherPackedGroup) {
  Fill();
  std::vector<CommitInfo> restores;
  {
    ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
    for (size_t i = 0; i < 1000; ++i) {
      sim_.clock().Advance(std::chrono::seconds(1));
      ASSERT_OK_AND_ASSIGN(const RestoreInfo info,
                           hurt->Restore(hurt->BookmarkOf(commits_[i % kCommits])));
      restores.push_back(info.result);
    }
  }
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_OK(sim_.Close());
  const std::string path = "store/log/00000001.pack";
  const auto bytes = sim_.fs().Contents(path);
  // The first one of more than a hundred, and the one behind it.
  format::GroupHeader first{};
  format::GroupHeader second{};
  size_t at = format::kFirstGroupOffset;
  while (first.record_count < 100) {
    at += first.length;
    ASSERT_LT(at + sizeof(first), bytes.size());
    std::memcpy(&first, bytes.data() + at, sizeof(first));
  }
  std::memcpy(&second, bytes.data() + at + first.length, sizeof(second));
  ASSERT_GT(second.record_count, 100u);
  ASSERT_LT(second.first_lsn, restores.back().lsn.value);
  const auto header = std::as_bytes(std::span(&first, 1));
  sim_.fs().Overwrite(path, at + first.length, PageBytes(header.begin(), header.end()));
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
  size_t damaged = 0;
  for (const CommitInfo& restore : restores) {
    const auto found = hurt->Resolve(hurt->BookmarkOf(restore));
    if (found.ok()) {
      EXPECT_EQ(*found, restore);
    } else {
      EXPECT_ERROR(found, StatusCode::kCorruption, "rooms/hurt");
      EXPECT_GE(restore.lsn.value, second.first_lsn);
      ++damaged;
    }
  }
  EXPECT_GT(damaged, 0u);
  EXPECT_TRUE(Holds("well", 200));
}

// Goal: the history lists what is whole, and says of what is not where it was. Method: each commit
// in turn, with someone to report it to, and without.
TEST_F(DamagedHistoryTest, ListNamesWhatIsMissingFromTheIndexed) {
  Fill();
  ASSERT_OK(sim_.Close());
  for (size_t commit = 0; commit < kCommits; ++commit) CheckHistoryWithout(commit);
}

// Goal: the same of what is damaged before the index has it.
TEST_F(DamagedHistoryTest, ListNamesWhatIsMissingFromTheReplayed) {
  Fill();
  sim_.Crash(PowerLoss::kNothing);
  for (size_t commit = 0; commit < kCommits; ++commit) CheckHistoryWithout(commit);
}

// Goal: an object is listed as damaged if what a restore has inherited is, not only its own
// commits. Method: restored to its second commit, whose page rots; the index is lost, so that the
// replay finds it.
TEST_F(DamagedHistoryTest, InheritedDamageIsListed) {
  Fill();
  ASSERT_OK_AND_ASSIGN(const auto hurt, Open("hurt", IfMissing::kFail));
  ASSERT_OK(hurt->Restore(hurt->BookmarkOf(commits_[1])));
  ASSERT_OK(Put("well", 201));
  ASSERT_OK(sim_.Close());
  const Place page = PlaceOf(1);
  sim_.fs().FlipBit(PathOf(page.segment), page.offset + 100, 2);
  SimStore::Machine machine = sim_.Save();
  machine.index = nullptr;
  SimStore again(TestSeed(), machine);
  ASSERT_OK(again.Open());
  int listed = 0;
  ASSERT_OK(again.store().ListObjects("rooms", [&](const ObjectSummary& object) {
    if (object.name == "hurt") {
      EXPECT_ERROR(object.damage, StatusCode::kCorruption, "rooms/hurt");
    } else {
      EXPECT_OK(object.damage);
    }
    return ++listed > 0;
  }));
  EXPECT_EQ(listed, 2);
}

}  // namespace
}  // namespace tidemark::testing
