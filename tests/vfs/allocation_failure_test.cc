// Memory runs out in the VFS and in the engine: SQLite's documented code, nothing half done, and
// the connection goes on, or the store says that it is broken and is whole when it is opened again.
// A program of its own, because operator new is replaced. SQLite's allocator is in
// out_of_memory_test.cc.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "tests/vfs/fault_work.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

// Counts down to the allocation that fails; 0 is none.
struct Countdown {
  uint64_t left = 0;
  bool all = false;
  bool fired = false;

  bool Fails() {
    if (left == 0) return false;
    if (left > 1) {
      --left;
      return false;
    }
    fired = true;
    if (!all) left = 0;
    return true;
  }
};
// Of the thread that does the work.
thread_local Countdown countdown;

class AllocationFaults final : public FaultSource {
 public:
  void FailAt(uint64_t nth, bool all) override { countdown = {.left = nth, .all = all}; }
  bool Stop() override {
    const bool fired = countdown.fired;
    countdown = {};
    return fired;
  }
  bool Explains(int code) const override {
    return code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
  }
};

// Goal: an allocation that fails is SQLITE_NOMEM, kOutOfMemory or goes unnoticed, and does no harm.
// Method: fault_work.h, over operator new: every call where TIDEMARK_TEST_SCALE is 20 or more, else
// some, as the seed decides.
TEST(AllocationFailureTest, EachAllocationFails) {
  AllocationFaults faults;
  FaultWork work(FaultWork::Files::kReal);
  work.Sweep(&faults, std::max<uint64_t>(1, 20 / Scaled(1)));
  EXPECT_GT(work.failures(), 300u);
  RecordProperty("failures", std::to_string(work.failures()));
  RecordProperty("broken", std::to_string(work.broken()));
}

bool Fails() { return countdown.Fails(); }

}  // namespace
}  // namespace tidemark::testing

// The others call one of these.
void* operator new(size_t size) {
  if (!tidemark::testing::Fails()) {
    if (void* memory = std::malloc(std::max<size_t>(size, 1))) return memory;
  }
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto to = static_cast<size_t>(alignment);
  if (!tidemark::testing::Fails()) {
    if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
