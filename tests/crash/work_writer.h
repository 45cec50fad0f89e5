// One thread's work on a store, as long as the store lives.

#ifndef TIDEMARK_TESTS_CRASH_WORK_WRITER_H_
#define TIDEMARK_TESTS_CRASH_WORK_WRITER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/crash/kill_work.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

// Works on objects that are its own, and reports each commit twice: when it is made, and when it is
// known to be durable. Restores, labels and forks are durable when they are made; before it removes
// a label or deletes a fork it says so.
class WorkWriter {
 public:
  using Sink = std::function<void(const Report&)>;

  // Writer `stamp.writer` of `writers`; the stamp's count goes on from there. Uses the store and
  // the sink until it is destroyed.
  WorkWriter(Store& store, const Stamp& stamp, uint32_t writers, uint64_t seed, Sink sink);

  // A transaction, a restore, a label or a fork; sometimes waits for it, sometimes a checkpoint.
  // The errors are the store's.
  Status Step();

 private:
  // One that can be told apart from all others, for ever: a label, a fork.
  struct Named {
    uint32_t object = 0;
    uint64_t stamp = 0;
  };

  Status Commit(uint32_t object);
  Status Restore(uint32_t object);
  Status ChangeLabels(uint32_t object);
  Status ChangeForks(uint32_t object);
  // The object, and one of its last commits, that has not expired; none if it does not exist.
  Status ChoosePast(uint32_t object, std::shared_ptr<Object>* handle, CommitInfo* commit);
  uint64_t NewName();
  void ReportDurable();

  Store& store_;
  const Sink sink_;
  Stamp stamp_;
  Random random_;
  std::vector<uint32_t> objects_;
  std::vector<Report> unreported_;  // in order of LSNs
  std::deque<Named> labels_;        // made by this writer, oldest first
  std::deque<Named> forks_;
  uint32_t names_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_WORK_WRITER_H_
