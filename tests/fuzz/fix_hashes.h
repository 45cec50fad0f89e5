// Makes the hashes of mutated bytes right, so that a fuzzer gets behind them to what reads the
// bytes. Follows engine/format.h, as far as lengths and counts in the bytes lead; nothing is said
// of what cannot be followed.

#ifndef TIDEMARK_TESTS_FUZZ_FIX_HASHES_H_
#define TIDEMARK_TESTS_FUZZ_FIX_HASHES_H_

#include <cstddef>
#include <cstdint>

#include "engine/internal/page_codec.h"

namespace tidemark::testing {

// The record at the begin of `bytes`, which may go on behind it: its own hash, and those of page
// images, blocks or a dictionary in its payload. Returns its length, 0 if it does not fit.
size_t FixRecord(internal::Bytes bytes, uint64_t incarnation);

// All of a group: its records, as they stand back to back, directory, body and header.
void FixGroup(internal::Bytes group, uint64_t incarnation);

// A file of the log: both headers, what stands behind them, and the groups up to the first place
// where none begins.
void FixSegment(internal::Bytes file);

// The block of a packed segment at the begin of `bytes`. Returns its length, 0 if it does not fit.
size_t FixBlock(internal::Bytes bytes);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_FUZZ_FIX_HASHES_H_
