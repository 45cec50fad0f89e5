// Proof of SQLite's calls, see probe.h.

#include "vfs/internal/probe.h"

#include <algorithm>
#include <memory>
#include <string>

#include "engine/result.h"
#include "vfs/internal/memory_file.h"
#include "vfs/internal/plain_methods.h"
#include "vfs/internal/sqlite.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

constexpr char kProbeVfsName[] = "tidemark-probe";

// What SQLite did, a letter for each kind of call: w(rite), s(ync control), c(ommit, phase two).
// Repeated writes count once. One probe runs at a time: RegisterVfs sees to that.
struct ProbeVfs : sqlite3_vfs {
  sqlite3_vfs* base;
  MemoryFile* database;
  std::string calls;
};

struct ProbeFile : sqlite3_file {
  ProbeVfs* vfs;
};

ProbeVfs* Vfs(sqlite3_file* file) { return static_cast<ProbeFile*>(file)->vfs; }

// More than fit without asking for memory are too many anyway.
void Note(sqlite3_file* file, char call) noexcept {
  std::string& calls = Vfs(file)->calls;
  if (calls.size() < calls.capacity()) calls += call;
}

int Close(sqlite3_file*) noexcept { return SQLITE_OK; }

int Read(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) noexcept {
  return Vfs(file)->database->Read(out, amount, offset);
}

int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) noexcept {
  if (!Vfs(file)->calls.ends_with('w')) Note(file, 'w');
  return Vfs(file)->database->Write(data, amount, offset);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) noexcept {
  return Vfs(file)->database->Truncate(size);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) noexcept {
  *size = Vfs(file)->database->size();
  return SQLITE_OK;
}

int FileControl(sqlite3_file* file, int operation, void*) noexcept {
  if (operation == SQLITE_FCNTL_SYNC) Note(file, 's');
  if (operation == SQLITE_FCNTL_COMMIT_PHASETWO) Note(file, 'c');
  return SQLITE_NOTFOUND;
}

int DeviceCharacteristics(sqlite3_file*) noexcept {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL;
}

const sqlite3_io_methods kProbeMethods = [] {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xFileSize = FileSize;
  methods.xFileControl = FileControl;
  methods.xDeviceCharacteristics = DeviceCharacteristics;
  return methods;
}();

int Open(sqlite3_vfs* vfs, const char*, sqlite3_file* file, int flags, int* out_flags) noexcept {
  if (out_flags != nullptr) *out_flags = flags;
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return OpenMemoryHandle(file);
  static_cast<ProbeFile*>(file)->vfs = static_cast<ProbeVfs*>(vfs);
  file->pMethods = &kProbeMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs*, const char*, int) noexcept { return SQLITE_OK; }

int Access(sqlite3_vfs*, const char*, int, int* out) noexcept {
  *out = 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) noexcept {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs* vfs, int size, char* out) noexcept {
  sqlite3_vfs* base = static_cast<ProbeVfs*>(vfs)->base;
  return base->xRandomness(base, size, out);
}

int Sleep(sqlite3_vfs*, int) noexcept { return 0; }

int CurrentTime(sqlite3_vfs* vfs, double* out) noexcept {
  sqlite3_vfs* base = static_cast<ProbeVfs*>(vfs)->base;
  return base->xCurrentTime(base, out);
}

int GetLastError(sqlite3_vfs*, int, char*) noexcept { return 0; }

// Runs `sql` and compares what it made SQLite call with `expected`.
Status Expect(sqlite3* connection, ProbeVfs& vfs, const char* sql, const char* expected) {
  vfs.calls.clear();
  if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return StatusFromSqlite(connection).WithContext("probing SQLite");
  }
  if (vfs.calls == expected) return OkStatus();
  return Status(StatusCode::kInvalidArgument,
                std::string("SQLite ") + sqlite3_libversion() +
                    " does not make the calls that commits depend on: \"" + sql +
                    "\" gave the sequence \"" + vfs.calls + "\" instead of \"" + expected +
                    "\" (w: page writes, s: SQLITE_FCNTL_SYNC, c: SQLITE_FCNTL_COMMIT_PHASETWO)");
}

Status RunProbe(sqlite3* connection, ProbeVfs& vfs) {
  TIDEMARK_RETURN_IF_ERROR(Expect(connection, vfs, "CREATE TABLE t(x)", "wsc"));
  TIDEMARK_RETURN_IF_ERROR(Expect(connection, vfs, "BEGIN; INSERT INTO t VALUES(1); ROLLBACK", ""));
  TIDEMARK_RETURN_IF_ERROR(Expect(connection, vfs, "PRAGMA synchronous=OFF", ""));
  // Larger than the cache, so that pages are written before the commit.
  return Expect(connection, vfs,
                "PRAGMA cache_size=2; BEGIN; INSERT INTO t VALUES(zeroblob(100000)); COMMIT",
                "wsc");
}

}  // namespace

Status ProbeSqlite() {
  MemoryFile database;
  ProbeVfs vfs{};
  vfs.base = sqlite3_vfs_find(nullptr);
  if (vfs.base == nullptr) {
    return Status(StatusCode::kInvalidArgument, "SQLite has no default VFS");
  }
  vfs.database = &database;
  vfs.iVersion = 1;
  vfs.szOsFile = std::max(static_cast<int>(sizeof(ProbeFile)), MemoryHandleSize());
  vfs.mxPathname = 64;
  vfs.zName = kProbeVfsName;
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  vfs.xRandomness = Randomness;
  vfs.xSleep = Sleep;
  vfs.xCurrentTime = CurrentTime;
  vfs.xGetLastError = GetLastError;
  if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
    return Status(StatusCode::kInvalidArgument, "SQLite did not register a VFS");
  }
  sqlite3* connection = nullptr;
  // However this ends: memory may run out.
  const auto end = [&connection](ProbeVfs* registered) {
    sqlite3_close(connection);
    sqlite3_vfs_unregister(registered);
  };
  const std::unique_ptr<ProbeVfs, decltype(end)> registered(&vfs, end);
  const int code = sqlite3_open_v2("probe", &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                   kProbeVfsName);
  return code == SQLITE_OK ? RunProbe(connection, vfs)
                           : StatusFromSqlite(connection).WithContext("probing");
}

}  // namespace tidemark::internal
