#include "tests/crash/work_ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

Timestamp TimeOf(const Report& report) { return Timestamp(std::chrono::microseconds(report.time)); }

}  // namespace

void WorkLedger::Remember(const Report& report) {
  ASSERT_LT(report.object, kObjectCount);
  switch (report.kind) {
    case Report::kFailed: FAIL() << "the worker met an error";
    case Report::kMade:
    case Report::kRestore:
      ASSERT_GT(report.lsn, highest_at_open_) << "an LSN never comes twice, lost or not";
      ASSERT_TRUE(
          commits_.emplace(report.lsn, Commit{report, report.kind == Report::kRestore}).second)
          << "LSN " << report.lsn << " twice";
      break;
    case Report::kCommit: {
      const auto made = commits_.find(report.lsn);
      ASSERT_NE(made, commits_.end()) << "LSN " << report.lsn;
      ASSERT_EQ(made->second.report.stamp, report.stamp) << "LSN " << report.lsn;
      ASSERT_FALSE(std::exchange(made->second.durable, true)) << "LSN " << report.lsn << " twice";
      break;
    }
    case Report::kLabel: labels_[report.stamp] = {report.object, report.lsn}; break;
    case Report::kUnlabel: labels_.erase(report.stamp); break;
    case Report::kFork: forks_[report.stamp] = {report.object, report.lsn}; break;
    case Report::kDeletesFork: forks_.erase(report.stamp); break;
    default: break;
  }
}

void WorkLedger::Check(Store& store) {
  std::array<std::shared_ptr<Object>, kObjectCount> objects;
  std::array<History, kObjectCount> histories;
  for (uint32_t number = 0; number < kObjectCount; ++number) {
    SCOPED_TRACE(WorkObjectName(number));
    ASSERT_OK_AND_ASSIGN(objects[number], store.OpenObject(kWorkNamespace, WorkObjectName(number),
                                                           IfMissing::kCreate));
    if (!objects[number]->exists()) continue;
    ASSERT_NO_FATAL_FAILURE(ReadHistory(*objects[number], &histories[number]));
    ASSERT_NO_FATAL_FAILURE(AddFound(*objects[number], number, histories[number]));
  }
  ForgetLost(histories);
  for (uint32_t number = 0; number < kObjectCount; ++number) {
    SCOPED_TRACE(WorkObjectName(number));
    ASSERT_NO_FATAL_FAILURE(CheckObject(store, *objects[number], number, histories[number]));
    ASSERT_NO_FATAL_FAILURE(CheckLabels(*objects[number], number));
  }
  ASSERT_NO_FATAL_FAILURE(CheckForks(store));
  ASSERT_NO_FATAL_FAILURE(CheckPrefix());
  ASSERT_OK_AND_ASSIGN(const VerifyReport verified, store.Verify());
  for (const Damage& damage : verified.damage) ADD_FAILURE() << damage.object << damage.message;

  // What a reopened store serves is durable from then on.
  for (auto& [lsn, commit] : commits_) commit.durable = true;
  ASSERT_NO_FATAL_FAILURE(WorkOn(store));
}

void WorkLedger::ReadHistory(const Object& object, History* history) {
  uint64_t newer = UINT64_MAX;
  bool ordered = true;
  ASSERT_OK(object.History([&](const CommitInfo& commit) {
    ordered = ordered && commit.lsn.value < std::exchange(newer, commit.lsn.value);
    history->emplace(commit.lsn.value, commit);
    return true;
  }));
  EXPECT_TRUE(ordered);
  ASSERT_FALSE(history->empty());
  EXPECT_EQ(history->rbegin()->second, object.head());
}

// Commits that a writer did not live to report: page 1 tells which they are.
void WorkLedger::AddFound(const Object& object, uint32_t number, const History& history) {
  for (const auto& [lsn, found] : history) {
    if (commits_.contains(lsn)) continue;
    Stamp stamp;
    if (found.kind != CommitKind::kRestore) {
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object.OpenSnapshot(object.BookmarkOf(found)));
      ASSERT_EQ(snapshot.page_size(), kWorkPageSize);
      std::vector<std::byte> page(kWorkPageSize);
      ASSERT_OK(snapshot.ReadPage(PageNo(1), page));
      uint64_t packed = 0;
      std::memcpy(&packed, page.data(), sizeof packed);
      stamp = Stamp::Unpack(packed);
    }
    const auto kind = found.kind == CommitKind::kRestore ? Report::kRestore : Report::kMade;
    commits_.emplace(lsn, Commit{ReportOf(kind, number, stamp, found)});
  }
}

void WorkLedger::ForgetLost(const std::array<History, kObjectCount>& histories) {
  // What survives an open store is a prefix of what was made in it. Its last commit is its object's
  // latest, or nothing expired since: so it is there.
  std::map<uint32_t, uint64_t> last;  // LSN that is there, by epoch
  for (const History& history : histories) {
    for (const auto& [lsn, commit] : history) {
      last[commit.epoch] = std::max(last[commit.epoch], lsn);
    }
  }
  for (auto entry = commits_.begin(); entry != commits_.end();) {
    const auto& [lsn, commit] = *entry;
    highest_at_open_ = std::max(highest_at_open_, lsn);
    const bool lost = !commit.durable && lsn > last[commit.report.epoch];
    entry = lost ? commits_.erase(entry) : std::next(entry);
  }
}

// Each commit and restore of the object, replayed from the stamps: the state at each must be what
// its transaction, or its restore, makes of the state before it. What is not there must have
// expired.
void WorkLedger::CheckObject(Store& store, const Object& object, uint32_t number,
                             const History& history) {
  std::vector<std::pair<uint64_t, Commit*>> line;
  for (auto& [lsn, commit] : commits_) {
    if (commit.report.object == number) line.emplace_back(lsn, &commit);
  }
  if (line.empty()) return;
  ASSERT_OK_AND_ASSIGN(const RetentionInfo retention, object.GetRetention());
  if (retention.horizon != Timestamp()) {
    EXPECT_LE(retention.horizon, store.options().clock->Now() - store.options().retention);
  }

  PageStamps state;
  for (size_t i = 0; i < line.size(); ++i) {
    const auto& [lsn, commit] = line[i];
    SCOPED_TRACE("LSN " + std::to_string(lsn));
    const Report& report = commit->report;
    if (!commit->state) {
      if (report.kind == Report::kRestore) {
        const auto from = commits_.find(report.restored_from);
        ASSERT_TRUE(from != commits_.end() && from->second.state) << report.restored_from;
        commit->state = from->second.state;
      } else {
        const Stamp stamp = Stamp::Unpack(report.stamp);
        const auto page_count = static_cast<uint32_t>(state.size());
        commit->state = StampsAfter(PlanWork(number, stamp, page_count), stamp, state);
      }
    }
    state = *commit->state;
    if (const auto found = history.find(lsn); found != history.end()) {
      ASSERT_NO_FATAL_FAILURE(CheckPresent(object, number, found->second, commit));
    } else {
      const Commit* next = i + 1 < line.size() ? line[i + 1].second : nullptr;
      ASSERT_NO_FATAL_FAILURE(CheckExpired(object, *commit, next, retention.horizon));
    }
  }
}

// What was replaced by the horizon has expired, and nothing else.
void WorkLedger::CheckExpired(const Object& object, const Commit& commit, const Commit* next,
                              Timestamp horizon) {
  ASSERT_NE(next, nullptr) << "the latest commit is gone";
  ASSERT_LE(TimeOf(next->report), horizon) << "gone, and has not expired";
  ++expired_count_;
  if (commit.bookmark && random_.OneIn(10)) {
    EXPECT_ERROR(object.Resolve(*commit.bookmark), StatusCode::kExpired, "");
  }
}

void WorkLedger::CheckPresent(const Object& object, uint32_t number, const CommitInfo& found,
                              Commit* commit) {
  const Report& report = commit->report;
  EXPECT_EQ(found.kind,
            report.kind == Report::kRestore ? CommitKind::kRestore : CommitKind::kCommit);
  EXPECT_EQ(found.restored_from.value, report.restored_from);
  EXPECT_EQ(found.time, TimeOf(report));
  EXPECT_EQ(found.epoch, report.epoch);
  commit->bookmark = object.BookmarkOf(found);
  // What is old was checked before, and is looked at now and then.
  if (commit->checked && !random_.OneIn(10)) return;
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object.OpenSnapshot(*commit->bookmark));
  EXPECT_EQ(snapshot.commit(), found);
  ASSERT_NO_FATAL_FAILURE(CheckPages(snapshot, number, *commit->state));
  commit->checked = true;
}

void WorkLedger::CheckPages(const Snapshot& snapshot, uint32_t object, const PageStamps& state) {
  ASSERT_EQ(snapshot.page_size(), kWorkPageSize);
  ASSERT_EQ(snapshot.page_count(), state.size());
  std::vector<std::byte> page(kWorkPageSize);
  for (uint32_t page_no = 1; page_no <= state.size(); ++page_no) {
    ASSERT_OK(snapshot.ReadPage(PageNo(page_no), page)) << "page " << page_no;
    ASSERT_TRUE(page == PageOf(object, state[page_no - 1], page_no)) << "page " << page_no;
  }
  ASSERT_OK(snapshot.Verify());
}

// Each label that was durable names its commit, which has not expired.
void WorkLedger::CheckLabels(const Object& object, uint32_t number) {
  std::map<std::string, uint64_t> names;
  ASSERT_OK_AND_ASSIGN(const std::vector<LabelInfo> labels, object.ListLabels());
  for (const LabelInfo& label : labels) {
    EXPECT_OK(label.damage) << label.name;
    names[label.name] = label.bookmark.lsn.value;
  }
  for (const auto& [stamp, label] : labels_) {
    if (label.object != number) continue;
    SCOPED_TRACE(LabelName(stamp));
    ASSERT_TRUE(names.contains(LabelName(stamp)));
    EXPECT_EQ(names.at(LabelName(stamp)), label.lsn);
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object.OpenSnapshot(Label{LabelName(stamp)}));
    ASSERT_NO_FATAL_FAILURE(CheckPages(snapshot, number, *commits_.at(label.lsn).state));
  }
}

// Each fork that was durable is what its object was, expired there or not.
void WorkLedger::CheckForks(Store& store) {
  for (const auto& [stamp, fork] : forks_) {
    if (checked_forks_.contains(stamp) && !random_.OneIn(4)) continue;
    SCOPED_TRACE(ForkName(stamp));
    ASSERT_OK_AND_ASSIGN(const auto object,
                         store.OpenObject(kWorkNamespace, ForkName(stamp), IfMissing::kFail));
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot());
    ASSERT_NO_FATAL_FAILURE(CheckPages(snapshot, fork.object, *commits_.at(fork.lsn).state));
    checked_forks_.insert(stamp);
  }
}

// Of each writer what survived is its first commits, in order, without a gap.
void WorkLedger::CheckPrefix() const {
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> counts;
  for (const auto& [lsn, commit] : commits_) {
    if (commit.report.kind == Report::kRestore) continue;
    const Stamp stamp = Stamp::Unpack(commit.report.stamp);
    uint32_t& count = counts[{stamp.run, stamp.writer}];
    ASSERT_EQ(stamp.count, count + 1) << "LSN " << lsn << ", run " << stamp.run << ", writer "
                                      << stamp.writer << ": a commit before it is gone";
    count = stamp.count;
  }
}

// The store takes commits, and never gives an LSN twice.
void WorkLedger::WorkOn(Store& store) {
  for (uint32_t count = 1; count <= 3; ++count) {
    const auto object = static_cast<uint32_t>(random_.Below(kObjectCount));
    const Stamp stamp{.run = run_, .writer = kParent, .count = count};
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, CommitWork(store, object, stamp));
    ASSERT_NO_FATAL_FAILURE(Remember(ReportOf(Report::kMade, object, stamp, commit)));
    ASSERT_OK(store.WaitDurable(commit.lsn));
    ASSERT_NO_FATAL_FAILURE(Remember(ReportOf(Report::kCommit, object, stamp, commit)));
    highest_at_open_ = commit.lsn.value;
  }
}

}  // namespace tidemark::testing
