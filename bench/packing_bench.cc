// Packing beside commits: what it costs them, and whether it keeps up with them.
//
// `packing/one` and `packing/many` commit as fast as they can, to one object or to 1000 in turn,
// with the store's background at work and, in the same iteration, without it. The store's clock
// runs 60 times as fast as the wall's, and history is kept for five of its minutes: so licences are
// granted, history expires and packed segments are written anew all the while, as in a store that
// has been in use for longer than its window. The background's own pace is that of the machine's
// clock. It may let 256 MB of log wait (packing_backlog_bytes), and hurries only near to that: so
// nothing counts before twice as much was written, or the filling of the backlog would look like
// log that is not packed. Figures:
//   to_alone       rate of commits with the background, to that without: at least 0.8
//   waiting_MB     sealed log that waits to be packed at the end; `most_waiting_MB` while it ran
//   packed_to_log  bytes of log that were packed, to those that were written: about 1, by whole
//                  segments of 64 MiB, of which some ten are written
//   write_amp      bytes written to log and packed segments, to bytes of log
//   pack_cpu_us/commit, pack_cpu_ms/MB
//                  processor time that it takes to pack all that was committed without the
//                  background, by commit and by MB of log
//
// `packing/space` commits as fast as it can to 50 objects, of which one in turn is deleted now and
// then and another made in its place. Its clock goes by commits: three windows of an hour in every
// round, whatever the machine does, and so much in each that one file of 64 MB more or less is
// little. Then it compares:
//   disk_MB        all files, log and index, as they are at that moment
//   must_keep_MB   the same with everything packed that the windows keep, and a new index
//   allowance_MB   the log's own files, up to the segment in use, the next one and the backlog
//                  (packing_backlog_bytes)
//   to_must_keep   what is beyond the allowance, to what must be kept: at most 1.3
// and says where the rest is: the log's own files (log_MB), the index (index_MB, and what a new one
// takes), and packed files: packed_MB as they were, then with the log packed, too, and
//   passed_MB      what the licence in force had let go of given back, which the background had not
//                  come to
//   licensed_MB    the same behind a licence of that moment
//   anew_MB        all written anew, whether it pays or not

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bench/fast_clock.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::minutes kWindow{5};

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double MegaBytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

struct Side {
  double seconds = 0;
  StoreStats begin;
  StoreStats end;
  uint64_t most_waiting = 0;
  // Of a packing of everything at the end, which nothing was packed before.
  double packing_seconds = 0;
  uint64_t packing_bytes = 0;
  int64_t packing_commits = 0;
};

// `databases` take turns: until the backlog can be full, and then for `commits`, which count.
Side Commits(const Settings& settings, double share, int64_t databases, int64_t commits) {
  const FastClock clock(60);
  BedOptions options;
  options.store.clock = &clock;
  options.store.retention = kWindow;
  options.store.retention_share = share;
  Bed bed(settings, Mode::kTidemarkNormal, options);
  Random random(7);
  std::vector<Connection> connections;
  connections.reserve(static_cast<size_t>(databases));
  for (int64_t i = 0; i < databases; ++i) {
    connections.push_back(bed.Open("object-" + std::to_string(i)));
    connections.back().Preload(kKeys, random);
  }
  bed.Sync();
  Side side;
  size_t turn = 0;
  const auto commit = [&](int64_t count) {
    side.packing_commits += count;
    for (int64_t i = 0; i < count; ++i) {
      connections[turn].Upsert(random.Below(kKeys), random.NextValue());
      if (++turn == connections.size()) turn = 0;
    }
    side.most_waiting = std::max(side.most_waiting, bed.store()->Stats().waiting_bytes);
  };
  constexpr int64_t kAtATime = 10'000;
  const uint64_t warm = settings.smoke() ? 0 : 2 * options.store.packing_backlog_bytes;
  while (bed.store()->Stats().appended_bytes < warm) commit(kAtATime);
  bed.Sync();
  side.begin = bed.store()->Stats();
  const auto start = SteadyClock::now();
  for (int64_t left = commits; left > 0; left -= kAtATime) commit(std::min(left, kAtATime));
  bed.Sync();
  side.seconds = SecondsSince(start);
  side.end = bed.store()->Stats();
  Require(side.end.retention_error, "packing in the background");
  if (share > 0) return side;
  connections.clear();
  const double packing = ThreadSeconds();
  const ReclaimReport packed = Require(bed.store()->Reclaim(ReclaimWhat::kEverything), "packing");
  side.packing_seconds = ThreadSeconds() - packing;
  side.packing_bytes = packed.bytes_before;
  return side;
}

void Packing(benchmark::State& state, const Settings& settings, int64_t databases,
             int64_t commits) {
  double alone = 0;
  double beside = 0;
  Side last;
  Side without;
  for (auto _ : state) {
    without = Commits(settings, 0, databases, commits);
    alone += without.seconds;
    last = Commits(settings, StoreOptions().retention_share, databases, commits);
    beside += last.seconds;
  }
  const double measured = static_cast<double>(state.iterations() * commits);
  state.counters["alone_per_s"] = measured / alone;
  state.counters["beside_per_s"] = measured / beside;
  state.counters["to_alone"] = alone / beside;
  state.counters["pack_cpu_us/commit"] =
      without.packing_seconds * 1e6 / static_cast<double>(without.packing_commits);
  state.counters["pack_cpu_ms/MB"] =
      without.packing_seconds * 1e3 / MegaBytes(without.packing_bytes);
  state.counters["waiting_MB"] = MegaBytes(last.end.waiting_bytes);
  state.counters["most_waiting_MB"] = MegaBytes(last.most_waiting);
  const uint64_t packed = last.end.packed_bytes - last.begin.packed_bytes;
  const uint64_t written = last.end.appended_bytes - last.begin.appended_bytes;
  state.counters["packed_to_log"] = static_cast<double>(packed) / static_cast<double>(written);
  state.counters["log_MB/s"] = MegaBytes(written) / last.seconds;
  state.counters["write_amp"] = 1 + static_cast<double>(last.end.rewritten_bytes) /
                                        static_cast<double>(last.end.appended_bytes);
  state.counters["disk_MB"] = MegaBytes(last.end.log_file_bytes);
  state.counters["index_MB"] = MegaBytes(last.end.index_file_bytes);
}

uint64_t DiskBytes(Store& store) {
  Require(store.Checkpoint(), "checkpoint");
  const StoreStats stats = store.Stats();
  return stats.log_file_bytes + stats.index_file_bytes;
}

void Space(benchmark::State& state, const Settings& settings, int64_t commits) {
  constexpr uint64_t kSegment = 16u << 20;
  constexpr uint64_t kBacklog = 64u << 20;
  constexpr std::chrono::hours kSpaceWindow{1};
  constexpr int64_t kWindows = 3;
  ManualClock clock;
  const std::chrono::microseconds commit_takes =
      std::chrono::microseconds(kSpaceWindow) * kWindows / commits;
  BedOptions options;
  options.store.clock = &clock;
  options.store.retention = kSpaceWindow;
  options.store.segment_size_bytes = kSegment;
  options.store.packing_backlog_bytes = kBacklog;
  Bed bed(settings, Mode::kTidemarkNormal, options);
  Random random(8);
  std::vector<std::optional<Connection>> connections(50);
  std::vector<std::string> names(connections.size());
  int64_t made = 0;
  const auto make = [&](size_t at) {
    names[at] = "object-" + std::to_string(made++);
    connections[at].emplace(bed.Open(names[at]));
    connections[at]->Preload(kKeys, random);
  };
  for (size_t at = 0; at < connections.size(); ++at) make(at);
  const int64_t commits_per_object = settings.Scaled(50'000, 100);
  for (auto _ : state) {
    for (int64_t i = 0; i < commits; ++i) {
      const auto at = static_cast<size_t>(i) % connections.size();
      connections[at]->Upsert(random.Below(kKeys), random.NextValue());
      clock.Advance(commit_takes);
      if (i % commits_per_object != commits_per_object - 1) continue;
      connections[at].reset();
      auto object = Require(bed.store()->OpenObject("bench", names[at], IfMissing::kFail),
                            "opening an object");
      Require(object->Delete(), "deleting an object");
      object.reset();
      make(at);
    }
    bed.Sync();
  }
  const uint64_t disk = DiskBytes(*bed.store());
  const StoreStats end = bed.store()->Stats();
  Require(end.retention_error, "packing in the background");
  for (auto& connection : connections) connection.reset();
  const auto packed_after = [&](ReclaimWhat what) {
    Require(bed.store()->Reclaim(what), "packing");
    return MegaBytes(bed.store()->Stats().history_bytes);
  };
  state.counters["packed_MB"] = MegaBytes(end.history_bytes);
  state.counters["passed_MB"] = packed_after(ReclaimWhat::kWhatPays);
  Require(bed.store()->Prune(), "a licence");
  state.counters["licensed_MB"] = packed_after(ReclaimWhat::kWhatPays);
  state.counters["anew_MB"] = packed_after(ReclaimWhat::kEverything);
  bed.Reopen();  // with a new index
  const StoreStats kept = bed.store()->Stats();
  const uint64_t must_keep = kept.log_bytes + kept.index_file_bytes;
  // What is not used of the allowance is no room for anything else.
  const uint64_t log = end.log_file_bytes - end.history_bytes;
  const uint64_t allowance = std::min(log, 2 * kSegment + kBacklog);
  state.counters["disk_MB"] = MegaBytes(disk);
  state.counters["log_MB"] = MegaBytes(log);
  state.counters["waiting_MB"] = MegaBytes(end.waiting_bytes);
  state.counters["index_MB"] = MegaBytes(end.index_file_bytes);
  state.counters["must_keep_MB"] = MegaBytes(must_keep);
  state.counters["must_keep_index_MB"] = MegaBytes(kept.index_file_bytes);
  state.counters["allowance_MB"] = MegaBytes(allowance);
  state.counters["to_must_keep"] =
      static_cast<double>(disk - allowance) / static_cast<double>(must_keep);
  state.counters["write_amp"] =
      1 + static_cast<double>(end.rewritten_bytes) / static_cast<double>(end.appended_bytes);
  state.SetItemsProcessed(commits);
}

}  // namespace

void RegisterPackingBenchmarks(const Settings& settings) {
  const int64_t many = settings.Scaled(1000, 1000, 10);
  Register("packing/one", 1, [=](benchmark::State& state) {
    Packing(state, settings, 1, settings.Scaled(4'000'000, 1000));
  });
  Register("packing/many", 1, [=](benchmark::State& state) {
    Packing(state, settings, many, settings.Scaled(3'000'000, 1000));
  });
  Register("packing/space", 1, [=](benchmark::State& state) {
    Space(state, settings, settings.Scaled(9'000'000, 1000));
  });
}

}  // namespace tidemark::bench
