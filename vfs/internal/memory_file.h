// MemoryFile: a private file of one connection, in memory, the far part of a large one in an
// unsynced temporary file.
//
// SQLite's rollback journal lives in one: it exists for ROLLBACK only, never for recovery, so
// nothing of it needs to reach a disk. Its beginning stays in memory; what lies beyond
// kMemoryLimit goes to a temporary file of the default VFS, so that a transaction over gigabytes
// does not need gigabytes of memory.
//
// A journal is also watched while it is written, because it knows two things that the engine can
// use, see JournalFile below.
//
// Used by one thread at a time.

#ifndef TIDEMARK_VFS_INTERNAL_MEMORY_FILE_H_
#define TIDEMARK_VFS_INTERNAL_MEMORY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/lsn.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

class MemoryFile {
 public:
  static constexpr int64_t kMemoryLimit = 4 << 20;
  // An empty file keeps no buffer; a thread keeps one of up to this size for its next file.
  static constexpr int64_t kSpareCapacity = 64 << 10;
  static constexpr int kTailCapacity = 64 << 10;

  MemoryFile() = default;
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // All return SQLite's result codes. Read beyond the end zero-fills and returns
  // SQLITE_IOERR_SHORT_READ; a write beyond the end leaves zeros between.
  int Read(void* out, int amount, int64_t offset) noexcept;
  int Write(const void* data, int amount, int64_t offset) noexcept;
  int Truncate(int64_t size) noexcept;
  int64_t size() const { return size_; }

  // The bytes themselves, if all of them are in memory; else empty. Valid until the next write.
  std::span<const std::byte> View(int64_t offset, size_t amount) const;

 private:
  int Reserve(int64_t capacity) noexcept;
  int OpenSpill() noexcept;
  void CloseSpill() noexcept;
  // Offsets of these two are the temporary file's. Small writes in a row are gathered in tail_.
  int WriteSpill(const std::byte* data, int amount, int64_t offset) noexcept;
  int FlushTail() noexcept;

  std::unique_ptr<std::byte[]> buffer_;  // bytes [0, kMemoryLimit)
  int64_t capacity_ = 0;
  int64_t size_ = 0;
  std::unique_ptr<std::byte[]> spill_memory_;  // holds spill_, whose size the default VFS chooses
  sqlite3_file* spill_ = nullptr;              // bytes from kMemoryLimit on
  std::unique_ptr<std::byte[]> tail_;          // bytes of spill_ that are still to be written ...
  int64_t tail_offset_ = 0;                    // ... from here on
  int tail_size_ = 0;
};

// A rollback journal. SQLite writes a header at offset 0, then for each page the transaction is
// about to change: 4 bytes of page number, the page as it was, 4 bytes of checksum.
//
//   * A write of the header begins a new journal: the old one's rest is dropped.
//   * Page records are remembered, so that the engine can make its patches against them.
//   * Reading the record count in the header means that a rollback of the whole transaction has
//     begun: nothing else ever reads it. (A savepoint reads records only.)
//   * The name of a super-journal, which a transaction over several databases appends, is not given
//     back. SQLite takes a journal whose super-journal is gone for that of a finished transaction,
//     and would not roll back; here no super-journal is ever there to be found.
class JournalFile {
 public:
  int Read(void* out, int amount, int64_t offset) noexcept;
  int Write(const void* data, int amount, int64_t offset) noexcept;
  int Truncate(int64_t size) noexcept;
  int64_t size() const { return file_.size(); }

  // Another number for each transaction that has written something, from its first change to its
  // end; 0 where there is none.
  uint64_t transaction() const { return file_.size() > 0 ? restarts_ : 0; }

  // True from the start of a whole rollback until the journal is finalised.
  bool rolling_back() const { return rolling_back_; }

  // The page as it was when the transaction began, or empty if it is not at hand. `page_size` is
  // what the caller expects. Valid until the next call that is not const.
  std::span<const std::byte> PageBefore(PageNo page_no, size_t page_size);

 private:
  struct PageRecord {
    uint32_t page_no;
    uint32_t size;
    int64_t offset;
  };
  // More pages than this are not remembered: they would not fit in the transaction's memory.
  static constexpr size_t kMaxRecords = 16384;
  static constexpr int kZeroedHeaderSize = 28;

  void Restart() noexcept;

  MemoryFile file_;
  std::vector<PageRecord> records_;  // sorted by page number if sorted_
  bool sorted_ = true;
  bool rolling_back_ = false;
  uint64_t restarts_ = 0;
  uint32_t number_seen_ = 0;       // the last 4-byte write, maybe a page number ...
  int64_t number_end_offset_ = 0;  // ... and where it ended; 0 is "none"
};

// Puts a journal of someone else behind a SQLite file handle; closing the handle empties it.
void OpenJournalHandle(JournalFile* journal, sqlite3_file* handle) noexcept;
// Makes a journal that lives as long as the handle.
int OpenJournalHandle(sqlite3_file* handle) noexcept;
// Makes a memory file that lives as long as the handle.
int OpenMemoryHandle(sqlite3_file* handle) noexcept;
// What the two above put into the handle fits in this many bytes.
int MemoryHandleSize() noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_MEMORY_FILE_H_
