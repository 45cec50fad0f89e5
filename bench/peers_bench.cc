// Peers that are not libraries of C or C++: workerd, libsql and Turso through their npm packages,
// and Litestream beside stock SQLite. Each does in a process of its own what our rows of the same
// name do, in the same rounds; starting it does not count.
//
//   peer/libsql/waiting, peer/turso/waiting, peer/workerd/waiting
//                        a commit of one object, durable before the next (commit/waiting/*)
//   peer/workerd/one     increments of one object by 64 callers, whose replies are held back until
//   they
//                        are durable
//   peer/workerd/many    the same over 1000 objects (actor/load/durable)
//   peer/litestream/waiting
//                        a commit of stock SQLite, WAL FULL, while Litestream copies its WAL to a
//                        folder: durable here at once, there a second later
//
// peers/measure.mjs runs the first three. Without Node.js or a package a row is skipped with a
// line.

#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench/process.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

void Measure(benchmark::State& state, const Settings& settings, const std::string& peer,
             const std::string& work, int64_t count) {
  for (auto _ : state) {
    const ProcessEnd end = RunProcess(
        "node", {TIDEMARK_BENCH_SOURCES "/peers/measure.mjs", peer, work, settings.peers,
                 std::filesystem::absolute(settings.directory).string(), std::to_string(count)});
    const auto figures = nlohmann::json::parse(end.output, nullptr, false);
    if (end.status != 0 || !figures.is_object()) {
      state.SkipWithError((peer + " failed: " + end.output).c_str());
      return;
    }
    for (const auto& [name, value] : figures.items()) state.counters[name] = value.get<double>();
  }
}

std::string LitestreamOf(const Settings& settings) {
  return settings.peers + "/node_modules/@flydotio/litestream-linux-x64/litestream";
}

void Litestream(benchmark::State& state, const Settings& settings, int64_t commits) {
  Bed bed(settings, Mode::kWalFull);
  Random random(81);
  Connection connection = bed.Open("one");
  // As Litestream asks for: it reads beside the writer, and makes the checkpoints. A WAL that was
  // made under an exclusive lock cannot be shared.
  connection.Exec(
      "pragma journal_mode=delete; pragma locking_mode=normal; select * from sqlite_schema;"
      "pragma journal_mode=wal; pragma wal_autocheckpoint=0; pragma busy_timeout=5000");
  connection.Preload(kKeys, random);
  const std::string copy = bed.directory() + "/copy";
  BackgroundProcess litestream(LitestreamOf(settings),
                               {"replicate", bed.directory() + "/one", "file://" + copy});
  // It is at work once there is something in its folder.
  const auto late = SteadyClock::now() + std::chrono::seconds(20);
  while (!std::filesystem::exists(copy) && litestream.running() && SteadyClock::now() < late) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (!std::filesystem::exists(copy)) {
    state.SkipWithError("Litestream did not begin");
    return;
  }
  std::vector<double> latencies;
  const auto start = SteadyClock::now();
  for (auto _ : state) {
    for (int64_t i = 0; i < commits; ++i) {
      const auto begin = SteadyClock::now();
      connection.Upsert(random.Below(kKeys), random.NextValue());
      const std::chrono::duration<double, std::micro> took = SteadyClock::now() - begin;
      latencies.push_back(took.count());
    }
  }
  const std::chrono::duration<double> seconds = SteadyClock::now() - start;
  if (!litestream.running()) state.SkipWithError("Litestream ended early");
  state.counters["items_per_second"] = static_cast<double>(commits) / seconds.count();
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
}

// Says why not, if it is not there.
bool IsThere(const Settings& settings, const std::string& rows, const std::string& file) {
  if (settings.peers.empty()) {
    Skip(rows + ": --peers is not given");
  } else if (!std::filesystem::exists(settings.peers + "/node_modules/" + file)) {
    Skip(rows + ": its npm package is not in " + settings.peers);
  } else {
    return true;
  }
  return false;
}

bool NodeRuns() {
  // Through a shell: starting what is not there is an error here.
  const ProcessEnd end = RunProcess("sh", {"-c", "node --version 2>/dev/null"});
  return end.status == 0;
}

}  // namespace

void RegisterPeersBenchmarks(const Settings& settings) {
  const bool node = settings.peers.empty() || NodeRuns();
  if (!node) Skip("peer/*: Node.js is not there");
  const auto add = [&](const std::string& peer, const std::string& package,
                       const std::vector<std::pair<std::string, int64_t>>& works) {
    if (!node || !IsThere(settings, "peer/" + peer, package)) return;
    for (const auto& [name, count] : works) {
      Register("peer/" + peer + "/" + name, 1,
               [=, work = name, size = settings.Scaled(count, 20)](benchmark::State& state) {
                 Measure(state, settings, peer, work, size);
               });
    }
  };
  add("libsql", "@libsql/client", {{"waiting", 5000}});
  add("turso", "@tursodatabase/database", {{"waiting", 5000}});
  add("workerd", "workerd", {{"waiting", 5000}, {"one", 10'000}, {"many", 10'000}});
  if (IsThere(settings, "peer/litestream", "@flydotio/litestream-linux-x64/litestream")) {
    Register("peer/litestream/waiting", 1, [=](benchmark::State& state) {
      Litestream(state, settings, settings.Scaled(10'000, 5000, 10));
    });
  }
}

}  // namespace tidemark::bench
