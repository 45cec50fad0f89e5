// A large object brought in, read and brought out as a user does it, beside the same with stock
// SQLite: 10 GB, or as many MB as --import-mb says.
//
//   import_s, stock_import_s  `tidemark import` of a file, which has SQLite check all of it first;
//   the
//                             same check, and SQLite's backup to another file, synced
//   stock_copy_s              of that, without the check
//   reads/s, stock_reads/s    single rows at random, in turns, with SQLite's default cache
//   export_s, stock_export_s  `tidemark export`, synced; the backup back to another file, synced
//   *_to_stock                time to that of stock SQLite: at most 1.3
//
// Needs five times the size on the disk, and is skipped where that is not free.

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "bench/process.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kRowBytes = 1000;

double Seconds(const std::function<void()>& step) {
  const auto start = SteadyClock::now();
  step();
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void RunTool(const std::vector<std::string>& arguments) {
  const ProcessEnd end = RunProcess(TIDEMARK_TOOL, arguments);
  if (end.status != 0) Fail("tidemark " + arguments.front(), end.output);
}

Connection OpenFile(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &handle, flags, nullptr) != SQLITE_OK) {
    Fail("opening " + path, sqlite3_errmsg(handle));
  }
  return Connection(handle);
}

// SQLite's own way to copy a database, and a sync.
void Backup(const std::string& from, const std::string& to) {
  std::filesystem::remove(to);
  sqlite3* source = nullptr;
  sqlite3* target = nullptr;
  if (sqlite3_open(from.c_str(), &source) != SQLITE_OK ||
      sqlite3_open(to.c_str(), &target) != SQLITE_OK) {
    Fail("opening " + to, "SQLite cannot");
  }
  sqlite3_backup* backup = sqlite3_backup_init(target, "main", source, "main");
  if (backup == nullptr || sqlite3_backup_step(backup, -1) != SQLITE_DONE ||
      sqlite3_backup_finish(backup) != SQLITE_OK) {
    Fail("a backup to " + to, sqlite3_errmsg(target));
  }
  sqlite3_close(target);
  sqlite3_close(source);
}

void CheckIntegrity(const std::string& path) {
  const std::string check =
      "select count(*) from pragma_integrity_check where integrity_check<>'ok'";
  if (OpenFile(path).QueryInteger(check) != 0) Fail(path, "is damaged");
}

// The file that is imported, made once.
class Source {
 public:
  explicit Source(const Settings& settings, int64_t size_mb)
      : directory_(settings), size_mb_(size_mb) {
    Connection connection = OpenFile(path());
    connection.Exec("pragma journal_mode=off; pragma synchronous=off");
    connection.Exec("create table t(k integer primary key, v blob)");
    connection.Exec("with recursive n(k) as (select 1 union all select k+1 from n where k<" +
                    std::to_string(rows()) + ") insert into t select k, randomblob(" +
                    std::to_string(kRowBytes) + ") from n");
  }
  std::string path() const { return directory_.path() + "/source.sqlite"; }
  const std::string& directory() const { return directory_.path(); }
  int64_t rows() const { return size_mb_ * 1'000'000 / (kRowBytes + 40); }

 private:
  ScratchDirectory directory_;
  int64_t size_mb_;
};

// Reads in turns from both. Returns the seconds of each.
std::pair<double, double> ReadRows(Connection& ours, Connection& stock, int64_t rows,
                                   int64_t turns) {
  constexpr int64_t kReads = 500;
  Random random(51);
  const auto turn = [&](Connection& connection) {
    return Seconds([&] {
      for (int64_t i = 0; i < kReads; ++i) {
        connection.ReadRow(1 + random.Below(rows), kRowBytes);
      }
    });
  };
  std::pair<double, double> seconds{};
  for (int64_t i = 0; i < turns; ++i) {
    seconds.first += turn(ours);
    seconds.second += turn(stock);
  }
  return {seconds.first / static_cast<double>(turns * kReads),
          seconds.second / static_cast<double>(turns * kReads)};
}

void Import(benchmark::State& state, const Settings& settings, std::unique_ptr<Source>& source,
            int64_t size_mb) {
  if (source == nullptr) source = std::make_unique<Source>(settings, size_mb);
  const std::string store = source->directory() + "/store";
  const std::string copy = source->directory() + "/copy.sqlite";
  const std::string exported = source->directory() + "/exported.sqlite";
  for (auto _ : state) {
    RunTool({"init", store});
    const double import = Seconds([&] {
      RunTool({"import", store, "bench/large", source->path()});
    });
    const double check = Seconds([&] { CheckIntegrity(source->path()); });
    const double stock_copy = Seconds([&] { Backup(source->path(), copy); });
    std::pair<double, double> read;
    {
      const auto opened = Require(Store::Open(store, StoreOptions()), "opening " + store);
      {
        Connection ours(
            Require(Database::Open(*opened, "bench", "large", {.locking = Locking::kExclusive}),
                    "opening the object"));
        Connection stock = OpenFile(copy);
        stock.Exec("pragma locking_mode=exclusive");
        read = ReadRows(ours, stock, source->rows(), settings.Scaled(40, 20, 1));
      }
      Require(opened->Close(), "closing " + store);
    }
    const double out = Seconds([&] { RunTool({"export", store, "bench/large", "-o", exported}); });
    if (std::filesystem::file_size(exported) != std::filesystem::file_size(source->path())) {
      Fail("exporting", "the file has another size than that which was imported");
    }
    std::filesystem::remove(exported);
    const double stock_out = Seconds([&] { Backup(copy, exported); });
    std::filesystem::remove(exported);
    std::filesystem::remove(copy);
    std::filesystem::remove_all(store);

    state.counters["MB"] = static_cast<double>(std::filesystem::file_size(source->path())) / 1e6;
    state.counters["import_s"] = import;
    state.counters["stock_import_s"] = check + stock_copy;
    state.counters["stock_copy_s"] = stock_copy;
    state.counters["import_to_stock"] = import / (check + stock_copy);
    state.counters["reads/s"] = 1 / read.first;
    state.counters["stock_reads/s"] = 1 / read.second;
    state.counters["reads_to_stock"] = read.first / read.second;
    state.counters["export_s"] = out;
    state.counters["stock_export_s"] = stock_out;
    state.counters["export_to_stock"] = out / stock_out;
  }
}

}  // namespace

void RegisterImportBenchmarks(const Settings& settings) {
  const int64_t size_mb =
      settings.import_mb > 0 ? settings.import_mb : settings.Scaled(10'000, 200, 2);
  const auto free_mb =
      static_cast<int64_t>(std::filesystem::space(settings.directory).available / 1'000'000);
  if (free_mb < 5 * size_mb) {
    Skip("import/object: " + std::to_string(5 * size_mb) + " MB of disk are not free in " +
         settings.directory + "; --import-mb takes a smaller object");
    return;
  }
  const auto source = std::make_shared<std::unique_ptr<Source>>();
  Register("import/object", 1,
           [=](benchmark::State& state) { Import(state, settings, *source, size_mb); });
}

}  // namespace tidemark::bench
