// MainFile: what SQLite sees as the database file of one connection.
//
// What SQLite asks of us, and when a commit happens. A write transaction of SQLite's pager:
//
//   xLock RESERVED           takes the object's write lock
//   journal writes           pre-images, private to the connection (memory_file.h)
//   xWrite, xTruncate        staged in an engine::Transaction; cache spills come early, may come
//                            again, and are read back before the commit
//   SQLITE_FCNTL_SYNC        *prepares*: encodes, reserves space; can still fail cleanly. It comes
//                            also at the end of a rollback, so it is no commit. With the name of a
//                            super-journal: joins the CommitSet that commits several objects
//   xSync                    nothing to do (and it does not come with synchronous=OFF)
//   journal finalised        from here on SQLite cannot roll back
//   (super-journal deleted)  the CommitSet publishes: the commit of a transaction over several
//                            databases; for each of them the rest follows, and finds nothing to do
//   xTruncate                if the database shrinks: undoes the preparation
//   SQLITE_FCNTL_COMMIT_PHASETWO   *publishes*, and waits for durability if asked to: the commit.
//                            A rollback never calls it. Prepares again if need be. Only SQLITE_FULL
//                            and SQLITE_IOERR may be returned; what is staged is dropped then
//   xUnlock SHARED           gives the write lock back (not in EXCLUSIVE locking mode)
//
// A rollback writes the pre-images back. Nothing of that needs to be staged: when a call has
// failed, or the journal is read for a rollback, what is staged is dropped, and from then on page
// images equal to the base are not staged again. So a rollback needs no space, also when it was a
// full disk that caused it. (After a failed write, truncation or preparation SQLite always rolls
// back.)
//
// The change counter. SQLite revalidates its cache by bytes 24 to 39 of page 1, which begin with a
// counter. The one it is served is this connection's own: it rises when the connection moves to a
// snapshot of someone else's commit (or of a restore), and takes the number that SQLite wrote when
// the connection commits, so that its own commits keep its cache. A counter shared by all
// connections would not do: a commit that changes nothing is not stored, yet SQLite remembers the
// number it wrote, and would take it for someone else's next commit.
//
// The schema cookie (bytes 40 to 43), by which SQLite revalidates its schema, counts changes of the
// schema, so after a restore the same number may come again for another schema. When a connection
// moves to another timeline, it is therefore served cookies it has not seen: the stored one plus a
// difference that is taken off again when page 1 is stored. A commit that stores another cookie
// than its base has is one that changes the schema, and is marked as such.
//
// Invariants:
//   * The counter served differs from the one SQLite remembers whenever the bytes may differ.
//   * Nothing is staged outside a write transaction of SQLite's.
//   * A failed publish, an unlock below RESERVED and a close leave nothing staged.
//
// Used by one thread at a time, as SQLite's connections are. See vfs.cc for how it is opened, and
// main_file_methods.cc for the C functions around it.

#ifndef TIDEMARK_VFS_INTERNAL_MAIN_FILE_H_
#define TIDEMARK_VFS_INTERNAL_MAIN_FILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/object.h"
#include "engine/snapshot.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "vfs/internal/commit_set.h"
#include "vfs/internal/file_lock.h"
#include "vfs/internal/memory_file.h"
#include "vfs/internal/page_one.h"
#include "vfs/internal/sqlite.h"
#include "vfs/internal/sqlite_result.h"
#include "vfs/internal/store_registry.h"

namespace tidemark::internal {

class MainFile final : private PreImageSource {
 public:
  // A connection to the present of an object.
  MainFile(StoreLease store, std::shared_ptr<Object> object, bool read_only);
  // To a commit of its past, read-only.
  MainFile(StoreLease store, std::shared_ptr<Object> object, Snapshot past);
  ~MainFile() override { Unprepare(); }

  // Takes the first snapshot: SQLite reads the header before it locks anything.
  Status Open();

  // Takes the object's write lock ahead of SQLite, which then keeps it as if it had taken it: until
  // the first unlock, that is for ever in EXCLUSIVE locking mode. Errors: as Transaction::Begin.
  Status LockForWriting();
  // Takes it, and stages that the database has no pages: SQLite begins with an empty one, and its
  // first commit replaces what there was. Before SQLite reads anything. Errors: likewise.
  Status BeginEmpty();

  // SQLite's calls; all return its result codes and remember the Status behind a failure.
  int Read(std::byte* out, int64_t amount, int64_t offset);
  int Write(const std::byte* data, int64_t amount, int64_t offset);
  int Truncate(int64_t size);
  int64_t Size();
  int Lock(int level);
  int Unlock(int level) noexcept;
  // SQLITE_FCNTL_SYNC; with a name if the transaction is one over several databases.
  int Sync(const char* super_journal);
  int CommitPhaseTwo();  // SQLITE_FCNTL_COMMIT_PHASETWO

  // The alarm that the transaction under way will commit with; it goes with a rollback. Errors:
  // kInvalidArgument if none has changed anything yet.
  Status SetAlarm(std::optional<Timestamp> alarm);

  // Buffers for the next transaction go. Outside of one.
  void ReleaseMemory() noexcept;

  bool read_only() const { return read_only_; }
  bool writing() const { return lock_.writing(); }
  Object& object() const { return lock_.object(); }
  Store& store() const { return *store_; }
  // The commit of the current transaction's view, or outside of one what the next would see.
  CommitInfo SeenCommit() const { return lock_.SeenCommit(); }
  // Of a connection to the past: the newest commit that wrote something of what it has read.
  Lsn newest_read() const { return lock_.newest_read(); }

  // True in a child that fork() made since this was opened: only RefuseInherited may be called.
  bool inherited() const { return store_.inherited(); }
  int RefuseInherited();
  // One of SQLite's calls met std::bad_alloc.
  int RanOutOfMemory(FileOperation operation) noexcept;

  JournalFile& journal() { return journal_; }
  bool waits_for_durability() const { return waits_for_durability_; }
  void set_waits_for_durability(bool waits) { waits_for_durability_ = waits; }
  ErrorRecord& errors() { return errors_; }

  // For the CommitSet that this file is in while a transaction over several objects commits.
  Transaction& transaction() { return lock_.transaction(); }
  PreImageSource& pre_images() { return *this; }
  void Joined(std::shared_ptr<CommitSet> set) { set_ = std::move(set); }
  void Left() noexcept;
  // What was staged is the object's latest commit.
  void NotePublished() noexcept;

 private:
  std::span<const std::byte> PreImage(PageNo page_no) override;

  // To the object's latest commit.
  Status NewView();
  int Fail(const Status& status, FileOperation operation);
  void DropStaged();
  // Before anything is staged: sees to a rollback that has begun.
  void NoteRollback();
  // Page 1 (or its header) from what is stored to what SQLite is served, and back.
  void Serve(std::byte* header);
  // True if SQLite would read back something else than it wrote.
  bool Unserve(std::byte* header);
  // That of the page 1 that was written, as it is stored.
  uint32_t StagedCookie() const { return SchemaCookie(header_.data()) - cookie_difference_; }
  std::span<std::byte> PageBuffer();

  Status ReadRange(std::byte* out, int64_t amount, int64_t offset);
  Status LoadHeader();
  Status WriteRange(const std::byte* data, int64_t amount, int64_t offset);
  Status StagePage(PageNo page_no, const std::byte* page);
  // Before more is staged.
  void Unprepare() noexcept;
  Status Prepare(const char* super_journal);
  Status Publish();
  void TakeCounter();

  const StoreLease store_;  // first, since all below needs the store
  const bool read_only_;
  DatabaseLock lock_;
  JournalFile journal_;
  ErrorRecord errors_;
  bool waits_for_durability_ = true;  // PRAGMA synchronous is FULL unless told otherwise

  // See above.
  uint32_t counter_ = 0;            // served as SQLite's change counter
  uint32_t cookie_difference_ = 0;  // served minus stored schema cookie
  uint32_t highest_cookie_ = 0;     // that SQLite was served or wrote
  uint32_t base_cookie_ = 0;        // stored with the view; what is staged may have another
  bool new_timeline_ = false;       // since page 1 was last served

  // The header of page 1 as it is served, staged or not.
  std::array<std::byte, kHeaderSize> header_{};
  bool header_loaded_ = false;

  // What is staged in the transaction.
  bool staged_ = false;
  bool prepared_ = false;
  std::shared_ptr<CommitSet> set_;     // if prepared in one
  bool page_one_written_ = false;      // staged, or found to be what is there already
  uint32_t staged_counter_ = 0;        // what SQLite wrote in that page 1
  bool page_one_altered_ = false;      // page 1 as stored is not quite what SQLite has in its cache
  bool failed_ = false;                // a call failed, so SQLite is going to roll back
  bool dropped_for_rollback_ = false;  // the journal's rollback has been seen to
  // What SetAlarm said, and in which of the journal's transactions; 0: nothing. A rollback of one
  // that staged nothing comes with no call but to the journal.
  std::optional<Timestamp> alarm_;
  uint64_t alarm_of_ = 0;
  // Size of the staged database if it is not a whole number of pages: a database of smaller pages,
  // to be cut anew (repaginate.h).
  std::optional<int64_t> odd_size_;

  std::vector<std::byte> page_buffer_;      // for part of a page, and for comparing
  std::vector<std::byte> page_one_buffer_;  // page 1 as it is stored
  bool page_one_loaded_ = false;            // that of this view, for the header; not yet served
  std::vector<std::byte> compare_buffer_;
};

// The C functions around a MainFile. Opening puts `file` behind `handle`, which needs
// MainHandleSize() bytes, and which owns it until SQLite closes it.
void OpenMainHandle(std::unique_ptr<MainFile> file, sqlite3_file* handle) noexcept;
int MainHandleSize() noexcept;
// The MainFile behind a handle, or null if it is another VFS's.
MainFile* MainFileOf(sqlite3_file* handle) noexcept;

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_MAIN_FILE_H_
