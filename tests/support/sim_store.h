// SimStore: a store on a SimFileSystem with its index in a real temporary directory, and its
// crashes.
//
// LMDB goes around the FileSystem. It commits with an fsync of its own, so after a power loss it is
// one of its committed states. The model is harsher: it is any of those that were kept (the state
// before each checkpoint and close), the current one, or gone altogether, as the seed decides. A
// store must open with each, because the log is the truth. When only the process dies
// (PowerLoss::kNothing) it is the current one; a checkpoint that is struck happened or did not.

#ifndef TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_
#define TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/store.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {

class SimStore {
 public:
  // All that a machine has while it is off. A value, cheap to copy.
  struct Machine {
    SimFileSystem::Image disk;
    std::shared_ptr<const std::string> index;  // null: none
    std::vector<std::shared_ptr<const std::string>> older_indexes;
    Timestamp time = ManualClock::kStart;
  };

  explicit SimStore(uint64_t seed);
  SimStore(uint64_t seed, const Machine& machine);

  // What Open() uses; a test may change it. Background work is manual unless it does: with threads
  // no older states of the index are kept, because a copy could be taken while it is written.
  StoreOptions& options() { return options_; }
  // From the next Open() on packing makes dictionaries: see UseDictionariesEarly.
  void use_dictionaries_early() { dictionaries_early_ = true; }
  // Likewise: see TakeReadsForMany.
  void take_reads_for_many() { reads_are_many_ = true; }
  SimFileSystem& fs() { return fs_; }
  ManualClock& clock() { return clock_; }
  Store& store() { return *store_; }
  bool is_open() const { return store_ != nullptr; }

  // Opens "store", made if it is not there.
  Status Open();
  Status Close();
  // Counts as one operation of fs(): the power can fail during it.
  Status Checkpoint();
  // Each of its operations on files counts. It deletes what older states of the index point to, and
  // does so only when a later one is durable: none of them comes back.
  Status Reclaim(ReclaimWhat what);
  Status RunRetention();                                                 // may reclaim: likewise
  Status Purge(std::string_view namespace_name, std::string_view name);  // likewise
  // The process dies, with the power if the file system says so; both come back.
  void Crash(PowerLoss loss);

  // After Crash() or Close().
  Machine Save() const;

 private:
  using IndexState = std::shared_ptr<const std::string>;

  IndexState ReadIndex() const;
  void SetIndex(const IndexState& state);
  void KeepIndex();

  SimFileSystem fs_;
  ManualClock clock_;
  Random random_;
  TempDirectory index_;
  std::vector<IndexState> older_indexes_;
  StoreOptions options_;
  bool dictionaries_early_ = false;
  bool reads_are_many_ = false;
  std::unique_ptr<Store> store_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_
