#include "bench/workload.h"

#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace tidemark::bench {

const char* RunSizeName(RunSize size) {
  switch (size) {
    case RunSize::kFull: return "full";
    case RunSize::kQuick: return "quick";
    case RunSize::kSmoke: return "smoke";
  }
  return "?";
}

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kTidemarkFull: return "tidemark_full";
    case Mode::kTidemarkNormal: return "tidemark_normal";
    case Mode::kWalFull: return "wal_full";
    case Mode::kWalNormal: return "wal_normal";
    case Mode::kRollbackFull: return "rollback_full";
    case Mode::kMemory: return "memory";
  }
  return "?";
}

bool IsTidemark(Mode mode) { return mode == Mode::kTidemarkFull || mode == Mode::kTidemarkNormal; }

void Fail(const std::string& what, const std::string& reason) {
  std::fprintf(stderr, "benchmark failed: %s: %s\n", what.c_str(), reason.c_str());
  std::exit(1);
}

void Require(const Status& status, const std::string& what) {
  if (!status.ok()) Fail(what, status.ToString());
}

// SplitMix64: fast enough that the work is SQLite's and not the generator's.
uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::span<const std::byte> Random::NextValue() {
  for (uint64_t& word : value_) word = Next();
  return std::as_bytes(std::span(value_)).first(kValueBytes);
}

ScratchDirectory::ScratchDirectory(const Settings& settings)
    : path_(std::filesystem::absolute(settings.directory).string() + "/tidemark-bench-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) Fail("making a directory in " + settings.directory, path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;  // what is left behind is only rubbish in a scratch directory
  std::filesystem::remove_all(path_, ignored);
}

Connection::Connection(Database database) : database_(std::move(database)) {}

Connection::Connection(sqlite3* handle) : handle_(handle) {}

Connection::Connection(Connection&& other) noexcept
    : database_(std::move(other.database_)),
      handle_(std::exchange(other.handle_, nullptr)),
      upsert_(std::exchange(other.upsert_, nullptr)),
      read_(std::exchange(other.read_, nullptr)) {
  other.database_.reset();
}

Connection::~Connection() {
  sqlite3_finalize(upsert_);
  sqlite3_finalize(read_);
  if (handle_ != nullptr) sqlite3_close(handle_);
}

void Connection::Exec(const std::string& sql) {
  char* message = nullptr;
  if (sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
    Fail(sql, message != nullptr ? message : "?");
  }
}

int64_t Connection::QueryInteger(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  Prepare(sql.c_str(), &statement);
  if (sqlite3_step(statement) != SQLITE_ROW) Fail(sql, sqlite3_errmsg(handle()));
  const int64_t value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return value;
}

void Connection::CreateTable() { Exec("create table t(k integer primary key, v blob)"); }

void Connection::Upsert(int64_t key, std::span<const std::byte> value) {
  if (upsert_ == nullptr) {
    Prepare("insert into t(k,v) values(?,?) on conflict(k) do update set v=excluded.v", &upsert_);
  }
  sqlite3_bind_int64(upsert_, 1, key);
  sqlite3_bind_blob(upsert_, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  StepToEnd(upsert_);
}

void Connection::ReadRow(int64_t key, size_t value_bytes) {
  if (read_ == nullptr) Prepare("select v from t where k=?", &read_);
  sqlite3_bind_int64(read_, 1, key);
  if (sqlite3_step(read_) != SQLITE_ROW) {
    Fail("reading row " + std::to_string(key), sqlite3_errmsg(handle()));
  }
  if (sqlite3_column_bytes(read_, 0) != static_cast<int>(value_bytes)) {
    Fail("reading row " + std::to_string(key), "the value has another size");
  }
  sqlite3_reset(read_);
}

void Connection::Preload(int64_t rows, Random& random) {
  Exec("begin");
  CreateTable();
  for (int64_t key = 0; key < rows; ++key) Upsert(key, random.NextValue());
  Exec("commit");
}

void Connection::Prepare(const char* sql, sqlite3_stmt** statement) {
  if (sqlite3_prepare_v3(handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr) !=
      SQLITE_OK) {
    Fail(sql, sqlite3_errmsg(handle()));
  }
}

void Connection::StepToEnd(sqlite3_stmt* statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) {
    Fail(sqlite3_sql(statement), sqlite3_errmsg(handle()));
  }
  sqlite3_reset(statement);
}

Bed::Bed(const Settings& settings, Mode mode, const BedOptions& options)
    : mode_(mode), options_(options), directory_(settings) {
  options_.store.create_if_missing = true;
  if (IsTidemark(mode_)) {
    store_ = Require(Store::Open(StorePath(), options_.store), "opening " + StorePath());
  }
}

Bed::~Bed() { Close(); }

Connection Bed::Open(const std::string& name) {
  const std::string cache = "pragma cache_size=-" + std::to_string(options_.cache_kib);
  if (!IsTidemark(mode_)) {
    Connection connection = OpenStock(name);
    connection.Exec(cache);
    return connection;
  }
  DatabaseOptions options;
  options.locking = Locking::kExclusive;
  options.synchronous = mode_ == Mode::kTidemarkFull ? Synchronous::kFull : Synchronous::kNormal;
  Connection connection(
      Require(Database::Open(*store_, "bench", name, options), "opening object " + name));
  connection.Exec(cache);
  return connection;
}

Connection Bed::OpenStock(const std::string& name) {
  const std::string path = mode_ == Mode::kMemory ? ":memory:" : directory() + "/" + name;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &handle, flags, nullptr) != SQLITE_OK) {
    Fail("opening " + path, handle != nullptr ? sqlite3_errmsg(handle) : "out of memory");
  }
  Connection connection(handle);
  connection.Exec("pragma secure_delete=off; pragma locking_mode=exclusive");
  switch (mode_) {
    case Mode::kWalFull: connection.Exec("pragma journal_mode=wal; pragma synchronous=full"); break;
    case Mode::kWalNormal:
      connection.Exec("pragma journal_mode=wal; pragma synchronous=normal");
      break;
    case Mode::kRollbackFull:
      connection.Exec("pragma journal_mode=delete; pragma synchronous=full");
      break;
    default: break;
  }
  return connection;
}

void Bed::Sync() {
  if (store_ != nullptr) Require(store_->Sync(), "syncing the store");
}

void Bed::Close() {
  if (store_ != nullptr) Require(store_->Close(), "closing " + StorePath());
  store_.reset();
}

void Bed::Reopen() {
  if (!IsTidemark(mode_)) return;
  Close();
  store_ = Require(Store::Open(StorePath(), options_.store), "reopening " + StorePath());
}

double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double Percentile(std::vector<double>& samples, double share) {
  if (samples.empty()) return 0;
  const auto rank = static_cast<ptrdiff_t>(share * static_cast<double>(samples.size() - 1));
  std::nth_element(samples.begin(), samples.begin() + rank, samples.end());
  return samples[static_cast<size_t>(rank)];
}

}  // namespace tidemark::bench
