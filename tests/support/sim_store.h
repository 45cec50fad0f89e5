// SimStore: a store on a SimFileSystem with its index in a real temporary directory, and its
// crashes.
//
// LMDB goes around the FileSystem. It commits with an fsync of its own, so at a power loss it is
// one of its committed states: the one there is, or, by the seed, the one before the last
// checkpoint. A store must open with either.

#ifndef TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_
#define TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_

#include <memory>
#include <string>

#include "engine/store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {

class SimStore {
 public:
  explicit SimStore(uint64_t seed);

  // What Open() uses; a test may change it. Background work is manual.
  StoreOptions& options() { return options_; }
  SimFileSystem& fs() { return fs_; }
  ManualClock& clock() { return clock_; }
  Store& store() { return *store_; }
  bool is_open() const { return store_ != nullptr; }

  // Opens "store", made if it is not there.
  Status Open();
  Status Close();
  Status Checkpoint();
  // The process dies, with the power if the file system says so; both come back.
  void Crash(PowerLoss loss);

 private:
  void KeepIndex();

  SimFileSystem fs_;
  ManualClock clock_;
  Random random_;
  TempDirectory index_;
  TempDirectory index_before_;  // as of before the last checkpoint
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_SIM_STORE_H_
