// Commits a second: one object that waits for each commit, one that does not, and 1000 of them.
//
// One commit is one `insert ... on conflict do update` of 100 random bytes in a table that has all
// 1000 keys already. Figures beside the rate:
//   groups/commit     writes and syncs a commit: 1 when each is waited for, far below 1 pipelined
//   log_B/commit      what a commit takes in the log, group headers included: the history it leaves
//   index_B/commit    growth of the index, after a checkpoint
//   p50_us, p99_us    latency of a commit, where each is waited for

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double MicrosecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count();
}

// What the store says about the commits between its making and Report().
class LogMeter {
 public:
  explicit LogMeter(Bed& bed) : bed_(bed) {
    if (bed.store() == nullptr) return;
    Require(bed.store()->Sync(), "syncing");
    Require(bed.store()->Checkpoint(), "checkpoint");
    before_ = bed.store()->Stats();
  }

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

  // Bytes of one group, when each commit was waited for.
  double BytesPerGroup() const {
    const StoreStats now = bed_.store()->Stats();
    const uint64_t groups = now.groups_written - before_.groups_written;
    if (groups == 0) return 0;
    return static_cast<double>(now.log_bytes - before_.log_bytes) / static_cast<double>(groups);
  }

 private:
  Bed& bed_;
  StoreStats before_;
};

// The size of a group, as OneObjectWaiting last saw it: what RawFloor writes.
using GroupBytes = std::shared_ptr<size_t>;

void OneObjectWaiting(benchmark::State& state, const Settings& settings, Mode mode,
                      const GroupBytes& group_bytes) {
  Bed bed(settings, mode);
  Random random(1);
  {
    Connection connection = bed.Open("one");
    connection.Preload(kKeys, random);
    // Statements and caches warm, and stock SQLite's WAL at its full size and on reused blocks.
    for (int64_t i = settings.Scaled(1000, 1); i > 0; --i) {
      connection.Upsert(random.Below(kKeys), random.NextValue());
    }
    LogMeter meter(bed);
    std::vector<double> latencies;
    for (auto _ : state) {
      const auto start = SteadyClock::now();
      connection.Upsert(random.Below(kKeys), random.NextValue());
      latencies.push_back(MicrosecondsSince(start));
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["p50_us"] = Percentile(latencies, 0.50);
    state.counters["p99_us"] = Percentile(latencies, 0.99);
    if (mode == Mode::kTidemarkFull)
      *group_bytes = static_cast<size_t>(meter.BytesPerGroup() + 0.5);
    meter.Report(state);
  }
}

// The floor: the bytes of one group, then fdatasync, on blocks that were written before.
void RawFloor(benchmark::State& state, const Settings& settings, const GroupBytes& group_bytes) {
  constexpr size_t kFileBytes = 16u << 20;
  ScratchDirectory directory(settings);
  const std::string path = directory.path() + "/floor";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) Fail("opening", path);
  const std::vector<char> zeros(kFileBytes);
  if (pwrite(fd, zeros.data(), zeros.size(), 0) != static_cast<ssize_t>(zeros.size()) ||
      fsync(fd) != 0) {
    Fail("writing", path);
  }
  const std::vector<char> group(*group_bytes, 'g');
  size_t offset = 0;
  std::vector<double> latencies;
  for (auto _ : state) {
    const auto start = SteadyClock::now();
    if (offset + group.size() > kFileBytes) offset = 0;
    if (pwrite(fd, group.data(), group.size(), static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(group.size()) ||
        fdatasync(fd) != 0) {
      Fail("writing", path);
    }
    offset += group.size();
    latencies.push_back(MicrosecondsSince(start));
  }
  close(fd);
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(group.size());
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
}

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
  const GroupBytes group_bytes = std::make_shared<size_t>(kValueBytes);
  const auto waiting = [&](Mode mode, int64_t commits) {
    Register(std::string("commit/one/") + ModeName(mode), settings.Scaled(commits, 3),
             [=](benchmark::State& s) { OneObjectWaiting(s, settings, mode, group_bytes); });
  };
  waiting(Mode::kTidemarkFull, 8000);
  Register("commit/one/raw_floor", settings.Scaled(8000, 3),
           [=](benchmark::State& s) { RawFloor(s, settings, group_bytes); });
  waiting(Mode::kWalFull, 8000);
  waiting(Mode::kRollbackFull, 2000);

  const auto pipelined = [&](const char* family, Mode mode, int64_t databases, int64_t commits) {
    commits = settings.Scaled(commits, databases);
    Register(std::string("commit/") + family + "/" + ModeName(mode), 1,
             [=](benchmark::State& s) { RoundRobin(s, settings, mode, databases, commits); });
  };
  pipelined("one", Mode::kTidemarkNormal, 1, 300'000);
  pipelined("one", Mode::kWalNormal, 1, 150'000);
  pipelined("one", Mode::kMemory, 1, 300'000);

  const int64_t many = settings.Scaled(1000, 10);
  pipelined("many", Mode::kTidemarkNormal, many, 100'000);
  pipelined("many", Mode::kWalFull, many, 5'000);
  pipelined("many", Mode::kWalNormal, many, 50'000);
  pipelined("many", Mode::kMemory, many, 100'000);

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
