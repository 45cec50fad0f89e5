// One thread's work on a store, as long as the store lives.

#ifndef TIDEMARK_TESTS_CRASH_WORK_WRITER_H_
#define TIDEMARK_TESTS_CRASH_WORK_WRITER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/crash/kill_work.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

// Works on objects that are its own, and reports each commit twice: when it is made, and when it is
// known to be durable. Restores are durable when they are made.
class WorkWriter {
 public:
  using Sink = std::function<void(const Report&)>;

  // Writer `stamp.writer` of `writers`; the stamp's count goes on from there. Uses the store and
  // the sink until it is destroyed.
  WorkWriter(Store& store, const Stamp& stamp, uint32_t writers, uint64_t seed, Sink sink);

  // A transaction or a restore; sometimes waits for it, sometimes a checkpoint. The errors are the
  // store's.
  Status Step();

 private:
  Status Restore(uint32_t object);
  void ReportDurable();

  Store& store_;
  const Sink sink_;
  Stamp stamp_;
  Random random_;
  std::vector<uint32_t> objects_;
  std::vector<Report> unreported_;  // in order of LSNs
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_WORK_WRITER_H_
