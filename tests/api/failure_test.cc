// Object storage when the disk fails, or the power.

#include <sqlite3.h>

#include "tests/api/api_fixture.h"
#include "tests/api/storage_pieces.h"
#include "tests/support/sim_store.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// C156: the file layer's own words reach the caller, and the object is broken.
void FailASync(CommitMode mode) {
  SCOPED_TRACE(mode == CommitMode::kTurn ? "kTurn" : "kEachCall");
  SimStore sim(TestSeed());
  ASSERT_OK(sim.Open());
  const StorageOptions options{.commit_mode = mode};
  auto storage = ObjectStorage::Open(sim.store(), "ns", "object", options);
  storage->kv().Put("k", "kept");
  storage->Commit();
  sim.fs().FailSync(1);
  const auto error = ErrorOf([&] {
    storage->kv().Put("k", "lost");
    storage->Commit();
  });
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(storage->broken(), nullptr);
  EXPECT_THAT(error->what(), ::testing::HasSubstr("cannot sync store/log/"));
  EXPECT_EQ(error->sqlite_code() & 0xff, SQLITE_IOERR);
  EXPECT_EQ(MessageOf([&] { storage->kv().Get("k"); }), error->what());
  EXPECT_EQ(MessageOf([&] { storage->GetAlarm(); }), error->what());
  EXPECT_EQ(MessageOf([&] { storage->SetAlarm(sim.clock().Now()); }), error->what());
  storage.reset();
  EXPECT_FALSE(sim.Close().ok());
  sim.Crash(PowerLoss::kAll);
  ASSERT_OK(sim.Open());
  storage = ObjectStorage::Open(sim.store(), "ns", "object", options);
  EXPECT_THAT(storage->kv().Get("k"), ::testing::AnyOf("kept", "lost")) << "it was not confirmed";
  storage.reset();
  EXPECT_OK(sim.Close());
}

TEST(FailureTest, AFailedSyncBreaksTheObjectWithItsReason) {
  FailASync(CommitMode::kTurn);
  FailASync(CommitMode::kEachCall);
}

// One turn of the script: a key, a row and an alarm that say its number, sometimes after everything
// was deleted.
void RunTurn(ObjectStorage& storage, int turn, Timestamp start) {
  if (turn % 5 == 4) storage.DeleteAll();
  storage.sql().Exec("CREATE TABLE IF NOT EXISTS t(v)");
  storage.sql().Exec("INSERT INTO t VALUES(?)", turn);
  storage.kv().Put("turn", turn);
  storage.kv().Put("filler", std::string(static_cast<size_t>(turn) * 1000, 'x'));
  storage.SetAlarm(start + std::chrono::hours(turn + 1));
  storage.Commit();
}

// The turn that the object shows, all parts of which must agree; -1 if none.
int TurnShown(ObjectStorage& storage, Store& store, Timestamp start) {
  const auto turn = storage.kv().Get<int>("turn");
  std::optional<Timestamp> due;
  EXPECT_OK(store.ListAlarms(
      [&](const DueAlarm& alarm) {
        due = alarm.due;
        return true;
      },
      Timestamp::max()));
  EXPECT_EQ(due, storage.GetAlarm());
  if (!turn) {
    EXPECT_EQ(due, std::nullopt);
    return -1;
  }
  EXPECT_EQ(due, start + std::chrono::hours(*turn + 1));
  EXPECT_EQ(storage.sql().Exec("SELECT max(v) FROM t").One<int>(), *turn);
  EXPECT_EQ(storage.sql().Exec("SELECT count(*) FROM t").One<int>(),
            *turn < 4 ? *turn + 1 : (*turn + 1) % 5 + 1);
  EXPECT_EQ(storage.kv().Get("filler")->size(), static_cast<size_t>(*turn) * 1000);
  return *turn;
}

// C128, C343. Goal: of each turn SQL, keys and the alarm are there together or not at all, and
// every turn that was reported durable is. Method: the power fails during each operation of a
// script of turns in turn, until it gets through; what is synced survives, of the rest what the
// seed decides.
TEST(FailureTest, PowerLossLeavesWholeTurns) {
  constexpr int kTurnsOfScript = 9;
  for (uint64_t at = 1;; ++at) {
    SCOPED_TRACE(::testing::Message() << "power loss at operation " << at);
    SimStore sim(TestSeed() * 1000 + at);
    const Timestamp start = sim.clock().Now();
    ASSERT_OK(sim.Open());
    sim.fs().CrashAt(at);
    int done = -1;
    try {
      auto storage = ObjectStorage::Open(sim.store(), "ns", "object", kTurns);
      for (int turn = 0; turn < kTurnsOfScript; ++turn) {
        RunTurn(*storage, turn, start);
        done = turn;
        if (turn == 5 && !sim.Checkpoint().ok()) break;
      }
    } catch (const Error&) {
      EXPECT_TRUE(sim.fs().crashed());
    }
    const bool crashed = sim.fs().crashed();
    sim.Crash(PowerLoss::kSeeded);
    ASSERT_OK(sim.Open());
    {
      auto storage = ObjectStorage::Open(sim.store(), "ns", "object", kTurns);
      const int shown = TurnShown(*storage, sim.store(), start);
      EXPECT_GE(shown, done);
      EXPECT_LE(shown, done + 1);
    }
    EXPECT_OK(sim.Close());
    if (!crashed || HasFailure()) break;
    ASSERT_LT(at, 2000u);
  }
}

// C156. Goal: a disk that fails in any public call (DeleteAll, restores, alarms and all) is an
// Error; the object has all or nothing of the call, or is broken and says so, and the store's next
// session of it goes on. Method: each write, each sync and each operation on files that a piece of
// work makes fails once; a store that breaks is opened again, as after the death of the process.
TEST(FailureTest, EachOperationFails) {
  SimStore sim(TestSeed());
  ASSERT_OK(sim.Open());
  enum class Fault { kWrite, kSync, kOperation, kFull };
  const auto fail = [&](Fault fault, uint64_t nth) {
    SimFileSystem& fs = sim.fs();
    switch (fault) {
      case Fault::kWrite: return fs.FailWrite(nth, StatusCode::kIoError);
      case Fault::kSync: return fs.FailSync(nth);
      case Fault::kOperation: return fs.FailOperation(nth, StatusCode::kIoError);
      default: return fs.FailOperation(nth, StatusCode::kFull);
    }
  };
  const auto settle = [&] {
    if (sim.store().Sync().ok()) return;
    EXPECT_FALSE(sim.Close().ok());
    sim.Crash(PowerLoss::kNothing);
    ASSERT_OK(sim.Open());
  };
  uint64_t failures = 0;
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    StoragePieces pieces([&]() -> Store& { return sim.store(); }, Durability::kConfirmed);
    for (const StoragePiece& piece : pieces.all()) {
      for (const Fault fault : {Fault::kWrite, Fault::kSync, Fault::kOperation, Fault::kFull}) {
        for (uint64_t nth = 1; nth < 100; ++nth) {
          SCOPED_TRACE(::testing::Message()
                       << piece.name << ", fault " << static_cast<int>(fault) << " at " << nth
                       << (mode == CommitMode::kTurn ? ", kTurn" : ", kEachCall"));
          bool fired = false;
          EXPECT_NO_THROW(fired = pieces.Run(
                              piece, mode, [&] { fail(fault, nth); },
                              [&] { return fail(fault, 0) > 0; }, settle));
          if (HasFailure()) return;
          if (!fired) break;
        }
      }
    }
    failures += pieces.failures();
    EXPECT_GT(pieces.broken(), 0u);
  }
  EXPECT_GT(failures, 50u);
  EXPECT_OK(sim.Close());
}

}  // namespace
}  // namespace tidemark::testing
