// A scripted day in a store's life, as its seed writes it: what power_loss_test interrupts.
//
// The day begins with a store that an earlier day left behind, cleanly closed and with its segment
// almost full (or, for one seed in eight, with nothing at all). Then, in an order that the seed
// chooses: small transactions on several objects, confirmed and not; a large one that commits and
// one that is rolled back; restores, forks, promotes, deletions, undeletions and purges; labels;
// policies, holds and licences; checkpoints; a segment made ready; a clean close and a reopening.
// It always rolls into the next segment, and packs the one before.

#ifndef TIDEMARK_TESTS_CRASH_SCRIPTED_DAY_H_
#define TIDEMARK_TESTS_CRASH_SCRIPTED_DAY_H_

#include <cstdint>

#include "tests/support/sim_store.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {

class ScriptedDay {
 public:
  // Lives through the day before. Check HasFailure().
  explicit ScriptedDay(uint64_t seed);

  // The morning: what the machine has, and what its store must hold.
  const SimStore::Machine& machine() const { return machine_; }
  const StoreModel& model() const { return model_; }

  // The day, on copies of the morning; the same every time. Stops at the first failure.
  Status Run(SimStore& sim, StoreModel& model) const;

  // What a day's store is opened with.
  static void SetOptions(SimStore& sim);

 private:
  const uint64_t seed_;
  SimStore::Machine machine_;
  StoreModel model_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_SCRIPTED_DAY_H_
