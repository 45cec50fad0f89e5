// Keys and values of 100 bytes beside LMDB and RocksDB, which have no SQL, no history of each
// commit and one database each: what these cost a user who needs none of it.
//
//   kv/get/*        a key read at random and its value copied; all of them are in the side's cache
//   kv/scan/*       a pair read in order
//   kv/batch/*      a put of one of 1000 that are one transaction, durable when it returns
//   kv/pipelined/*  a put that is a transaction of its own; all of them durable at the end
//
// Ours is the key-value part of one object's storage, with commit by turns. All sides have their
// defaults, but for what kv_side.h asks for.

#include <memory>
#include <string>
#include <vector>

#include "api/storage.h"
#include "bench/kv_side.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kBatch = 1000;

class TidemarkSide final : public KvSide {
 public:
  explicit TidemarkSide(const std::string& directory)
      : store_(Require(Store::Open(directory + "/store", StoreOptions{.create_if_missing = true}),
                       "opening a store")),
        storage_(ObjectStorage::Open(
            *store_, "bench", "kv",
            {.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined})) {}

  void PutDurable(const KvBatch& batch) override {
    for (const auto& [key, value] : batch) storage_->kv().Put(key, value);
    storage_->Commit(Durability::kConfirmed);
  }
  void Put(const std::string& key, std::span<const std::byte> value) override {
    storage_->kv().Put(key, value);
    storage_->Commit();
  }
  void Sync() override { storage_->Sync(); }
  size_t Get(const std::string& key) override { return storage_->kv().Get(key).value().size(); }
  size_t Scan() override {
    size_t bytes = 0;
    for (const KvEntry& entry : storage_->kv().List()) {
      bytes += entry.key.size() + entry.value.size();
    }
    return bytes;
  }

 private:
  std::unique_ptr<Store> store_;
  std::unique_ptr<ObjectStorage> storage_;
};

// A side with all keys in it, made when first used and kept for all rounds.
class Keys {
 public:
  Keys(const Settings& settings, KvSideMaker make)
      : settings_(settings), make_(std::move(make)), count_(settings.Scaled(10'000, 10'000, 50)) {}

  KvSide& side() {
    if (side_ != nullptr) return *side_;
    directory_ = std::make_unique<ScratchDirectory>(settings_);
    side_ = make_(directory_->path());
    side_->PutDurable(Batch(0, count_));
    return *side_;
  }
  int64_t count() const { return count_; }

  static std::string Name(int64_t number) { return "key:" + std::to_string(1'000'000 + number); }
  // So many pairs from `first` on, whose values are there until the next call.
  const KvBatch& Batch(int64_t first, int64_t size) {
    batch_.clear();
    values_.resize(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      auto& value = values_[static_cast<size_t>(i)];
      const auto bytes = random_.NextValue();
      value.assign(bytes.begin(), bytes.end());
      batch_.emplace_back(Name((first + i * 7919) % count_), value);
    }
    if (size == count_) {  // the first: each key once
      for (int64_t i = 0; i < size; ++i) batch_[static_cast<size_t>(i)].first = Name(i);
    }
    return batch_;
  }
  std::span<const std::byte> Value() { return random_.NextValue(); }
  int64_t Number() { return random_.Below(count_); }

 private:
  const Settings settings_;
  const KvSideMaker make_;
  const int64_t count_;
  Random random_{71};
  std::vector<std::vector<std::byte>> values_;
  KvBatch batch_;
  std::unique_ptr<ScratchDirectory> directory_;
  std::unique_ptr<KvSide> side_;
};

void Get(benchmark::State& state, Keys& keys, int64_t reads) {
  KvSide& side = keys.side();
  for (auto _ : state) {
    for (int64_t i = 0; i < reads; ++i) {
      if (side.Get(Keys::Name(keys.Number())) != kValueBytes) Fail("a get", "another size");
    }
  }
  state.SetItemsProcessed(state.iterations() * reads);
}

void Scan(benchmark::State& state, Keys& keys, int64_t scans) {
  KvSide& side = keys.side();
  const size_t expected = static_cast<size_t>(keys.count()) * (Keys::Name(0).size() + kValueBytes);
  for (auto _ : state) {
    for (int64_t i = 0; i < scans; ++i) {
      if (side.Scan() != expected) Fail("a scan", "other keys than were put");
    }
  }
  state.SetItemsProcessed(state.iterations() * scans * keys.count());
}

void Batches(benchmark::State& state, Keys& keys, int64_t batches) {
  KvSide& side = keys.side();
  const int64_t size = std::min(kBatch, keys.count() - 1);
  for (auto _ : state) {
    for (int64_t i = 0; i < batches; ++i) side.PutDurable(keys.Batch(i * size, size));
  }
  state.SetItemsProcessed(state.iterations() * batches * size);
}

void Pipelined(benchmark::State& state, Keys& keys, int64_t puts) {
  KvSide& side = keys.side();
  for (auto _ : state) {
    for (int64_t i = 0; i < puts; ++i) side.Put(Keys::Name(keys.Number()), keys.Value());
    side.Sync();
  }
  state.SetItemsProcessed(state.iterations() * puts);
}

struct Side {
  const char* name;
  std::shared_ptr<Keys> keys;
};

}  // namespace

std::unique_ptr<KvSide> MakeTidemarkSide(const std::string& directory) {
  return std::make_unique<TidemarkSide>(directory);
}

void RegisterKvBenchmarks(const Settings& settings) {
  std::vector<Side> sides;
  const auto side = [&](const char* name, const KvSideMaker& make) {
    sides.push_back({name, std::make_shared<Keys>(settings, make)});
  };
  side("tidemark", MakeTidemarkSide);
  side("lmdb", MakeLmdbSide);
#ifdef TIDEMARK_BENCH_ROCKSDB
  side("rocksdb", MakeRocksDbSide);
#else
  Skip("kv/*/rocksdb: librocksdb-dev was not there when this was built");
#endif
  // A workload's rows stand together, so that sides take turns within seconds.
  const auto each = [&](const char* work, int64_t count,
                        void (*run)(benchmark::State&, Keys&, int64_t)) {
    for (const Side& one : sides) {
      Register(
          std::string("kv/") + work + "/" + one.name, 1,
          [run, keys = one.keys, count](benchmark::State& state) { run(state, *keys, count); });
    }
  };
  each("get", settings.Scaled(1'000'000, 100), Get);
  each("scan", settings.Scaled(500, 1), Scan);
  each("batch", settings.Scaled(300, 1), Batches);
  each("pipelined", settings.Scaled(200'000, 10), Pipelined);
}

}  // namespace tidemark::bench
