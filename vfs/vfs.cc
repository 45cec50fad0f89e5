// The VFS "tidemark": opens databases by name, and leaves everything else to the default VFS.
//
//   main database            MainFile on an object of an attached store (internal/main_file.h)
//   its rollback journal     in that MainFile's memory
//   super-journal            a name only (internal/super_journal.h). Deleting it commits the
//                            objects of its transaction (internal/commit_set.h)
//   temporary files          the default VFS, as they are
//   WAL                      refused
//
// Journals and logs never outlive their connection, so xAccess finds none and xDelete has nothing
// else to do. For other plain names both do what a program expects of files
// (internal/plain_file.h). A database that cannot be opened says why in sqlite3_errmsg
// (internal/failed_open.h). Any thread may call.

#include "vfs/vfs.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "engine/bookmark.h"
#include "vfs/internal/commit_set.h"
#include "vfs/internal/database_name.h"
#include "vfs/internal/failed_open.h"
#include "vfs/internal/main_file.h"
#include "vfs/internal/memory_file.h"
#include "vfs/internal/plain_file.h"
#include "vfs/internal/probe.h"
#include "vfs/internal/sqlite.h"
#include "vfs/internal/sqlite_result.h"
#include "vfs/internal/store_registry.h"
#include "vfs/internal/super_journal.h"
#include "vfs/internal/uri.h"

namespace tidemark {
namespace internal {
namespace {

// Room for a store's directory, names of 512 and 1024 bytes and a point.
constexpr int kMaxPathname = 6144;

sqlite3_vfs* Base(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

Result<std::unique_ptr<MainFile>> OpenMainFile(const char* path, int flags) {
  TIDEMARK_RETURN_IF_ERROR(CheckParameters(path));
  TIDEMARK_ASSIGN_OR_RETURN(const DatabaseName name, DatabaseName::Parse(path, ContextOf(path)));
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0 && name.at.empty();
  IfMissing if_missing = create ? IfMissing::kCreate : IfMissing::kFail;
  if (!name.at.empty()) if_missing = IfMissing::kDeleted;  // its past is there still
  TIDEMARK_ASSIGN_OR_RETURN(StoreLease store,
                            StoreRegistry::Get().Acquire(name.store_directory, if_missing));
  TIDEMARK_ASSIGN_OR_RETURN(std::shared_ptr<Object> object,
                            OpenNamed(*store, name, if_missing));
  if (!create && name.at.empty() && IsMissingFile(name, *object)) {
    return Status(StatusCode::kNotFound, "file " + name.name + " does not exist");
  }
  std::unique_ptr<MainFile> file;
  if (name.at.empty()) {
    const bool read_only = (flags & SQLITE_OPEN_READONLY) != 0;
    file = std::make_unique<MainFile>(std::move(store), std::move(object), read_only);
  } else {
    TIDEMARK_ASSIGN_OR_RETURN(const Point at, ParsePoint(name.at, store->options().clock->Now()));
    TIDEMARK_ASSIGN_OR_RETURN(Snapshot past, object->OpenSnapshot(at));
    file = std::make_unique<MainFile>(std::move(store), std::move(object), std::move(past));
  }
  TIDEMARK_RETURN_IF_ERROR(file->Open());
  return file;
}

int OpenDatabase(const char* path, sqlite3_file* handle, int flags, int* out_flags) noexcept try {
  handle->pMethods = nullptr;
  Result<std::unique_ptr<MainFile>> file = OpenMainFile(path, flags);
  if (!file.ok()) return FailOpen(file.status(), handle);
  if (out_flags != nullptr) {
    constexpr int kAccess = SQLITE_OPEN_READONLY | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    *out_flags = (*file)->read_only() ? (flags & ~kAccess) | SQLITE_OPEN_READONLY : flags;
  }
  OpenMainHandle(*std::move(file), handle);
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_NOMEM;
}

int OpenJournal(const char* path, sqlite3_file* handle) noexcept {
  handle->pMethods = nullptr;
  MainFile* main = MainFileOf(sqlite3_database_file_object(path));
  if (main == nullptr) return OpenJournalHandle(handle);  // of a VFS that stands on this one
  OpenJournalHandle(&main->journal(), handle);
  return SQLITE_OK;
}

int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* handle, int flags,
         int* out_flags) noexcept {
  constexpr int kTemporary = SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB |
                             SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL;
  if (path == nullptr || (flags & kTemporary) != 0) {
    return Base(vfs)->xOpen(Base(vfs), path, handle, flags, out_flags);
  }
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) return OpenDatabase(path, handle, flags, out_flags);
  if (out_flags != nullptr) *out_flags = flags;
  if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) return OpenJournal(path, handle);
  if ((flags & SQLITE_OPEN_SUPER_JOURNAL) != 0) {
    OpenSuperJournalHandle(handle);
    return SQLITE_OK;
  }
  handle->pMethods = nullptr;  // SQLITE_OPEN_WAL: the store has a log of its own
  return SQLITE_CANTOPEN;
}

// To delete a super-journal is to commit the transaction over several databases that it names.
int Delete(sqlite3_vfs*, const char* path, int /*sync_directory*/) noexcept try {
  if (const std::shared_ptr<CommitSet> set = CommitSet::Find(path)) {
    const Status status = set->Publish();
    if (status.ok()) return SQLITE_OK;
    NoteError(status);
    const int code = SqliteCode(status, FileOperation::kPublish);
    LogError(code, status);
    return code;
  }
  if (IsJournalName(path)) return SQLITE_OK;
  const Status status = DeleteFile(path);
  if (status.ok()) return SQLITE_OK;
  if (status.code() == StatusCode::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  NoteError(status);
  const int code =
      status.code() == StatusCode::kOutOfMemory ? SQLITE_IOERR_NOMEM : SQLITE_IOERR_DELETE;
  LogError(code, status);
  return code;
} catch (const std::bad_alloc&) {
  return SQLITE_IOERR_NOMEM;
}

int Access(sqlite3_vfs*, const char* path, int, int* out) noexcept try {
  // SQLite asks whether the name that it has drawn for a super-journal is in use.
  *out = CommitSet::Find(path) != nullptr ? 1 : 0;
  if (*out == 1 || IsJournalName(path)) return SQLITE_OK;
  const Result<bool> exists = FileExists(path);
  if (!exists.ok()) {
    NoteError(exists.status());
    const int code = exists.status().code() == StatusCode::kOutOfMemory ? SQLITE_IOERR_NOMEM
                                                                        : SQLITE_IOERR_ACCESS;
    LogError(code, exists.status());
    return code;
  }
  *out = *exists ? 1 : 0;
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_IOERR_NOMEM;
}

int FullPathname(sqlite3_vfs*, const char* path, int size, char* out) noexcept try {
  const Result<DatabaseName> name = DatabaseName::Parse(path, ContextOf(path));
  // A name that is none is left as it is: xOpen refuses it again, and can say why.
  if (name.status().code() == StatusCode::kOutOfMemory) return SQLITE_NOMEM;
  const std::string full = name.ok() ? name->FullPathname() : path;
  if (full.size() >= static_cast<size_t>(size)) return SQLITE_CANTOPEN;
  std::copy_n(full.c_str(), full.size() + 1, out);
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_NOMEM;
}

void* DlOpen(sqlite3_vfs* vfs, const char* path) noexcept {
  return Base(vfs)->xDlOpen(Base(vfs), path);
}

void DlError(sqlite3_vfs* vfs, int size, char* out) noexcept {
  Base(vfs)->xDlError(Base(vfs), size, out);
}

using Symbol = void (*)(void);

Symbol DlSym(sqlite3_vfs* vfs, void* library, const char* name) noexcept {
  return Base(vfs)->xDlSym(Base(vfs), library, name);
}

void DlClose(sqlite3_vfs* vfs, void* library) noexcept { Base(vfs)->xDlClose(Base(vfs), library); }

int Randomness(sqlite3_vfs* vfs, int size, char* out) noexcept {
  return Base(vfs)->xRandomness(Base(vfs), size, out);
}

int Sleep(sqlite3_vfs* vfs, int microseconds) noexcept {
  return Base(vfs)->xSleep(Base(vfs), microseconds);
}

int CurrentTime(sqlite3_vfs* vfs, double* out) noexcept {
  return Base(vfs)->xCurrentTime(Base(vfs), out);
}

int GetLastError(sqlite3_vfs* vfs, int size, char* out) noexcept {
  return Base(vfs)->xGetLastError(Base(vfs), size, out);
}

int CurrentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* out) noexcept {
  return Base(vfs)->xCurrentTimeInt64(Base(vfs), out);
}

Status Register() {
  if (sqlite3_libversion_number() < kMinSqliteVersion) {
    return Status(StatusCode::kInvalidArgument, std::string("SQLite ") + sqlite3_libversion() +
                                                    " is too old: " + kMinSqliteVersionText +
                                                    " or newer is needed");
  }
  TIDEMARK_RETURN_IF_ERROR(ProbeSqlite());
  static sqlite3_vfs vfs;  // SQLite keeps the pointer
  sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
  vfs.iVersion = base->iVersion >= 2 ? 2 : 1;
  vfs.szOsFile = std::max({base->szOsFile, MainHandleSize(), MemoryHandleSize(),
                           SuperJournalHandleSize(), FailedHandleSize()});
  vfs.mxPathname = kMaxPathname;
  vfs.zName = kVfsName;
  vfs.pAppData = base;
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  vfs.xDlOpen = DlOpen;
  vfs.xDlError = DlError;
  vfs.xDlSym = DlSym;
  vfs.xDlClose = DlClose;
  vfs.xRandomness = Randomness;
  vfs.xSleep = Sleep;
  vfs.xCurrentTime = CurrentTime;
  vfs.xGetLastError = GetLastError;
  vfs.xCurrentTimeInt64 = CurrentTimeInt64;
  if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
    return Status(StatusCode::kInvalidArgument, "SQLite did not register the VFS");
  }
  return RegisterOpenReport();
}

}  // namespace
}  // namespace internal

Status RegisterVfs() try {
  static std::mutex mutex;
  static std::optional<Status> result;  // guarded by mutex
  std::lock_guard lock(mutex);
  // There may be memory the next time; the others are for good.
  if (!result || result->code() == StatusCode::kOutOfMemory) result = internal::Register();
  return *result;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Status AttachStore(Store* store) try {
  TIDEMARK_RETURN_IF_ERROR(RegisterVfs());
  return internal::StoreRegistry::Get().Attach(store);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Status DetachStore(Store* store) { return internal::StoreRegistry::Get().Detach(store); }

}  // namespace tidemark
