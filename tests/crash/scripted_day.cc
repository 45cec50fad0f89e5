#include "tests/crash/scripted_day.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// Few and small databases: a check reads all of each.
constexpr StoreModel::Limits kLimits{
    .objects = 3, .pages = 24, .smallest_page = 2048, .page_sizes = 2, .forks = 2};
constexpr uint64_t kLargeWrites = 60;  // of 24 pages: far beyond transaction_memory_bytes

enum class Step {
  kTransact,
  kSync,
  kLarge,
  kLargeRollback,
  kRestore,
  kFork,
  kPromote,
  kDelete,
  kUndelete,
  kPurge,
  kLabel,
  kRetention,
  kSchedule,
  kSession,
  kCheckpoint,
  kPrepare,
  kReclaim,
  kBackground,
  kReopen
};

std::vector<Step> ShuffledSteps(Random& random) {
  std::vector<Step> steps(random.Between(6, 10), Step::kTransact);
  const std::pair<Step, uint64_t> others[] = {{Step::kSync, random.Between(1, 3)},
                                              {Step::kLarge, 1},
                                              {Step::kLargeRollback, 1},
                                              {Step::kRestore, random.Between(1, 2)},
                                              {Step::kFork, random.Between(1, 2)},
                                              {Step::kPromote, random.Below(2)},
                                              {Step::kDelete, random.Below(2)},
                                              {Step::kUndelete, random.Below(2)},
                                              {Step::kPurge, random.Below(2)},
                                              {Step::kLabel, random.Between(1, 3)},
                                              {Step::kRetention, random.Between(1, 3)},
                                              {Step::kSchedule, random.Between(1, 3)},
                                              {Step::kSession, random.Between(1, 2)},
                                              {Step::kCheckpoint, random.Between(1, 2)},
                                              {Step::kPrepare, random.Below(2)},
                                              {Step::kReclaim, random.Below(2)},
                                              {Step::kBackground, random.Below(3)},
                                              {Step::kReopen, random.Below(2)}};
  for (const auto& [step, count] : others) steps.insert(steps.end(), count, step);
  for (size_t i = steps.size(); i > 1; --i) std::swap(steps[i - 1], steps[random.Below(i)]);
  return steps;
}

Status Do(Step step, SimStore& sim, StoreModel& model) {
  switch (step) {
    case Step::kTransact: return model.Transact(sim.store(), 8);
    case Step::kSync: return model.Sync(sim.store());
    case Step::kLarge:
      return model.TransactLarge(sim.store(), kLargeWrites, StoreModel::Ending::kCommit);
    case Step::kLargeRollback:
      return model.TransactLarge(sim.store(), kLargeWrites, StoreModel::Ending::kRollback);
    case Step::kRestore: return model.Restore(sim.store());
    case Step::kFork: return model.Fork(sim.store());
    case Step::kPromote: return model.Promote(sim.store());
    case Step::kDelete: return model.Delete(sim.store());
    case Step::kUndelete: return model.Undelete(sim.store());
    case Step::kPurge:
      return model.Purge(sim.store(), [&](const std::string& ns, const std::string& name) {
        return sim.Purge(ns, name);
      });
    case Step::kLabel: return model.ChangeLabel(sim.store());
    case Step::kRetention: return model.ChangeRetention(sim.store());
    case Step::kSchedule: return model.Schedule(sim.store());
    case Step::kSession: return model.BeginSession(sim.store());
    case Step::kCheckpoint: return sim.Checkpoint();
    case Step::kPrepare: return sim.store().PrepareSegment();
    case Step::kReclaim: return sim.Reclaim(ReclaimWhat::kEverything);
    case Step::kBackground:
      sim.clock().Advance(std::chrono::hours(1));
      return model.RunRetention(sim.store(), [&] { return sim.RunRetention(); });
    case Step::kReopen: TIDEMARK_RETURN_IF_ERROR(sim.Close()); return sim.Open();
  }
  return OkStatus();
}

uint64_t UsedSegments(Store& store) {
  const StoreStats stats = store.Stats();
  return stats.segment_count - stats.spare_segment_count;
}

}  // namespace

void ScriptedDay::SetOptions(SimStore& sim) {
  sim.options().transaction_memory_bytes = 32u << 10;
  sim.options().max_chain_length = 4;
  sim.use_dictionaries_early();
  sim.take_reads_for_many();
}

ScriptedDay::ScriptedDay(uint64_t seed) : seed_(seed), model_(seed, kLimits) {
  if (seed % 8 == 0) return;
  SimStore sim(seed);
  SetOptions(sim);
  EXPECT_OK(sim.Open());
  // What is left of the segment is less than the day will write.
  while (!::testing::Test::HasFailure() && sim.store().Stats().log_bytes < 700u << 10) {
    const bool large = model_.random().OneIn(3);
    EXPECT_OK(Do(large ? Step::kLarge : Step::kTransact, sim, model_));
    EXPECT_OK(model_.Sync(sim.store()));
    if (model_.random().OneIn(8)) {
      EXPECT_OK(sim.Checkpoint());
    }
  }
  EXPECT_EQ(UsedSegments(sim.store()), 1u);
  EXPECT_OK(sim.Close());
  machine_ = sim.Save();
}

Status ScriptedDay::Run(SimStore& sim, StoreModel& model) const {
  Random random(seed_);
  TIDEMARK_RETURN_IF_ERROR(sim.Open());
  for (const Step step : ShuffledSteps(random)) {
    const bool long_after = random.OneIn(8);
    sim.clock().Advance(std::chrono::milliseconds(random.Below(long_after ? 20'000'000 : 1000)));
    TIDEMARK_RETURN_IF_ERROR(Do(step, sim, model));
  }
  while (UsedSegments(sim.store()) < 2) {
    TIDEMARK_RETURN_IF_ERROR(Do(Step::kLarge, sim, model));
    TIDEMARK_RETURN_IF_ERROR(model.Sync(sim.store()));
  }
  TIDEMARK_RETURN_IF_ERROR(Do(Step::kTransact, sim, model));
  TIDEMARK_RETURN_IF_ERROR(model.Sync(sim.store()));
  TIDEMARK_RETURN_IF_ERROR(Do(Step::kReclaim, sim, model));
  TIDEMARK_RETURN_IF_ERROR(Do(Step::kTransact, sim, model));
  TIDEMARK_RETURN_IF_ERROR(model.Sync(sim.store()));
  EXPECT_GT(model.counts().large_commits, model_.counts().large_commits);
  EXPECT_GT(model.counts().large_rollbacks, model_.counts().large_rollbacks);
  return OkStatus();
}

}  // namespace tidemark::testing
