// The power fails while everything runs: writers, the flusher, the checkpointer, a keeper that
// packs, each on a thread of its own, over simulated files.
//
// Which operation is the nth depends on the threads, so a seed repeats a failure only nearly.

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/crash/work_ledger.h"
#include "tests/crash/work_writer.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

constexpr uint64_t kNever = UINT64_MAX / 2;

void SetOptions(StoreOptions& options) {
  const StoreOptions work = WorkOptions(std::chrono::seconds(1));
  options.background_work = BackgroundWork::kThreads;
  options.checkpoint_log_bytes = work.checkpoint_log_bytes;
  options.transaction_memory_bytes = work.transaction_memory_bytes;
  options.flush_delay = work.flush_delay;
  options.max_chain_length = work.max_chain_length;
  options.retention = work.retention;
  options.packing_backlog_bytes = 2u << 20;  // the log is packed as it grows, too
}

// Time passes, history expires and is packed, until the power fails. Returns how many files of the
// log were written anew.
uint64_t KeepUntilCrash(SimStore& sim, uint64_t seed, Status* end) {
  Random random(seed);
  uint64_t files = 0;
  for (;;) {
    sim.clock().Advance(std::chrono::milliseconds(random.Below(600)));
    const auto packed = PruneAndPack(sim.store(), random);
    if (!packed.ok()) {
      *end = packed.status();
      return files;
    }
    files += packed->files;
  }
}

// Works with several threads until the power fails in all of them. Returns how many files of the
// log a keeper wrote anew meanwhile.
uint64_t WorkUntilCrash(SimStore& sim, WorkLedger& ledger, uint32_t run) {
  const auto writers = static_cast<uint32_t>(ledger.random().Between(1, 4));
  const uint64_t seed = ledger.random().Next();
  const bool keeps = ledger.random().OneIn(2);
  uint64_t files = 0;
  std::mutex mutex;
  std::vector<Report> reports;
  std::vector<Status> ends(writers + keeps);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      WorkWriter writer(sim.store(), {.run = run, .writer = i}, writers, seed,
                        [&](const Report& report) {
                          const std::scoped_lock lock(mutex);
                          reports.push_back(report);
                        });
      do {
        ends[i] = writer.Step();
      } while (ends[i].ok());
    });
  }
  if (keeps) threads.emplace_back([&] { files = KeepUntilCrash(sim, seed, &ends[writers]); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(sim.fs().crashed());
  for (const Status& end : ends) {
    EXPECT_TRUE(end.code() == StatusCode::kBroken || end.code() == StatusCode::kIoError)
        << end.ToString();
  }
  for (const Report& report : reports) ledger.Remember(report);
  return files;
}

// What crashes have left of the log is packed, and the power fails soon afterwards. Returns how
// many files were written anew.
uint64_t PackAll(SimStore& sim, Random& random) {
  sim.fs().CrashAt(kNever);
  const auto packed = sim.store().Reclaim(ReclaimWhat::kEverything);
  EXPECT_OK(packed.status());
  sim.fs().CrashAt(random.Between(1, 300));
  return packed.ok() ? packed->files : 0;
}

// Crashes a store `crashes` times, at work or as it opens; the last time behind a packing. Adds to
// `packed` what was packed.
void Live(uint64_t seed, int crashes, uint64_t* packed) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  SimStore sim(seed);
  SetOptions(sim.options());
  WorkLedger ledger(seed);
  Random& random = ledger.random();
  for (int crash = 0; crash < crashes; ++crash) {
    SCOPED_TRACE(::testing::Message() << "crash " << crash);
    constexpr uint64_t kLongest[] = {40, 40, 300, 1000};
    sim.fs().CrashAt(crash + 1 == crashes ? kNever : random.Between(1, kLongest[random.Below(4)]));
    const uint32_t run = ledger.BeginRun();
    const Status open = sim.Open();
    if (!sim.fs().crashed()) {
      ASSERT_OK(open);
    }
    if (open.ok()) {
      if (crash + 1 == crashes) *packed += PackAll(sim, random);
      *packed += WorkUntilCrash(sim, ledger, run);
      if (::testing::Test::HasFailure()) return;
    }
    sim.Crash(static_cast<PowerLoss>(random.Below(3)));
    ASSERT_OK(sim.Open());
    sim.fs().CrashAt(kNever);
    ASSERT_NO_FATAL_FAILURE(ledger.Check(sim.store()));
    if (::testing::Test::HasFailure()) return;
    // A crash ends the file, so that it can be packed.
    if (crash + 2 != crashes && random.OneIn(2)) {
      ASSERT_OK(sim.Close());
    } else {
      sim.Crash(static_cast<PowerLoss>(random.Below(3)));  // what was served is durable
    }
  }
  EXPECT_GT(ledger.commit_count(), 0u);
}

// Goal: what kill_test shows of a killed process holds when the power fails, too: each commit that
// was called durable is there, whole and in order, and of each writer a prefix. Method: several
// writers over simulated files that lose power at a random operation, again and again; beside half
// of them history expires and is packed.
TEST(BusyPowerLossTest, NothingDurableIsLost) {
  uint64_t packed = 0;
  uint64_t lives = 0;
  for (; lives < Scaled(5) && !HasFailure(); ++lives) {
    Live(TestSeed() * 1000000 + lives, 8, &packed);
  }
  std::cout << "power failed " << lives * 8 << " times; " << packed << " files packed between\n";
  EXPECT_GE(packed, lives);
}

}  // namespace
}  // namespace tidemark::testing
