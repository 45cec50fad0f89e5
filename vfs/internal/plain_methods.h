// The methods that SQLite calls on a file without disk, locks or shared memory of its own, for the
// small files of this layer: each takes this table and puts in what it does itself.

#ifndef TIDEMARK_VFS_INTERNAL_PLAIN_METHODS_H_
#define TIDEMARK_VFS_INTERNAL_PLAIN_METHODS_H_

#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

// Syncs and locks succeed, nobody else has a lock, no file control is known, sectors have 512 bytes
// (SQLite pads a journal's header to one), and the device promises nothing. Closing, reading,
// writing, truncating and the size are null: every file has its own. Version 1: no shared memory,
// so no WAL in NORMAL locking mode, and no memory mapping.
inline constexpr sqlite3_io_methods PlainMethods() noexcept {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;
  methods.xSync = [](sqlite3_file*, int) noexcept { return SQLITE_OK; };
  methods.xLock = [](sqlite3_file*, int) noexcept { return SQLITE_OK; };
  methods.xUnlock = [](sqlite3_file*, int) noexcept { return SQLITE_OK; };
  methods.xCheckReservedLock = [](sqlite3_file*, int* out) noexcept {
    *out = 0;
    return SQLITE_OK;
  };
  methods.xFileControl = [](sqlite3_file*, int, void*) noexcept { return SQLITE_NOTFOUND; };
  methods.xSectorSize = [](sqlite3_file*) noexcept { return 512; };
  methods.xDeviceCharacteristics = [](sqlite3_file*) noexcept { return 0; };
  return methods;
}

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PLAIN_METHODS_H_
