// Super-journals, see super_journal.h.

#include "vfs/internal/super_journal.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "vfs/internal/database_name.h"
#include "vfs/internal/plain_methods.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

struct SuperJournalHandle : sqlite3_file {
  sqlite3_int64 size;
};

SuperJournalHandle* Handle(sqlite3_file* file) { return static_cast<SuperJournalHandle*>(file); }

int Close(sqlite3_file* file) noexcept {
  file->pMethods = nullptr;
  return SQLITE_OK;
}

int Read(sqlite3_file*, void* out, int amount, sqlite3_int64) noexcept {
  std::memset(out, 0, static_cast<size_t>(amount));
  return SQLITE_IOERR_SHORT_READ;
}

// One journal's name and its NUL at a time.
int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) noexcept try {
  const auto* name = static_cast<const char*>(data);
  const std::string_view journal(name, ::strnlen(name, static_cast<size_t>(amount)));
  if (!DatabaseName::IsFullPathname(journal)) {
    const Status status(StatusCode::kInvalidArgument,
                        "a transaction cannot change an object and the plain file of " +
                            std::string(journal) +
                            " together while the object is the main database: change one after "
                            "the other, or open the file as main and attach the object");
    NoteError(status);
    LogError(SQLITE_PERM, status);
    return SQLITE_PERM;
  }
  Handle(file)->size = std::max(Handle(file)->size, offset + amount);
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_IOERR_NOMEM;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) noexcept {
  Handle(file)->size = std::min(Handle(file)->size, size);
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) noexcept {
  *size = Handle(file)->size;
  return SQLITE_OK;
}

int DeviceCharacteristics(sqlite3_file*) noexcept { return SQLITE_IOCAP_SEQUENTIAL; }

const sqlite3_io_methods kSuperJournalMethods = [] {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xFileSize = FileSize;
  methods.xDeviceCharacteristics = DeviceCharacteristics;
  return methods;
}();

}  // namespace

void OpenSuperJournalHandle(sqlite3_file* handle) noexcept {
  Handle(handle)->size = 0;
  handle->pMethods = &kSuperJournalMethods;
}

int SuperJournalHandleSize() noexcept { return static_cast<int>(sizeof(SuperJournalHandle)); }

}  // namespace tidemark::internal
