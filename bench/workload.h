// What every benchmark here shares: where it runs, what it runs against, and the work itself.
//
// The work is one table, t(k integer primary key, v), and one statement on it: insert or update a
// row with a value of 100 random bytes. A Bed is a place with databases of one Mode: objects of a
// Tidemark store, or files of stock SQLite beside each other, so that a benchmark and its twin are
// the same code. Everything that SQLite lets one choose is the same on both sides: page size, cache
// size, EXCLUSIVE locking (which spares stock SQLite its locks and shared memory), secure_delete
// off, no mutexes.
//
// Seeds are fixed: two runs do the same work. A failure of the code under test ends the process
// with its message: a benchmark that goes on after an error measures nothing.

#ifndef TIDEMARK_BENCH_WORKLOAD_H_
#define TIDEMARK_BENCH_WORKLOAD_H_

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/result.h"
#include "engine/store.h"
#include "vfs/database.h"

namespace tidemark::bench {

inline constexpr int64_t kKeys = 1000;
inline constexpr size_t kValueBytes = 100;

// How much work: what figures are published of, a few minutes of it, or as little as shows that it
// still runs.
enum class RunSize { kFull, kQuick, kSmoke };

struct Settings {
  std::string directory = ".";  // on the disk that is measured
  RunSize size = RunSize::kFull;
  std::string peers = {};  // where npm has put the packages of peers_bench.cc; empty: none are run

  int64_t import_mb = 0;  // size of import_bench.cc's object; 0: that of the run's size

  bool smoke() const { return size == RunSize::kSmoke; }
  // The size of a workload: `full`, `quick` of it, or `small` for a smoke test.
  int64_t Scaled(int64_t full, int64_t quick, int64_t small) const {
    return size == RunSize::kFull ? full : size == RunSize::kQuick ? quick : small;
  }
  // The same, for what is a fifth in a quick run.
  int64_t Scaled(int64_t full, int64_t small) const {
    return Scaled(full, std::max(full / 5, small), small);
  }
};

const char* RunSizeName(RunSize size);  // "full", "quick", "smoke"

enum class Mode {
  kTidemarkFull,    // a commit returns when it is durable
  kTidemarkNormal,  // commits are pipelined: durable at Bed::Sync()
  kWalFull,
  kWalNormal,
  kRollbackFull,  // journal_mode=DELETE; with EXCLUSIVE locking the journal file stays
  kMemory,        // :memory:, no durability at all
};

// "tidemark_full", "wal_normal" and so on: the last part of a benchmark's name.
const char* ModeName(Mode mode);
bool IsTidemark(Mode mode);

// Ends the process with `what` and the reason.
[[noreturn]] void Fail(const std::string& what, const std::string& reason);
void Require(const Status& status, const std::string& what);
template <typename T>
T Require(Result<T> result, const std::string& what) {
  Require(result.status(), what);
  return std::move(result).value();
}

// Pseudo-random numbers: the same ones in every run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound));
  }
  // kValueBytes random bytes, valid until the next call.
  std::span<const std::byte> NextValue();

 private:
  uint64_t state_;
  std::array<uint64_t, (kValueBytes + 7) / 8> value_{};
};

// A directory under Settings::directory that goes when this does.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const Settings& settings);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One SQLite connection with the statements of the work, prepared when first used.
class Connection {
 public:
  explicit Connection(Database database);
  explicit Connection(sqlite3* handle);  // takes it over
  Connection(Connection&& other) noexcept;
  ~Connection();

  void Exec(const std::string& sql);
  int64_t QueryInteger(const std::string& sql);

  void CreateTable();
  void Upsert(int64_t key, std::span<const std::byte> value);
  // Reads one row; ends the process if it is not there, or its value has another size.
  void ReadRow(int64_t key, size_t value_bytes = kValueBytes);
  // CreateTable and `rows` rows (keys from 0) in one transaction.
  void Preload(int64_t rows, Random& random);

 private:
  sqlite3* handle() const { return database_ ? database_->handle() : handle_; }
  void Prepare(const char* sql, sqlite3_stmt** statement);
  void StepToEnd(sqlite3_stmt* statement);

  std::optional<Database> database_;
  sqlite3* handle_ = nullptr;
  sqlite3_stmt* upsert_ = nullptr;
  sqlite3_stmt* read_ = nullptr;
};

struct BedOptions {
  int64_t cache_kib = 2000;  // of each connection; 2000 is SQLite's own default
  StoreOptions store = {};   // create_if_missing is set
};

// Connections must be gone before their Bed, and before Reopen().
class Bed {
 public:
  Bed(const Settings& settings, Mode mode, const BedOptions& options = {});
  ~Bed();
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  // The database called `name`, made if missing.
  Connection Open(const std::string& name);

  // Waits until every commit so far is durable. Nothing for stock modes: those that promise
  // durability have waited already, the others never do.
  void Sync();

  // Closes the store: what it held in memory is gone. Nothing for stock modes.
  void Close();
  // Opens it again, closing it first if it is open.
  void Reopen();

  Mode mode() const { return mode_; }
  const std::string& directory() const { return directory_.path(); }
  std::string StorePath() const { return directory() + "/store"; }
  Store* store() const { return store_.get(); }  // null for stock modes

 private:
  Connection OpenStock(const std::string& name);

  Mode mode_;
  BedOptions options_;
  ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
};

// What this thread has computed so far: other work on the machine disturbs it less than a clock.
double ThreadSeconds();

// The value below which `share` (0 to 1) of `samples` lie; reorders them. 0 without samples.
double Percentile(std::vector<double>& samples, double share);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_WORKLOAD_H_
