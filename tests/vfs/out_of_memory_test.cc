// SQLite's memory runs out: its documented code, nothing half done, and the connection goes on. A
// program of its own, because SQLite's allocator is replaced.

#include <algorithm>

#include "tests/vfs/allocation_faults.h"
#include "tests/vfs/fault_work.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

sqlite3_mem_methods system_memory;

void* Allocate(int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xMalloc(size);
}
void* Reallocate(void* memory, int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xRealloc(memory, size);
}

class OutOfMemoryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory), SQLITE_OK);
    sqlite3_mem_methods methods = system_memory;
    methods.xMalloc = Allocate;
    methods.xRealloc = Reallocate;
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
  }
};

// Goal: an allocation of SQLite's that fails is SQLITE_NOMEM or goes unnoticed, and does no harm.
// Method: fault_work.h, over SQLite's allocator: every call where TIDEMARK_TEST_SCALE is 20 or
// more, else some, as the seed decides.
TEST_F(OutOfMemoryTest, EachAllocationFails) {
  AllocationFaults faults;
  FaultWork work(FaultWork::Files::kSimulated);
  work.Sweep(&faults, ScaledStride(20));
  EXPECT_GT(work.failures(), std::min<uint64_t>(Scaled(1000), 300));
  EXPECT_EQ(work.broken(), 0u);
  EXPECT_GT(work.found_done(), 0u) << "SQLite makes the row of a pragma behind what it does";
  RecordProperty("failures", std::to_string(work.failures()));
}

}  // namespace
}  // namespace tidemark::testing
