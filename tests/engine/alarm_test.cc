// Alarms: when an object is to be woken comes with its commits, and the store lists them.

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

#include "engine/internal/store_impl.h"
#include "engine/salvage.h"
#include "tests/engine/packing_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

Timestamp At(int minutes) { return ManualClock::kStart + std::chrono::minutes(minutes); }

class AlarmTest : public PackingFixture {
 protected:
  using Due = std::pair<Timestamp, std::string>;

  // A commit of page 1, RandomPage(seed), that sets an alarm or clears it.
  Result<CommitInfo> PutAlarm(const std::string& name, uint64_t seed,
                              std::optional<Timestamp> alarm) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    Transaction transaction(object);
    TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
    TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(kPageSize));
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(1), RandomPage(seed)));
    transaction.SetAlarm(alarm);
    return transaction.Commit();
  }
  std::vector<Due> List(Timestamp due_by = Timestamp::max()) { return List(sim_.store(), due_by); }
  static std::vector<Due> List(const Store& store, Timestamp due_by = Timestamp::max()) {
    std::vector<Due> listed;
    EXPECT_OK(store.ListAlarms(
        [&](const DueAlarm& alarm) {
          EXPECT_EQ(alarm.namespace_name, "rooms");
          EXPECT_EQ(alarm.id, ObjectIdFactory("rooms").FromName(alarm.name));
          listed.emplace_back(alarm.due, alarm.name);
          return true;
        },
        due_by));
    return listed;
  }
  // The same whatever has happened since: checkpoint, reopening, replay of the whole log, packing.
  void ExpectEverywhere(const std::function<void()>& expect) {
    const auto traced = [&](const char* where) {
      SCOPED_TRACE(where);
      expect();
      ExpectWhole(where);
    };
    traced("memory");
    ASSERT_OK(sim_.Checkpoint());
    traced("index");
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    traced("reopened");
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    traced("replayed");
    ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
    traced("packed");
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    traced("replayed from packed segments");
    ASSERT_OK(sim_.Close());
    ASSERT_OK(Store::Rebuild("store", sim_.options()));
    ASSERT_OK(sim_.Open());
    traced("rebuilt");
  }
};

// Goal: an alarm comes with its commit, stays with those that do not mention it, and goes with one
// that clears it; every commit of the history knows its own. Method: read it in every place where a
// commit can stand.
TEST_F(AlarmTest, ComesWithItsCommit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(PutAlarm("a", 1, At(5)));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(PutAlarm("a", 3, At(3)));
  ASSERT_OK(Put("a", 4));
  ASSERT_OK(PutAlarm("b", 5, At(4)));
  ASSERT_OK(PutAlarm("b", 6, std::nullopt));
  ASSERT_OK(Put("c", 7));
  ASSERT_OK(PutAlarm("d", 8, Timestamp()));
  ASSERT_OK(sim_.store().Sync());
  ExpectEverywhere([&] {
    EXPECT_EQ(List(), (std::vector<Due>{{Timestamp(), "d"}, {At(3), "a"}}));
    EXPECT_EQ(sim_.store().Stats().alarm_count, 2u);
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    EXPECT_EQ(a->alarm(), At(3));
    std::vector<std::optional<Timestamp>> alarms;
    ASSERT_OK(a->History([&](const CommitInfo& commit) {
      alarms.push_back(commit.alarm);
      return true;
    }));
    EXPECT_EQ(alarms, (std::vector<std::optional<Timestamp>>{At(3), At(3), At(5), At(5)}));
    EXPECT_EQ(Open("b").value()->alarm(), std::nullopt);
    EXPECT_EQ(Open("c").value()->alarm(), std::nullopt);
  });
}

// Goal: a commit with no alarm before and after is the same bytes as ever; the same alarm again is
// no commit; another alarm alone is one; and what is rolled back is not kept.
TEST_F(AlarmTest, WhatIsACommit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK(Put("b", 1));
  ASSERT_OK_AND_ASSIGN(const CommitInfo without, Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const CommitInfo with, PutAlarm("b", 2, At(1)));
  EXPECT_EQ(with.log_bytes, without.log_bytes + 6) << "an alarm of our times takes six bytes";
  ASSERT_OK_AND_ASSIGN(const auto object, Open("b"));
  Transaction transaction(object);
  ASSERT_OK(transaction.Begin());
  transaction.SetAlarm(At(1));
  EXPECT_FALSE(transaction.has_changes());
  ASSERT_OK_AND_ASSIGN(const CommitInfo same, transaction.Commit());
  EXPECT_EQ(same, with);
  transaction.SetAlarm(At(1) + microseconds(999));  // not later than asked for
  EXPECT_FALSE(transaction.has_changes());
  transaction.SetAlarm(At(2));
  EXPECT_TRUE(transaction.has_changes());
  transaction.Rollback();
  EXPECT_FALSE(transaction.has_changes());
  ASSERT_OK(transaction.Prepare());
  transaction.SetAlarm(At(3));
  ASSERT_OK_AND_ASSIGN(const CommitInfo alone, transaction.Commit());
  EXPECT_GT(alone.lsn, with.lsn);
  EXPECT_EQ(alone.alarm, At(3));
  EXPECT_EQ(alone.state_hash, with.state_hash);
  EXPECT_EQ(alone.pages_changed, 0u);
  // It stands on that now, and on no alarm that was staged.
  ASSERT_OK(transaction.WritePage(PageNo(1), RandomPage(9)));
  ASSERT_OK_AND_ASSIGN(const CommitInfo next, transaction.Commit());
  EXPECT_EQ(next.alarm, At(3));
  transaction.End();
  ExpectEverywhere([&] { EXPECT_EQ(List(), (std::vector<Due>{{At(3), "b"}})); });
}

// Goal: an object that does not exist has no alarm, and begins without.
TEST_F(AlarmTest, OfObjectsThatDoNotExist) {
  ASSERT_OK(sim_.Open());
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    transaction.SetAlarm(At(1));  // of no database
    EXPECT_FALSE(transaction.has_changes());
    ASSERT_OK_AND_ASSIGN(const CommitInfo none, transaction.Commit());
    EXPECT_EQ(none.kind, CommitKind::kNone);
  }
  EXPECT_EQ(List(), std::vector<Due>());
  ASSERT_OK(PutAlarm("b", 1, At(1)));
  ASSERT_OK(PutAlarm("c", 1, At(2)));
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK(Open("b").value()->Delete());
  ASSERT_OK(Open("c").value()->Delete());
  EXPECT_EQ(List(), std::vector<Due>());
  ASSERT_OK(Put("c", 2));  // begins anew
  ExpectEverywhere([&] {
    EXPECT_EQ(List(), std::vector<Due>());
    EXPECT_EQ(Open("b", IfMissing::kDeleted).value()->alarm(), std::nullopt);
    EXPECT_EQ(Open("c").value()->alarm(), std::nullopt);
  });
}

// Goal: a restore, an undeletion and a promote bring the alarm of where they lead to, a fork none,
// and each another one where that is asked for.
TEST_F(AlarmTest, RestoresAndForks) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, PutAlarm("a", 1, At(1)));
  ASSERT_OK(PutAlarm("a", 2, At(2)));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    const Bookmark to = a->BookmarkOf(first);
    ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, a->Restore(to));
    EXPECT_EQ(restored.result.alarm, At(1));
    EXPECT_EQ(a->alarm(), At(1));
    ASSERT_OK(a->Restore(restored.undo));
    EXPECT_EQ(a->alarm(), At(2));
    ASSERT_OK(a->Restore(to, {.alarms = Alarms::kClear}));
    EXPECT_EQ(a->alarm(), std::nullopt);
    ASSERT_OK(a->Restore(to, {.alarms = Alarms::kKeep}));
    EXPECT_EQ(a->alarm(), std::nullopt);
    ASSERT_OK(a->Restore(restored.undo));
    ASSERT_OK(a->Restore(to, {.alarms = Alarms::kKeep}));
    EXPECT_EQ(a->alarm(), At(2));
    ASSERT_OK(a->Restore(to, {.alarms = Alarms::kClear, .alarm = At(7) + microseconds(1)}));
    EXPECT_EQ(a->alarm(), At(7));
    ASSERT_OK(a->Delete());
    ASSERT_OK(a->Undelete());
    EXPECT_EQ(a->alarm(), At(7));
    ASSERT_OK(a->Delete());
    ASSERT_OK(a->Undelete({.alarm = At(8)}));
    EXPECT_EQ(a->alarm(), At(8));
    ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, a->Delete());
    ASSERT_OK(a->Undelete({.alarms = Alarms::kClear}));
    // To a deletion: it does not exist then, and has none whatever is asked for.
    ASSERT_OK(a->Restore(a->BookmarkOf(deleted.result), {.alarm = At(9)}));
    EXPECT_FALSE(a->exists());
    EXPECT_EQ(a->alarm(), std::nullopt);
    ASSERT_OK(a->Restore(to));

    Store& store = sim_.store();
    ASSERT_OK_AND_ASSIGN(const auto fork, store.Fork(*a, to, "rooms", "fork"));
    EXPECT_EQ(fork->alarm(), std::nullopt);
    ASSERT_OK_AND_ASSIGN(const auto twin,
                         store.Fork(*a, to, "rooms", "twin", {.alarms = Alarms::kRestore}));
    EXPECT_EQ(twin->alarm(), At(1));
    ASSERT_OK_AND_ASSIGN(const auto other, store.Fork(*a, to, "rooms", "other", {.alarm = At(6)}));
    EXPECT_EQ(other->alarm(), At(6));
    ASSERT_OK(a->Promote(*other, IfNewer::kReplace));
    EXPECT_EQ(a->alarm(), At(6));
    ASSERT_OK(a->Promote(*twin, IfNewer::kReplace, {.alarms = Alarms::kClear}));
    EXPECT_EQ(a->alarm(), std::nullopt);
    ASSERT_OK(a->Promote(*fork, IfNewer::kReplace, {.alarm = At(5)}));
  }
  ExpectEverywhere([&] {
    EXPECT_EQ(List(), (std::vector<Due>{{At(1), "twin"}, {At(5), "a"}, {At(6), "other"}}));
  });
}

// Goal: the list is in order, ends where it is told to, by time and by its visitor, and has what is
// in memory between what is in the index. Method: objects of which every other one changed since a
// checkpoint, with many at the same time.
TEST_F(AlarmTest, OrderAndEnds) {
  constexpr int kObjects = 700;  // more than the index is asked for at a time
  ASSERT_OK(sim_.Open());
  std::vector<Due> expected;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kObjects; ++i) {
      if (round == 1 && i % 2 == 0) continue;
      const std::string name = "object-" + std::to_string(i);
      const Timestamp alarm = At(i / 20 + (round == 1 ? i % 7 - 3 : 0));
      if (round == 1 && i % 11 == 0) {
        ASSERT_OK(PutAlarm(name, 2, std::nullopt));
      } else {
        ASSERT_OK(PutAlarm(name, 1, alarm));
      }
      if (round == 0 && i % 2 != 0) continue;
      if (round == 0 || i % 11 != 0) expected.emplace_back(alarm, name);
    }
    if (round == 0) {
      ASSERT_OK(sim_.Checkpoint());
    }
  }
  const ObjectIdFactory ids("rooms");
  std::sort(expected.begin(), expected.end(), [&](const Due& a, const Due& b) {
    return std::pair(a.first, ids.FromName(a.second)) < std::pair(b.first, ids.FromName(b.second));
  });
  const auto expect = [&] {
    ASSERT_TRUE(List() == expected);
    for (const int minutes : {-10, 0, 7, 20, 100}) {
      const auto end = std::find_if(expected.begin(), expected.end(),
                                    [&](const Due& due) { return due.first > At(minutes); });
      EXPECT_TRUE(List(At(minutes)) == std::vector<Due>(expected.begin(), end)) << minutes;
      // A microsecond before is too early.
      const auto before = std::find_if(expected.begin(), expected.end(),
                                       [&](const Due& due) { return due.first >= At(minutes); });
      EXPECT_TRUE(List(At(minutes) - microseconds(1)) ==
                  std::vector<Due>(expected.begin(), before));
    }
    for (const size_t most : {size_t{1}, size_t{300}, expected.size()}) {
      size_t told = 0;
      ASSERT_OK(sim_.store().ListAlarms([&](const DueAlarm&) { return ++told < most; },
                                        Timestamp::max()));
      EXPECT_EQ(told, most);
    }
  };
  expect();
  ASSERT_OK(sim_.Checkpoint());
  expect();
}

// Goal: a visitor may do what it likes: commit, and have the index brought up to date; who has an
// alarm all the time is told.
TEST_F(AlarmTest, TheVisitorCommits) {
  constexpr int kObjects = 600;
  ASSERT_OK(sim_.Open());
  for (int i = 0; i < kObjects; ++i) {
    ASSERT_OK(PutAlarm("object-" + std::to_string(i), 1, At(i)));
    if (i == kObjects / 2) {
      ASSERT_OK(sim_.Checkpoint());
    }
  }
  int told = 0;
  ASSERT_OK(sim_.store().ListAlarms(
      [&](const DueAlarm& alarm) {
        EXPECT_EQ(alarm.due, At(told++));
        EXPECT_OK(PutAlarm(alarm.name, 2, std::nullopt));
        if (told % 100 == 0) {
          EXPECT_OK(sim_.Checkpoint());
        }
        return true;
      },
      Timestamp::max()));
  EXPECT_EQ(told, kObjects);
  EXPECT_EQ(List(), std::vector<Due>());
  EXPECT_EQ(sim_.store().Stats().alarm_count, 0u);
}

// Goal: who sees a commit finds its alarm in the list. Method: a thread commits to one object after
// the other, of which each is new to the list, and another one looks at each as soon as it can.
TEST_F(AlarmTest, AsSoonAsItIsVisible) {
  constexpr int kObjects = 300;
  ASSERT_OK(sim_.Open());
  std::vector<std::shared_ptr<Object>> objects;
  for (int i = 0; i < kObjects; ++i) {
    ASSERT_OK_AND_ASSIGN(objects.emplace_back(), Open("object-" + std::to_string(i)));
  }
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < kObjects; ++i) {
      EXPECT_OK(PutAlarm("object-" + std::to_string(i), 1, At(i)));
    }
    done = true;
  });
  for (int i = 0; i < kObjects; ++i) {
    const Object& object = *objects[static_cast<size_t>(i)];
    bool last = false;
    while (!object.alarm() && !last) {
      last = done;
      std::this_thread::yield();
    }
    EXPECT_EQ(object.alarm(), At(i));
    EXPECT_GT(List(At(i)).size(), static_cast<size_t>(i));
  }
  writer.join();
}

// Goal: what is checkpointed is what is durable. Method: a crash right behind a checkpoint that
// came between a commit that is confirmed and one that is not.
TEST_F(AlarmTest, ACheckpointHasWhatIsDurable) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(PutAlarm("a", 1, At(1)));
  ASSERT_OK(PutAlarm("b", 1, At(9)));
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK(PutAlarm("a", 2, At(2)));
  ASSERT_OK(PutAlarm("b", 2, std::nullopt));
  // Not the store's: that one syncs.
  ASSERT_OK(internal::StorePeer::Impl(sim_.store()).checkpointer().Run());
  EXPECT_EQ(List(), (std::vector<Due>{{At(2), "a"}}));
  ASSERT_OK_AND_ASSIGN(const auto rows, internal::StorePeer::Impl(sim_.store())
                                            .index()
                                            .ListAlarms(std::nullopt, Timestamp::max(), 10));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].due, At(1));
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(List(), (std::vector<Due>{{At(1), "a"}, {At(9), "b"}}));
  ExpectWhole("after the crash");
}

// Goal: a purge leaves no alarm. Method: of objects whose alarm is in the index, and in memory.
TEST_F(AlarmTest, PurgesTakeThem) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(PutAlarm("a", 1, At(1)));
  ASSERT_OK(PutAlarm("b", 1, At(2)));
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK(PutAlarm("c", 1, At(3)));
  ASSERT_OK(PutAlarm("b", 2, At(4)));
  ASSERT_OK(sim_.Purge("rooms", "b"));
  ASSERT_OK(sim_.Purge("rooms", "c"));
  ExpectEverywhere([&] { EXPECT_EQ(List(), (std::vector<Due>{{At(1), "a"}})); });
}

// Goal: salvage brings alarms along. Method: of commits, of one that changed nothing else, of a
// restore and of a fork; from the log, and from packed segments.
TEST_F(AlarmTest, SalvageBringsThem) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, PutAlarm("a", 1, At(1)));
  ASSERT_OK(PutAlarm("a", 2, std::nullopt));
  ASSERT_OK(PutAlarm("b", 3, At(2)));
  sim_.clock().Advance(milliseconds(5));
  ASSERT_OK(PutAlarm("b", 3, At(3)));
  ASSERT_OK(PutAlarm("c", 4, At(4)));
  ASSERT_OK(PutAlarm("c", 5, std::nullopt));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK(a->Restore(a->BookmarkOf(first)));
    ASSERT_OK(sim_.store().Fork(*a, a->BookmarkOf(first), "rooms", "d", {.alarm = At(5)}));
  }
  const std::vector<Due> expected{{At(1), "a"}, {At(3), "b"}, {At(5), "d"}};
  for (const char* const directory : {"from-the-log", "from-packed-segments"}) {
    SCOPED_TRACE(directory);
    EXPECT_EQ(List(), expected);
    ASSERT_OK(sim_.Close());
    const TempDirectory index;
    StoreOptions options = sim_.options();
    options.index_directory = index / "index";
    ASSERT_OK(Salvage("store", directory, options));
    {
      ASSERT_OK_AND_ASSIGN(const auto salvaged, Store::Open(directory, options));
      EXPECT_EQ(List(*salvaged), expected);
      ASSERT_OK_AND_ASSIGN(const auto b, salvaged->OpenObject("rooms", "b", IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const CommitInfo before,
                           b->Resolve(Timestamp(b->head().time - milliseconds(1))));
      EXPECT_EQ(before.alarm, At(2));
    }
    ASSERT_OK(sim_.Open());
    ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
  }
}

// Goal: verify finds an index that does not fit the log. Method: rows that are wrong in each way.
TEST_F(AlarmTest, VerifyFindsWhatDoesNotFit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(PutAlarm("a", 1, At(1)));
  ASSERT_OK(Put("b", 1));
  ASSERT_OK(sim_.Checkpoint());
  internal::StoreImpl& store = internal::StorePeer::Impl(sim_.store());
  const auto row_of = [&](const char* name) {
    const uint64_t ns = store.Namespaces().front()->id;
    return store.index().FindObject(ns, ObjectIdFactory("rooms").FromName(name)).value().value();
  };
  const internal::ObjectRow a = row_of("a");
  const internal::ObjectRow b = row_of("b");
  using Change = std::function<Status(internal::IndexWriter&)>;
  const auto move = [](const internal::ObjectRow& row, std::optional<Timestamp> from,
                       std::optional<Timestamp> to) -> Change {
    return [=](internal::IndexWriter& writer) { return writer.MoveAlarm(row, from, to); };
  };
  const auto put = [](internal::ObjectRow row, std::optional<Timestamp> alarm) -> Change {
    row.alarm = alarm;
    return [=](internal::IndexWriter& writer) { return writer.PutObject(row); };
  };
  const struct {
    const char* what;
    const char* object;
    Change change;
    Change back;
  } wrong[] = {
      {"not listed", "rooms/a", move(a, At(1), std::nullopt), move(a, std::nullopt, At(1))},
      {"listed twice", "rooms/a", move(a, std::nullopt, At(2)), move(a, At(2), std::nullopt)},
      {"has none", "rooms/b", move(b, std::nullopt, At(2)), move(b, At(2), std::nullopt)},
      {"another than the log's", "rooms/b", put(b, At(3)), put(b, std::nullopt)},
  };
  for (const auto& [what, object, change, back] : wrong) {
    SCOPED_TRACE(what);
    ASSERT_OK(store.index().Update(change));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    ASSERT_FALSE(report.damage.empty());
    for (const Damage& damage : report.damage) EXPECT_EQ(damage.object, object) << damage.message;
    ASSERT_OK(store.index().Update(back));
    ExpectWhole("put right again");
  }
}

}  // namespace
}  // namespace tidemark::testing
