// SnapshotConnection: a read-only SQLite connection to a snapshot of whatever object, by no name.
//
// For what reads the past by itself (vfs/row_diff.h): objects without names, deleted ones, commits
// that no bookmark needs to name. The pages are served as they are stored. An object without pages
// is an empty database.
//
// Used by one thread at a time.

#ifndef TIDEMARK_VFS_INTERNAL_SNAPSHOT_CONNECTION_H_
#define TIDEMARK_VFS_INTERNAL_SNAPSHOT_CONNECTION_H_

#include <memory>
#include <string>

#include "engine/result.h"
#include "engine/snapshot.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class SnapshotConnection {
 public:
  // The snapshot must outlive it, and stay where it is. Errors: SQLite's; those of reading pages.
  static Result<std::unique_ptr<SnapshotConnection>> Open(const Snapshot& snapshot);
  ~SnapshotConnection();
  SnapshotConnection(const SnapshotConnection&) = delete;
  SnapshotConnection& operator=(const SnapshotConnection&) = delete;

  sqlite3* handle() const { return handle_; }
  const Snapshot& snapshot() const { return snapshot_; }

  Result<Statement> Prepare(const std::string& sql);
  // True for a row, false at the end.
  Result<bool> Step(sqlite3_stmt* statement);
  // Of the last failed call: the engine's, if it was the cause.
  Status ErrorStatus() const;

  // For the file's methods.
  int Read(std::byte* out, int64_t amount, int64_t offset) noexcept;
  int64_t SizeBytes() const;

 private:
  explicit SnapshotConnection(const Snapshot& snapshot) : snapshot_(snapshot) {}

  const Snapshot& snapshot_;
  sqlite3* handle_ = nullptr;
  Status error_;  // of the last read that failed
  std::unique_ptr<std::byte[]> page_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_SNAPSHOT_CONNECTION_H_
