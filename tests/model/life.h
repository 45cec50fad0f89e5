// One life of a store, held against a StoreModel: random work, with crashes at random operations.

#ifndef TIDEMARK_TESTS_MODEL_LIFE_H_
#define TIDEMARK_TESTS_MODEL_LIFE_H_

#include <cstdint>
#include <string>

#include "tests/support/sim_store.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {

class Life {
 public:
  explicit Life(uint64_t seed, const StoreModel::Limits& limits = {});
  virtual ~Life() = default;
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  // So many steps, and at the end all of the history. Ends at the first failure of the test.
  void Live(int steps);

  const StoreModel::Counts& counts() const { return model_.counts(); }
  uint64_t crashes() const { return crashes_; }
  uint64_t reopenings() const { return reopenings_; }
  bool has_dictionary() const { return has_dictionary_; }  // or had one
  // The background has packed the log because it was read often.
  bool was_packed_for_reads() const { return was_packed_for_reads_; }

 protected:
  static constexpr uint64_t kNever = UINT64_MAX / 2;  // operations

  // Errors: those of the machine only, when it has stopped.
  virtual Status Step();
  Status Reopen();

  StoreModel model_;
  SimStore sim_;
  const StoreModel::PurgeCall purge_ = [this](const std::string& ns, const std::string& name) {
    return sim_.Purge(ns, name);
  };
  Random& random_;
  ReclaimWhat reclaims_ = ReclaimWhat::kEverything;  // when it packs

 private:
  // Recovery may be struck as well, several times.
  void Recover();

  uint64_t crashes_ = 0;
  uint64_t reopenings_ = 0;
  bool has_dictionary_ = false;
  bool was_packed_for_reads_ = false;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_MODEL_LIFE_H_
