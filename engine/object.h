// Object: a handle to one object of an open store: its present, its past, and the way back.

#ifndef TIDEMARK_ENGINE_OBJECT_H_
#define TIDEMARK_ENGINE_OBJECT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object_id.h"
#include "engine/result.h"
#include "engine/snapshot.h"

namespace tidemark {

namespace internal {
class StoreImpl;
class ObjectState;
}  // namespace internal

// What a restore did, or would do.
struct RestoreInfo {
  CommitInfo from;    // the commit that was current before
  CommitInfo to;      // the commit whose state is current now
  CommitInfo result;  // the restore itself; kind kNone when it was only planned
  Bookmark undo;      // restoring to it brings back what was current before
};

// What History has where a commit is not whole.
struct DamagedCommit {
  Lsn lsn;
  TimelineId timeline;
  Status why;  // kCorruption, naming object, LSN, segment and offset
};

// Made by Store::OpenObject; shared by everyone who opens the same object. Any thread may call it.
// The store must outlive it.
class TIDEMARK_API Object {
 public:
  const ObjectId& id() const;
  const std::string& namespace_name() const;
  const std::string& name() const;  // empty for an object without a name
  std::string DisplayName() const;  // "rooms/lobby", for messages

  // False until the first commit: opening an object that does not exist writes nothing.
  bool exists() const;

  // The latest commit, confirmed or not; kind kNone if there is none.
  CommitInfo head() const;

  // A number that rises with every commit and every restore and never falls while the process
  // lives: what SQLite's caches are revalidated by. It is at most the head's LSN.
  uint32_t change_counter() const;

  Result<Snapshot> OpenSnapshot() const;  // of head(); kCorruption if the object is quarantined
  Result<Snapshot> OpenSnapshot(const Point& at) const;           // errors: as Resolve
  Result<Snapshot> OpenSnapshot(const CommitInfo& commit) const;  // as Resolve or History gave it

  // The bookmark of a commit of this object. Pure computation.
  Bookmark BookmarkOf(const CommitInfo& commit) const;
  // The bookmark of head(). Errors: kNotFound if the object does not exist.
  Result<Bookmark> CurrentBookmark() const;

  // The commit that a bookmark names, or the last one at or before a time, on the timeline that
  // the object had then.
  //
  // Errors for bookmarks: kForeign, kExpired, kFuture, kLost, kCorruption (no such commit, or its
  // state hash differs: the bookmark or the store is damaged). For times: kNotFound before the
  // object existed, kExpired before the horizon. A time after now means now.
  Result<CommitInfo> Resolve(const Point& point) const;

  // Calls `visit` for each commit at or before `newest`, newest first, restores included, back to
  // the object's creation (the commits that restores left behind too), until it returns false.
  //
  // `on_damage` is called, in the same order, where commits are damaged; false ends it too. Commits
  // behind such a place are visited, but no bookmark of theirs resolves if they build on it.
  // Without `on_damage` the newest damage is the error that is returned, after all that is whole
  // has been visited. Errors: kCorruption as just said; kIoError; kBroken.
  Status History(const std::function<bool(const CommitInfo&)>& visit,
                 const std::function<bool(const DamagedCommit&)>& on_damage = nullptr,
                 Lsn newest = Lsn(UINT64_MAX)) const;

  // What Restore would do.
  Result<RestoreInfo> PlanRestore(const Point& to) const;

  // Makes the state at `to` the current one, by starting a child timeline there: constant time,
  // nothing is copied, and nothing of the history is lost. The undo bookmark is durable before the
  // restore takes effect, and the restore is durable when this returns. Blocks for that.
  // Errors: kBusy if a transaction holds the write lock; as Resolve.
  Result<RestoreInfo> Restore(const Point& to);

 private:
  friend class Transaction;
  friend class Store;
  explicit Object(internal::StoreImpl* store, std::shared_ptr<internal::ObjectState> state);

  internal::StoreImpl* store_;
  std::shared_ptr<internal::ObjectState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_OBJECT_H_
