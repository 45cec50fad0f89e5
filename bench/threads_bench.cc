// Eight threads, each with a database of its own, each waiting for every commit to be durable: what
// sharing a sync among objects gains, where stock SQLite syncs a file for each.

#include <barrier>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bench/log_meter.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr size_t kThreads = 8;

void Threads(benchmark::State& state, const Settings& settings, Mode mode, int64_t commits) {
  Bed bed(settings, mode);
  Random seeds(21);
  std::vector<Connection> connections;
  for (size_t i = 0; i < kThreads; ++i) {
    connections.push_back(bed.Open("object-" + std::to_string(i)));
    connections.back().Preload(kKeys, seeds);
    // A WAL that is written over from its start, as in RoundRobin of commit_bench.cc.
    if (!IsTidemark(mode)) connections.back().Exec("pragma wal_checkpoint(restart)");
    connections.back().Upsert(0, seeds.NextValue());
  }
  LogMeter meter(bed);
  double seconds = 0;
  for (auto _ : state) {
    std::barrier together(kThreads + 1);
    std::vector<std::thread> threads;
    for (Connection& connection : connections) {
      threads.emplace_back([&connection, &together, commits, seed = seeds.Next()] {
        Random random(seed);
        together.arrive_and_wait();
        for (int64_t i = 0; i < commits; ++i) {
          connection.Upsert(random.Below(kKeys), random.NextValue());
        }
      });
    }
    const auto start = std::chrono::steady_clock::now();
    together.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const auto all = static_cast<double>(state.iterations() * commits) * kThreads;
  state.counters["commits/s"] = all / seconds;
  meter.Report(state);
}

}  // namespace

void RegisterThreadsBenchmarks(const Settings& settings) {
  const auto threads = [&](Mode mode, int64_t commits) {
    commits = settings.Scaled(commits, 3);
    Register(std::string("commit/threads/") + ModeName(mode), 1,
             [=](benchmark::State& state) { Threads(state, settings, mode, commits); });
  };
  threads(Mode::kTidemarkFull, 3000);
  threads(Mode::kWalFull, 1000);
  threads(Mode::kRollbackFull, 300);
}

}  // namespace tidemark::bench
