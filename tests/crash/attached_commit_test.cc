// Transactions over several objects (ATTACH) and crashes: all of a transaction's objects have it,
// or none has.

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/check.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

constexpr const char* kNames[] = {"a", "b", "c"};

// A connection to "a" with "b" and "c" attached, each made with a counter at 0.
Result<Database> OpenThree(Store& store) {
  TIDEMARK_ASSIGN_OR_RETURN(Database db, Database::Open(store, "ns", "a"));
  for (const std::string name : {"b", "c"}) {
    TIDEMARK_RETURN_IF_ERROR(db.Exec(
        ("ATTACH 'file:ns/" + name + "?vfs=tidemark&store=" + store.directory() + "' AS " + name)
            .c_str()));
  }
  TIDEMARK_RETURN_IF_ERROR(db.Exec("PRAGMA cache_size=20; PRAGMA b.cache_size=20"));
  return db;
}

Status MakeTables(Database& db) {
  return db.Exec(
      "PRAGMA main.auto_vacuum=FULL; PRAGMA b.auto_vacuum=FULL; BEGIN;"
      "CREATE TABLE main.t(x); CREATE TABLE b.t(x); CREATE TABLE c.t(x);"
      "CREATE TABLE main.more(x); CREATE TABLE b.more(x);"
      "INSERT INTO main.t VALUES(0); INSERT INTO b.t VALUES(0); INSERT INTO c.t VALUES(0);"
      "COMMIT");
}

// Sets all three counters to `count`, with something more in two of them now and then: rows that
// make pages spill and go out as batches, and their removal, which makes the databases shrink.
Status SetCounters(Database& db, int count) {
  const std::string number = std::to_string(count);
  std::string sql =
      "BEGIN; UPDATE main.t SET x = " + number + "; UPDATE b.t SET x = " + number + ";";
  if (count % 4 == 2) {
    for (const char* schema : {"main", "b"}) {
      sql += std::string("INSERT INTO ") + schema + ".more SELECT randomblob(900) FROM (WITH " +
             "RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<300) SELECT i FROM "
             "n);";
    }
  }
  if (count % 4 == 0) sql += "DELETE FROM main.more; DELETE FROM b.more;";
  sql += "UPDATE c.t SET x = " + number + "; COMMIT";
  return db.Exec(sql.c_str());
}

// The counter of one object, -1 if there is no table yet; its pages must be whole.
int Counter(Store& store, const char* name) {
  Result<Database> db = Database::Open(store, "ns", name);
  EXPECT_OK(db);
  if (!db.ok()) return -2;
  int counter = -1;
  const auto read = [](void* out, int, char** value, char**) {
    *static_cast<int*>(out) = std::atoi(value[0]);
    return 0;
  };
  sqlite3_exec(db->handle(), "SELECT x FROM t", read, &counter, nullptr);
  std::string check;
  const auto text = [](void* out, int, char** value, char**) {
    *static_cast<std::string*>(out) += value[0];
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(db->handle(), "PRAGMA integrity_check", text, &check, nullptr), SQLITE_OK);
  EXPECT_EQ(check, "ok") << name;
  return counter;
}

// All three have the same counter: `confirmed` or the one that was being set.
void CheckCounters(Store& store, int confirmed) {
  const int counter = Counter(store, kNames[0]);
  for (const char* name : kNames) EXPECT_EQ(Counter(store, name), counter) << name;
  EXPECT_GE(counter, confirmed);
  EXPECT_LE(counter, confirmed + 1);
}

constexpr uint64_t kNever = UINT64_MAX / 2;

// Ten transactions over three objects. Returns the last that was confirmed, -1 for none.
int Work(SimStore& sim) {
  int confirmed = -1;
  if (!sim.Open().ok()) return confirmed;
  {
    Result<Database> db = OpenThree(sim.store());
    if (!db.ok() || !MakeTables(*db).ok()) return confirmed;
    for (int count = 1; count <= 10; ++count) {
      confirmed = count - 1;
      if (!SetCounters(*db, count).ok()) return confirmed;
      if (count == 5 && !sim.Checkpoint().ok()) return count;
    }
  }
  return 10;
}

void SetOptions(SimStore& sim) {
  sim.options().segment_size_bytes = 1 << 20;
  sim.options().transaction_memory_bytes = 64 << 10;
}

// Goal: wherever the power fails, all objects of a transaction have it or none; what was confirmed
// is there. Method: ten transactions, the power failing one operation later each time, at all three
// depths.
TEST(AttachedCommitTest, PowerLossLeavesAllOrNone) {
  for (uint64_t i = 0; i < Scaled(1) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000 + i;
    for (const PowerLoss loss : {PowerLoss::kNothing, PowerLoss::kAll, PowerLoss::kSeeded}) {
      bool crashed = true;
      for (uint64_t at = 1; crashed && !HasFailure(); ++at) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed << ", loss " << static_cast<int>(loss)
                                          << ", crash at " << at);
        SimStore sim(seed * 1000 + at);
        SetOptions(sim);
        sim.fs().CrashAt(at);
        const int confirmed = Work(sim);
        crashed = sim.fs().crashed();
        if (!crashed) {
          EXPECT_EQ(confirmed, 10);
          EXPECT_GT(at, 30u) << "that was no sweep";
          sim.fs().CrashAt(1);
        }
        sim.Crash(loss);
        ASSERT_OK(sim.Open());
        sim.fs().CrashAt(kNever);
        CheckCounters(sim.store(), confirmed);
        EXPECT_OK(sim.Close());
      }
    }
  }
}

// What the child of the test below does until it is killed.
[[noreturn]] void CommitForEver(const std::string& directory, int pipe) {
  auto store = Store::Open(directory, {.create_if_missing = true, .checkpoint_log_bytes = 1 << 20});
  CHECK(store.ok());
  Result<Database> db = OpenThree(**store);
  CHECK(db.ok());
  int count = Counter(**store, "a");
  if (count < 0) {
    CHECK(MakeTables(*db).ok());
    count = 0;
  }
  for (;;) {
    CHECK(SetCounters(*db, ++count).ok());
    if (::write(pipe, &count, sizeof(count)) != sizeof(count)) std::_Exit(2);
  }
}

// Goal: the same for a killed process on real files. Method: a child that commits and reports is
// killed after some reports, again and again in the same store.
TEST(AttachedCommitTest, KillsLeaveAllOrNone) {
  TempDirectory directory;
  const std::string path = directory.path() + "/store";
  Random random(TestSeed());
  int confirmed = 0;
  for (uint64_t kill = 0; kill < Scaled(10) && !HasFailure(); ++kill) {
    SCOPED_TRACE(::testing::Message() << "kill " << kill);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      CommitForEver(path, ends[1]);
    }
    ::close(ends[1]);
    for (uint64_t left = random.Between(1, 30); left > 0; --left) {
      ASSERT_EQ(::read(ends[0], &confirmed, sizeof(confirmed)), ssize_t{sizeof(confirmed)});
    }
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    while (::read(ends[0], &confirmed, sizeof(confirmed)) == ssize_t{sizeof(confirmed)}) {
    }
    ::close(ends[0]);
    ASSERT_OK_AND_ASSIGN(auto store, Store::Open(path, {}));
    CheckCounters(*store, confirmed);
    EXPECT_OK(store->Close());
  }
}

}  // namespace
}  // namespace tidemark::testing
