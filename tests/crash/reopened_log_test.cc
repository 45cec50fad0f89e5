// The log of a store that was closed and opened again goes on in the same segment: a close record
// is not the end of what was durable.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "engine/format.h"
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
// the close record, the open record's. It belongs to no object, so the open must fail and name the
// place. (Taken for the end, the store would open without the five commits.)
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

  const Status status = sim.Open();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("segment 1"), std::string::npos) << status.ToString();
}

}  // namespace
}  // namespace tidemark::testing
