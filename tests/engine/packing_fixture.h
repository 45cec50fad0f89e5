// What tests of packing share.

#ifndef TIDEMARK_TESTS_ENGINE_PACKING_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_PACKING_FIXTURE_H_

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {

class PackingFixture : public StoreFixture {
 protected:
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
