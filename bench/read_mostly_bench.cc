// Reads of an object whose pages are chains of patches, and that is read much more than written.
//
// One object of 10 MB, of which 200,000 commits have changed a row each, and then single rows read
// from a cache of hardly any page: what pages that are read often cost at first, and what is done
// about it. The store's clock runs 60 times as fast as the wall's, so that the background has its
// turn several times a second.
//   read/mostly/only_read  nobody writes any more
//   read/mostly/written    every 50th read is followed by a commit of a row
// Figures:
//   first_p50_us, first_p99_us  of the first tenth of the reads, SQL and all
//   p50_us, p99_us              of the last quarter
//   cpu_us/read    processor time of the reading thread, its commits included, of all of them
//   log_B/commit   what a commit beside the reads leaves in the log
//   rewritten_MB   what the background has written meanwhile
//   disk_MB        log and index in the end

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bench/fast_clock.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kCacheKib = 200;

void ReadMostly(benchmark::State& state, const Settings& settings, int64_t reads_per_commit) {
  const FastClock clock(60);
  BedOptions options;
  options.cache_kib = kCacheKib;
  options.store.clock = &clock;
  Bed bed(settings, Mode::kTidemarkNormal, options);
  Random random(13);
  const int64_t rows = settings.Scaled(84'000, 100);
  std::optional<Connection> connection = bed.Open("read");
  connection->Preload(rows, random);
  for (int64_t i = settings.Scaled(200'000, 50); i > 0; --i) {
    connection->Upsert(random.Below(rows), random.NextValue());
  }
  bed.Sync();
  Require(bed.store()->Checkpoint(), "checkpoint");

  const int64_t reads = settings.Scaled(600'000, 200);
  const StoreStats begin = bed.store()->Stats();
  std::vector<double> times;
  int64_t commits = 0;
  double seconds = 0;
  for (auto _ : state) {
    seconds -= ThreadSeconds();
    for (int64_t i = 1; i <= reads; ++i) {
      const auto start = std::chrono::steady_clock::now();
      connection->ReadRow(random.Below(rows));
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      times.push_back(took.count());
      if (reads_per_commit == 0 || i % reads_per_commit != 0) continue;
      connection->Upsert(random.Below(rows), random.NextValue());
      ++commits;
    }
    seconds += ThreadSeconds();
  }
  bed.Sync();
  const StoreStats end = bed.store()->Stats();
  Require(end.retention_error, "packing in the background");
  const auto figures = [&](const std::string& prefix, auto from, auto to) {
    std::vector<double> some(from, to);
    state.counters[prefix + "p50_us"] = Percentile(some, 0.5);
    state.counters[prefix + "p99_us"] = Percentile(some, 0.99);
  };
  figures("first_", times.begin(), times.begin() + reads / 10);
  figures("", times.end() - reads / 4, times.end());
  state.counters["cpu_us/read"] = seconds * 1e6 / static_cast<double>(times.size());
  if (commits > 0) {
    state.counters["log_B/commit"] =
        static_cast<double>(end.appended_bytes - begin.appended_bytes) /
        static_cast<double>(commits);
  }
  state.counters["rewritten_MB"] =
      static_cast<double>(end.rewritten_bytes - begin.rewritten_bytes) / 1e6;
  state.counters["disk_MB"] = static_cast<double>(end.log_bytes + end.index_file_bytes) / 1e6;
  state.SetItemsProcessed(static_cast<int64_t>(times.size()));
}

}  // namespace

void RegisterReadMostlyBenchmarks(const Settings& settings) {
  Register("read/mostly/only_read", 1,
           [=](benchmark::State& state) { ReadMostly(state, settings, 0); });
  Register("read/mostly/written", 1,
           [=](benchmark::State& state) { ReadMostly(state, settings, 50); });
}

}  // namespace tidemark::bench
