// LMDB, as it comes: each commit syncs. Pipelined commits are those of MDB_NOSYNC, with a sync at
// the end; LMDB has no log, so a power failure before that sync may leave nothing that can be read.

#include <lmdb.h>

#include <cstring>

#include "bench/kv_side.h"

namespace tidemark::bench {
namespace {

void Check(int code, const char* what) {
  if (code != MDB_SUCCESS) Fail(std::string("LMDB: ") + what, mdb_strerror(code));
}

MDB_val ValueOf(const void* data, size_t size) { return {size, const_cast<void*>(data)}; }

class LmdbSide final : public KvSide {
 public:
  explicit LmdbSide(const std::string& directory) {
    constexpr size_t kMapBytes = size_t{1} << 30;
    Check(mdb_env_create(&env_), "making an environment");
    Check(mdb_env_set_mapsize(env_, kMapBytes), "its size");
    Check(mdb_env_open(env_, directory.c_str(), 0, 0644), "opening it");
    Write([this](MDB_txn* txn) { Check(mdb_dbi_open(txn, nullptr, 0, &dbi_), "its table"); });
  }
  ~LmdbSide() override {
    if (read_ != nullptr) mdb_txn_abort(read_);
    mdb_env_close(env_);
  }

  void PutDurable(const KvBatch& batch) override {
    Check(mdb_env_set_flags(env_, MDB_NOSYNC, 0), "syncing");
    Write([&](MDB_txn* txn) {
      for (const auto& [key, value] : batch) PutOne(txn, key, value);
    });
  }
  void Put(const std::string& key, std::span<const std::byte> value) override {
    Check(mdb_env_set_flags(env_, MDB_NOSYNC, 1), "not syncing");
    Write([&](MDB_txn* txn) { PutOne(txn, key, value); });
  }
  void Sync() override { Check(mdb_env_sync(env_, 1), "a sync"); }

  size_t Get(const std::string& key) override {
    size_t size = 0;
    Read([&](MDB_txn* txn) {
      MDB_val name = ValueOf(key.data(), key.size());
      MDB_val value{};
      Check(mdb_get(txn, dbi_, &name, &value), "a get");
      copy_.assign(static_cast<const char*>(value.mv_data), value.mv_size);
      size = copy_.size();
    });
    return size;
  }
  size_t Scan() override {
    size_t bytes = 0;
    Read([&](MDB_txn* txn) {
      MDB_cursor* cursor = nullptr;
      Check(mdb_cursor_open(txn, dbi_, &cursor), "a cursor");
      MDB_val key{};
      MDB_val value{};
      int code = 0;
      while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        bytes += key.mv_size + value.mv_size;
      }
      if (code != MDB_NOTFOUND) Check(code, "a scan");
      mdb_cursor_close(cursor);
    });
    return bytes;
  }

 private:
  template <typename Work>
  void Write(const Work& work) {
    MDB_txn* txn = nullptr;
    Check(mdb_txn_begin(env_, nullptr, 0, &txn), "a transaction");
    work(txn);
    Check(mdb_txn_commit(txn), "a commit");
  }
  // One read transaction is kept and renewed, which is how LMDB is fastest.
  template <typename Work>
  void Read(const Work& work) {
    if (read_ == nullptr) {
      Check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &read_), "a reader");
    } else {
      Check(mdb_txn_renew(read_), "a reader");
    }
    work(read_);
    mdb_txn_reset(read_);
  }
  void PutOne(MDB_txn* txn, const std::string& key, std::span<const std::byte> value) {
    MDB_val name = ValueOf(key.data(), key.size());
    MDB_val data = ValueOf(value.data(), value.size());
    Check(mdb_put(txn, dbi_, &name, &data, 0), "a put");
  }

  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  MDB_txn* read_ = nullptr;
  std::string copy_;
};

}  // namespace

std::unique_ptr<KvSide> MakeLmdbSide(const std::string& directory) {
  return std::make_unique<LmdbSide>(directory);
}

}  // namespace tidemark::bench
