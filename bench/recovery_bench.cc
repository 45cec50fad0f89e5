// Opening a store: after a kill, with 64 MB of log behind the checkpoint, and after a clean close,
// with 100,000 objects in it. `open_s` is the time of Store::Open plus the first row read.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/process.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr char kNamespace[] = "bench";

std::string ObjectName(int64_t number) { return "object-" + std::to_string(number); }

// By default the store would bring its index up to date before so much log stands behind it.
StoreOptions OptionsWithoutCheckpoints() {
  StoreOptions options;
  options.create_if_missing = true;
  options.background_work = BackgroundWork::kManual;
  return options;
}

Connection OpenObject(Store& store, const std::string& name) {
  DatabaseOptions options;
  options.locking = Locking::kExclusive;
  options.synchronous = Synchronous::kNormal;
  return Connection(Require(Database::Open(store, kNamespace, name, options), "opening " + name));
}

// Runs this program again as the writer that dies.
void SpawnWriter(const std::string& store_path, int64_t log_bytes, int64_t objects) {
  const int status =
      RunSelf({"--write-and-die", store_path, std::to_string(log_bytes), std::to_string(objects)})
          .status;
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    Fail("the writer", "ended otherwise than by its kill");
  }
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void AfterKill(benchmark::State& state, const Settings& settings, int64_t log_bytes,
               int64_t objects) {
  ScratchDirectory directory(settings);
  const std::string path = directory.path() + "/store";
  SpawnWriter(path, log_bytes, objects);
  const StoreOptions options = OptionsWithoutCheckpoints();  // so that `stats` show what was found
  std::unique_ptr<Store> store;
  StoreStats stats;
  double open_seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    store = Require(Store::Open(path, options), "opening " + path);
    OpenObject(*store, ObjectName(0)).ReadRow(0);
    open_seconds = SecondsSince(start);
    stats = store->Stats();
  }
  state.counters["open_s"] = open_seconds;
  state.counters["recovered_versions"] = static_cast<double>(stats.recent_version_count);
  Require(store->Close(), "closing " + path);
}

// The twin: a stock database whose WAL of the same size was never checkpointed. It is copied as it
// stands under an open connection, which is what a kill leaves.
void StockAfterKill(benchmark::State& state, const Settings& settings, int64_t log_bytes) {
  Bed bed(settings, Mode::kWalNormal);
  const std::string killed = bed.directory() + "/killed";
  {
    Connection connection = bed.Open("one");
    connection.Exec("pragma wal_autocheckpoint=0");
    Random random(9);
    connection.Preload(kKeys, random);
    const std::filesystem::path wal = bed.directory() + "/one-wal";
    while (std::filesystem::file_size(wal) < static_cast<uintmax_t>(log_bytes)) {
      connection.Upsert(random.Below(kKeys), random.NextValue());
    }
    std::filesystem::copy_file(bed.directory() + "/one", killed);
    std::filesystem::copy_file(wal, killed + "-wal");
  }
  double open_seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    bed.Open("killed").ReadRow(0);  // the close that follows also checkpoints: not part of open_s
    open_seconds = SecondsSince(start);
  }
  state.counters["open_s"] = open_seconds;
  state.counters["log_MB"] = static_cast<double>(log_bytes) / 1e6;
}

// No twin: 100,000 stock databases are 100,000 files, and opening "them" is opening one.
void CleanOpen(benchmark::State& state, std::unique_ptr<Bed>& bed, const Settings& settings,
               int64_t objects) {
  if (bed == nullptr) {
    bed = std::make_unique<Bed>(settings, Mode::kTidemarkNormal);
    Random random(10);
    for (int64_t i = 0; i < objects; ++i) bed->Open(ObjectName(i)).Preload(1, random);
  }
  bed->Close();
  double open_seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    bed->Reopen();
    bed->Open(ObjectName(objects / 2)).ReadRow(0);
    open_seconds = SecondsSince(start);
  }
  state.counters["open_s"] = open_seconds;
  state.counters["objects"] = static_cast<double>(bed->store()->Stats().object_count);
}

}  // namespace

void WriteAndDie(const std::string& directory, int64_t log_bytes, int64_t objects) {
  const auto store =
      Require(Store::Open(directory, OptionsWithoutCheckpoints()), "opening " + directory);
  Random random(11);
  std::vector<Connection> connections;
  for (int64_t i = 0; i < objects; ++i) {
    connections.push_back(OpenObject(*store, ObjectName(i)));
    connections.back().Preload(kKeys, random);
  }
  // The images of the first pages are not part of what recovery has to walk.
  Require(store->Sync(), "syncing");
  Require(store->Checkpoint(), "checkpoint");
  const uint64_t end = store->Stats().log_bytes + static_cast<uint64_t>(log_bytes);
  while (store->Stats().log_bytes < end) {
    for (int i = 0; i < 1000; ++i) {
      const auto turn = static_cast<size_t>(random.Below(objects));
      connections[turn].Upsert(random.Below(kKeys), random.NextValue());
    }
  }
  Require(store->Sync(), "syncing");
  kill(getpid(), SIGKILL);
  std::abort();  // not reached
}

void RegisterRecoveryBenchmarks(const Settings& settings) {
  const int64_t log_bytes = settings.Scaled(64 << 20, 64 << 20, 64 << 10);
  for (const int64_t objects : {int64_t{1}, int64_t{1000}}) {
    const int64_t count = settings.Scaled(objects, objects, objects == 1 ? 1 : 10);
    const std::string family = objects == 1 ? "one_object" : "1000_objects";
    Register("recovery/after_kill/" + family, 1,
             [=](benchmark::State& state) { AfterKill(state, settings, log_bytes, count); });
  }
  Register("recovery/after_kill/wal_normal", 1,
           [=](benchmark::State& state) { StockAfterKill(state, settings, log_bytes); });
  const auto bed = std::make_shared<std::unique_ptr<Bed>>();
  Register("recovery/clean_open/100000_objects", 1, [=](benchmark::State& state) {
    CleanOpen(state, *bed, settings, settings.Scaled(100'000, 20));
  });
}

}  // namespace tidemark::bench
