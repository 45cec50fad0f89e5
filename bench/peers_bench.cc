// Peers that are not libraries of C or C++: workerd, libsql and Turso through their npm packages,
// and Litestream beside stock SQLite. Each does in a process of its own what our rows of the same
// family do, in the same rounds; starting it does not count.
//
//   commit/waiting/libsql, turso, workerd
//                            a commit of one object, durable before the next
//   commit/waiting/litestream
//                            the same of stock SQLite, WAL FULL, while Litestream copies its WAL to
//                            a folder: durable here at once, there a second later
//   actor/load/workerd       increments of 1000 objects, whose replies are held back until they are
//                            durable, as in actor/load/durable
//   actor/load/workerd_one   the same of one object, by 64 callers
//
// peers/measure.mjs runs all but Litestream. Without Node.js or a package a row is skipped with a
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
  } else if (RunProcess("sh", {"-c", "node --version 2>/dev/null"}).status != 0) {
    Skip(rows + ": Node.js is not there");
  } else {
    return true;
  }
  return false;
}

void Add(const Settings& settings, const std::string& row, const std::string& peer,
         const std::string& work, int64_t count) {
  count = settings.Scaled(count, 20);
  Register(row, 1, [=](benchmark::State& state) { Measure(state, settings, peer, work, count); });
}

}  // namespace

void RegisterWaitingPeers(const Settings& settings) {
  const auto add = [&](const std::string& peer, const std::string& package) {
    const std::string row = "commit/waiting/" + peer;
    if (IsThere(settings, row, package)) Add(settings, row, peer, "waiting", 5000);
  };
  add("libsql", "@libsql/client");
  add("turso", "@tursodatabase/database");
  add("workerd", "workerd");
  const std::string row = "commit/waiting/litestream";
  if (IsThere(settings, row, "@flydotio/litestream-linux-x64/litestream")) {
    Register(row, 1, [=](benchmark::State& state) {
      Litestream(state, settings, settings.Scaled(10'000, 5000, 10));
    });
  }
}

void RegisterActorPeers(const Settings& settings) {
  if (!IsThere(settings, "actor/load/workerd*", "workerd")) return;
  Add(settings, "actor/load/workerd", "workerd", "many", 10'000);
  Add(settings, "actor/load/workerd_one", "workerd", "one", 10'000);
}

}  // namespace tidemark::bench
