// RocksDB with its defaults: a write-ahead log, synced by each batch, or once at the end.

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include "bench/kv_side.h"

namespace tidemark::bench {
namespace {

void Check(const rocksdb::Status& status, const char* what) {
  if (!status.ok()) Fail(std::string("RocksDB: ") + what, status.ToString());
}

rocksdb::Slice SliceOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class RocksDbSide final : public KvSide {
 public:
  explicit RocksDbSide(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* database = nullptr;
    Check(rocksdb::DB::Open(options, directory + "/rocksdb", &database), "opening");
    database_.reset(database);
  }

  void PutDurable(const KvBatch& batch) override {
    rocksdb::WriteBatch writes;
    for (const auto& [key, value] : batch) Check(writes.Put(key, SliceOf(value)), "a put");
    rocksdb::WriteOptions options;
    options.sync = true;
    Check(database_->Write(options, &writes), "a batch");
  }
  void Put(const std::string& key, std::span<const std::byte> value) override {
    Check(database_->Put(rocksdb::WriteOptions(), key, SliceOf(value)), "a put");
  }
  void Sync() override { Check(database_->SyncWAL(), "a sync"); }

  size_t Get(const std::string& key) override {
    Check(database_->Get(rocksdb::ReadOptions(), key, &copy_), "a get");
    return copy_.size();
  }
  size_t Scan() override {
    size_t bytes = 0;
    const std::unique_ptr<rocksdb::Iterator> rows(database_->NewIterator(rocksdb::ReadOptions()));
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
      bytes += rows->key().size() + rows->value().size();
    }
    Check(rows->status(), "a scan");
    return bytes;
  }

 private:
  std::unique_ptr<rocksdb::DB> database_;
  std::string copy_;
};

}  // namespace

std::unique_ptr<KvSide> MakeRocksDbSide(const std::string& directory) {
  return std::make_unique<RocksDbSide>(directory);
}

}  // namespace tidemark::bench
