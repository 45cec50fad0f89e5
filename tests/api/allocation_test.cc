// Memory runs out in object storage: SQLite's, the engine's and the layer's own.
// A program of its own, because operator new and SQLite's allocator are replaced.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>

#include "tests/api/storage_pieces.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"
#include "tests/vfs/allocation_faults.h"

namespace tidemark::testing {
namespace {

sqlite3_mem_methods system_memory;

void* Allocate(int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xMalloc(size);
}
void* Reallocate(void* memory, int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xRealloc(memory, size);
}

class StorageAllocationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory), SQLITE_OK);
    sqlite3_mem_methods methods = system_memory;
    methods.xMalloc = Allocate;
    methods.xRealloc = Reallocate;
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
  }
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

// Those for arrays call these.
void* operator new(size_t size) {
  if (!tidemark::testing::allocation_countdown.Fails()) {
    if (void* memory = std::malloc(std::max<size_t>(size, 1))) return memory;
  }
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  const bool fails = tidemark::testing::allocation_countdown.Fails();
  return fails ? nullptr : std::malloc(std::max<size_t>(size, 1));
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto to = static_cast<size_t>(alignment);
  if (!tidemark::testing::allocation_countdown.Fails()) {
    if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  }
  throw std::bad_alloc();
}
// Not inlined: g++ would warn that what operator new gave is given to free().
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }
