// Many small objects: making one, and opening one that sleeps.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

std::string ObjectName(int64_t number) { return "object-" + std::to_string(number); }

// Opens a new object, creates its table, closes it. Pipelined: durable together at the end.
void Create(benchmark::State& state, const Settings& settings, Mode mode, int64_t objects) {
  Bed bed(settings, mode);
  bed.Open("first").CreateTable();  // registers the VFS and makes the namespace
  int64_t number = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < objects; ++i) bed.Open(ObjectName(number++)).CreateTable();
    bed.Sync();
  }
  state.SetItemsProcessed(number);
}

// Opens one of 10,000 objects at random, reads a row and closes it. The store was reopened before,
// so the engine holds nothing of them; the operating system's cache is warm. `p50_us` and `p99_us`
// are the figures to watch.
void OpenAndRead(benchmark::State& state, std::unique_ptr<Bed>& bed, const Settings& settings,
                 Mode mode, int64_t objects) {
  if (bed == nullptr) {
    bed = std::make_unique<Bed>(settings, mode);
    Random random(7);
    for (int64_t i = 0; i < objects; ++i) bed->Open(ObjectName(i)).Preload(1, random);
    bed->Sync();
  }
  bed->Reopen();
  Random random(8);
  std::vector<double> latencies;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    bed->Open(ObjectName(random.Below(objects))).ReadRow(0);
    const std::chrono::duration<double, std::micro> latency =
        std::chrono::steady_clock::now() - start;
    latencies.push_back(latency.count());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
}

}  // namespace

void RegisterObjectBenchmarks(const Settings& settings) {
  const auto create = [&](Mode mode, int64_t objects) {
    objects = settings.Scaled(objects, 3);
    Register(std::string("object/create/") + ModeName(mode), 1,
             [=](benchmark::State& state) { Create(state, settings, mode, objects); });
  };
  create(Mode::kTidemarkNormal, 10'000);
  create(Mode::kWalNormal, 500);
  create(Mode::kRollbackFull, 500);

  const int64_t objects = settings.Scaled(10'000, 10);
  for (Mode mode : {Mode::kTidemarkFull, Mode::kRollbackFull}) {
    const auto bed = std::make_shared<std::unique_ptr<Bed>>();
    Register(std::string("object/open_and_read/") + ModeName(mode), settings.Scaled(20'000, 10),
             [=](benchmark::State& state) { OpenAndRead(state, *bed, settings, mode, objects); });
  }
}

}  // namespace tidemark::bench
