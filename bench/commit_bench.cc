// Commits a second when nobody waits for each: one object, and 1000 that take turns. All of it is
// durable at the end of an iteration, and that wait is part of the time.
//
// One commit is one `insert ... on conflict do update` of 100 random bytes in a table that has all
// 1000 keys already. Figures beside the rate:
//   groups/commit     writes and syncs a commit: far below 1
//   log_B/commit      what a commit takes in the log, group headers included: the history it leaves
//   index_B/commit    growth of the index, after a checkpoint
// Commits that are waited for are in waiting_bench.cc.

#include <filesystem>
#include <string>
#include <vector>

#include "bench/log_meter.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

// `connections` databases take turns; durable together at the end of each iteration.
void RoundRobin(benchmark::State& state, const Settings& settings, Mode mode, int64_t databases,
                int64_t commits_per_iteration) {
  Bed bed(settings, mode);
  Random random(2);
  {
    std::vector<Connection> connections;
    connections.reserve(static_cast<size_t>(databases));
    for (int64_t i = 0; i < databases; ++i) {
      connections.push_back(bed.Open("object-" + std::to_string(i)));
      connections.back().Preload(kKeys, random);
      // Stock SQLite's steady state: a WAL that is written over from its start, not one that grows
      // with every commit (which costs the file system a journal entry a sync).
      if (!IsTidemark(mode)) connections.back().Exec("pragma wal_checkpoint(restart)");
      connections.back().Upsert(0, random.NextValue());
    }
    LogMeter meter(bed);
    size_t turn = 0;
    for (auto _ : state) {
      for (int64_t i = 0; i < commits_per_iteration; ++i) {
        connections[turn].Upsert(random.Below(kKeys), random.NextValue());
        if (++turn == connections.size()) turn = 0;
      }
      bed.Sync();
    }
    state.SetItemsProcessed(state.iterations() * commits_per_iteration);
    meter.Report(state);
  }
}

constexpr char kRandomRow[] = "update t set v=randomblob(100) where k=abs(random()) % 1000";
constexpr char kCounter[] = "update counter set n=n+1";

// What the history of a one-row change takes: random bytes, which no codec can shrink, and a
// counter. The twin is what stock SQLite writes for the same change: whole pages to its WAL.
void History(benchmark::State& state, const Settings& settings, Mode mode, const char* change,
             int64_t commits) {
  Bed bed(settings, mode);
  Random random(3);
  {
    Connection connection = bed.Open("one");
    connection.Preload(kKeys, random);
    connection.Exec("create table counter(n); insert into counter values(0)");
    if (!IsTidemark(mode)) {
      connection.Exec("pragma wal_checkpoint(truncate); pragma wal_autocheckpoint=0");
    }
    LogMeter meter(bed);
    for (auto _ : state) {
      for (int64_t i = 0; i < commits; ++i) connection.Exec(change);
      bed.Sync();
    }
    meter.Report(state);
    if (!IsTidemark(mode)) {
      const auto bytes = std::filesystem::file_size(bed.directory() + "/one-wal");
      state.counters["log_B/commit"] = static_cast<double>(bytes) / static_cast<double>(commits);
    }
  }
}

}  // namespace

void RegisterCommitBenchmarks(const Settings& settings) {
  const auto pipelined = [&](const char* family, Mode mode, int64_t databases, int64_t commits) {
    commits = settings.Scaled(commits, databases);
    Register(std::string("commit/") + family + "/" + ModeName(mode), 1,
             [=](benchmark::State& s) { RoundRobin(s, settings, mode, databases, commits); });
  };
  pipelined("one", Mode::kTidemarkNormal, 1, 300'000);
  pipelined("one", Mode::kWalFull, 1, 8'000);
  pipelined("one", Mode::kWalNormal, 1, 150'000);
  pipelined("one", Mode::kRollbackFull, 1, 2'000);
  pipelined("one", Mode::kMemory, 1, 300'000);

  const int64_t many = settings.Scaled(1000, 1000, 10);
  // So many that each WAL comes to its checkpoint, and the store to several.
  pipelined("many", Mode::kTidemarkNormal, many, 1'000'000);
  pipelined("many", Mode::kWalFull, many, 5'000);
  pipelined("many", Mode::kWalNormal, many, 1'000'000);
  pipelined("many", Mode::kRollbackFull, many, 2'000);
  pipelined("many", Mode::kMemory, many, 1'000'000);

  const auto history = [&](const char* family, Mode mode, const char* change) {
    const int64_t commits = settings.Scaled(20'000, 10);
    Register(std::string("commit/history_") + family + "/" + ModeName(mode), 1,
             [=](benchmark::State& s) { History(s, settings, mode, change, commits); });
  };
  history("random_row", Mode::kTidemarkNormal, kRandomRow);
  history("random_row", Mode::kWalNormal, kRandomRow);
  history("counter", Mode::kTidemarkNormal, kCounter);
  history("counter", Mode::kWalNormal, kCounter);
}

}  // namespace tidemark::bench
