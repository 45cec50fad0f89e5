// Reads of the disk that fail: SQLite's documented code, nothing half done, and the connection goes
// on. Writes and syncs that fail are in failure_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/test_seed.h"
#include "tests/vfs/fault_work.h"

namespace tidemark::testing {
namespace {

class ReadFaults final : public FaultSource {
 public:
  explicit ReadFaults(SimFileSystem* file_system) : file_system_(file_system) {}
  void FailAt(uint64_t nth, bool all) override { file_system_->FailReads(nth, all); }
  bool Stop() override { return file_system_->FailReads(0, false) > 0; }
  bool Explains(int code) const override {
    return (code & 0xff) == SQLITE_IOERR || code == SQLITE_CANTOPEN;
  }

 private:
  SimFileSystem* const file_system_;
};

// Goal: a read that fails is SQLITE_IOERR (or SQLITE_CANTOPEN from an open) and does no harm.
// Method: fault_work.h, over the reads of the file system under the store: every one where
// TIDEMARK_TEST_SCALE is 60 or more, else some, as the seed decides.
TEST(ReadFailureTest, EachReadFails) {
  FaultWork work(FaultWork::Files::kSimulated);
  ReadFaults faults(&work.file_system());
  work.Sweep(&faults, ScaledStride(60));
  EXPECT_GT(work.failures(), Scaled(100));
  EXPECT_EQ(work.broken(), 0u);
  RecordProperty("failures", std::to_string(work.failures()));
}

}  // namespace
}  // namespace tidemark::testing
