// MemoryFileSystem: a store in memory, for tests of programs that embed one.
//
//   auto files = tidemark::MemoryFileSystem::Create();
//   tidemark::ManualClock clock;
//   auto store = tidemark::Store::Open("data", (*files)->Options(&clock));
//   ...
//   clock.Advance(std::chrono::hours(24 * 31));  // and what was written has expired
//
// Everything works as on a disk, and nothing is left behind.

#ifndef TIDEMARK_ENGINE_MEMORY_FILE_SYSTEM_H_
#define TIDEMARK_ENGINE_MEMORY_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/export.h"
#include "engine/file_system.h"
#include "engine/options.h"
#include "engine/result.h"

namespace tidemark {

// Holds the files of one store, which may be closed and opened any number of times, until it goes.
// It must outlive the store. What is written is there at once, and stays: a sync has nothing to do,
// and a process that ends takes all of it along. Takes as much memory as was written: room that is
// made ready (segments of zeros) costs none. Any thread may call it.
class TIDEMARK_API MemoryFileSystem final : public FileSystem {
 public:
  // LMDB cannot use a FileSystem, so the index is a file after all: in a directory of its own below
  // std::filesystem::temp_directory_path() (TMPDIR), which the destructor removes. Errors:
  // kIoError.
  static Result<std::unique_ptr<MemoryFileSystem>> Create();
  ~MemoryFileSystem() override;

  // What to open the store with: this file system, the index's directory, create_if_missing, and
  // small segments. Change what you like. The clock is not owned, and must outlive the store.
  StoreOptions Options(const Clock* clock = Clock::System());

  // FileSystem. A directory's parent need not exist.
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Result<std::vector<std::string>> ListDirectory(const std::string& path) override;
  Result<bool> Exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  class Impl;
  explicit MemoryFileSystem(std::string index_directory);
  const std::shared_ptr<Impl> impl_;  // shared with what was opened
  const std::string index_directory_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_MEMORY_FILE_SYSTEM_H_
