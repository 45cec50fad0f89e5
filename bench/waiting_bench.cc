// One object that waits for each commit to be durable, beside what bounds it from below.
//
// `commit/waiting/interleaved` is the one to watch: Tidemark, the raw floor, SQLite's WAL FULL and
// a bound take turns in blocks of 100 commits, so that all four meet the same disk in the same
// second and on the same processor. Its counters `to_floor` and `to_wal_full` are ratios of rates,
// all time counted; those with `_p50` compare the median commit, which a busy machine disturbs
// less.
//
// The floor is one pwrite of as many bytes as Tidemark's groups have, and one fdatasync, nothing
// else, group behind group on blocks that were written before, in a file made as a spare segment
// is (raw_file.h). `disk/sync` is the same alone, with a block of 4 KB: what the disk can do that
// the other figures were taken on.
//
// The bound is a commit of SQLite in memory and then the same write and sync: what an engine behind
// SQLite would reach that takes no time itself. Its own `bound_to_floor` says how much of the floor
// that is.

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/log_meter.h"
#include "bench/raw_file.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// A database in steady state: all keys there, statements and caches warm, and stock SQLite's WAL at
// its full size, on blocks that it uses again.
class Committer {
 public:
  Committer(const Settings& settings, Mode mode) : bed_(settings, mode), random_(1) {
    connection_.emplace(bed_.Open("one"));
    connection_->Preload(kKeys, random_);
    for (int64_t i = settings.Scaled(1000, 1); i > 0; --i) Commit();
  }

  void Commit() { connection_->Upsert(random_.Below(kKeys), random_.NextValue()); }
  Bed& bed() { return bed_; }

 private:
  Bed bed_;
  Random random_;
  std::optional<Connection> connection_;
};

// While it lives, this thread stays on the processor it is on. Where one processor serves the
// disk's interrupts, the same fdatasync takes 85 us there and 125 us on another.
class Pinned {
 public:
  Pinned() {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(std::max(0, sched_getcpu())), &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~Pinned() { sched_setaffinity(0, sizeof(before_), &before_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_{};
};

// One of those that take turns.
struct Side {
  const char* name;
  std::function<void()> commit;
  std::vector<double> latencies = {};  // microseconds
  double seconds = 0;

  void RunBlock(int64_t commits) {
    const auto start = SteadyClock::now();
    for (int64_t i = 0; i < commits; ++i) {
      const auto begin = SteadyClock::now();
      commit();
      latencies.push_back(SecondsSince(begin) * 1e6);
    }
    seconds += SecondsSince(start);
  }
};

// One iteration is a block of each.
void Interleaved(benchmark::State& state, const Settings& settings) {
  constexpr int64_t kBlock = 100;
  Committer tidemark(settings, Mode::kTidemarkFull);
  Committer wal(settings, Mode::kWalFull);
  LogMeter meter(tidemark.bed());
  for (int64_t i = settings.Scaled(200, 10); i > 0; --i) tidemark.Commit();
  RawFile floor(settings, meter.BytesPerGroup());
  Committer memory(settings, Mode::kMemory);
  RawFile memory_log(settings, meter.BytesPerGroup());

  std::array<Side, 4> sides = {{{"tidemark", [&] { tidemark.Commit(); }},
                                {"floor", [&] { floor.WriteAndSync(); }},
                                {"wal_full", [&] { wal.Commit(); }},
                                {"bound", [&] {
                                   memory.Commit();
                                   memory_log.WriteAndSync();
                                 }}}};
  const Pinned pinned;
  size_t first = 0;
  for (auto _ : state) {
    // Who begins changes, so that nobody always follows the same one.
    for (size_t i = 0; i < sides.size(); ++i) sides[(first + i) % sides.size()].RunBlock(kBlock);
    first = (first + 1) % sides.size();
  }
  const auto commits = static_cast<double>(state.iterations() * kBlock);
  const double p50 = Percentile(sides[0].latencies, 0.5);
  for (Side& side : sides) {
    const std::string name = side.name;
    state.counters[name + "_per_s"] = commits / side.seconds;
    state.counters[name + "_p50_us"] = Percentile(side.latencies, 0.5);
    if (&side == &sides[0]) continue;
    state.counters["to_" + name] = side.seconds / sides[0].seconds;
    state.counters["to_" + name + "_p50"] = Percentile(side.latencies, 0.5) / p50;
  }
  state.counters["bound_to_floor"] = sides[1].seconds / sides[3].seconds;
  state.counters["group_B"] = static_cast<double>(meter.BytesPerGroup());
}

// Each alone, with the latency of a commit: the median and the worst of a hundred.
void Alone(benchmark::State& state, const Settings& settings, Mode mode) {
  Committer committer(settings, mode);
  LogMeter meter(committer.bed());
  std::vector<double> latencies;
  for (auto _ : state) {
    const auto start = SteadyClock::now();
    committer.Commit();
    latencies.push_back(SecondsSince(start) * 1e6);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
  meter.Report(state);
}

void DiskSync(benchmark::State& state, const Settings& settings) {
  constexpr size_t kBlockBytes = 4096;
  RawFile file(settings, kBlockBytes);
  std::vector<double> latencies;
  for (auto _ : state) {
    const auto start = SteadyClock::now();
    file.WriteAndSync();
    latencies.push_back(SecondsSince(start) * 1e6);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
}

}  // namespace

void RegisterWaitingBenchmarks(const Settings& settings) {
  Register("disk/sync", settings.Scaled(2000, 3),
           [=](benchmark::State& state) { DiskSync(state, settings); });
  Register("commit/waiting/interleaved", settings.Scaled(50, 1),
           [=](benchmark::State& state) { Interleaved(state, settings); });
  const auto alone = [&](Mode mode, int64_t commits) {
    Register(std::string("commit/waiting/") + ModeName(mode), settings.Scaled(commits, 3),
             [=](benchmark::State& state) { Alone(state, settings, mode); });
  };
  alone(Mode::kTidemarkFull, 5000);
  alone(Mode::kWalFull, 5000);
  alone(Mode::kRollbackFull, 1000);
}

}  // namespace tidemark::bench
