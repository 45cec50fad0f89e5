// The benchmarks, one function a file, and the speeds that must be reached.

#ifndef TIDEMARK_BENCH_REGISTRY_H_
#define TIDEMARK_BENCH_REGISTRY_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/workload.h"

namespace tidemark::bench {

void RegisterWaitingBenchmarks(const Settings& settings);     // waiting_bench.cc
void RegisterCommitBenchmarks(const Settings& settings);      // commit_bench.cc
void RegisterThreadsBenchmarks(const Settings& settings);     // threads_bench.cc
void RegisterHistoryBenchmarks(const Settings& settings);     // history_bench.cc
void RegisterPackingBenchmarks(const Settings& settings);     // packing_bench.cc
void RegisterReadBenchmarks(const Settings& settings);        // read_bench.cc
void RegisterReadMostlyBenchmarks(const Settings& settings);  // read_mostly_bench.cc
void RegisterSmallCacheBenchmarks(const Settings& settings);  // small_cache_bench.cc
void RegisterObjectBenchmarks(const Settings& settings);      // object_bench.cc
void RegisterLargeBenchmarks(const Settings& settings);       // large_bench.cc
void RegisterDiffBenchmarks(const Settings& settings);        // diff_bench.cc
void RegisterImportBenchmarks(const Settings& settings);      // import_bench.cc
void RegisterMixBenchmarks(const Settings& settings);         // mix_bench.cc
void RegisterKvBenchmarks(const Settings& settings);          // kv_bench.cc
void RegisterWaitingPeers(const Settings& settings);          // peers_bench.cc
void RegisterActorPeers(const Settings& settings);            // peers_bench.cc
void RegisterGrowthBenchmarks(const Settings& settings);      // growth_bench.cc
void RegisterRecoveryBenchmarks(const Settings& settings);    // recovery_bench.cc
void RegisterStorageBenchmarks(const Settings& settings);     // storage_bench.cc
void RegisterActorBenchmarks(const Settings& settings);       // actor_bench.cc
void RegisterActorLoadBenchmarks(const Settings& settings);   // actor_load_bench.cc

// The process that recovery_bench.cc kills: writes to the store in `directory` until `log_bytes` of
// log stand behind the checkpoint, then ends itself by SIGKILL.
[[noreturn]] void WriteAndDie(const std::string& directory, int64_t log_bytes, int64_t objects);

// Registers `run` as "area/name", run for exactly `iterations`. A fixed count does the same work in
// every run, and builds what the benchmark needs once and not again for each guess at a count.
void Register(const std::string& name, int64_t iterations,
              std::function<void(benchmark::State&)> run);

// Says that a benchmark cannot run here, and why: "kv/*/rocksdb: ...". Comes with the results.
void Skip(const std::string& what_and_why);
const std::vector<std::string>& Skipped();

// A speed that must be reached: `figure` (items a second, or a counter) of `subject`, as it is or
// divided by that of `base`, must be at least, or at most, `bound`.
struct Target {
  enum class Sense { kAtLeast, kAtMost };

  std::string_view text;
  std::string_view subject;
  std::string_view base;  // empty: the figure itself counts
  std::string_view figure;
  Sense sense = Sense::kAtLeast;
  double bound = 0;
  // The target before this one is met if this one is.
  bool alternative = false;
};

std::span<const Target> Targets();  // targets.cc

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_REGISTRY_H_
