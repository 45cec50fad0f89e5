// Memory that runs out when a test says so, SQLite's and that of operator new: for test programs of
// their own, which link failing_memory.cc.

#ifndef TIDEMARK_TESTS_API_FAILING_MEMORY_H_
#define TIDEMARK_TESTS_API_FAILING_MEMORY_H_

#include "tests/vfs/allocation_faults.h"

namespace tidemark::testing {

// From here on allocations of both kinds ask allocation_countdown. Before SQLite is used.
void UseFailingMemory();

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_API_FAILING_MEMORY_H_
