// KvSide: a key-value store as kv_bench.cc uses one, ours or a peer's.

#ifndef TIDEMARK_BENCH_KV_SIDE_H_
#define TIDEMARK_BENCH_KV_SIDE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/workload.h"

namespace tidemark::bench {

using KvBatch = std::vector<std::pair<std::string, std::span<const std::byte>>>;

class KvSide {
 public:
  virtual ~KvSide() = default;

  // All of it in one transaction, durable when it returns.
  virtual void PutDurable(const KvBatch& batch) = 0;
  // A transaction of its own, which Sync() makes durable.
  virtual void Put(const std::string& key, std::span<const std::byte> value) = 0;
  virtual void Sync() = 0;
  // The size of a copy of the value, which must be there.
  virtual size_t Get(const std::string& key) = 0;
  // All pairs in order of keys. Returns the bytes of keys and values.
  virtual size_t Scan() = 0;
};

using KvSideMaker = std::function<std::unique_ptr<KvSide>(const std::string& directory)>;

std::unique_ptr<KvSide> MakeTidemarkSide(const std::string& directory);  // kv_bench.cc
std::unique_ptr<KvSide> MakeLmdbSide(const std::string& directory);      // lmdb_side.cc
std::unique_ptr<KvSide> MakeRocksDbSide(const std::string& directory);  // rocksdb_side.cc, if built

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_KV_SIDE_H_
