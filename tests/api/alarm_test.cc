// Alarms of object storage: what is stored, and what a run does to it. Their
// delivery is the runtime's.
//
// Of the cases about a scheduler that is asked before and after commits (C192 to C199) nothing is
// left to do here: the due time stands in the commit itself, so the store's list is never apart
// from what is durable. TheStoresListIsNeverLater holds it to that.

#include <array>
#include <map>
#include <random>

#include "tests/api/api_fixture.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AlarmTest : public ApiTest {
 protected:
  Timestamp In(std::chrono::microseconds time) const { return clock_.Now() + time; }
  // What a scheduler sees.
  std::vector<Timestamp> Due(Timestamp by = Timestamp::max()) {
    std::vector<Timestamp> due;
    EXPECT_OK(store_->ListAlarms(
        [&](const DueAlarm& alarm) {
          due.push_back(alarm.due);
          return true;
        },
        by));
    return due;
  }
};

// C186, C221.
TEST_F(AlarmTest, WhatIsSetIsThere) {
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  EXPECT_THAT(Due(), IsEmpty());
  const Timestamp time = In(hours(1));
  storage_->SetAlarm(time);
  EXPECT_EQ(storage_->GetAlarm(), time);
  EXPECT_THAT(Due(), ElementsAre(time));
  EXPECT_THAT(Due(time - seconds(1)), IsEmpty());
  ReopenStore();
  EXPECT_EQ(storage_->GetAlarm(), time);
  EXPECT_THAT(Due(), ElementsAre(time));
  storage_->DeleteAlarm();
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  EXPECT_THAT(Due(), IsEmpty());
}

// C187.
TEST_F(AlarmTest, SettingTheSameTimeWritesNothing) {
  storage_->SetAlarm(In(hours(1)));
  const int commits = CommitCount();
  storage_->SetAlarm(In(hours(1)));
  EXPECT_EQ(CommitCount(), commits);
  storage_->DeleteAlarm("other");
  EXPECT_EQ(CommitCount(), commits);
  Open(kTurns);
  storage_->SetAlarm(In(hours(1)));
  EXPECT_FALSE(storage_->NeedsConfirmation());
}

// C188.
TEST_F(AlarmTest, TimesMustBeAfter1970AndThePastMeansNow) {
  EXPECT_FAILS(storage_->SetAlarm(Timestamp()), "alarm time <= 0");
  EXPECT_FAILS(storage_->SetAlarm(Timestamp(seconds(-5))), "alarm time <= 0");
  storage_->SetAlarm(In(-hours(1)));
  EXPECT_EQ(storage_->GetAlarm(), clock_.Now());
  storage_->SetAlarm(In(hours(1) + microseconds(1)));
  EXPECT_EQ(storage_->GetAlarm(), In(hours(1) + milliseconds(1))) << "never early";
}

// C133, C191.
TEST_F(AlarmTest, AlarmsAndWritesCommitTogether) {
  Open(kTurns);
  kv().Put("k", 1);
  storage_->SetAlarm(In(hours(1)));
  EXPECT_THAT(Due(), IsEmpty()) << "the turn has not ended";
  Open(kTurns);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  EXPECT_EQ(kv().Get("k"), std::nullopt);
  storage_->SetAlarm(In(hours(1)), {.allow_unconfirmed = true});
  EXPECT_FALSE(storage_->NeedsConfirmation());
  kv().Put("k", 1);
  storage_->Commit();
  EXPECT_EQ(CommitCount(), 1);
  EXPECT_EQ(Due().size(), 1u);
}

// C194.
TEST_F(AlarmTest, ARollbackUndoesIt) {
  Open(kTurns);
  storage_->SetAlarm(In(hours(2)));
  storage_->Commit();
  struct Thrown {};
  EXPECT_THROW(storage_->Transaction([&] {
    storage_->SetAlarm(In(hours(1)));
    storage_->Transaction([&] { storage_->SetAlarm("named", In(seconds(1))); });
    EXPECT_EQ(Due(), std::vector{In(hours(2))}) << "only the root's commit counts";
    throw Thrown();
  }),
               Thrown);
  EXPECT_EQ(storage_->GetAlarm(), In(hours(2)));
  EXPECT_EQ(storage_->GetAlarm("named"), std::nullopt);
  kv().Put("k", 1);
  storage_->Commit();
  EXPECT_EQ(Due(), std::vector{In(hours(2))});
}

TEST_F(AlarmTest, ASavepointThatFailsLeavesItAsItWas) {
  for (const StorageOptions& options : {StorageOptions{}, kTurns}) {
    Open(options);
    struct Thrown {};
    EXPECT_THROW(storage_->TransactionSync([&] {
      storage_->SetAlarm(In(hours(1)));
      throw Thrown();
    }),
                 Thrown);
    EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
    storage_->Commit();
    EXPECT_THAT(Due(), IsEmpty());
    storage_->SetAlarm(In(hours(1)));
    storage_->DeleteAlarm();
    storage_->Commit();
    EXPECT_THAT(Due(), IsEmpty());
  }
}

TEST_F(AlarmTest, NamedAlarmsStandBesideIt) {
  storage_->SetAlarm("b", In(hours(2)));
  storage_->SetAlarm("a", In(hours(3)));
  storage_->SetAlarm(In(hours(4)));
  const auto list = storage_->ListAlarms();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].name, kDefaultAlarm);
  EXPECT_EQ(list[1].name, "a");
  EXPECT_EQ(list[2].time, In(hours(2)));
  EXPECT_EQ(Due(), std::vector{In(hours(2))}) << "an object's earliest";
  storage_->DeleteAlarm("b");
  EXPECT_EQ(Due(), std::vector{In(hours(3))});
  EXPECT_FAILS(storage_->SetAlarm(std::string(257, 'x'), In(hours(1))), "257 bytes");
}

// C201.
TEST_F(AlarmTest, DuringTheRunItIsThereAndNotTold) {
  const Timestamp due = In(hours(1));
  storage_->SetAlarm(due);
  clock_.Advance(hours(1));
  EXPECT_EQ(storage_->BeginAlarm(due).outcome, AlarmOutcome::kRun);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  EXPECT_THAT(Due(), ElementsAre(due)) << "a crash would leave it due";
  EXPECT_FAILS(storage_->BeginAlarm(due), "one at a time");
  storage_->EndAlarm(AlarmResult::kSucceeded);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  EXPECT_THAT(Due(), IsEmpty());
}

// C202, C206, C207.
TEST_F(AlarmTest, ARunThatFailsLeavesIt) {
  const Timestamp due = clock_.Now();
  storage_->SetAlarm(due);
  storage_->BeginAlarm(due);
  storage_->EndAlarm(AlarmResult::kFailed);
  EXPECT_EQ(storage_->GetAlarm(), due);
  storage_->BeginAlarm(due);
  ReopenStore();  // a crash in the handler
  EXPECT_EQ(storage_->GetAlarm(), due);
  Open(kTurns);
  Exec(
      "CREATE TABLE p(id INTEGER PRIMARY KEY);"
      "CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)");
  storage_->Commit();
  storage_->BeginAlarm(due);
  Exec("INSERT INTO c VALUES(1)");
  EXPECT_FAILS(storage_->Commit(), "FOREIGN KEY");
  storage_->EndAlarm(AlarmResult::kSucceeded);
  Open(kTurns);
  EXPECT_EQ(storage_->GetAlarm(), due);
}

// C203, C204.
TEST_F(AlarmTest, WhatTheHandlerSetsStays) {
  const Timestamp due = clock_.Now();
  storage_->SetAlarm(due);
  storage_->BeginAlarm(due);
  storage_->SetAlarm(In(hours(2)));
  EXPECT_EQ(storage_->GetAlarm(), In(hours(2)));
  storage_->EndAlarm(AlarmResult::kSucceeded);
  EXPECT_EQ(storage_->GetAlarm(), In(hours(2)));

  clock_.Advance(hours(2));
  storage_->BeginAlarm(clock_.Now());
  storage_->SetAlarm(clock_.Now());
  EXPECT_EQ(storage_->GetAlarm(), clock_.Now()) << "the same time anew";
  storage_->EndAlarm(AlarmResult::kSucceeded);
  EXPECT_EQ(storage_->GetAlarm(), clock_.Now());

  storage_->BeginAlarm(clock_.Now());
  storage_->SetAlarm(In(hours(1)));
  storage_->DeleteAlarm();
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  storage_->EndAlarm(AlarmResult::kSucceeded);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
}

// A setAlarm in a transaction that is rolled back leaves the deletion deferred.
TEST_F(AlarmTest, ARollbackRestoresTheDeferredDeletion) {
  Open(kTurns);
  const Timestamp due = clock_.Now();
  storage_->SetAlarm(due);
  storage_->Commit();
  for (const Timestamp other : {In(hours(1)), due}) {
    storage_->BeginAlarm(due);
    storage_->Transaction([&](StorageTransaction& transaction) {
      storage_->SetAlarm(other);
      EXPECT_EQ(storage_->GetAlarm(), other);
      transaction.Rollback();
    });
    EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
    storage_->EndAlarm(AlarmResult::kFailed);
    EXPECT_EQ(storage_->GetAlarm(), due);
  }
  storage_->BeginAlarm(due);
  storage_->Transaction([&](StorageTransaction& transaction) {
    storage_->SetAlarm(In(hours(1)));
    transaction.Rollback();
  });
  storage_->EndAlarm(AlarmResult::kSucceeded);
  storage_->Commit();
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
}

// C208, C209.
TEST_F(AlarmTest, ATimeThatIsNotStoredIsCanceled) {
  const Timestamp due = clock_.Now();
  AlarmRun run = storage_->BeginAlarm(due);
  EXPECT_EQ(run.outcome, AlarmOutcome::kCanceled);
  EXPECT_EQ(run.next, std::nullopt);
  storage_->SetAlarm(In(hours(1)));
  for (const Timestamp fired : {due, In(hours(2))}) {
    run = storage_->BeginAlarm(fired);
    EXPECT_EQ(run.outcome, AlarmOutcome::kCanceled);
    EXPECT_EQ(run.next, In(hours(1)));
  }
  clock_.Advance(hours(1) + seconds(1));
  run = storage_->BeginAlarm(due);
  EXPECT_EQ(run.outcome, AlarmOutcome::kRun) << "what is stored is past, too";
  storage_->EndAlarm(AlarmResult::kSucceeded);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
}

// C211: fired for what is durable still, with something else written and not durable yet.
TEST_F(AlarmTest, WhatIsNotDurableYetIsKept) {
  Open(kTurns);
  const Timestamp due = clock_.Now();
  storage_->SetAlarm(due);
  storage_->Commit();
  storage_->SetAlarm(In(hours(1)));
  EXPECT_EQ(storage_->BeginAlarm(due).outcome, AlarmOutcome::kRun);
  EXPECT_EQ(storage_->GetAlarm(), In(hours(1)));
  storage_->EndAlarm(AlarmResult::kSucceeded);
  storage_->Commit();
  EXPECT_EQ(storage_->GetAlarm(), In(hours(1)));
}

// What abandonAlarm does.
TEST_F(AlarmTest, AbandonClearsTheTimeThatIsMeant) {
  const Timestamp due = clock_.Now();
  storage_->SetAlarm(due);
  storage_->BeginAlarm(due);
  EXPECT_EQ(storage_->AbandonAlarm(due), std::nullopt);
  storage_->EndAlarm(AlarmResult::kFailed);
  EXPECT_EQ(storage_->GetAlarm(), due) << "not while a handler runs";
  EXPECT_EQ(storage_->AbandonAlarm(due - hours(1)), due);
  EXPECT_EQ(storage_->AbandonAlarm(due), std::nullopt);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
}

// C117, C118, C119.
TEST_F(AlarmTest, DeleteAllTakesItOrLeavesIt) {
  Open(kTurns);
  storage_->SetAlarm(In(hours(1)));
  storage_->SetAlarm("named", In(hours(2)));
  storage_->Commit();
  storage_->DeleteAll({.delete_alarm = false});
  storage_->Commit();
  EXPECT_EQ(storage_->GetAlarm(), In(hours(1)));
  EXPECT_EQ(storage_->GetAlarm("named"), In(hours(2)));
  EXPECT_EQ(Due(), std::vector{In(hours(1))});
  storage_->DeleteAll();
  storage_->SetAlarm(In(hours(3)));
  storage_->Commit();
  EXPECT_EQ(Due(), std::vector{In(hours(3))});
  storage_->DeleteAll();
  storage_->Commit();
  EXPECT_THAT(Due(), IsEmpty());
  storage_->DeleteAll({.delete_alarm = false});
  storage_->Commit();
  EXPECT_EQ(Query("SELECT name FROM pragma_table_list WHERE name LIKE '%ALARM%'"), "");
}

// C178.
TEST_F(AlarmTest, ARestoreBringsBackTheAlarmOfItsTime) {
  storage_->SetAlarm(In(hours(1)));
  storage_->SetAlarm("named", In(hours(2)));
  const Bookmark with = storage_->GetCurrentBookmark();
  storage_->DeleteAlarm();
  storage_->DeleteAlarm("named");
  kv().Put("k", 1);
  const Bookmark without = storage_->GetCurrentBookmark();
  const auto restore = [&](const Bookmark& to, const RestoreOptions& options = {}) {
    storage_.reset();
    auto object = store_->OpenObject("ns", "object", IfMissing::kFail);
    ASSERT_OK(object);
    ASSERT_OK((*object)->Restore(to, options));
    Open();
  };
  restore(with);
  EXPECT_EQ(storage_->GetAlarm(), In(hours(1)));
  EXPECT_EQ(storage_->GetAlarm("named"), In(hours(2)));
  EXPECT_EQ(Due(), std::vector{In(hours(1))});
  restore(without);
  EXPECT_THAT(storage_->ListAlarms(), IsEmpty());
  restore(with, {.alarms = Alarms::kClear});
  EXPECT_THAT(storage_->ListAlarms(), IsEmpty());
  EXPECT_THAT(Due(), IsEmpty());
  storage_->SetAlarm(In(hours(9)));
  restore(with, {.alarms = Alarms::kKeep});
  EXPECT_EQ(storage_->GetAlarm(), In(hours(9)));
  EXPECT_EQ(storage_->GetAlarm("named"), std::nullopt) << "its earliest is all that is kept";
  restore(without, {.alarm = In(hours(5))});
  EXPECT_EQ(storage_->GetAlarm(), In(hours(5)));
  EXPECT_EQ(storage_->ListAlarms().size(), 1u);
}

// The same of restores that wait for the next session, of this object and of another.
TEST_F(AlarmTest, AScheduledRestoreTakesThemAsOneChooses) {
  storage_->SetAlarm(In(hours(1)));
  storage_->SetAlarm("named", In(hours(2)));
  const Bookmark with = storage_->GetCurrentBookmark();
  storage_->DeleteAlarm("named");
  storage_->SetAlarm(In(hours(3)));
  storage_->Commit();
  const auto restore = [&](const RestoreOptions& options) {
    storage_->OnNextSessionRestoreBookmark(with, options);
    Open(kTurns);
    std::vector<Timestamp> due;
    for (const AlarmInfo& alarm : storage_->ListAlarms()) due.push_back(alarm.time);
    EXPECT_EQ(storage_->GetAlarm().has_value(), !due.empty());
    return due;
  };
  EXPECT_EQ(restore({.alarms = Alarms::kKeep}), std::vector{In(hours(3))});
  EXPECT_EQ(restore({}), (std::vector{In(hours(1)), In(hours(2))}));
  EXPECT_EQ(restore({.alarm = In(hours(5))}), std::vector{In(hours(5))});
  EXPECT_THAT(restore({.alarms = Alarms::kClear}), IsEmpty());
  EXPECT_THAT(Due(), IsEmpty());

  auto other = ObjectStorage::Open(*store_, "ns", "other", kTurns);
  other->SetAlarm("its own", In(hours(9)));
  other->Commit();
  other->OnNextSessionRestore(storage_->Snapshot(with), {.alarms = Alarms::kRestore});
  other.reset();
  other = ObjectStorage::Open(*store_, "ns", "other", kTurns);
  EXPECT_EQ(other->GetAlarm(), In(hours(1)));
  EXPECT_EQ(other->GetAlarm("named"), In(hours(2)));
  other->SetAlarm(In(hours(4)));
  other->DeleteAlarm("named");
  other->Commit();
  other->OnNextSessionRestore(storage_->Snapshot(with), {.alarms = Alarms::kKeep});
  other.reset();
  other = ObjectStorage::Open(*store_, "ns", "other", kTurns);
  EXPECT_EQ(other->GetAlarm(), In(hours(4)));
  EXPECT_EQ(other->ListAlarms().size(), 1u);
}

TEST_F(AlarmTest, AForkHasNone) {
  storage_->SetAlarm(In(hours(1)));
  const Bookmark at = storage_->GetCurrentBookmark();
  ASSERT_OK(store_->Fork(storage_->object(), at, "ns", "fork"));
  auto fork = ObjectStorage::Open(*store_, "ns", "fork");
  EXPECT_EQ(fork->GetAlarm(), std::nullopt);
  EXPECT_EQ(Due(), std::vector{In(hours(1))});
}

// Goal: the store's list is never later than an object's own alarms, and in the end the same.
// Method: random changes of alarms of three objects, in turns, some rolled back, with handlers'
// runs, reopenings and crashes of the store, against a map.
TEST_F(AlarmTest, TheStoresListIsNeverLater) {
  storage_.reset();
  std::mt19937_64 random(TestSeed());
  struct Side {
    std::unique_ptr<ObjectStorage> storage;
    std::map<std::string, Timestamp> now;
    std::map<std::string, Timestamp> committed;
  };
  std::array<Side, 3> sides;
  const auto open = [&](size_t i) {
    sides[i].storage.reset();
    sides[i].storage = ObjectStorage::Open(*store_, "ns", "o" + std::to_string(i), kTurns);
    sides[i].now = sides[i].committed;
  };
  for (size_t i = 0; i < sides.size(); ++i) open(i);
  for (int step = 0; step < 2000; ++step) {
    SCOPED_TRACE(step);
    const size_t i = random() % sides.size();
    Side& side = sides[i];
    const std::string name = random() % 2 == 0 ? "" : std::string(1, "ab"[random() % 2]);
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const Timestamp time = In(seconds(1 + random() % 1000));
        side.storage->SetAlarm(name, time);
        side.now[name] = time;
        break;
      }
      case 3:
        side.storage->DeleteAlarm(name);
        side.now.erase(name);
        break;
      case 4:
        side.storage->Commit();
        side.committed = side.now;
        break;
      case 5:
        side.storage->Rollback();
        side.now = side.committed;
        break;
      case 6:
        if (random() % 4 == 0) open(i);
        if (random() % 8 == 0) {
          side.storage->DeleteAll();
          side.now.clear();
        }
        clock_.Advance(seconds(random() % 100));
        if (random() % 16 == 0) {
          // A handler's end need not be confirmed; all else that was committed is.
          ASSERT_OK(store_->Sync());
          for (Side& each : sides) each.storage.reset();
          store_.reset();
          OpenStore();
          for (size_t o = 0; o < sides.size(); ++o) open(o);
        }
        break;
      default: {
        side.storage->Commit();
        side.committed = side.now;
        const auto found = side.now.find(name);
        if (found == side.now.end() || found->second > clock_.Now()) break;
        ASSERT_EQ(side.storage->BeginAlarm(found->second, name).outcome, AlarmOutcome::kRun);
        ASSERT_EQ(side.storage->GetAlarm(name), std::nullopt);
        if (random() % 2 == 0) {
          side.storage->EndAlarm(AlarmResult::kFailed);
          break;
        }
        side.storage->EndAlarm(AlarmResult::kSucceeded);
        side.now.erase(name);
      }
    }
    std::multimap<Timestamp, size_t> expected;
    for (size_t o = 0; o < sides.size(); ++o) {
      std::optional<Timestamp> earliest;
      for (const auto& [_, time] : sides[o].committed) {
        if (!earliest || time < *earliest) earliest = time;
      }
      if (earliest) expected.emplace(*earliest, o);
    }
    std::vector<Timestamp> times;
    for (const auto& [time, _] : expected) times.push_back(time);
    ASSERT_EQ(Due(), times);
    std::map<std::string, Timestamp> told;
    for (const AlarmInfo& alarm : side.storage->ListAlarms()) told[alarm.name] = alarm.time;
    ASSERT_EQ(told, side.now);
  }
}

}  // namespace
}  // namespace tidemark::testing
