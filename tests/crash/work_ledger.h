// What is known of a store on which WorkWriters work: above all the promises, which every crash
// must leave standing.

#ifndef TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_
#define TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "tests/crash/kill_work.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

class WorkLedger {
 public:
  explicit WorkLedger(uint64_t seed) : random_(seed) {}

  // The number of the next life of writers.
  uint32_t BeginRun() { return ++run_; }

  // A report from a writer of the current run. Fails the test if it contradicts an earlier one.
  void Remember(const Report& report);

  // Holds a store that was opened after a crash against the promises, replaying all of its history
  // from the stamps; then commits a little. Fails the test where something is gone, torn or out of
  // order, or where Store::Verify finds damage.
  void Check(Store& store);

  size_t commit_count() const { return promises_.size(); }
  Random& random() { return random_; }

  static bool IsPromise(const Report& report) {
    return report.kind == Report::kCommit || report.kind == Report::kRestore;
  }

 private:
  static constexpr uint32_t kParent = 255;  // the writer that is this ledger

  void CheckObject(Store& store, uint32_t object,
                   std::map<uint64_t, std::pair<uint32_t, CommitInfo>>* present,
                   std::map<uint64_t, uint64_t>* stamps);
  void CheckPages(const Snapshot& snapshot, uint32_t object, const PageStamps& state);
  void CheckPrefix(const std::map<uint64_t, uint64_t>& stamps);
  void CheckMade(const std::map<uint64_t, uint64_t>& stamps);
  void WorkOn(Store& store);

  Random random_;
  uint32_t run_ = 0;
  std::map<uint64_t, Report> promises_;  // by LSN
  std::map<uint32_t, std::set<uint64_t>>
      made_;                      // by run since the last check: LSNs, durable or not
  std::set<uint64_t> checked_;    // LSNs whose pages were compared
  uint64_t highest_at_open_ = 0;  // LSN ever given, as far as is known
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_
