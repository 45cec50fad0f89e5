// Tidemark and a stock file that read in turns, for ratios near 1, which the noise between two runs
// a second apart would drown.

#ifndef TIDEMARK_BENCH_INTERLEAVED_H_
#define TIDEMARK_BENCH_INTERLEAVED_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>

#include "bench/workload.h"

namespace tidemark::bench {

// `open` gives a warm connection; `turn` does a turn's work and returns how many rows it read.
struct InterleavedSides {
  std::function<Connection()> open_tidemark;
  std::function<Connection()> open_file;
  std::function<int64_t(Connection&)> turn;
};

// An iteration is a turn of each. Sets the counters tidemark_per_s, file_per_s and `to_file`, the
// median of the turns' ratios, so that a turn in which another process had the processor does not
// count. Half of the turns are with Tidemark's connection opened first, half with the file's: of
// two connections to equal stock files, the one opened first read hot rows 2 to 3% slower.
void Interleave(benchmark::State& state, const InterleavedSides& sides);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_INTERLEAVED_H_
