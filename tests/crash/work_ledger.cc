#include "tests/crash/work_ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace tidemark::testing {

void WorkLedger::Remember(const Report& report) {
  ASSERT_NE(report.kind, Report::kFailed) << "the worker met an error";
  if (report.lsn != 0) {
    ASSERT_GT(report.lsn, highest_at_open_) << "an LSN never comes twice, lost or not";
  }
  if (report.kind == Report::kMade) made_[run_].insert(report.lsn);
  if (!IsPromise(report)) return;
  ASSERT_LT(report.object, kObjectCount);
  ASSERT_TRUE(promises_.emplace(report.lsn, report).second) << "LSN " << report.lsn << " twice";
}

void WorkLedger::Check(Store& store) {
  std::map<uint64_t, std::pair<uint32_t, CommitInfo>> present;  // by LSN, of all objects
  std::map<uint64_t, uint64_t> stamps;                          // of commits, by LSN
  for (uint32_t object = 0; object < kObjectCount; ++object) {
    SCOPED_TRACE(WorkObjectName(object));
    ASSERT_NO_FATAL_FAILURE(CheckObject(store, object, &present, &stamps));
  }
  for (const auto& [lsn, promise] : promises_) {
    const auto found = present.find(lsn);
    ASSERT_NE(found, present.end()) << "LSN " << lsn << " was durable and is gone";
    EXPECT_EQ(found->second.first, promise.object) << "LSN " << lsn;
    const bool restore = promise.kind == Report::kRestore;
    EXPECT_EQ(found->second.second.kind, restore ? CommitKind::kRestore : CommitKind::kCommit);
    if (!restore) {
      EXPECT_EQ(stamps.at(lsn), promise.stamp) << "LSN " << lsn;
    }
  }
  CheckPrefix(stamps);
  CheckMade(stamps);
  ASSERT_OK_AND_ASSIGN(const VerifyReport verified, store.Verify());
  for (const Damage& damage : verified.damage) ADD_FAILURE() << damage.object << damage.message;

  // What a reopened store serves is durable from then on.
  for (const auto& [lsn, entry] : present) {
    const bool restore = entry.second.kind == CommitKind::kRestore;
    promises_[lsn] = {.kind = restore ? Report::kRestore : Report::kCommit,
                      .object = entry.first,
                      .stamp = restore ? 0 : stamps.at(lsn),
                      .lsn = lsn};
  }
  ASSERT_NO_FATAL_FAILURE(WorkOn(store));
}

// Each commit and restore of the object's history, replayed from the stamps on page 1: the state
// at each must be what its transaction, or its restore, makes of the state before it.
void WorkLedger::CheckObject(Store& store, uint32_t object,
                             std::map<uint64_t, std::pair<uint32_t, CommitInfo>>* present,
                             std::map<uint64_t, uint64_t>* stamps) {
  const auto handle = store.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate);
  ASSERT_OK(handle);
  if (!(*handle)->exists()) return;
  std::vector<CommitInfo> history;
  ASSERT_OK((*handle)->History([&](const CommitInfo& commit) {
    history.push_back(commit);
    return true;
  }));
  ASSERT_FALSE(history.empty());
  EXPECT_EQ(history.front(), (*handle)->head());
  std::reverse(history.begin(), history.end());

  std::map<uint64_t, PageStamps> states;  // by LSN
  PageStamps state;
  uint64_t before = 0;
  for (const CommitInfo& commit : history) {
    const uint64_t lsn = commit.lsn.value;
    SCOPED_TRACE("LSN " + std::to_string(lsn));
    ASSERT_GT(lsn, before);
    before = lsn;
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot,
                         (*handle)->OpenSnapshot((*handle)->BookmarkOf(commit)));
    EXPECT_EQ(snapshot.commit(), commit);
    ASSERT_EQ(snapshot.page_size(), kWorkPageSize);
    if (commit.kind == CommitKind::kRestore) {
      ASSERT_TRUE(states.contains(commit.restored_from.value)) << commit.restored_from.value;
      state = states[commit.restored_from.value];
    } else {
      std::vector<std::byte> page(kWorkPageSize);
      ASSERT_OK(snapshot.ReadPage(PageNo(1), page));
      uint64_t packed = 0;
      std::memcpy(&packed, page.data(), sizeof packed);
      const Stamp stamp = Stamp::Unpack(packed);
      const auto page_count = static_cast<uint32_t>(state.size());
      state = StampsAfter(PlanWork(object, stamp, page_count), stamp, std::move(state));
      (*stamps)[lsn] = packed;
    }
    // What is old was checked before, and is looked at now and then.
    if (!promises_.contains(lsn) || !checked_.contains(lsn) || random_.OneIn(10)) {
      ASSERT_NO_FATAL_FAILURE(CheckPages(snapshot, object, state));
      checked_.insert(lsn);
    }
    states[lsn] = state;
    ASSERT_TRUE(present->emplace(lsn, std::pair(object, commit)).second);
  }
}

void WorkLedger::CheckPages(const Snapshot& snapshot, uint32_t object, const PageStamps& state) {
  ASSERT_EQ(snapshot.page_count(), state.size());
  std::vector<std::byte> page(kWorkPageSize);
  for (uint32_t page_no = 1; page_no <= state.size(); ++page_no) {
    ASSERT_OK(snapshot.ReadPage(PageNo(page_no), page)) << "page " << page_no;
    ASSERT_TRUE(page == PageOf(object, state[page_no - 1], page_no)) << "page " << page_no;
  }
  ASSERT_OK(snapshot.Verify());
}

// Of each writer what is there is its first commits, in order, without a gap.
void WorkLedger::CheckPrefix(const std::map<uint64_t, uint64_t>& stamps) {
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> counts;
  for (const auto& [lsn, packed] : stamps) {
    const Stamp stamp = Stamp::Unpack(packed);
    uint32_t& count = counts[{stamp.run, stamp.writer}];
    ASSERT_EQ(stamp.count, count + 1) << "LSN " << lsn << ", run " << stamp.run << ", writer "
                                      << stamp.writer << ": a commit before it is gone";
    count = stamp.count;
  }
}

// Of each run what is there is a prefix of what was made, over all objects and writers.
void WorkLedger::CheckMade(const std::map<uint64_t, uint64_t>& stamps) {
  std::map<uint32_t, uint64_t> last;  // LSN that is there, by run
  for (const auto& [lsn, packed] : stamps) last[Stamp::Unpack(packed).run] = lsn;
  for (const auto& [run, lsns] : made_) {
    for (const uint64_t lsn : lsns) {
      highest_at_open_ = std::max(highest_at_open_, lsn);
      if (lsn > last[run]) continue;
      EXPECT_TRUE(stamps.contains(lsn)) << "LSN " << lsn << " is gone, and later ones are not";
    }
  }
  made_.clear();
}

// The store takes commits, and never gives an LSN twice.
void WorkLedger::WorkOn(Store& store) {
  if (!promises_.empty()) {
    highest_at_open_ = std::max(highest_at_open_, promises_.rbegin()->first);
  }
  for (uint32_t count = 1; count <= 3; ++count) {
    const auto object = static_cast<uint32_t>(random_.Below(kObjectCount));
    const Stamp stamp{.run = run_, .writer = kParent, .count = count};
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, CommitWork(store, object, stamp));
    ASSERT_OK(store.WaitDurable(commit.lsn));
    ASSERT_NO_FATAL_FAILURE(Remember({Report::kCommit, object, stamp.Pack(), commit.lsn.value}));
    highest_at_open_ = commit.lsn.value;
  }
}

}  // namespace tidemark::testing
