// What is known of a store on which WorkWriters work: above all the promises, which every crash
// must leave standing.

#ifndef TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_
#define TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "tests/crash/kill_work.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

class WorkLedger {
 public:
  explicit WorkLedger(uint64_t seed) : random_(seed) {}

  // The number of the next life of writers. With a keeper only in the first life after a check:
  // what expires unseen must have been reported.
  uint32_t BeginRun() { return ++run_; }

  // A report from a writer of the current run. Fails the test if it contradicts an earlier one.
  void Remember(const Report& report);

  // Holds a store that was opened after a crash against the promises, replaying all of its history
  // from the stamps; then commits a little. Fails the test where something is gone that may not
  // have expired, torn or out of order, or where Store::Verify finds damage.
  void Check(Store& store);

  size_t commit_count() const { return commits_.size(); }
  uint64_t expired_count() const { return expired_count_; }
  Random& random() { return random_; }

  static bool IsPromise(const Report& report) {
    return report.kind == Report::kCommit || report.kind == Report::kRestore;
  }

 private:
  static constexpr uint32_t kParent = 255;  // the writer that is this ledger

  // A commit or restore that was reported or found.
  struct Commit {
    Report report;
    bool durable = false;
    bool checked = false;  // its pages were compared
    // Once the store was checked that had it:
    std::optional<PageStamps> state{};
    std::optional<Bookmark> bookmark{};
  };
  // A label or a fork.
  struct Name {
    uint32_t object = 0;
    uint64_t lsn = 0;  // of the commit that is named, or was forked
  };
  using History = std::map<uint64_t, CommitInfo>;  // by LSN: what a store has of one object

  void ReadHistory(const Object& object, History* history);
  void AddFound(const Object& object, uint32_t number, const History& history);
  // Forgets what a crash took, which nobody had called durable.
  void ForgetLost(const std::array<History, kObjectCount>& histories);
  void CheckObject(Store& store, const Object& object, uint32_t number, const History& history);
  void CheckExpired(const Object& object, const Commit& commit, const Commit* next,
                    Timestamp horizon);
  void CheckPresent(const Object& object, uint32_t number, const CommitInfo& found, Commit* commit);
  void CheckPages(const Snapshot& snapshot, uint32_t object, const PageStamps& state);
  void CheckLabels(const Object& object, uint32_t number);
  void CheckForks(Store& store);
  void CheckPrefix() const;
  void WorkOn(Store& store);

  Random random_;
  uint32_t run_ = 0;
  std::map<uint64_t, Commit> commits_;  // by LSN, of all objects; those that have expired, too
  std::map<uint64_t, Name> labels_;     // by stamp
  std::map<uint64_t, Name> forks_;
  std::set<uint64_t> checked_forks_;
  uint64_t highest_at_open_ = 0;  // LSN ever given, as far as is known
  uint64_t expired_count_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_WORK_LEDGER_H_
