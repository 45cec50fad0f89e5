// Allocations that fail, for the work of fault_work.h: of whichever allocator a test program has
// replaced.

#ifndef TIDEMARK_TESTS_VFS_ALLOCATION_FAULTS_H_
#define TIDEMARK_TESTS_VFS_ALLOCATION_FAULTS_H_

#include <sqlite3.h>

#include <cstdint>

#include "tests/vfs/fault_work.h"

namespace tidemark::testing {

// Counts down to the allocation that fails; 0 is none.
struct AllocationCountdown {
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
// Of the thread that does the work: an allocator that is made to fail asks it.
inline thread_local AllocationCountdown allocation_countdown;

class AllocationFaults final : public FaultSource {
 public:
  void FailAt(uint64_t nth, bool all) override { allocation_countdown = {.left = nth, .all = all}; }
  bool Stop() override {
    const bool fired = allocation_countdown.fired;
    allocation_countdown = {};
    return fired;
  }
  bool Explains(int code) const override {
    return code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
  }
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_ALLOCATION_FAULTS_H_
