// LmdbEnv without what was removed: LMDB gives no page back by itself, and what is free in its file
// keeps its bytes. Even its own compacting copy has keys that were removed: as those that tell its
// pages apart. So what must be gone is put into a new file row by row.

#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/internal/lmdb_env.h"

namespace tidemark::internal {
namespace {

// What one transaction puts into a new file.
constexpr uint64_t kRowsAtATime = 64u << 10;
// More than the old file can do with: pages are filled otherwise.
constexpr uint64_t kSlackBytes = 64u << 20;

// A file that is made: nobody else reads it, and a crash leaves nothing of it that counts.
class NewFile {
 public:
  NewFile() = default;
  ~NewFile() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
    if (env_ != nullptr) mdb_env_close(env_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int Begin(const std::string& path, size_t tables, uint64_t map_bytes) {
    int rc = mdb_env_create(&env_);
    if (rc == 0) rc = mdb_env_set_maxdbs(env_, static_cast<MDB_dbi>(tables));
    if (rc == 0) rc = mdb_env_set_mapsize(env_, map_bytes);
    if (rc == 0)
      rc = mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0666);
    return rc == 0 ? mdb_txn_begin(env_, nullptr, 0, &transaction_) : rc;
  }

  // Of a table of another environment, which `from` reads, all rows.
  int CopyTable(MDB_txn* from, MDB_dbi table, const LmdbTable& as) {
    MDB_dbi made = 0;
    const unsigned kind = as.kind == LmdbTableKind::kDuplicates ? MDB_DUPSORT | MDB_DUPFIXED : 0u;
    MDB_cursor* cursor = nullptr;
    int rc = mdb_dbi_open(transaction_, as.name, MDB_CREATE | kind, &made);
    if (rc == 0) rc = mdb_cursor_open(from, table, &cursor);
    if (rc != 0) return rc;
    MDB_val key;
    MDB_val value;
    MDB_val last{0, nullptr};  // the key of the row before
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
      const bool same = last.mv_data != nullptr && last.mv_size == key.mv_size &&
                        std::memcmp(last.mv_data, key.mv_data, key.mv_size) == 0;
      last = key;
      rc = mdb_put(transaction_, made, &key, &value, same ? MDB_APPENDDUP : MDB_APPEND);
      if (rc == 0 && ++rows_ % kRowsAtATime == 0) rc = NextTransaction();
      if (rc != 0) break;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
  }

  int End() {
    const int rc = mdb_txn_commit(std::exchange(transaction_, nullptr));
    return rc == 0 ? mdb_env_sync(env_, 1) : rc;
  }

 private:
  int NextTransaction() {
    const int rc = mdb_txn_commit(std::exchange(transaction_, nullptr));
    return rc == 0 ? mdb_txn_begin(env_, nullptr, 0, &transaction_) : rc;
  }

  MDB_env* env_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  uint64_t rows_ = 0;
};

}  // namespace

Status LmdbEnv::CopyCompact(const std::string& path) const {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return ErrorStatus(errno, "cannot copy");
  int rc = mdb_env_copyfd2(env_, fd, MDB_CP_COMPACT);
  if (rc == 0 && fsync(fd) != 0) rc = errno;
  if (close(fd) != 0 && rc == 0) rc = errno;
  if (rc == 0) return OkStatus();
  unlink(path.c_str());
  return ErrorStatus(rc, "cannot copy");
}

// While nobody writes.
Status LmdbEnv::CopyRows(const std::string& path) const {
  unlink(path.c_str());
  MDB_txn* from = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &from);
  if (rc != 0) return ErrorStatus(rc, "cannot copy");
  {
    NewFile made;
    rc = made.Begin(path, tables_.size(), map_bytes_ + kSlackBytes);
    for (size_t i = 0; i < tables_.size() && rc == 0; ++i) {
      rc = made.CopyTable(from, handles_[i], tables_[i]);
    }
    if (rc == 0) rc = made.End();
  }
  mdb_txn_abort(from);
  if (rc == 0) return OkStatus();
  unlink(path.c_str());
  return ErrorStatus(rc, "cannot copy");
}

Status LmdbEnv::Compact(const std::function<Status()>& before_change) {
  std::lock_guard lock(write_mutex_);
  if (OpenIfClosed() != 0 || unmapped_) return ErrorStatus(MDB_PANIC, "cannot compact");
  const std::string made = directory_ + "/data.mdb.new";
  TIDEMARK_RETURN_IF_ERROR(CopyRows(made));
  Status status = before_change();
  if (status.ok()) {
    WithoutReads([&] {
      status = Change(made);
      return 0;
    });
  }
  // If it has not become the file.
  if (!status.ok()) unlink(made.c_str());
  return status;
}

// While nobody reads or writes.
Status LmdbEnv::Change(const std::string& made) {
  const std::string file = directory_ + "/data.mdb";
  unmapped_ = closed_ = true;
  CloseSlots();
  mdb_env_close(std::exchange(env_, nullptr));
  const int renamed = rename(made.c_str(), file.c_str()) == 0 ? 0 : errno;
  TIDEMARK_RETURN_IF_ERROR(OpenAgain());
  return renamed == 0 ? OkStatus() : ErrorStatus(renamed, "cannot replace");
}

Status LmdbEnv::OpenAgain() const {
  if (env_ != nullptr) mdb_env_close(std::exchange(env_, nullptr));  // opened halfway
  TIDEMARK_RETURN_IF_ERROR(OpenFile());                              // syncs the name
  MDB_txn* transaction = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &transaction);
  for (size_t i = 0; i < tables_.size() && rc == 0; ++i) {
    const unsigned kind =
        tables_[i].kind == LmdbTableKind::kDuplicates ? MDB_DUPSORT | MDB_DUPFIXED : 0u;
    rc = mdb_dbi_open(transaction, tables_[i].name, kind, &handles_[i]);
  }
  if (rc == 0) {
    rc = mdb_txn_commit(transaction);  // which keeps the tables open
  } else if (transaction != nullptr) {
    mdb_txn_abort(transaction);
  }
  if (rc != 0) return ErrorStatus(rc, "cannot open");
  unmapped_ = closed_ = false;
  return OkStatus();
}

int LmdbEnv::OpenIfClosed() const {
  if (!closed_) return 0;
  return WithoutReads([this] { return OpenAgain().ok() ? 0 : MDB_PANIC; });
}

}  // namespace tidemark::internal
