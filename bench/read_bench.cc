// A large table: filling it in one transaction, scanning it, and reading single rows.
//
// The twins use stock files with a rollback journal (which for a bulk insert writes each page once)
// and a WAL (which writes it twice). Reads come from a connection that was opened after the table
// was complete, so SQLite's cache starts empty; the operating system's is warm for all.

#include <array>
#include <memory>
#include <string>

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

void FullScan(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  const std::string scan = "select sum(length(v)) from t";
  for (auto _ : state) {
    const int64_t bytes = connection.QueryInteger(scan);
    if (bytes != tables.rows() * static_cast<int64_t>(kValueBytes)) {
      Fail(scan, "gave " + std::to_string(bytes));
    }
  }
  state.SetItemsProcessed(state.iterations() * tables.rows());
}

void HotPoint(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  const int64_t hot_rows = std::min(kHotRows, tables.rows());
  const int64_t first = (tables.rows() - hot_rows) / 2;
  for (int64_t key = first; key < first + hot_rows; ++key) connection.ReadRow(key);
  Random random(5);
  for (auto _ : state) connection.ReadRow(first + random.Below(hot_rows));
  state.SetItemsProcessed(state.iterations());
}

void ColdPoint(benchmark::State& state, Tables& tables, Mode mode) {
  Connection connection = tables.Get(mode).Open("large");
  connection.Exec("pragma cache_size=-" + std::to_string(kSmallCacheKib));
  Random random(6);
  for (auto _ : state) connection.ReadRow(random.Below(tables.rows()));
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
  each("full_scan", settings.Scaled(5, 1), FullScan);
  each("hot_point", settings.Scaled(500'000, 10), HotPoint);
  each("small_cache_point", settings.Scaled(100'000, 10), ColdPoint);
}

}  // namespace tidemark::bench
