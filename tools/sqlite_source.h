// SqliteSource: one consistent, checked view of the pages of an ordinary SQLite file.
//
// The file and its neighbours are never written, so how the pages are reached depends on what lies
// beside the file:
//
//   rollback mode             a read transaction keeps writers out: pages come from the file itself
//   WAL mode, no -wal file    nobody has it open: read as an immutable file;
//                             CheckUnchanged() at the end finds out if somebody did open it
//   WAL mode, -wal and -shm   somebody may have it open: SQLite's own backup into a temporary copy,
//                             within a read transaction, as a reader beside the others
//   WAL mode, -wal, no -shm   what a crash or a copy left behind: the same, without locks and with
//                             the WAL's index in memory, because SQLite would create a -shm file
//
// Memory is bounded whatever the size of the file. Used by one thread.

#ifndef TIDEMARK_TOOLS_SQLITE_SOURCE_H_
#define TIDEMARK_TOOLS_SQLITE_SOURCE_H_

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/lsn.h"

namespace tidemark::tools {

class SqliteSource {
 public:
  // Opens `path`, begins a read transaction, and runs SQLite's integrity check.
  // Throws Failure: no such file, no SQLite database, empty, locked, unfinished, damaged.
  explicit SqliteSource(const std::string& path);
  ~SqliteSource();
  SqliteSource(const SqliteSource&) = delete;
  SqliteSource& operator=(const SqliteSource&) = delete;

  uint32_t page_size() const { return page_size_; }
  uint32_t page_count() const { return page_count_; }

  // `out` is page_size() bytes. Throws Failure.
  void ReadPage(PageNo page_no, std::span<std::byte> out);

  // Throws Failure if the file was written while it was read without a lock.
  void CheckUnchanged() const;

 private:
  struct FileState;
  struct CloseConnection {
    void operator()(sqlite3* db) const;
  };
  using Connection = std::unique_ptr<sqlite3, CloseConnection>;
  enum class Access { kLocked, kImmutable, kSharedWal, kOrphanedWal };

  Connection Open(const std::string& path, Access access) const;
  void BeginRead(sqlite3* db);  // and sets page_size_ and page_count_
  void CheckIntegrity(sqlite3* db) const;
  void CopyToTemporaryFile(sqlite3* db);

  std::string path_;
  std::unique_ptr<FileState> state_;  // at the beginning
  bool watch_ = false;                // read without a lock
  std::string temporary_path_;        // empty if there is no copy
  Connection db_;                     // where pages are read: `path_` or the copy
  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SQLITE_SOURCE_H_
