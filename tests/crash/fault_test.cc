// A write or a sync fails, or the disk is full, at every place of a scripted day, recovery
// included.

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

Status Work(SimStore& sim, StoreModel& model) {
  for (int i = 0; i < 4; ++i) TIDEMARK_RETURN_IF_ERROR(model.Transact(sim.store(), 8));
  TIDEMARK_RETURN_IF_ERROR(model.Sync(sim.store()));
  TIDEMARK_RETURN_IF_ERROR(model.Transact(sim.store(), 350));
  TIDEMARK_RETURN_IF_ERROR(sim.store().PrepareSegment());
  TIDEMARK_RETURN_IF_ERROR(sim.Checkpoint());
  return model.Restore(sim.store());
}

// Work, a clean close, work, a crash, a recovery, work. Stops at the first failure.
Status RunScript(SimStore& sim, StoreModel& model) {
  TIDEMARK_RETURN_IF_ERROR(sim.Open());
  TIDEMARK_RETURN_IF_ERROR(Work(sim, model));
  TIDEMARK_RETURN_IF_ERROR(sim.Close());
  TIDEMARK_RETURN_IF_ERROR(sim.Open());
  TIDEMARK_RETURN_IF_ERROR(Work(sim, model));
  sim.Crash(PowerLoss::kNothing);
  TIDEMARK_RETURN_IF_ERROR(sim.Open());
  TIDEMARK_RETURN_IF_ERROR(Work(sim, model));
  return model.Sync(sim.store());
}

// Runs the script with a fault, then again without: nothing confirmed is lost, and the store works.
// False if the script met no fault.
bool FailOnce(uint64_t seed, StatusCode code, PowerLoss loss,
              const std::function<void(SimFileSystem&)>& fault,
              const std::function<void(SimFileSystem&)>& mend) {
  StoreModel model(seed, {.objects = 3});
  SimStore sim(seed);
  fault(sim.fs());
  const Status failed = RunScript(sim, model);
  if (failed.ok()) return false;
  EXPECT_TRUE(failed.code() == code || failed.code() == StatusCode::kBroken) << failed.ToString();
  if (sim.is_open() && sim.store().Sync().code() == StatusCode::kBroken) {
    // What is not known to be on the disk is not served.
    EXPECT_ERROR(sim.store().OpenObject("rooms", "object-0", IfMissing::kCreate),
                 StatusCode::kBroken, "must be reopened");
    EXPECT_ERROR(model.Transact(sim.store(), 2), StatusCode::kBroken, "must be reopened");
  }
  mend(sim.fs());
  if (sim.is_open() && sim.store().Sync().ok()) {
    EXPECT_OK(model.Sync(sim.store()));  // it was a clean failure: the same process goes on
    EXPECT_OK(model.Restore(sim.store()));
    if (::testing::Test::HasFailure()) return false;
  }
  sim.Crash(loss);
  EXPECT_OK(sim.Open());
  if (::testing::Test::HasFailure()) return false;
  model.Check(sim.store(), StoreModel::After::kCrash);
  if (::testing::Test::HasFailure()) return false;
  EXPECT_OK(Work(sim, model));
  model.CheckHistory(sim.store());
  EXPECT_OK(sim.Close());
  EXPECT_OK(sim.Open());
  if (::testing::Test::HasFailure()) return false;
  model.Check(sim.store(), StoreModel::After::kReopen);
  const auto report = sim.store().Verify();
  EXPECT_OK(report);
  EXPECT_TRUE(report->damage.empty()) << report->damage[0].message;
  return !::testing::Test::HasFailure();
}

constexpr PowerLoss kLosses[] = {PowerLoss::kNothing, PowerLoss::kAll, PowerLoss::kSeeded};

// Goal: a write that fails, for want of room or for good, costs nothing that was confirmed, and the
// store works again once it is opened. Method: each write of the day in turn.
TEST(FaultTest, EveryWriteFailsOnce) {
  for (uint64_t i = 0; i < Scaled(4); ++i) {
    const uint64_t seed = TestSeed() * 1000 + i;
    const auto code = i % 2 == 0 ? StatusCode::kFull : StatusCode::kIoError;
    for (uint64_t n = 1;; ++n) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", write " << n);
      if (!FailOnce(
              seed, code, kLosses[(i + n) % 3], [&](SimFileSystem& fs) { fs.FailWrite(n, code); },
              [](SimFileSystem&) {})) {
        break;
      }
    }
    if (HasFailure()) return;
  }
}

// Goal: after a failed sync the store serves nothing until it is opened again, and then a prefix
// with all that was confirmed. Method: each sync of the day in turn.
TEST(FaultTest, EverySyncFailsOnce) {
  for (uint64_t i = 0; i < Scaled(4); ++i) {
    const uint64_t seed = TestSeed() * 1000 + i;
    for (uint64_t n = 1;; ++n) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", sync " << n);
      if (!FailOnce(
              seed, StatusCode::kIoError, kLosses[(i + n) % 3],
              [&](SimFileSystem& fs) { fs.FailSync(n); }, [](SimFileSystem&) {})) {
        break;
      }
    }
    if (HasFailure()) return;
  }
}

// Goal: a full disk is a clean error wherever it comes, recovery included, and costs nothing; with
// room the store works on. Method: the day on disks that are each a little larger.
TEST(FaultTest, EveryCapacity) {
  for (uint64_t i = 0; i < Scaled(2); ++i) {
    const uint64_t seed = TestSeed() * 1000 + i;
    for (uint64_t capacity = 100u << 10;; capacity += 97u << 10) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", " << capacity << " bytes");
      if (!FailOnce(
              seed, StatusCode::kFull, kLosses[(capacity >> 10) % 3],
              [&](SimFileSystem& fs) { fs.SetCapacity(capacity); },
              [](SimFileSystem& fs) { fs.SetCapacity(UINT64_MAX); })) {
        break;
      }
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tidemark::testing
