// Memory runs out in object storage: SQLite's, the engine's and the layer's own.
// A program of its own, because operator new and SQLite's allocator are replaced.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>

#include "tests/api/failing_memory.h"
#include "tests/api/storage_pieces.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

class StorageAllocationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { UseFailingMemory(); }
};

// Goal: an allocation that fails in any public call is an Error or std::bad_alloc, or goes
// unnoticed; the object has all or nothing of the call, or is broken and says so. Method: each
// piece of work until it gets through, its first allocation failing, then a later one; once alone
// and once with all behind it; in both modes. Every allocation where TIDEMARK_TEST_SCALE is 20 or
// more, else some, as the seed decides.
TEST_F(StorageAllocationTest, EachAllocationFails) {
  // Files that ask for memory as a program's do: the simulated ones ask for more.
  TempDirectory directory;
  ManualClock clock;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Store> store,
                       Store::Open(directory / "store", {.create_if_missing = true,
                                                         .background_work = BackgroundWork::kManual,
                                                         .clock = &clock}));
  const uint64_t stride = std::max<uint64_t>(1, 20 / Scaled(1));
  std::mt19937_64 random(TestSeed());
  uint64_t failures = 0;
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    StoragePieces pieces([&]() -> Store& { return *store; }, Durability::kPipelined);
    for (const StoragePiece& piece : pieces.all()) {
      for (const bool all : {false, true}) {
        for (uint64_t nth = 1; nth < 20'000; nth += stride == 1 ? 1 : 1 + random() % stride) {
          SCOPED_TRACE(::testing::Message()
                       << piece.name << ", allocation " << nth << (all ? " and all behind it" : "")
                       << (mode == CommitMode::kTurn ? ", kTurn" : ", kEachCall"));
          bool fired = false;
          EXPECT_NO_THROW(fired = pieces.Run(
                              piece, mode,
                              [&] { allocation_countdown = {.left = nth, .all = all}; },
                              [&] {
                                const bool did = allocation_countdown.fired;
                                allocation_countdown = {};
                                return did;
                              }));
          if (HasFailure()) return;
          if (!fired) break;
        }
      }
    }
    failures += pieces.failures();
  }
  EXPECT_GT(failures, 300u);
  EXPECT_OK(store->Close());
  RecordProperty("failures", std::to_string(failures));
}

}  // namespace
}  // namespace tidemark::testing
