// Many small objects: making one, and opening one that sleeps. And one that was restored often.

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

// Any page of an object of 10 MB, and again when it was restored 64 times, with a commit after
// each: the pages are those of 65 timelines then. The medians, in microseconds.
void Ancestry(benchmark::State& state, const Settings& settings) {
  constexpr int kRestores = 64;
  Bed bed(settings, Mode::kTidemarkNormal);
  const int64_t rows = settings.Scaled(84'000, 100);
  Random random(11);
  bed.Open("one").Preload(rows, random);
  bed.Sync();
  auto object =
      Require(bed.store()->OpenObject("bench", "one", IfMissing::kFail), "opening the object");
  const int64_t reads = settings.Scaled(20'000, 100);
  std::vector<std::byte> page;
  const auto median = [&] {
    Require(bed.store()->Checkpoint(), "checkpoint");
    std::vector<double> times;
    for (int64_t i = 0; i < reads; ++i) {
      const Snapshot snapshot = Require(object->OpenSnapshot(), "opening a snapshot");
      const auto number = 1 + static_cast<uint32_t>(random.Below(snapshot.page_count()));
      page.resize(snapshot.page_size());
      const auto start = std::chrono::steady_clock::now();
      Require(snapshot.ReadPage(PageNo(number), page), "reading a page");
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      times.push_back(took.count());
    }
    return Percentile(times, 0.5);
  };
  for (auto _ : state) {
    state.counters["alone_us"] = median();
    for (int i = 0; i < kRestores; ++i) {
      Require(object->Restore(Require(object->CurrentBookmark(), "a bookmark")), "a restore");
      bed.Open("one").Upsert(random.Below(rows), random.NextValue());
    }
    state.counters["deep_us"] = median();
  }
  state.counters["to_alone"] = state.counters["deep_us"] / state.counters["alone_us"];
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

  Register("object/ancestry", 1, [=](benchmark::State& state) { Ancestry(state, settings); });

  const int64_t objects = settings.Scaled(10'000, 10);
  for (Mode mode : {Mode::kTidemarkFull, Mode::kRollbackFull}) {
    const auto bed = std::make_shared<std::unique_ptr<Bed>>();
    Register(std::string("object/open_and_read/") + ModeName(mode), settings.Scaled(20'000, 10),
             [=](benchmark::State& state) { OpenAndRead(state, *bed, settings, mode, objects); });
  }
}

}  // namespace tidemark::bench
