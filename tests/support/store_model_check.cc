// StoreModel's other half: the store held against the model.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {

// An LSN never comes twice, whatever a crash took.
void StoreModel::CheckNew(Lsn lsn) {
  EXPECT_GT(lsn, highest_);
  highest_ = std::max(highest_, lsn);
}

// Reads some pages as the commit would leave them.
void StoreModel::CheckStaged(Transaction& transaction, const Version& next) {
  ASSERT_EQ(transaction.page_count(), next.pages.size());
  std::vector<std::byte> bytes(next.page_size);
  const std::vector<std::byte> zeros(next.page_size);
  for (int i = 0; i < 5 && !next.pages.empty(); ++i) {
    const size_t at = random_.Below(next.pages.size());
    ASSERT_OK(transaction.ReadPage(PageNo(static_cast<uint32_t>(at + 1)), bytes));
    const auto& expected = next.pages[at] == nullptr ? zeros : *next.pages[at];
    ASSERT_TRUE(bytes == expected) << "staged page " << at + 1 << " differs";
  }
}

void StoreModel::CheckHeld() {
  for (const auto& [snapshot, version] : held_) CheckContents(*snapshot, version, "held");
}

void StoreModel::CheckLost(const Object& object, const std::vector<CommitInfo>& lost) {
  for (const CommitInfo& commit : lost) {
    const auto found = object.Resolve(object.BookmarkOf(commit));
    EXPECT_EQ(found.status().code(), StatusCode::kLost)
        << "LSN " << commit.lsn.value << ": " << found.status().ToString();
  }
}

void StoreModel::CheckContents(const Snapshot& snapshot, const Version& version,
                               const std::string& what) {
  SCOPED_TRACE(what + ", LSN " + std::to_string(snapshot.lsn().value));
  ASSERT_EQ(snapshot.page_count(), version.pages.size());
  if (version.pages.empty()) return;
  ASSERT_EQ(snapshot.page_size(), version.page_size);
  std::vector<std::byte> bytes(version.page_size);
  const std::vector<std::byte> zeros(version.page_size);
  for (size_t i = 0; i < version.pages.size(); ++i) {
    ASSERT_OK(snapshot.ReadPage(PageNo(static_cast<uint32_t>(i + 1)), bytes)) << "page " << i + 1;
    const auto& expected = version.pages[i] == nullptr ? zeros : *version.pages[i];
    ASSERT_EQ(expected.size(), bytes.size());
    // Much faster than comparing the vectors.
    ASSERT_EQ(std::memcmp(bytes.data(), expected.data(), bytes.size()), 0)
        << "page " << i + 1 << " differs";
  }
  ASSERT_OK(snapshot.Verify());
}

void StoreModel::Check(Store& store, After after) {
  ASSERT_FALSE(purge_under_way_);
  // What survived is a prefix: up to the last LSN that any object shows, everything is there.
  Lsn last = confirmed_;
  std::map<std::string, CommitInfo> heads;
  for (const auto& [name, model] : objects_) {
    auto object = Open(store, name, IfMissing::kCreate);
    ASSERT_OK(object);
    heads[name] = (*object)->head();
    last = std::max({last, heads[name].lsn, LastLabel(**object, model)});
  }
  CheckRetention(store, after);
  for (auto& [name, model] : objects_) {
    SCOPED_TRACE(name);
    const CommitInfo& head = heads[name];
    std::vector<CommitInfo> lost;
    auto gone = model.versions.end();
    while (gone != model.versions.begin() && std::prev(gone)->commit.lsn > head.lsn) --gone;
    for (auto it = gone; it != model.versions.end(); ++it) {
      ASSERT_EQ(after, After::kCrash) << "lost LSN " << it->commit.lsn.value;
      ASSERT_GT(it->commit.lsn, confirmed_) << "a confirmed commit is lost";
      ASSERT_GT(it->commit.lsn, last) << "what survived is not a prefix";
      ++counts_.lost;
      lost.push_back(it->commit);
    }
    model.versions.erase(gone, model.versions.end());

    auto object = Open(store, name, IfMissing::kCreate);
    ASSERT_OK(object);
    auto snapshot = (*object)->OpenSnapshot();
    ASSERT_OK(snapshot);
    const Lsn known = model.head() == nullptr ? Lsn() : model.head()->commit.lsn;
    bool survived = true;  // what was under way
    if (head.lsn != known) {
      ASSERT_TRUE(model.under_way) << "a commit that nobody made: LSN " << head.lsn.value;
      ASSERT_EQ(after, After::kCrash);
      model.versions.push_back(*model.under_way);
      EXPECT_EQ(head.alarm, model.under_way->commit.alarm);
      model.versions.back().commit = head;
      if (head.kind != CommitKind::kPromote) model.versions.back().promoted.clear();
      highest_ = std::max(highest_, head.lsn);
    } else {
      survived = false;
    }
    const bool restoring = model.under_way && model.label_under_way;
    const Lsn restored_from = restoring ? model.label_under_way->after->commit : Lsn();
    if (restoring && !survived) model.label_under_way.reset();  // both, or neither
    CheckLabels(**object, name, model, after, last);
    if (restoring && survived) {
      EXPECT_TRUE(HasAutomaticLabel(model, restored_from));
    }
    CheckWaiting(**object, model, survived);
    model.under_way.reset();
    if (model.head() == nullptr) {
      ASSERT_FALSE((*object)->exists());
      continue;
    }
    EXPECT_EQ(head, model.head()->commit);
    EXPECT_EQ((*object)->exists(), !model.head()->deleted());
    CheckContents(*snapshot, *model.head(), "head");
    CheckLost(**object, lost);
  }
  CheckListings(store);
  // A close or a recovery made durable whatever is served after it.
  if (after != After::kWork) confirmed_ = std::max(confirmed_, last);
}

// Objects that are there, and deleted ones.
void StoreModel::CheckListings(Store& store) {
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    std::map<std::string, CommitInfo> expected;
    for (const auto& [name, model] : objects_) {
      if (model.head() == nullptr) continue;
      if (model.head()->deleted() == (which == Listed::kDeleted)) {
        expected[name] = model.head()->commit;
      }
    }
    std::map<std::string, CommitInfo> listed;
    ASSERT_OK(store.ListObjects(
        "",
        [&](const ObjectSummary& object) {
          EXPECT_OK(object.damage);
          const ObjectModel& model = objects_[object.name];
          size_t kept = 0;  // what has expired may be there still
          for (size_t i = 0; i < model.versions.size(); ++i) kept += IsKept(object.name, model, i);
          EXPECT_LE(object.commit_count, model.versions.size()) << object.name;
          EXPECT_GE(object.commit_count, kept) << object.name;
          return listed.emplace(object.name, object.head).second;
        },
        which));
    EXPECT_EQ(listed, expected);
  }
  CheckAlarms(store);
}

// All alarms that are due, each at its object's own time, and the earliest ones of them.
void StoreModel::CheckAlarms(Store& store) {
  const Timestamp due_by = random_.OneIn(2)
                               ? Timestamp::max()
                               : ManualClock::kStart + std::chrono::minutes(random_.Below(20));
  std::vector<std::pair<Timestamp, ObjectId>> expected;
  uint64_t all = 0;
  for (const auto& [name, model] : objects_) {
    if (model.head() == nullptr || !model.head()->commit.alarm) continue;
    const auto object = Open(store, name, IfMissing::kFail);
    ASSERT_OK(object);
    EXPECT_EQ((*object)->alarm(), model.head()->commit.alarm);
    ++all;
    if (*model.head()->commit.alarm > due_by) continue;
    expected.emplace_back(*model.head()->commit.alarm, (*object)->id());
  }
  std::sort(expected.begin(), expected.end());
  for (const size_t most : {expected.size() + 1, expected.size() / 2 + 1}) {
    std::vector<std::pair<Timestamp, ObjectId>> listed;
    ASSERT_OK(store.ListAlarms(
        [&](const DueAlarm& alarm) {
          EXPECT_TRUE(objects_.contains(alarm.name)) << alarm.name;
          listed.emplace_back(alarm.due, alarm.id);
          return listed.size() < most;
        },
        due_by));
    EXPECT_EQ(listed,
              decltype(listed)(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(std::min(
                                                                        most, expected.size()))));
  }
  EXPECT_EQ(store.Stats().alarm_count, all);
}

void StoreModel::CheckHistory(Store& store) {
  for (auto& entry : objects_) {
    const auto& name = entry.first;  // clang 14 captures no structured bindings
    auto& model = entry.second;
    if (model.versions.empty()) continue;
    SCOPED_TRACE(name);
    auto object = Open(store, name, IfMissing::kDeleted);
    ASSERT_OK(object);
    for (size_t i = 0; i < model.versions.size(); ++i) {
      const Version& version = model.versions[i];
      if (!IsKept(name, model, i)) {
        EXPECT_OK(Expired((*object)->Resolve((*object)->BookmarkOf(version.commit)).status()));
        continue;
      }
      auto snapshot = (*object)->OpenSnapshot((*object)->BookmarkOf(version.commit));
      ASSERT_OK(snapshot);
      EXPECT_EQ(snapshot->commit(), version.commit);
      CheckContents(*snapshot, version, "past");
    }
    // Newest first; restores included; nothing else.
    std::vector<CommitInfo> expected;
    for (size_t i = model.versions.size(); i-- > 0;) {
      if (IsKept(name, model, i)) expected.push_back(model.versions[i].commit);
    }
    std::vector<CommitInfo> history;
    ASSERT_OK((*object)->History([&](const CommitInfo& commit) {
      history.push_back(commit);
      return true;
    }));
    EXPECT_EQ(history, expected);
    CheckLabels(**object, name, model, After::kWork, confirmed_);
  }
}

}  // namespace tidemark::testing
