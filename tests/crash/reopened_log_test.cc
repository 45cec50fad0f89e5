// The log of a store that was closed and opened again goes on in the same segment: a close record
// is not the end of what was durable.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "engine/format.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "engine/transaction.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

void CommitPage(Store& store, const char* name, int fill) {
  auto object = store.OpenObject("rooms", name, IfMissing::kCreate);
  ASSERT_OK(object);
  Transaction transaction(*object);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.ResetPageSize(512));
  ASSERT_OK(
      transaction.WritePage(PageNo(1), std::vector<std::byte>(512, static_cast<std::byte>(fill))));
  ASSERT_OK(transaction.Commit());
  ASSERT_OK(store.Sync());
}

// Where each group of segment 1 begins.
std::vector<uint64_t> Groups(const std::vector<std::byte>& segment) {
  std::vector<uint64_t> offsets;
  uint64_t at = format::kFirstGroupOffset;
  while (at + sizeof(format::GroupHeader) <= segment.size()) {
    format::GroupHeader header;
    std::memcpy(&header, segment.data() + at, sizeof(header));
    if (header.magic != format::kGroupMagic) break;
    offsets.push_back(at);
    at += header.length;
  }
  return offsets;
}

// Goal: damage right behind a close record, with confirmed commits behind it, is never taken for
// the end of the log. Method: close, reopen, commit five times, kill; then damage the group behind
// the close record, the open record's. It belongs to no object, so the store opens with everything,
// and verify names the place. (Taken for the end, it would open without the five commits.)
TEST(ReopenedLogTest, DamageBehindACloseRecordIsNotTheEnd) {
  SimStore sim(TestSeed());
  ASSERT_OK(sim.Open());
  CommitPage(sim.store(), "a", 1);
  ASSERT_OK(sim.Close());
  const std::string path = "store/log/" + internal::SegmentName(1);
  const size_t closed = Groups(sim.fs().Contents(path)).size();

  ASSERT_OK(sim.Open());
  for (int i = 0; i < 5; ++i) CommitPage(sim.store(), "a", 10 + i);
  sim.Crash(PowerLoss::kAll);
  const std::vector<uint64_t> groups = Groups(sim.fs().Contents(path));
  ASSERT_GE(groups.size(), closed + 6);
  sim.fs().FlipBit(path, groups[closed] + sizeof(format::GroupHeader) + 4, 3);

  ASSERT_OK(sim.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot());
  std::vector<std::byte> page(512);
  ASSERT_OK(snapshot.ReadPage(PageNo(1), page));
  EXPECT_EQ(page, std::vector<std::byte>(512, std::byte{14}));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
  ASSERT_EQ(report.damage.size(), 1u);
  EXPECT_EQ(report.damage[0].segment, 1u);
  EXPECT_EQ(report.damage[0].offset, groups[closed] + sizeof(format::GroupHeader));
}

}  // namespace
}  // namespace tidemark::testing
