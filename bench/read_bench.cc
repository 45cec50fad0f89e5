// A large table: filling it in one transaction, scanning it, and reading single rows.
//
// The twins use stock files with a rollback journal (which for a bulk insert writes each page once)
// and a WAL (which writes it twice). Reads come from a connection that was opened after the table
// was complete, so SQLite's cache starts empty; the operating system's is warm for all.

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/interleaved.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kHotRows = 10'000;     // about 1.3 MB: fits the page cache of 2 MB
constexpr int64_t kSmallCacheKib = 200;  // fits none of the table's leaves to speak of

// The table of each mode: what BulkInsert last filled, for the benchmarks that read.
class Tables {
 public:
  Tables(const Settings& settings, int64_t rows) : settings_(settings), rows_(rows) {}

  int64_t rows() const { return rows_; }
  const Settings& settings() const { return settings_; }

  void Put(std::unique_ptr<Bed> bed) { Slot(bed->mode()) = std::move(bed); }

  Bed& Get(Mode mode) {
    std::unique_ptr<Bed>& bed = Slot(mode);
    if (bed == nullptr) {
      bed = std::make_unique<Bed>(settings_, mode);
      Random random(4);
      bed->Open("large").Preload(rows_, random);
      bed->Sync();
    }
    return *bed;
  }

 private:
  std::unique_ptr<Bed>& Slot(Mode mode) { return beds_[static_cast<size_t>(mode)]; }

  Settings settings_;
  int64_t rows_;
  std::array<std::unique_ptr<Bed>, static_cast<size_t>(Mode::kMemory) + 1> beds_;
};

void BulkInsert(benchmark::State& state, Tables& tables, Mode mode) {
  auto bed = std::make_unique<Bed>(tables.settings(), mode);
  {
    Connection connection = bed->Open("large");
    Random random(4);
    for (auto _ : state) {
      connection.Preload(tables.rows(), random);
      bed->Sync();
    }
  }
  state.SetItemsProcessed(tables.rows());
  tables.Put(std::move(bed));
}

// Sums the whole table. Returns the number of rows.
int64_t ScanOnce(Connection& connection, const Tables& tables) {
  const std::string scan = "select sum(length(v)) from t";
  const int64_t bytes = connection.QueryInteger(scan);
  if (bytes != tables.rows() * static_cast<int64_t>(kValueBytes)) {
    Fail(scan, "gave " + std::to_string(bytes));
  }
  return tables.rows();
}

// Reads rows of a range that fits SQLite's cache.
class HotReader {
 public:
  explicit HotReader(const Tables& tables)
      : count_(std::min(kHotRows, tables.rows())), first_((tables.rows() - count_) / 2) {}
  void Warm(Connection& connection) const {
    for (int64_t key = first_; key < first_ + count_; ++key) connection.ReadRow(key);
  }
  void ReadOne(Connection& connection) { connection.ReadRow(first_ + random_.Below(count_)); }

 private:
  int64_t count_;
  int64_t first_;
  Random random_{5};
};

void FullScan(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  int64_t rows = 0;
  for (auto _ : state) rows += ScanOnce(connection, tables);
  state.SetItemsProcessed(rows);
}

void HotPoint(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  HotReader reader(tables);
  reader.Warm(connection);
  for (auto _ : state) reader.ReadOne(connection);
  state.SetItemsProcessed(state.iterations());
}

// Tidemark and the stock file in turns, from connections that are warm.
void Interleaved(benchmark::State& state, Tables& tables,
                 const std::function<void(Connection&)>& warm,
                 const std::function<int64_t(Connection&)>& turn) {
  const auto open = [&](Mode mode) {
    Connection connection = tables.Get(mode).Open("large");
    warm(connection);
    return connection;
  };
  Interleave(state, {.open_tidemark = [&] { return open(Mode::kTidemarkFull); },
                     .open_file = [&] { return open(Mode::kRollbackFull); },
                     .turn = turn});
}

void InterleavedScan(benchmark::State& state, Tables& tables) {
  const auto scan = [&](Connection& connection) { return ScanOnce(connection, tables); };
  Interleaved(state, tables, scan, scan);
}

void InterleavedHotPoint(benchmark::State& state, Tables& tables) {
  HotReader reader(tables);
  Interleaved(
      state, tables, [&](Connection& connection) { reader.Warm(connection); },
      [&](Connection& connection) {
        constexpr int64_t kReads = 2000;
        for (int64_t i = 0; i < kReads; ++i) reader.ReadOne(connection);
        return kReads;
      });
}

void ColdPoint(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  connection.Exec("pragma cache_size=-" + std::to_string(kSmallCacheKib));
  Random random(6);
  for (auto _ : state) connection.ReadRow(random.Below(tables.rows()));
  state.SetItemsProcessed(state.iterations());
}

// Rows of a small table that was changed 50,000 times, one row a commit, from a cache of hardly any
// page: what a reader pays for pages that are kept as chains of patches. The twin has plain pages.
void PatchedPoint(benchmark::State& state, const Settings& settings, Mode mode) {
  Bed bed(settings, mode, {.cache_kib = 40});
  Random random(12);
  {
    Connection writer = bed.Open("patched");
    writer.Preload(kKeys, random);
    for (int64_t i = settings.Scaled(50'000, 10); i > 0; --i) {
      writer.Upsert(random.Below(kKeys), random.NextValue());
    }
  }
  bed.Reopen();
  Connection connection = bed.Open("patched");
  for (auto _ : state) connection.ReadRow(random.Below(kKeys));
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void RegisterReadBenchmarks(const Settings& settings) {
  const auto tables = std::make_shared<Tables>(settings, settings.Scaled(1'000'000, 2000));
  const auto each = [&](const std::string& family, int64_t iterations,
                        void (*run)(benchmark::State&, Tables&, Mode)) {
    for (Mode mode : {Mode::kTidemarkFull, Mode::kRollbackFull, Mode::kWalFull}) {
      Register("read/" + family + "/" + ModeName(mode), iterations,
               [=](benchmark::State& state) { run(state, *tables, mode); });
    }
  };
  each("bulk_insert", 1, BulkInsert);
  Register("read/full_scan/interleaved", settings.Scaled(8, 2),
           [=](benchmark::State& state) { InterleavedScan(state, *tables); });
  Register("read/hot_point/interleaved", settings.Scaled(400, 2),
           [=](benchmark::State& state) { InterleavedHotPoint(state, *tables); });
  each("full_scan", settings.Scaled(5, 1), FullScan);
  each("hot_point", settings.Scaled(500'000, 10), HotPoint);
  each("small_cache_point", settings.Scaled(100'000, 10), ColdPoint);
  for (Mode mode : {Mode::kTidemarkNormal, Mode::kWalNormal}) {
    Register(std::string("read/patched_point/") + ModeName(mode), settings.Scaled(20'000, 10),
             [=](benchmark::State& state) { PatchedPoint(state, settings, mode); });
  }
}

}  // namespace tidemark::bench
