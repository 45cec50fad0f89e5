// Pages that are read often, in stores of which no page is read so often: see
// engine/internal/chain_reads.h.

#ifndef TIDEMARK_TESTS_SUPPORT_OFTEN_READ_H_
#define TIDEMARK_TESTS_SUPPORT_OFTEN_READ_H_

#include "engine/store.h"

namespace tidemark::testing {

// From here on a few reads make an image due, or have the background pack the log, whatever commits
// there are. An open store; the next opening forgets it.
void TakeReadsForMany(Store& store);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_OFTEN_READ_H_
