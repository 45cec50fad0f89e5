#include "vfs/internal/snapshot_connection.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>

#include "vfs/internal/page_one.h"
#include "vfs/internal/plain_methods.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

constexpr char kSnapshotVfsName[] = "tidemark-snapshot";

struct Handle {
  sqlite3_file base;
  SnapshotConnection* connection;
};

// What the open that is under way on this thread is of: the file has no name to tell it by.
thread_local SnapshotConnection* opening = nullptr;

int Read(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) noexcept {
  auto* handle = reinterpret_cast<Handle*>(file);
  return handle->connection->Read(static_cast<std::byte*>(out), amount, offset);
}

constexpr sqlite3_io_methods SnapshotMethods() noexcept {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = [](sqlite3_file*) noexcept { return SQLITE_OK; };
  methods.xRead = Read;
  methods.xWrite = [](sqlite3_file*, const void*, int, sqlite3_int64) noexcept {
    return SQLITE_READONLY;
  };
  methods.xTruncate = [](sqlite3_file*, sqlite3_int64) noexcept { return SQLITE_READONLY; };
  methods.xFileSize = [](sqlite3_file* file, sqlite3_int64* out) noexcept {
    *out = reinterpret_cast<Handle*>(file)->connection->SizeBytes();
    return SQLITE_OK;
  };
  // No locks, and nobody asks for a journal.
  methods.xDeviceCharacteristics = [](sqlite3_file*) noexcept { return SQLITE_IOCAP_IMMUTABLE; };
  return methods;
}
constexpr sqlite3_io_methods kSnapshotMethods = SnapshotMethods();

sqlite3_vfs* Base(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
         int* out_flags) noexcept {
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {  // what SQLite sorts in
    return Base(vfs)->xOpen(Base(vfs), path, file, flags, out_flags);
  }
  file->pMethods = nullptr;
  if (opening == nullptr) return SQLITE_CANTOPEN;  // somebody else's
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->connection = opening;
  handle->base.pMethods = &kSnapshotMethods;
  if (out_flags != nullptr) *out_flags = SQLITE_OPEN_READONLY;
  return SQLITE_OK;
}

Status RegisterSnapshotVfs() {
  static std::mutex mutex;
  static sqlite3_vfs vfs;  // SQLite keeps the pointer
  std::lock_guard lock(mutex);
  if (vfs.zName != nullptr) return OkStatus();
  sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
  vfs.iVersion = 1;
  vfs.szOsFile = std::max(base->szOsFile, static_cast<int>(sizeof(Handle)));
  vfs.mxPathname = base->mxPathname;
  vfs.pAppData = base;
  vfs.xOpen = Open;
  vfs.xDelete = [](sqlite3_vfs* self, const char* path, int sync) noexcept {
    return Base(self)->xDelete(Base(self), path, sync);
  };
  vfs.xAccess = [](sqlite3_vfs*, const char*, int, int* out) noexcept {
    *out = 0;
    return SQLITE_OK;
  };
  vfs.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) noexcept {
    sqlite3_snprintf(size, out, "%s", path);
    return SQLITE_OK;
  };
  vfs.xRandomness = [](sqlite3_vfs* self, int size, char* out) noexcept {
    return Base(self)->xRandomness(Base(self), size, out);
  };
  vfs.xSleep = [](sqlite3_vfs* self, int microseconds) noexcept {
    return Base(self)->xSleep(Base(self), microseconds);
  };
  vfs.xCurrentTime = [](sqlite3_vfs* self, double* out) noexcept {
    return Base(self)->xCurrentTime(Base(self), out);
  };
  vfs.xGetLastError = [](sqlite3_vfs*, int, char*) noexcept { return 0; };
  vfs.zName = kSnapshotVfsName;
  if (sqlite3_vfs_register(&vfs, 0) == SQLITE_OK) return OkStatus();
  vfs.zName = nullptr;
  return Status(StatusCode::kInvalidArgument, "SQLite did not register the VFS");
}

}  // namespace

Result<std::unique_ptr<SnapshotConnection>> SnapshotConnection::Open(const Snapshot& snapshot) {
  sqlite3_initialize();
  TIDEMARK_RETURN_IF_ERROR(RegisterSnapshotVfs());
  std::unique_ptr<SnapshotConnection> connection(new SnapshotConnection(snapshot));
  constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  opening = connection.get();
  const int code = sqlite3_open_v2("snapshot", &connection->handle_, kFlags, kSnapshotVfsName);
  opening = nullptr;
  if (code != SQLITE_OK) return connection->ErrorStatus();
  sqlite3_extended_result_codes(connection->handle_, 1);
  return connection;
}

SnapshotConnection::~SnapshotConnection() { sqlite3_close_v2(handle_); }

int64_t SnapshotConnection::SizeBytes() const {
  return int64_t{snapshot_.page_size()} * snapshot_.page_count();
}

// SQLite asks for whole pages, and for the first bytes of page 1.
int SnapshotConnection::Read(std::byte* out, int64_t amount, int64_t offset) noexcept try {
  const int64_t page_size = snapshot_.page_size();
  if (offset + amount > SizeBytes()) {
    std::memset(out, 0, static_cast<size_t>(amount));
    return SQLITE_IOERR_SHORT_READ;
  }
  const PageNo page_no(static_cast<uint32_t>(offset / page_size) + 1);
  const int64_t skip = offset % page_size;
  if (skip + amount > page_size) return SQLITE_IOERR_READ;
  if (amount == page_size) {
    error_ = snapshot_.ReadPage(page_no, {out, static_cast<size_t>(amount)});
  } else {
    if (page_ == nullptr) page_ = std::make_unique<std::byte[]>(static_cast<size_t>(page_size));
    error_ = snapshot_.ReadPage(page_no, {page_.get(), static_cast<size_t>(page_size)});
    std::memcpy(out, page_.get() + skip, static_cast<size_t>(amount));
  }
  if (!error_.ok()) return SqliteCode(error_, FileOperation::kRead);
  if (page_no.value == 1 && skip == 0 && amount >= static_cast<int64_t>(kHeaderSize)) {
    ClearWalVersions(out);
  }
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_IOERR_NOMEM;
}

Status SnapshotConnection::ErrorStatus() const {
  if (!error_.ok()) return error_;
  return handle_ == nullptr ? Status::OutOfMemory() : StatusFromSqlite(handle_);
}

Result<Statement> SnapshotConnection::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  error_ = OkStatus();
  const int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
  if (code != SQLITE_OK) return ErrorStatus();
  return Statement(statement);
}

Result<bool> SnapshotConnection::Step(sqlite3_stmt* statement) {
  error_ = OkStatus();
  const int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ErrorStatus();
}

}  // namespace tidemark::internal
