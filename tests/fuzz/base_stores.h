// BaseStores: the stores that a fuzzer then changes the bytes of. Made by the store itself, with
// records of all kinds in them; random numbers aside, the same in each run.

#ifndef TIDEMARK_TESTS_FUZZ_BASE_STORES_H_
#define TIDEMARK_TESTS_FUZZ_BASE_STORES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/sim_store.h"

namespace tidemark::testing {

struct BaseStore {
  SimStore::Machine machine;
  std::vector<std::string> paths;  // of its log's files
};

// A log that was never packed, one that was, and one of which a part was; each as a crash leaves
// it, and closed.
const std::vector<BaseStore>& BaseStores();

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_FUZZ_BASE_STORES_H_
