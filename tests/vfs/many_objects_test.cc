// Many objects open at once in one process.

#include <malloc.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class ManyObjectsTest : public VfsTest {};

int64_t OpenDescriptors() {
  int64_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

// Of the heap beside SQLite's own; 0 under a sanitizer, whose allocator does not say.
int64_t HeapBesideSqlite() {
  const struct mallinfo2 heap = mallinfo2();
  if (heap.uordblks == 0) return 0;
  return static_cast<int64_t>(heap.uordblks + heap.hblkhd) - sqlite3_memory_used();
}

// Goal: 10,000 objects open at once fit in 4 GB, and none holds a file descriptor: what a
// connection that has read and written costs beside SQLite's own memory stays under 32 KiB.
// Method: 1000 of them (10,000 where TIDEMARK_TEST_SCALE is 10), each written and read while all
// are open. bench/open_connections.cc prints the figures.
TEST_F(ManyObjectsTest, CostLittleEach) {
  ASSERT_OK(AttachStore(store_.get()));
  { const Connection first(Uri("first")); }  // what the first one sets up for all
  const int64_t descriptors = OpenDescriptors();
  const int64_t heap = HeapBesideSqlite();
  const auto count = static_cast<int64_t>(Scaled(1000));
  {
    std::vector<std::unique_ptr<Connection>> open;
    for (int64_t i = 0; i < count; ++i) {
      open.push_back(std::make_unique<Connection>(Uri("o" + std::to_string(i))));
      Exec(open.back()->handle(),
           "PRAGMA synchronous=OFF; CREATE TABLE t AS SELECT " + std::to_string(i) + " AS x");
    }
    // All in the middle of a transaction at the same time.
    for (const auto& connection : open) {
      Exec(connection->handle(), "BEGIN; UPDATE t SET x = x + 1");
    }
    EXPECT_LE(OpenDescriptors(), descriptors + 8) << "segments, perhaps";
    for (int64_t i = 0; i < count; ++i) {
      sqlite3* const handle = open[static_cast<size_t>(i)]->handle();
      Exec(handle, "COMMIT");
      ASSERT_EQ(Query(handle, "SELECT x FROM t"), std::to_string(i + 1));
    }
    EXPECT_LT((HeapBesideSqlite() - heap) / count, 32 << 10);
  }
  EXPECT_OK(DetachStore(store_.get()));
}

}  // namespace
}  // namespace tidemark::testing
