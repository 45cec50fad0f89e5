// One call fails, at every place of a packing and of what the background does, or the disk or the
// index is too small for it: a clear error or none, nothing lost, and the same process goes on.
// Allocations that fail are in vfs/allocation_failure_test.cc, the power in power_loss_test.cc.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <set>
#include <string>

#include "engine/internal/head_room.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// A machine with a closed store of packed segments and others, of much that has expired, and what
// the store must hold.
struct Start {
  SimStore::Machine machine;
  StoreModel model;
};

// Less than there is.
constexpr uint64_t kBudget = 256u << 10;

void SetOptions(SimStore& sim) {
  sim.options().transaction_memory_bytes = 32u << 10;
  sim.options().retention = hours(100);
}

// Random work until the log has so many more segments.
Status Work(SimStore& sim, StoreModel& model, uint64_t segments) {
  Store& store = sim.store();
  const uint64_t until = store.Stats().segment_count + segments;
  for (int i = 1; store.Stats().segment_count < until; ++i) {
    sim.clock().Advance(hours(1));
    TIDEMARK_RETURN_IF_ERROR(model.Transact(store, 20));
    if (i % 15 == 0) {
      const auto ending = i % 2 == 0 ? StoreModel::Ending::kCommit : StoreModel::Ending::kRollback;
      TIDEMARK_RETURN_IF_ERROR(model.TransactLarge(store, 60, ending));
    }
    if (i % 20 == 0) TIDEMARK_RETURN_IF_ERROR(model.Restore(store));
    if (i % 30 == 0) TIDEMARK_RETURN_IF_ERROR(model.Fork(store));
    if (i % 10 == 0) TIDEMARK_RETURN_IF_ERROR(model.ChangeLabel(store));
    if (i % 50 == 0) TIDEMARK_RETURN_IF_ERROR(model.Delete(store));
    TIDEMARK_RETURN_IF_ERROR(model.Sync(store));
  }
  return OkStatus();
}

Start MakeStart(uint64_t seed) {
  Start start{.machine = {}, .model = StoreModel(seed, {.objects = 3, .pages = 40, .forks = 2})};
  SimStore sim(seed);
  SetOptions(sim);
  const auto make = [&]() -> Status {
    TIDEMARK_RETURN_IF_ERROR(sim.Open());
    TIDEMARK_RETURN_IF_ERROR(Work(sim, start.model, 2));
    TIDEMARK_RETURN_IF_ERROR(sim.Reclaim(ReclaimWhat::kEverything));
    TIDEMARK_RETURN_IF_ERROR(Work(sim, start.model, 2));
    sim.clock().Advance(hours(90));
    return sim.Close();
  };
  EXPECT_OK(make());
  start.machine = sim.Save();
  return start;
}

// The same with an index that was made anew, so that it has no free pages.
Start WithoutFreePages(Start start) {
  start.machine.index = nullptr;
  SimStore sim(TestSeed(), start.machine);
  SetOptions(sim);
  EXPECT_OK(sim.Open());
  EXPECT_OK(sim.Close());
  start.machine = sim.Save();
  return start;
}

// A call that fails, and what was asked for instead.
struct Fault {
  const char* name;
  std::set<StatusCode> codes;  // what the caller may see
  std::function<void(SimFileSystem&, uint64_t nth)> begin;
  // Has it failed? It is asked once, and ends the fault.
  std::function<bool(SimFileSystem&)> fired;
  uint64_t stride = 1;  // every so many calls, in a run of usual length
};

bool OperationFailed(SimFileSystem& fs) { return fs.FailOperation(0, StatusCode::kIoError) > 0; }

const Fault kFaults[] = {
    {"an operation",
     {StatusCode::kIoError, StatusCode::kBroken},
     [](SimFileSystem& fs, uint64_t nth) { fs.FailOperation(nth, StatusCode::kIoError); },
     OperationFailed,
     6},
    {"an operation, for want of room",
     {StatusCode::kFull, StatusCode::kBroken},
     [](SimFileSystem& fs, uint64_t nth) { fs.FailOperation(nth, StatusCode::kFull); },
     OperationFailed,
     7},
    {"a write that is cut short",
     {StatusCode::kFull, StatusCode::kBroken},
     [](SimFileSystem& fs, uint64_t nth) { fs.FailWrite(nth, StatusCode::kFull); },
     [](SimFileSystem& fs) { return fs.FailWrite(0, StatusCode::kFull) > 0; },
     4},
    {"a sync",
     {StatusCode::kIoError, StatusCode::kBroken},
     [](SimFileSystem& fs, uint64_t nth) { fs.FailSync(nth); },
     [](SimFileSystem& fs) { return fs.FailSync(0) > 0; },
     3},
    {"a read",
     {StatusCode::kIoError, StatusCode::kBroken},
     [](SimFileSystem& fs, uint64_t nth) { fs.FailReads(nth, false); },
     [](SimFileSystem& fs) { return fs.FailReads(0, false) > 0; },
     1000},
};

void Mend(SimFileSystem& fs) {
  fs.FailOperation(0, StatusCode::kIoError);
  fs.FailWrite(0, StatusCode::kIoError);
  fs.FailSync(0);
  fs.FailReads(0, false);
  fs.SetCapacity(UINT64_MAX);
}

void ExpectWhole(SimStore& sim) {
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
}

size_t CountFiles(SimStore& sim) { return sim.fs().ListDirectory("store/log").value().size(); }

// What is tried under faults.
struct Task {
  const char* name;
  std::function<Status(SimStore&, StoreModel&)> run;
};

const Task kTasks[] = {
    {"a packing of everything",
     [](SimStore& sim, StoreModel&) { return sim.Reclaim(ReclaimWhat::kEverything); }},
    {"a prune and a packing of what pays",
     [](SimStore& sim, StoreModel& model) {
       sim.clock().Advance(hours(1));
       return model.RunRetention(sim.store(), [&] { return sim.RunRetention(); });
     }},
    {"a licence by budget and a packing of what pays",
     [](SimStore& sim, StoreModel& model) -> Status {
       TIDEMARK_RETURN_IF_ERROR(model.SetBudget(sim.store(), kBudget));
       TIDEMARK_RETURN_IF_ERROR(model.Prune(sim.store()));
       return sim.Reclaim(ReclaimWhat::kWhatPays);
     }},
};

// Holds the store against the model, and lets it go on: commits, the task, a packing; closed and
// opened it is the same. `broken` is what a failed write of the log leaves.
void ExpectGoesOn(SimStore& sim, StoreModel model, const Task& task, PowerLoss loss) {
  Mend(sim.fs());
  const bool broken = sim.store().Sync().code() == StatusCode::kBroken;
  if (broken) {
    sim.Crash(loss);
    ASSERT_OK(sim.Open());
  }
  ASSERT_NO_FATAL_FAILURE(model.Check(sim.store(), StoreModel::After::kCrash));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole(sim));
  ASSERT_OK(model.Transact(sim.store(), 4));
  ASSERT_OK(model.Sync(sim.store()));
  sim.clock().Advance(minutes(1));
  ASSERT_OK(task.run(sim, model));
  ASSERT_OK(sim.Reclaim(ReclaimWhat::kEverything));
  EXPECT_EQ(CountFiles(sim), sim.store().Stats().segment_count) << "some are left over";
  ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim.store()));
  ASSERT_OK(sim.Close());
  ASSERT_OK(sim.Open());
  ASSERT_NO_FATAL_FAILURE(model.Check(sim.store(), StoreModel::After::kReopen));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole(sim));
  ASSERT_OK(sim.Close());
}

// Goal: whichever call fails in a packing, or in the background's turn, it is that call's error or
// none, nothing is lost, and the same process goes on: the next packing does it all. Only a failed
// write or sync of the log itself breaks the store. Method: each call in turn, of the same day;
// some of them where TIDEMARK_TEST_SCALE is small.
TEST(PackFaultTest, EveryCallFailsOnce) {
  const Start start = MakeStart(TestSeed());
  ASSERT_FALSE(HasFailure());
  uint64_t tried = 0;
  for (const Task& task : kTasks) {
    for (const Fault& fault : kFaults) {
      SCOPED_TRACE(::testing::Message() << task.name << ", " << fault.name << " fails");
      const uint64_t stride = ScaledStride(fault.stride);
      for (uint64_t nth = 1 + TestSeed() % stride;; nth += stride, ++tried) {
        SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", call " << nth);
        SimStore sim(nth, start.machine);
        SetOptions(sim);
        ASSERT_OK(sim.Open());
        StoreModel model = start.model;
        fault.begin(sim.fs(), nth);
        const Status status = task.run(sim, model);
        if (!fault.fired(sim.fs())) {
          ASSERT_OK(status);
          break;
        }
        if (!status.ok()) {
          EXPECT_TRUE(fault.codes.contains(status.code())) << status.ToString();
        }
        ASSERT_NO_FATAL_FAILURE(ExpectGoesOn(sim, model, task, static_cast<PowerLoss>(nth % 3)));
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(tried, Scaled(20));
}

// Goal: a disk that is full wherever it comes in a packing is a clean error, and costs nothing; and
// a packing that has room for the least of its files makes room. Method: the same day, on disks
// that have a little more left each time, the room that is kept for packing included.
TEST(PackFaultTest, EveryCapacity) {
  const Start start = MakeStart(TestSeed());
  ASSERT_FALSE(HasFailure());
  const uint64_t step = std::max<uint64_t>(8, ScaledStride(160)) << 10;
  for (const Task& task : kTasks) {
    int failed = 0;
    for (uint64_t left = 0; left < 8u << 20; left += step) {
      SCOPED_TRACE(::testing::Message()
                   << "seed " << TestSeed() << ", " << task.name << ", " << left << " bytes left");
      SimStore sim(left, start.machine);
      SetOptions(sim);
      ASSERT_OK(sim.Open());
      StoreModel model = start.model;
      const uint64_t used = sim.fs().UsedBytes();
      sim.fs().SetCapacity(used - internal::HeadRoom::kBytes + left);
      const Status status = task.run(sim, model);
      const uint64_t used_now = sim.fs().UsedBytes();
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kFull) << status.ToString();
      // A file of the log is of 1 MiB, and so is a segment that is made ready.
      if (left >= 1u << 20) {
        EXPECT_LT(used_now, used) << status.ToString();
      }
      if (status.ok()) break;
      ++failed;
      ASSERT_OK(model.Transact(sim.store(), 2)) << "there is room in the segment";
      ASSERT_OK(model.Sync(sim.store()));
      ASSERT_NO_FATAL_FAILURE(ExpectGoesOn(sim, model, task, PowerLoss::kNothing));
      if (HasFailure()) return;
    }
    EXPECT_GT(failed, 0);
  }
}

// Goal: history that has expired altogether goes even if there is hardly any room: nothing of it is
// written anew. Method: a disk with room for a small file, and a store of which nothing old is
// kept.
TEST(PackFaultTest, WhatHasExpiredNeedsNoRoom) {
  Start start = MakeStart(TestSeed());
  ASSERT_FALSE(HasFailure());
  SimStore sim(1, start.machine);
  SetOptions(sim);
  ASSERT_OK(sim.Open());
  for (const char* const name : {"object-0", "object-1", "object-2", "fork-0", "fork-1"}) {
    const char* const ns = std::string(name) == "fork-1" ? "copies" : "rooms";
    const auto object = sim.store().OpenObject(ns, name, IfMissing::kFail);
    if (!object.ok()) continue;
    ASSERT_OK_AND_ASSIGN(const auto labels, (*object)->ListLabels());
    for (const LabelInfo& label : labels) ASSERT_OK((*object)->RemoveLabel(label.name));
    ASSERT_OK((*object)->Delete());
  }
  sim.clock().Advance(hours(101));
  ASSERT_OK(sim.store().Prune());
  ASSERT_OK(sim.Checkpoint());
  const uint64_t used = sim.fs().UsedBytes();
  sim.fs().SetCapacity(used + (64u << 10));
  ASSERT_OK(sim.store().Reclaim());
  EXPECT_GT(used, 3u << 20);
  EXPECT_LT(sim.fs().UsedBytes(), (2u << 20) + internal::HeadRoom::kBytes + (128u << 10))
      << "the log in use, the next one, and the room that is kept";
  ASSERT_NO_FATAL_FAILURE(ExpectWhole(sim));
}

// Goal: an index that may not grow, or cannot because its disk is full, is a clean error wherever
// it comes in a packing, and leaves no files behind. Method: limits that are a few pages larger
// each time: LMDB's own, and the kernel's on the size of a file, which only LMDB's is. What the
// index has free pages for does not fail: whether it has is seen without a limit first.
TEST(PackFaultTest, EverySizeOfTheIndex) {
  const Start start = WithoutFreePages(MakeStart(TestSeed()));
  ASSERT_FALSE(HasFailure());
  ASSERT_NE(::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit no_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &no_limit), 0);
  bool any_grows = false;
  for (const Task& task : kTasks) {
    SimStore without(0, start.machine);
    SetOptions(without);
    ASSERT_OK(without.Open());
    StoreModel of_it = start.model;
    ASSERT_OK(task.run(without, of_it));
    const bool grows = without.store().Stats().index_file_bytes > start.machine.index->size();
    any_grows |= grows;
    for (const char* const whose : {"its own", "the kernel's"}) {
      int failed = 0;
      for (uint64_t pages = 0;; pages += ScaledStride(6)) {
        SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", " << task.name << ", "
                                          << whose << " limit, " << pages << " pages more");
        SimStore sim(pages, start.machine);
        SetOptions(sim);
        const uint64_t most = start.machine.index->size() + pages * 4096;
        const bool own = whose == std::string("its own");
        if (own) sim.options().max_index_bytes = most;
        ASSERT_OK(sim.Open());
        StoreModel model = start.model;
        rlimit limit = no_limit;
        if (!own) limit.rlim_cur = most;
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        const Status status = task.run(sim, model);
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &no_limit), 0);
        if (status.ok()) break;
        ++failed;
        EXPECT_TRUE(status.code() == StatusCode::kFull || status.code() == StatusCode::kIoError)
            << status.ToString();
        ASSERT_NO_FATAL_FAILURE(model.Check(sim.store(), StoreModel::After::kCrash));
        ASSERT_NO_FATAL_FAILURE(ExpectWhole(sim));
        EXPECT_EQ(CountFiles(sim), sim.store().Stats().segment_count);
        if (own) {
          sim.Crash(PowerLoss::kNothing);
          sim.options().max_index_bytes = StoreOptions().max_index_bytes;
          ASSERT_OK(sim.Open());
        }
        ASSERT_NO_FATAL_FAILURE(ExpectGoesOn(sim, model, task, PowerLoss::kNothing));
        if (HasFailure()) return;
      }
      EXPECT_EQ(failed > 0, grows) << task.name << ", " << whose;
    }
  }
  if (TestSeed() == 1) {
    EXPECT_TRUE(any_grows);
  }
}

}  // namespace
}  // namespace tidemark::testing
