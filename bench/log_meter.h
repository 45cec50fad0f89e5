// LogMeter: what the store says about the commits of a benchmark.

#ifndef TIDEMARK_BENCH_LOG_METER_H_
#define TIDEMARK_BENCH_LOG_METER_H_

#include <benchmark/benchmark.h>

#include "bench/workload.h"

namespace tidemark::bench {

// Counts from its making to Report(). Does nothing on a stock bed.
class LogMeter {
 public:
  explicit LogMeter(Bed& bed) : bed_(bed) {
    if (bed.store() == nullptr) return;
    Require(bed.store()->Sync(), "syncing");
    Require(bed.store()->Checkpoint(), "checkpoint");
    before_ = bed.store()->Stats();
  }

  // Sets the counters groups/commit, log_B/commit and, after a checkpoint, index_B/commit.
  void Report(benchmark::State& state) {
    if (bed_.store() == nullptr) return;
    const StoreStats written = bed_.store()->Stats();
    Require(bed_.store()->Checkpoint(), "checkpoint");
    const StoreStats indexed = bed_.store()->Stats();
    const auto commits = static_cast<double>(written.commits - before_.commits);
    if (commits == 0) return;
    state.counters["groups/commit"] =
        static_cast<double>(written.groups_written - before_.groups_written) / commits;
    state.counters["log_B/commit"] =
        static_cast<double>(written.log_bytes - before_.log_bytes) / commits;
    state.counters["index_B/commit"] =
        (static_cast<double>(indexed.index_bytes) - static_cast<double>(before_.index_bytes)) /
        commits;
  }

  // The mean size of a group so far. A store only.
  size_t BytesPerGroup() const {
    const StoreStats now = bed_.store()->Stats();
    const uint64_t groups = now.groups_written - before_.groups_written;
    if (groups == 0) Fail("counting groups", "none was written");
    return static_cast<size_t>((now.log_bytes - before_.log_bytes + groups / 2) / groups);
  }

 private:
  Bed& bed_;
  StoreStats before_;
};

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_LOG_METER_H_
