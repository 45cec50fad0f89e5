// One object that waits for each commit to be durable, beside what bounds it from below.
//
// `commit/waiting/interleaved` is the one to watch: Tidemark, the raw floor and SQLite's WAL FULL
// take turns in blocks of 100 commits, so that all three meet the same disk in the same second. Its
// counters `to_floor` and `to_wal_full` are ratios of rates. The floor is one pwrite of as many
// bytes as Tidemark's groups have, and one fdatasync, on blocks that were written before.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "bench/log_meter.h"
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

class RawFile {
 public:
  RawFile(const Settings& settings, size_t group_bytes)
      : directory_(settings), group_(group_bytes, 'g') {
    const std::string path = directory_.path() + "/floor";
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) Fail("opening " + path, std::strerror(errno));
    const std::vector<char> zeros(kFileBytes);
    if (pwrite(fd_, zeros.data(), zeros.size(), 0) != static_cast<ssize_t>(zeros.size()) ||
        fsync(fd_) != 0) {
      Fail("writing " + path, std::strerror(errno));
    }
  }
  ~RawFile() { close(fd_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  void WriteAndSync() {
    if (offset_ + group_.size() > kFileBytes) offset_ = 0;
    if (pwrite(fd_, group_.data(), group_.size(), static_cast<off_t>(offset_)) !=
            static_cast<ssize_t>(group_.size()) ||
        fdatasync(fd_) != 0) {
      Fail("writing the floor's file", std::strerror(errno));
    }
    offset_ += group_.size();
  }

 private:
  static constexpr size_t kFileBytes = 16u << 20;

  ScratchDirectory directory_;
  std::vector<char> group_;
  size_t offset_ = 0;
  int fd_ = -1;
};

// One iteration is a block of each.
void Interleaved(benchmark::State& state, const Settings& settings) {
  constexpr int64_t kBlock = 100;
  Committer tidemark(settings, Mode::kTidemarkFull);
  Committer wal(settings, Mode::kWalFull);
  LogMeter meter(tidemark.bed());
  for (int i = 0; i < 10; ++i) tidemark.Commit();
  RawFile floor(settings, meter.BytesPerGroup());

  const auto block = [](auto&& commit) {
    const auto start = SteadyClock::now();
    for (int64_t i = 0; i < kBlock; ++i) commit();
    return SecondsSince(start);
  };
  double tidemark_s = 0, floor_s = 0, wal_s = 0;
  for (auto _ : state) {
    tidemark_s += block([&] { tidemark.Commit(); });
    floor_s += block([&] { floor.WriteAndSync(); });
    wal_s += block([&] { wal.Commit(); });
  }
  const auto commits = static_cast<double>(state.iterations() * kBlock);
  state.counters["tidemark_per_s"] = commits / tidemark_s;
  state.counters["floor_per_s"] = commits / floor_s;
  state.counters["wal_full_per_s"] = commits / wal_s;
  state.counters["to_floor"] = floor_s / tidemark_s;
  state.counters["to_wal_full"] = wal_s / tidemark_s;
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

}  // namespace

void RegisterWaitingBenchmarks(const Settings& settings) {
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
