// The disk dies just before the log rolls into its next segment.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/transaction.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kPageSize = 4096;

// One commit of `count` pages that no encoding makes smaller, on a new object; not waited for.
Result<CommitInfo> CommitPages(Store& store, const std::string& name, uint32_t count,
                               Random& random) {
  TIDEMARK_ASSIGN_OR_RETURN(auto object, store.OpenObject("rooms", name, IfMissing::kCreate));
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(kPageSize));
  std::vector<std::byte> page(kPageSize);
  for (uint32_t page_no = 1; page_no <= count; ++page_no) {
    for (std::byte& byte : page) byte = static_cast<std::byte>(random.Next());
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(page_no), page));
  }
  return transaction.Commit();
}

// Goal: a dead disk is an error, not the end of the process, and a commit that was reserved for can
// be appended even then. Method: fill the segment until the next commit must roll, with a spare
// ready; take the power; commit. The commit is visible, and waiting for it fails.
TEST(RollTest, ADeadDiskIsAnError) {
  SimStore sim(TestSeed());
  Random random(TestSeed());
  ASSERT_OK(sim.Open());
  ASSERT_OK(sim.store().PrepareSegment());
  std::string last;
  CommitInfo confirmed;
  // What is left of the segment takes a commit of 12 pages for certain in the loop, and one of 15
  // for certain not behind it. Each is one frame: it fits a transaction's memory.
  constexpr uint64_t kEnd = (1u << 20) - 14 * kPageSize;
  while (sim.store().Stats().log_bytes < kEnd) {
    last = "object-" + std::to_string(sim.store().Stats().object_count);
    ASSERT_OK_AND_ASSIGN(confirmed, CommitPages(sim.store(), last, 12, random));
    ASSERT_OK(sim.store().Sync());
  }
  ASSERT_EQ(sim.store().Stats().spare_segment_count, 1u);

  sim.fs().Crash();
  ASSERT_OK_AND_ASSIGN(const CommitInfo lost, CommitPages(sim.store(), "lost", 15, random));
  ASSERT_EQ(sim.store().Stats().spare_segment_count, 0u) << "it did not roll";
  EXPECT_EQ(sim.store().WaitDurable(lost.lsn).code(), StatusCode::kBroken);
  EXPECT_EQ(CommitPages(sim.store(), "later", 15, random).status().code(), StatusCode::kBroken);

  sim.Crash(PowerLoss::kAll);
  ASSERT_OK(sim.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, sim.store().OpenObject("rooms", last, IfMissing::kFail));
  EXPECT_EQ(object->head(), confirmed);
}

}  // namespace
}  // namespace tidemark::testing
