// FileSystem: the one interface through which the engine touches files (LMDB excepted).
//
// Passed in, so that a test can lose power, fill the disk or fail a sync. Semantics are POSIX's,
// and no kinder: written bytes are durable only after Sync(), names only after SyncDirectory().

#ifndef TIDEMARK_ENGINE_FILE_SYSTEM_H_
#define TIDEMARK_ENGINE_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/export.h"
#include "engine/result.h"
#include "engine/status.h"

namespace tidemark {

// An open file. Calls may come from several threads at once.
class TIDEMARK_API File {
 public:
  virtual ~File() = default;

  // Reads up to out.size() bytes at `offset`; returns how many there were (short at the end of the
  // file, 0 beyond it). Errors: kIoError.
  virtual Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;

  // Writes all of `data` at `offset`, growing the file if needed. On an error any part of it may
  // have been written. Errors: kFull (ENOSPC, EDQUOT), kIoError.
  virtual Status WriteAt(uint64_t offset, std::span<const std::byte> data) = 0;

  // Makes every finished write and the file's size durable (fdatasync). After a failure nothing
  // is known about what reached the disk, and calling it again proves nothing.
  virtual Status Sync() = 0;

  // Sets the file's size; growth reads as zeros. Errors: kFull, kIoError.
  virtual Status Truncate(uint64_t size_bytes) = 0;

  // Grows the file to at least `size_bytes` with blocks reserved on the disk, so that later writes
  // inside cannot fail for want of room. Reads as zeros. Errors: kFull, kIoError.
  virtual Status Allocate(uint64_t size_bytes) = 0;

  virtual Result<uint64_t> SizeBytes() const = 0;
};

// Held while a store is open. Released by its destructor or the end of the process.
class TIDEMARK_API FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kReadOnly,   // must exist
  kReadWrite,  // must exist
  kCreateNew,  // must not exist
};

class TIDEMARK_API FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Errors: kNotFound, kExists (kCreateNew), kReadOnly (no permission to write, or a read-only
  // mount), kFull, kIoError (also of symbolic links and pipes). Messages name the path.
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes the names in a directory durable: creations, removals and renames.
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Creates one directory. Its parent must exist. Errors: kExists, kNotFound, kReadOnly, kFull.
  virtual Status CreateDirectory(const std::string& path) = 0;
  // Names of the entries (no paths, neither "." nor ".."), in no particular order.
  virtual Result<std::vector<std::string>> ListDirectory(const std::string& path) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;

  // Takes the exclusive lock on `path` (created if missing) without waiting, and writes this
  // process's id into it. Errors: kInUse with the owner's pid in the message; kReadOnly.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // The operating system's files; lives for ever.
  static FileSystem* Posix();
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_FILE_SYSTEM_H_
