// DatabaseLock: SQLite's lock levels, turned into a snapshot and a transaction of an object.
//
//   NONE --SHARED--> reading --RESERVED--> writing          (PENDING and EXCLUSIVE change nothing:
//     ^                 |  ^                  |               readers of snapshots block nobody)
//     +------NONE-------+  +------SHARED------+
//
// Reading: the connection sees one snapshot, taken with the SHARED lock. Writing: it holds the
// object's write lock and stands on the commit of that snapshot; after its own commits it stands on
// those. A connection in EXCLUSIVE locking mode never comes down, and keeps the write lock.
//
// Invariants:
//   * Writing begins on the very commit the connection read from, else it is refused as stale:
//     what SQLite computed from an older snapshot must not be written over a newer commit.
//   * Who has seen the object does not write to what is left of it after its deletion: that would
//     make it anew, where SQLite believes to change it.
//   * Leaving "writing" drops whatever is staged and was not published.
//   * While something is staged, pages are read through the transaction, which knows it; else
//     through a snapshot, which reads ahead.

#ifndef TIDEMARK_VFS_INTERNAL_FILE_LOCK_H_
#define TIDEMARK_VFS_INTERNAL_FILE_LOCK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/object.h"
#include "engine/result.h"
#include "engine/snapshot.h"
#include "engine/status.h"
#include "engine/transaction.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

// What a refresh found.
enum class ViewChange {
  kNone,
  kNewCommit,    // of the same timeline
  kNewTimeline,  // a restore came in between: what is seen need not descend from what was seen
};

// Used by one thread at a time.
class DatabaseLock {
 public:
  // Of the present.
  explicit DatabaseLock(std::shared_ptr<Object> object);
  // Of the past: never writing, always this snapshot.
  DatabaseLock(std::shared_ptr<Object> object, Snapshot past);

  // Moves to the object's latest commit. Errors: as Object::OpenSnapshot.
  Result<ViewChange> Refresh();

  // From reading to writing. Sets `stale` if the object has moved on since the snapshot was taken
  // (kBusy too). Errors: as Transaction::Begin; kReadOnly in the past; kNotFound if the object was
  // deleted and had not been when it was seen first.
  Status BeginWriting(bool* stale);
  // From writing to reading, on the latest commit of this connection.
  void EndWriting() noexcept;

  // SQLite's lock level, as it last asked for it.
  int level() const { return level_; }
  void set_level(int level) { level_ = level; }
  bool writing() const { return writing_; }

  // Only while writing.
  Transaction& transaction() { return transaction_; }

  Object& object() const { return *object_; }
  // What is seen, or while nothing is locked what would be seen next.
  CommitInfo SeenCommit() const {
    return past_ || level_ > SQLITE_LOCK_NONE ? commit() : object_->head();
  }
  // The commit that is seen, staged pages aside.
  const CommitInfo& commit() const { return writing_ ? transaction_.base() : snapshot_.commit(); }
  // Snapshot::newest_read() of a connection to the past.
  Lsn newest_read() const { return snapshot_.newest_read(); }
  uint32_t page_size() const { return writing_ ? transaction_.page_size() : snapshot_.page_size(); }
  uint32_t page_count() const {
    return writing_ ? transaction_.page_count() : snapshot_.page_count();
  }
  Status ReadPage(PageNo page_no, std::span<std::byte> out) {
    if (writing_) {
      if (transaction_.has_changes()) return transaction_.ReadPage(page_no, out);
      TIDEMARK_RETURN_IF_ERROR(MoveToOwnCommit());
    }
    return snapshot_.ReadPage(page_no, out);
  }

 private:
  // While writing: makes snapshot_ the commit that the transaction stands on.
  Status MoveToOwnCommit();
  void Take(Snapshot snapshot, uint32_t counter);

  const std::shared_ptr<Object> object_;
  const bool past_;
  bool writing_ = false;
  bool opened_ = false;   // a snapshot was taken
  bool existed_ = false;  // it was one of an object that is not deleted
  int level_ = 0;
  uint32_t seen_counter_ = 0;  // Object::change_counter() no later than snapshot_
  Snapshot snapshot_;
  Transaction transaction_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_FILE_LOCK_H_
