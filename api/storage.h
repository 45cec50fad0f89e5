// ObjectStorage: the storage of one object, as Durable Objects' ctx.storage.
//
//   auto storage = ObjectStorage::Open(store, "rooms", "lobby");
//   storage->kv().Put("topic", "tides");
//   storage->sql().Exec("INSERT INTO message(text) VALUES(?)", "hello");
//   storage->Transaction([&] { ... });          // all or nothing
//   Bookmark before = storage->GetCurrentBookmark();
//
// One ObjectStorage is all there is of an object at a time: it holds the object's write lock, and
// others can read. It is used by one thread at a time; only Interrupt() is for others.
//
// Calls throw Error (api/error.h), and std::bad_alloc where memory runs out outside of SQLite and
// the engine: what the call was to do has been done as a whole then, or not at all, or the object
// is broken. An error of a statement leaves everything as it was before the statement. One that
// makes SQLite roll back a transaction by itself (a full disk, I/O, memory, an interrupt), and a
// commit that fails, break the object: writes are lost that callers took for done, so from then on
// every call throws that error, until the storage is closed and opened again.

#ifndef TIDEMARK_API_STORAGE_H_
#define TIDEMARK_API_STORAGE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/alarm.h"
#include "api/error.h"
#include "api/kv.h"
#include "api/metrics.h"
#include "api/options.h"
#include "api/sql.h"
#include "api/storage_transaction.h"
#include "engine/bookmark.h"
#include "engine/export.h"
#include "engine/snapshot.h"
#include "engine/store.h"

namespace tidemark {

struct DeleteAllOptions {
  bool delete_alarm = true;  // false: alarms stay as they are
};

// An object as it was at a moment (ObjectStorage::Snapshot). Cannot be kept on disk. The store must
// outlive it.
class TIDEMARK_API StorageSnapshot {
 public:
  const Object& object() const { return *object_; }
  const CommitInfo& commit() const { return snapshot_.commit(); }

 private:
  friend class ObjectStorage;
  StorageSnapshot(std::shared_ptr<Object> object, tidemark::Snapshot snapshot)
      : object_(std::move(object)), snapshot_(std::move(snapshot)) {}

  std::shared_ptr<Object> object_;
  tidemark::Snapshot snapshot_;  // keeps what it shows
};

class TIDEMARK_API ObjectStorage {
 public:
  // Opens the storage, and with it a session of the object: a restore that waits for it is made
  // first (OnNextSessionRestoreBookmark). The store must outlive it.
  //
  // Errors: kInvalidArgument (names); kNotFound (IfMissing::kFail); kBusy if the object's write
  // lock is held, by another ObjectStorage for one; kCorruption; kExpired, kCorruption, kNotFound
  // if a restore that waited cannot be made: it waits no more, so opening again opens the object as
  // it is.
  static std::unique_ptr<ObjectStorage> Open(Store& store, std::string_view namespace_name,
                                             std::string_view name,
                                             const StorageOptions& options = {});
  // By id, for objects without names; it may have one.
  static std::unique_ptr<ObjectStorage> Open(Store& store, std::string_view namespace_name,
                                             const ObjectId& id,
                                             const StorageOptions& options = {});
  // What was not committed is dropped, never committed. Cursors that are left are cancelled.
  ~ObjectStorage();
  ObjectStorage(const ObjectStorage&) = delete;
  ObjectStorage& operator=(const ObjectStorage&) = delete;

  Sql& sql() { return sql_; }
  Kv& kv() { return kv_; }
  // Host-side: history, labels, restores, forks (engine/object.h). A restore needs the write lock,
  // and so a closed storage.
  Object& object() const;

  // ---- Transactions ----

  // CommitMode::kTurn: makes one commit of what was written since the last one, and ends the turn.
  // Returns the bookmark of what is current then: the token of that commit, for WaitDurable and
  // OnDurable. With Durability::kConfirmed, of the options or of this commit, it is durable, unless
  // all of its writes allowed it not to be. Nothing happens if nothing was written. Errors break
  // the object; kInvalidArgument inside of a transaction.
  Bookmark Commit(std::optional<Durability> durability = std::nullopt);
  // Drops what was written since.
  void Rollback();
  // True if Commit() would have something to confirm: an output gate is closed meanwhile. Inside of
  // a transaction, whether its commit will have: a gate closes with that then.
  bool NeedsConfirmation() const;
  // True in a transaction or savepoint of the caller's, where a turn cannot end.
  bool in_transaction() const;

  // A transaction that commits by itself. Writes before it are committed first. Within one that is
  // open it is nested: it becomes part of that, or is rolled back by itself.
  StorageTransaction BeginTransaction();

  // Runs `call` in a transaction, with the StorageTransaction if it takes one: commits when it
  // returns, and returns what it returned; rolls back and goes on with its exception when it
  // throws, or if it has rolled back itself.
  template <typename Call>
  auto Transaction(Call&& call) {
    StorageTransaction transaction = BeginTransaction();
    return Finish(transaction, [&]() -> decltype(auto) {
      if constexpr (std::is_invocable_v<Call, StorageTransaction&>) {
        return call(transaction);
      } else {
        return call();
      }
    });
  }
  // Runs `call` in a savepoint of whatever is open: if it throws, its writes are undone and those
  // before it stay. They are committed with what is around them.
  template <typename Call>
  auto TransactionSync(Call&& call) {
    StorageTransaction savepoint = BeginSavepoint();
    return Finish(savepoint, [&]() -> decltype(auto) { return call(); });
  }

  // Makes the object empty: tables, keys and all, in constant time. What the turn wrote before is
  // gone with it; what it writes after is one commit with it. Cursors and lists are cancelled.
  // Always confirmed. A restore brings everything back. Alarms go too, unless they are to stay.
  // Errors: kInvalidArgument inside of a transaction.
  void DeleteAll(const DeleteAllOptions& options = {});

  // ---- Durability ----

  // Commits, and returns when everything committed so far is durable: also what did not ask for it.
  // Errors: what made that impossible; the object, or all of the store, is broken then.
  void Sync();
  // Returns when the commit is durable; at once if it is.
  void WaitDurable(const Bookmark& token);

  // `call` comes once, from a thread of the store, with OK when the commit is durable, else with
  // what broke the store. It must not throw, block or use this object.
  void OnDurable(const Bookmark& token, std::function<void(const Status&)> call);

  // ---- Point-in-time recovery ----

  // The bookmark of what is current. Ends the turn: what was written is committed first, so it is
  // in the bookmark. Without a write in between it is the same one again. Errors: kNotFound if
  // nothing was ever written; kInvalidArgument inside of a transaction.
  Bookmark GetCurrentBookmark();
  // Returns when this store has come as far as the bookmark: at once, for any of its own. Errors:
  // those of Object::Resolve for what is none.
  void WaitForBookmark(const Bookmark& bookmark);
  // The last commit at or before a time; a time after now means now. Always the same for the same
  // time. Errors: kExpired; kNotFound if the object did not exist then; kCorruption.
  Bookmark GetBookmarkForTime(Timestamp time);

  // Has the object restored to `bookmark` when its storage is opened next, whatever happens until
  // then, a crash included. Nothing changes now; what is written meanwhile is undone with the rest.
  // Durable when it returns. The last of several calls counts.
  //
  // Returns the bookmark that undoes it: of what is current when this session ends, and so in the
  // future still. Its alarms are those of that time then, or as `options` say (engine/object.h):
  // none, or the earliest that it has when the session ends, or another one, as the default alarm.
  // Errors: kForeign, kFuture, kLost, kExpired, kCorruption: nothing is scheduled.
  Bookmark OnNextSessionRestoreBookmark(const Bookmark& bookmark,
                                        const RestoreOptions& options = {});
  // The same with what another object of this store was, of whatever namespace. Its alarms do not
  // come with it: the object has none then, unless `options` say otherwise. An object that has
  // never been written begins with an empty database for this, which is committed, and the turn's
  // writes with it.
  Bookmark OnNextSessionRestore(const StorageSnapshot& snapshot,
                                const RestoreOptions& options = {.alarms = Alarms::kClear});
  void CancelOnNextSessionRestore();  // kNotFound if nothing waits
  // What this object is now, or was at a bookmark: to be handed to another one, within this
  // process. Constant time; ends the turn. While it lives nothing that it shows expires.
  StorageSnapshot Snapshot(const std::optional<Bookmark>& at = std::nullopt);
  // The restore that opening this storage made, if one waited.
  const std::optional<RestoreInfo>& restored() const { return restored_; }

  // ---- Alarms (api/alarm.h) ----
  //
  // Without a name the one alarm that Durable Objects have; others are as many as one names, each
  // with the same guarantees. Times are kept in whole milliseconds, rounded up: never early.

  // None too while its handler runs, unless it was set anew.
  std::optional<Timestamp> GetAlarm(std::string_view name = kDefaultAlarm);
  // Replaces the alarm of that name. A time in the past means now. Nothing is written if it is set
  // to that already. Errors: kInvalidArgument (1970 or before; a name of more than 256 bytes); what
  // StorageHooks::may_set_alarm says.
  void SetAlarm(Timestamp time, const WriteOptions& options = {}) {
    SetAlarm(kDefaultAlarm, time, options);
  }
  void SetAlarm(std::string_view name, Timestamp time, const WriteOptions& options = {});
  // In the handler it removes what was set meanwhile, and lets the alarm that runs not be tried
  // again; the handler goes on.
  void DeleteAlarm(std::string_view name = kDefaultAlarm, const WriteOptions& options = {});
  // All of them, in order of names; as GetAlarm.
  std::vector<AlarmInfo> ListAlarms();

  // Whether the handler is to run for an alarm that was due at `due`, as a scheduler had it. What
  // is stored decides: that very time, or another one that is past, is run, and deleted by
  // EndAlarm. A later one, or none, cancels the run. One whose commit is not durable yet, and
  // differs, is run and stays. Errors: kBusy if a run has not ended.
  AlarmRun BeginAlarm(Timestamp due, std::string_view name = kDefaultAlarm);
  // Ends the run. Deletes the alarm, if it succeeded, as a write of the turn; if that cannot be
  // committed the alarm is still there. Nothing happens to a broken object.
  void EndAlarm(AlarmResult result);
  // Keeps with an alarm what the host knows of its tries, until it is set anew or deleted: a write
  // of the turn, which nobody waits for. Nothing happens if there is no such alarm, or it is so
  // already.
  void KeepAlarmTries(int64_t tries, std::string_view name = kDefaultAlarm);
  // Gives an alarm up: deletes it if it is due at `due`, else returns when it is. Nothing happens
  // while a handler runs.
  std::optional<Timestamp> AbandonAlarm(Timestamp due, std::string_view name = kDefaultAlarm);

  // ---- All the rest ----

  // From another thread: ends the statement that runs, if one does, with an error
  // (SQLITE_INTERRUPT, kBusy); in a transaction that breaks the object.
  void Interrupt() noexcept;

  // Gives back memory that is got again when it is needed, statements and buffers: for an object
  // that is idle and stays open. Some 30 KB of a small one; the next calls take longer by what
  // compiling their statements takes. Nothing happens in a transaction.
  void ReleaseMemory() noexcept;

  const StorageOptions& options() const;
  StorageMetrics Metrics() const;
  // The error that broke the object; null while it works.
  const Error* broken() const;

 private:
  ObjectStorage(std::shared_ptr<internal::StorageState> state, std::optional<RestoreInfo> restored);
  static std::unique_ptr<ObjectStorage> Open(Store& store, std::shared_ptr<Object> object,
                                             const StorageOptions& options);
  StorageTransaction BeginSavepoint();
  void RequireNoTransaction(const char* what) const;

  template <typename Call>
  static auto Finish(StorageTransaction& transaction, Call call) {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      transaction.CommitIfOpen();
    } else {
      auto result = call();
      transaction.CommitIfOpen();
      return result;
    }
  }

  std::shared_ptr<internal::StorageState> state_;
  std::optional<RestoreInfo> restored_;
  Sql sql_;
  Kv kv_;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_STORAGE_H_
