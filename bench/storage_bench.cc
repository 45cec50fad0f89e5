// Object storage: what a call of the API costs beside the same statements through SQLite's C
// interface on a stock file.
//
// Both sides take turns in one loop, a few thousand calls each, so that whatever else the machine
// does meets both. `items_per_second` is ours; `to_raw` is that of the stock side's share: above 1
// is faster. Keys are hot: all of them fit SQLite's cache.

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/storage.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kChunk = 2000;
// As the layer's own.
constexpr char kPut[] =
    "INSERT INTO _cf_KV VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value";

std::vector<std::string> MakeKeys() {
  std::vector<std::string> keys;
  for (int64_t i = 0; i < kKeys; ++i) keys.push_back("key:" + std::to_string(1'000'000 + i));
  return keys;
}

// One object, and a stock file with the same table.
class Sides {
 public:
  Sides(const Settings& settings, CommitMode mode)
      : directory_(settings),
        store_(Require(
            Store::Open(directory_.path() + "/store", StoreOptions{.create_if_missing = true}),
            "opening a store")),
        keys_(MakeKeys()) {
    storage = ObjectStorage::Open(*store_, "bench", "one",
                                  {.commit_mode = mode, .durability = Durability::kPipelined});
    const std::string path = directory_.path() + "/raw.db";
    if (sqlite3_open_v2(path.c_str(), &raw,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK) {
      Fail("opening " + path, sqlite3_errmsg(raw));
    }
    Exec(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "PRAGMA secure_delete=OFF;"
        "CREATE TABLE _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    storage->sql().Exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    Random random(3);
    Exec("BEGIN");
    storage->Transaction([&] {
      sqlite3_stmt* row = Prepare("INSERT INTO t VALUES(?,?)");
      sqlite3_stmt* pair = Prepare(kPut);
      for (int64_t i = 0; i < kKeys; ++i) {
        const auto value = random.NextValue();
        const std::string& key = keys_[static_cast<size_t>(i)];
        storage->kv().Put(key, value);
        storage->sql().Exec("INSERT INTO t VALUES(?,?)", i, value);
        sqlite3_bind_int64(row, 1, i);
        sqlite3_bind_blob64(row, 2, value.data(), value.size(), SQLITE_STATIC);
        Step(row);
        PutRaw(pair, key, value);
      }
    });
    Exec("COMMIT");
  }
  ~Sides() {
    for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
    sqlite3_close(raw);
    storage.reset();
  }
  Sides(const Sides&) = delete;
  Sides& operator=(const Sides&) = delete;

  void Exec(const char* sql) {
    if (sqlite3_exec(raw, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      Fail(sql, sqlite3_errmsg(raw));
    }
  }
  sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(raw, sql, -1, &statement, nullptr) != SQLITE_OK) {
      Fail(sql, sqlite3_errmsg(raw));
    }
    statements_.push_back(statement);
    return statement;
  }
  // To its end.
  void Step(sqlite3_stmt* statement) {
    while (sqlite3_step(statement) == SQLITE_ROW) continue;
    if (sqlite3_reset(statement) != SQLITE_OK) Fail("a statement", sqlite3_errmsg(raw));
  }
  // With kPut.
  void PutRaw(sqlite3_stmt* put, const std::string& key, const auto& value) {
    sqlite3_bind_text(put, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
    sqlite3_bind_blob(put, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    Step(put);
  }
  const std::string& Key(int64_t number) const {
    return keys_[static_cast<size_t>(number % kKeys)];
  }
  Store& store() { return *store_; }

 private:
  ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
  std::vector<std::string> keys_;
  std::vector<sqlite3_stmt*> statements_;

 public:
  std::unique_ptr<ObjectStorage> storage;
  sqlite3* raw = nullptr;
};

// Runs both in turns, for the benchmark's iterations of kChunk calls each; `items` a call.
void Interleave(benchmark::State& state, int64_t items, const std::function<void()>& ours,
                const std::function<void()>& raw) {
  using Seconds = std::chrono::duration<double>;
  const auto time = [](const std::function<void()>& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    return Seconds(std::chrono::steady_clock::now() - start).count();
  };
  double ours_took = 0;
  double raw_took = 0;
  for (auto _ : state) {
    ours_took += time(ours);
    raw_took += time(raw);
  }
  const auto all = static_cast<double>(state.iterations() * items);
  state.counters["calls/s"] = all / ours_took;
  state.counters["raw/s"] = all / raw_took;
  state.counters["to_raw"] = raw_took / ours_took;
}

void Get(benchmark::State& state, const Settings& settings) {
  Sides sides(settings, CommitMode::kTurn);
  Random random(5);
  size_t bytes = 0;
  sqlite3_stmt* get = sides.Prepare("SELECT value FROM _cf_KV WHERE key=?1");
  Interleave(
      state, kChunk,
      [&] {
        for (int64_t i = 0; i < kChunk; ++i) {
          const auto value = sides.storage->kv().Get(sides.Key(random.Below(kKeys)));
          bytes += value.value().size();
        }
      },
      [&] {
        for (int64_t i = 0; i < kChunk; ++i) {
          const std::string& key = sides.Key(random.Below(kKeys));
          sqlite3_bind_text(get, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
          if (sqlite3_step(get) != SQLITE_ROW) Fail("a get", sqlite3_errmsg(sides.raw));
          const std::string value(static_cast<const char*>(sqlite3_column_blob(get, 0)),
                                  static_cast<size_t>(sqlite3_column_bytes(get, 0)));
          bytes += value.size();
          sqlite3_reset(get);
        }
      });
  if (bytes != static_cast<size_t>(2 * kChunk * state.iterations()) * kValueBytes) {
    Fail("gets", "gave " + std::to_string(bytes) + " bytes");
  }
}

// Inside one turn: the commit at its end is part of it.
void Put(benchmark::State& state, const Settings& settings) {
  Sides sides(settings, CommitMode::kTurn);
  Random random(5);
  sqlite3_stmt* put = sides.Prepare(kPut);
  Interleave(
      state, kChunk,
      [&] {
        for (int64_t i = 0; i < kChunk; ++i) {
          sides.storage->kv().Put(sides.Key(random.Below(kKeys)), random.NextValue());
        }
        sides.storage->Commit();
      },
      [&] {
        sides.Exec("BEGIN");
        for (int64_t i = 0; i < kChunk; ++i) {
          sides.PutRaw(put, sides.Key(random.Below(kKeys)), random.NextValue());
        }
        sides.Exec("COMMIT");
      });
}

// Each put is a turn, and all of them are durable when the chunk ends. The raw side commits each in
// WAL mode with synchronous=NORMAL, which is never durable until a checkpoint.
void Commit(benchmark::State& state, const Settings& settings) {
  Sides sides(settings, CommitMode::kTurn);
  Random random(5);
  sqlite3_stmt* put = sides.Prepare(kPut);
  Interleave(
      state, 10 * kChunk,
      [&] {
        for (int64_t i = 0; i < 10 * kChunk; ++i) {
          sides.storage->kv().Put(sides.Key(random.Below(kKeys)), random.NextValue());
          sides.storage->Commit();
        }
        sides.storage->Sync();
      },
      [&] {
        for (int64_t i = 0; i < 10 * kChunk; ++i) {
          sides.PutRaw(put, sides.Key(random.Below(kKeys)), random.NextValue());
        }
      });
}

void List(benchmark::State& state, const Settings& settings) {
  Sides sides(settings, CommitMode::kTurn);
  size_t bytes = 0;
  sqlite3_stmt* list = sides.Prepare("SELECT key, value FROM _cf_KV WHERE key>=?1 ORDER BY key");
  Interleave(
      state, kKeys,
      [&] {
        for (const KvEntry& entry : sides.storage->kv().List()) {
          bytes += entry.key.size() + entry.value.size();
        }
      },
      [&] {
        sqlite3_bind_text(list, 1, "", 0, SQLITE_STATIC);
        while (sqlite3_step(list) == SQLITE_ROW) {
          const auto length = [&](int column) {
            const auto* data = static_cast<const char*>(sqlite3_column_blob(list, column));
            return std::string_view(data, static_cast<size_t>(sqlite3_column_bytes(list, column)))
                .size();
          };
          bytes += length(0) + length(1);
        }
        sqlite3_reset(list);
      });
  if (bytes == 0) Fail("a list", "gave nothing");
}

void Select(benchmark::State& state, const Settings& settings) {
  Sides sides(settings, CommitMode::kTurn);
  Random random(5);
  size_t bytes = 0;
  sqlite3_stmt* select = sides.Prepare("SELECT v FROM t WHERE k=?");
  Interleave(
      state, kChunk,
      [&] {
        for (int64_t i = 0; i < kChunk; ++i) {
          Cursor cursor =
              sides.storage->sql().Exec("SELECT v FROM t WHERE k=?", random.Below(kKeys));
          if (!cursor.Next()) Fail("a select", "gave no row");
          bytes += cursor.Get<BlobView>(0).size();
        }
      },
      [&] {
        for (int64_t i = 0; i < kChunk; ++i) {
          sqlite3_bind_int64(select, 1, random.Below(kKeys));
          if (sqlite3_step(select) != SQLITE_ROW) Fail("a select", sqlite3_errmsg(sides.raw));
          bytes += BlobView(static_cast<const std::byte*>(sqlite3_column_blob(select, 0)),
                            static_cast<size_t>(sqlite3_column_bytes(select, 0)))
                       .size();
          sqlite3_reset(select);
        }
      });
  if (bytes != static_cast<size_t>(2 * kChunk * state.iterations()) * kValueBytes) {
    Fail("selects", "gave " + std::to_string(bytes) + " bytes");
  }
}

}  // namespace

void RegisterStorageBenchmarks(const Settings& settings) {
  const auto add = [&](const char* name, int64_t iterations, auto run) {
    Register(std::string("storage/") + name, settings.Scaled(iterations, 1),
             [=](benchmark::State& state) { run(state, settings); });
  };
  add("get", 500, Get);
  add("put", 500, Put);
  add("commit", 20, Commit);
  add("list", 2000, List);
  add("select", 500, Select);
}

}  // namespace tidemark::bench
