// The C functions that SQLite calls for a database file, each a thin wrapper around MainFile.

#include <new>

#include "vfs/internal/main_file.h"
#include "vfs/internal/pragma.h"
#include "vfs/internal/tidemark_pragma.h"
#include "vfs/vfs.h"

namespace tidemark::internal {
namespace {

struct MainHandle : sqlite3_file {
  MainFile* file;
  // Where SQLite keeps the connection that is using the file now: of a shared cache there may be
  // several, and the one that opened it may be gone. Null until SQLite tells.
  sqlite3* const* connection;
};

MainHandle* Handle(sqlite3_file* file) { return static_cast<MainHandle*>(file); }

// No exception may cross into SQLite. The only ones our code can meet are the allocator's.
template <typename Call>
int Guarded(sqlite3_file* file, FileOperation operation, Call call) noexcept {
  MainFile& main = *Handle(file)->file;
  const bool inherited = main.inherited();
  try {
    return inherited ? main.RefuseInherited() : call(main);
  } catch (const std::bad_alloc&) {
    return inherited ? SQLITE_NOMEM : main.RanOutOfMemory(operation);
  }
}

int Close(sqlite3_file* file) noexcept {
  // With what is staged, and the write lock. In a child of fork() all that is its parent's, and
  // even looking at it could wait for ever on a lock that some thread of the parent held.
  if (!Handle(file)->file->inherited()) delete Handle(file)->file;
  Handle(file)->file = nullptr;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) noexcept {
  return Guarded(file, FileOperation::kRead, [&](MainFile& main) {
    return main.Read(static_cast<std::byte*>(out), amount, offset);
  });
}

int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) noexcept {
  return Guarded(file, FileOperation::kWrite, [&](MainFile& main) {
    return main.Write(static_cast<const std::byte*>(data), amount, offset);
  });
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) noexcept {
  return Guarded(file, FileOperation::kTruncate,
                 [&](MainFile& main) { return main.Truncate(size); });
}

int SyncNothing(sqlite3_file*, int) noexcept { return SQLITE_OK; }

int FileSize(sqlite3_file* file, sqlite3_int64* size) noexcept {
  return Guarded(file, FileOperation::kRead, [&](MainFile& main) {
    *size = main.Size();
    return SQLITE_OK;
  });
}

int Lock(sqlite3_file* file, int level) noexcept {
  return Guarded(file, FileOperation::kLock, [&](MainFile& main) { return main.Lock(level); });
}

int Unlock(sqlite3_file* file, int level) noexcept {
  return Guarded(file, FileOperation::kLock, [&](MainFile& main) { return main.Unlock(level); });
}

// Asked before a journal is taken for one that a crash left behind: ours never is.
int CheckReservedLock(sqlite3_file* file, int* out) noexcept {
  return Guarded(file, FileOperation::kLock, [&](MainFile& main) {
    *out = main.writing() ? 1 : 0;
    return SQLITE_OK;
  });
}

// The text becomes the statement's error message.
int RefusePragma(char** arguments, const char* text) {
  arguments[0] = sqlite3_mprintf("%s", text);
  return SQLITE_ERROR;
}

int TidemarkPragma(MainHandle* handle, char** arguments) {
  const bool in_transaction =
      handle->connection != nullptr && sqlite3_get_autocommit(*handle->connection) == 0;
  Result<SqliteText> answer =
      RunTidemarkPragma(*handle->file, arguments[1], arguments[2], in_transaction);
  if (!answer.ok()) {
    RefusePragma(arguments, answer.status().message().c_str());
    return SqliteCode(answer.status(), FileOperation::kPragma);
  }
  arguments[0] = answer->release();
  return SQLITE_OK;
}

// SQLite itself acts on every pragma but ours: SQLITE_NOTFOUND is "go on".
int Pragma(MainHandle* handle, char** arguments) {
  const char* name = arguments[1];
  char* value = arguments[2];
  if (IsTidemarkPragma(name)) return TidemarkPragma(handle, arguments);
  if (value == nullptr) return SQLITE_NOTFOUND;
  if (sqlite3_stricmp(name, "journal_mode") == 0 && IsRefusedJournalMode(value)) {
    // A mode that cannot be set is answered with the one in force (sqlite.org/pragma.html), and
    // many programs ask for WAL without looking at the answer. SQLite gives that answer to a word
    // that it does not know. The text is the statement's own copy.
    value[0] = '?';
  }
  if (sqlite3_stricmp(name, "synchronous") == 0) {
    // SQLite refuses to change the level inside a transaction.
    if (handle->connection == nullptr || sqlite3_get_autocommit(*handle->connection) != 0) {
      handle->file->set_waits_for_durability(SynchronousWaits(value));
    }
  }
  return SQLITE_NOTFOUND;
}

int FileControl(sqlite3_file* file, int operation, void* argument) noexcept {
  switch (operation) {
    case SQLITE_FCNTL_SYNC:
      // `argument` names the super-journal of a transaction over several databases, or is null.
      return Guarded(file, FileOperation::kPrepare,
                     [&](MainFile& main) { return main.Sync(static_cast<const char*>(argument)); });
    case SQLITE_FCNTL_COMMIT_PHASETWO:
      return Guarded(file, FileOperation::kPublish,
                     [](MainFile& main) { return main.CommitPhaseTwo(); });
    case SQLITE_FCNTL_PRAGMA:
      return Guarded(file, FileOperation::kPragma, [&](MainFile&) {
        return Pragma(Handle(file), static_cast<char**>(argument));
      });
    case SQLITE_FCNTL_PDB:
      Handle(file)->connection = static_cast<sqlite3**>(argument);
      return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
      *static_cast<char**>(argument) = sqlite3_mprintf("%s", kVfsName);
      return SQLITE_OK;
    case SQLITE_FCNTL_HAS_MOVED: *static_cast<int*>(argument) = 0; return SQLITE_OK;
    default: return SQLITE_NOTFOUND;
  }
}

// No larger than a page can be small: SQLite pads its journal's header to a sector.
int SectorSize(sqlite3_file*) noexcept { return 512; }

// The journal is never synced and its header never rewritten (SAFE_APPEND, SEQUENTIAL), and it may
// stay open between transactions, because nobody else can delete it (UNDELETABLE_WHEN_OPEN).
int DeviceCharacteristics(sqlite3_file*) noexcept {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL |
         SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
}

// Version 1: no shared memory, so no WAL in NORMAL locking mode, and no memory mapping.
const sqlite3_io_methods kMainMethods = {
    .iVersion = 1,
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = SyncNothing,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Unlock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = DeviceCharacteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

}  // namespace

void OpenMainHandle(std::unique_ptr<MainFile> file, sqlite3_file* handle) noexcept {
  Handle(handle)->file = file.release();
  Handle(handle)->connection = nullptr;
  handle->pMethods = &kMainMethods;
}

int MainHandleSize() noexcept { return static_cast<int>(sizeof(MainHandle)); }

MainFile* MainFileOf(sqlite3_file* handle) noexcept {
  const bool ours = handle != nullptr && handle->pMethods == &kMainMethods;
  return ours ? Handle(handle)->file : nullptr;
}

}  // namespace tidemark::internal
