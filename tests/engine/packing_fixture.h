// What tests of packing share.

#ifndef TIDEMARK_TESTS_ENGINE_PACKING_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_PACKING_FIXTURE_H_

#include <chrono>

#include "tests/engine/store_fixture.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {

class PackingFixture : public StoreFixture {
 protected:
  // The step `i` of random work of all kinds.
  void Step(StoreModel& model, int i) {
    sim_.clock().Advance(std::chrono::seconds(1));
    ASSERT_OK(model.Transact(sim_.store(), 20));
    if (i % 40 == 0) {
      ASSERT_OK(model.TransactLarge(sim_.store(), 60, StoreModel::Ending::kCommit));
    }
    if (i % 55 == 0) {
      ASSERT_OK(model.TransactLarge(sim_.store(), 60, StoreModel::Ending::kRollback));
    }
    if (i % 30 == 0) {
      ASSERT_OK(model.Restore(sim_.store()));
    }
    if (i % 50 == 0) {
      ASSERT_OK(model.Fork(sim_.store()));
    }
    if (i % 10 == 0) {
      ASSERT_OK(model.ChangeLabel(sim_.store()));
    }
    if (i % 70 == 0) {
      ASSERT_OK(model.Delete(sim_.store()));
    }
    if (i % 20 == 0) {
      ASSERT_OK(model.Sync(sim_.store()));
    }
  }

  void ExpectWhole(const char* when) {
    SCOPED_TRACE(when);
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) {
      ADD_FAILURE() << damage.object << ": " << damage.message << " (segment " << damage.segment
                    << ", offset " << damage.offset << ")";
    }
  }
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_PACKING_FIXTURE_H_
