// Database: a SQLite connection to one object of a store.

#ifndef TIDEMARK_VFS_DATABASE_H_
#define TIDEMARK_VFS_DATABASE_H_

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/bookmark.h"
#include "engine/clock.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

enum class Locking {
  kNormal,     // several connections of this process may take turns
  kExclusive,  // this connection keeps the write lock from the start: fastest; others can still
               // read. Without meaning for a read-only connection.
};

enum class Synchronous {
  kOff,     // as kNormal
  kNormal,  // a commit returns when it is visible; Store::WaitDurable or Sync confirm it
  kFull,    // a commit returns when it is durable
};

struct DatabaseOptions {
  IfMissing if_missing = IfMissing::kCreate;
  bool read_only = false;
  std::optional<Point> at{};  // a read-only view of the past
  Locking locking = Locking::kNormal;
  Synchronous synchronous = Synchronous::kFull;
  // The connection finds an empty database, and its first commit replaces all that there was: in
  // constant time, whatever the size, and undone by a restore as any commit is. Closed before that,
  // nothing has happened. For a connection that writes, with Locking::kExclusive; one that rolls
  // that transaction back must be closed, since what it sees from there on is empty still.
  bool begin_empty = false;
};

// Owns the sqlite3*. Used by one thread at a time, as SQLite's connections are. The store must
// outlive it; it attaches the store to the VFS by itself (see vfs.h) while it is open.
class TIDEMARK_API Database {
 public:
  // Errors: as Store::OpenObject and Object::Resolve; kBusy if the locking is kExclusive and
  // another connection holds the write lock; kInvalidArgument from SQLite.
  static Result<Database> Open(Store& store, std::string_view namespace_name, std::string_view name,
                               const DatabaseOptions& options = {});
  // By a handle of that store, for those that have one, and for objects without names. With
  // DatabaseOptions::at only if it has a name.
  static Result<Database> Open(Store& store, std::shared_ptr<Object> object,
                               const DatabaseOptions& options = {});
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // sqlite3_close_v2

  sqlite3* handle() const { return handle_; }
  Object& object() const { return *object_; }

  // Runs statements for their effect. Errors: see ErrorStatus().
  Status Exec(const char* sql);

  // Sets when the object is to be woken next (Transaction::SetAlarm); none: never. It counts for
  // the transaction that is open, comes with its commit or not at all, and is dropped by a rollback
  // (not by ROLLBACK TO: so say it last, just before COMMIT). A commit without it leaves the alarm
  // as it is. The transaction must have changed something, as it has if it keeps the time in a row
  // of its own, too. Errors: kInvalidArgument if there is no such transaction, or with
  // journal_mode=MEMORY or a read-only connection.
  Status SetAlarm(std::optional<Timestamp> earliest);

  // The Status of the last failed call on this connection: the engine's own (with object, LSN,
  // segment and offset) if it was the cause, else SQLite's message, offset and code.
  Status ErrorStatus() const;
  // The engine's own only: OK if the last failure was SQLite's.
  Status EngineError() const;

  // What PRAGMA synchronous sets, without the cost of a statement: whether commits from here on
  // wait until they are durable. Not inside a transaction.
  void SetWaitsForDurability(bool waits);

  // Gives back buffers that are got again when they are needed: for a connection that is idle.
  // Nothing happens while a transaction has changed something.
  void ReleaseMemory() noexcept;

 private:
  Database(sqlite3* handle, std::shared_ptr<Object> object, Store* store);
  sqlite3* handle_ = nullptr;
  std::shared_ptr<Object> object_;
  Store* store_ = nullptr;
};

}  // namespace tidemark

#endif  // TIDEMARK_VFS_DATABASE_H_
