// Object: a handle to one object of an open store: its present, its past, and the way back.

#ifndef TIDEMARK_ENGINE_OBJECT_H_
#define TIDEMARK_ENGINE_OBJECT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object_id.h"
#include "engine/result.h"
#include "engine/retention.h"
#include "engine/snapshot.h"

namespace tidemark {

namespace format {
enum class TimelineOperation : uint8_t;
}

namespace internal {
class StoreImpl;
class ObjectState;
class Retention;
class Scrubber;
struct FoundCommit;
struct LabelRow;
struct ScheduleRow;
}  // namespace internal

// What alarm the object has afterwards (CommitInfo::alarm).
enum class Alarms {
  kRestore,  // that of the commit that is brought back
  kKeep,     // its own, as it was before; a fork has none then
  kClear,    // none
};

// Of a restore, promote or undeletion, and of a fork.
struct RestoreOptions {
  Alarms alarms = Alarms::kRestore;
  std::optional<Timestamp> alarm{};  // or it has this one, whatever `alarms` says
  bool operator==(const RestoreOptions&) const = default;
};

// What a restore did, or would do; likewise a promote, a deletion, an undeletion.
struct RestoreInfo {
  CommitInfo from;    // the commit that was current before
  CommitInfo to;      // the commit whose state is current now; of a deletion kNone
  CommitInfo result;  // the restore itself; kind kNone when it was only planned
  Bookmark undo;      // restoring to it brings back what was current before
  std::string label;  // of a restore: the automatic label of `from`; empty if that is damaged
};

// A restore that waits for an object's next session.
struct ScheduledRestore {
  Bookmark to;              // what comes back; of another object if source_name says so
  std::string source_name;  // "rooms/lobby", for messages; empty: the object's own past
  Timestamp scheduled;      // when that was said last
  Bookmark undo;            // what ScheduleRestore returned
  RestoreOptions options;   // what alarm the object has then
};

// Where the state of a fork, or of what was promoted, came from.
struct ForkSource {
  ObjectId id;
  std::string namespace_name;
  std::string name;          // empty for an object without a name
  std::string display_name;  // "rooms/lobby", for messages
  Bookmark bookmark;         // of that object
};

// What Promote does if the object has commits that its fork has not seen.
enum class IfNewer { kFail, kReplace };

// What History has where a commit is not whole.
struct DamagedCommit {
  Lsn lsn;
  TimelineId timeline;
  Status why;  // kCorruption, naming object, LSN, segment and offset
};

// A label, as ListLabels gives it.
struct LabelInfo {
  std::string name;  // empty: its record is damaged, and with it the name
  bool automatic = false;
  Timestamp made;     // when it was set, or last moved
  Bookmark bookmark;  // of the commit that it names
  CommitInfo commit;  // kind kNone if it is damaged
  // Not OK if the commit is damaged, or a record that may have moved or removed the label
  // (kCorruption), or if the disk cannot read what the log says of the commit (kIoError).
  Status damage;
};

enum class IfLabelExists {
  kFail,  // kExists
  kMove,  // it names the new commit from then on
};

// Made by Store::OpenObject; shared by everyone who opens the same object. Any thread may call it.
// The store must outlive it.
class TIDEMARK_API Object {
 public:
  const ObjectId& id() const;
  const std::string& namespace_name() const;
  const std::string& name() const;  // empty for an object without a name
  std::string DisplayName() const;  // "rooms/lobby", for messages

  // False until the first commit (opening an object that does not exist writes nothing), and while
  // it is deleted.
  bool exists() const;

  // The latest commit, confirmed or not; kind kNone if there is none.
  CommitInfo head() const;

  // When it is to be woken next, as head() has it (Transaction::SetAlarm); none if never, or if it
  // is deleted.
  std::optional<Timestamp> alarm() const { return head().alarm; }

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

  // The commit that a bookmark or a label names, or the last one at or before a time, on the
  // timeline that the object had then.
  //
  // Expired is what a licence has let go of (Store::Prune), whatever the clock says: a commit that
  // was replaced before the object's horizon, unless a label that is not automatic names it or the
  // policy keeps it as the last one of its hour or day. The error names the horizon and the next
  // commit that is kept.
  //
  // A bookmark of the object's namespace (Store::NamespaceBookmark) means what was current when it
  // was made. Errors: those of a bookmark, and those of a time.
  //
  // Errors for bookmarks: kForeign, kExpired, kFuture, kLost, kCorruption (no such commit, or its
  // state hash differs: the bookmark or the store is damaged). For times: kNotFound when the object
  // did not exist or was deleted; kExpired if what was current then has expired; kCorruption also
  // if the record of a policy or hold is damaged under which commits may have gone. A time after
  // now means now. For labels: kNotFound, naming those that there are; kCorruption (the commit is
  // damaged, or a record that may have moved or removed the label); kExpired for automatic ones
  // only.
  Result<CommitInfo> Resolve(const Point& point) const;

  // Calls `visit` for each commit at or before `newest` that has not expired, newest first,
  // restores and deletions included, back to the object's creation (the commits that restores left
  // behind too), until it returns false. A fork's history begins with the fork.
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
  // restore takes effect, and the restore is durable when this returns. Blocks for that. A deleted
  // object exists again; restored to the bookmark of a deletion it is deleted again. What was
  // current before gets an automatic label, "before-restore-20261121T040506Z" (as
  // SetAutomaticLabel), which comes into being with the restore or not at all. Its alarm is that of
  // `to` again, which may be long past, unless `options` say otherwise.
  // Errors: kBusy if a transaction holds the write lock; as Resolve.
  Result<RestoreInfo> Restore(const Point& to, const RestoreOptions& options = {});

  // Deletes the object: it has no pages, is listed no more, and opens with IfMissing::kDeleted
  // only. Its history stays, and Undelete or a restore to the `undo` bookmark bring it back. With
  // IfMissing::kCreate, or written through a handle that is there, it begins anew from nothing.
  // Snapshots keep what they show. Durable when this returns; constant time.
  // Errors: kNotFound if it does not exist; kBusy if a transaction holds the write lock.
  Result<RestoreInfo> Delete();

  // Makes a deleted object what it was when it was deleted. Durable when this returns.
  // Errors: kExists if it is not deleted, or has begun anew since: the message says what to restore
  // to then; kNotFound if it never existed; kExpired; kBusy; kCorruption.
  Result<RestoreInfo> Undelete(const RestoreOptions& options = {});

  // Makes the present state of `fork`, a fork of this object or of its forks, that of this object,
  // by starting a child timeline there. The fork stays as it is and goes its own way. Durable when
  // this returns; constant time; undone by restoring to the `undo` bookmark. The alarm is that of
  // the fork, or as `options` say.
  //
  // The commits of this object that the fork has not seen, made since the fork left it or since it
  // was last promoted here, are in its present state no more. If there are any this is kExists,
  // with their number, unless that is asked for by kReplace.
  // Errors: kForeign if it is no fork of this object; kNotFound if the fork does not exist; kBusy;
  // kCorruption if the fork's latest commits are damaged.
  Result<RestoreInfo> Promote(const Object& fork, IfNewer if_newer = IfNewer::kFail,
                              const RestoreOptions& options = {});

  // Where a commit of kind kFork or kPromote has its state from. Errors: kInvalidArgument for other
  // commits; kCorruption; kIoError.
  Result<ForkSource> SourceOf(const CommitInfo& commit) const;
  // What this object is a fork of. Errors: kNotFound if of none; as above.
  Result<ForkSource> Source() const;

  // ---- sessions ----
  //
  // A session of an object is from one BeginSession to the next: what a host that keeps objects
  // alive says when it starts one. What opens and writes an object without one (SQLite alone) takes
  // part in whatever session there is.

  // Has the object restored to `to` when its next session begins. Nothing changes now, and what is
  // written until then is undone, too. The last of several calls counts. Durable when it returns;
  // blocks for that. Needs no write lock.
  //
  // Returns the bookmark of the session's end: of the commit that will be current when the restore
  // is made, the same from all calls that replace each other. Restoring to it undoes the restore.
  // Until then Resolve refuses it with kFuture, and where the restore is cancelled, or fails, with
  // kNotFound.
  //
  // `to` does not stay restorable for this: BeginSession says so if it has expired by then. The
  // alarm is as Restore makes it, by these `options`; Alarms::kKeep means the one that the object
  // has when the restore is made.
  // Errors: as Resolve; kNotFound if the object never existed, or did not at `to`.
  Result<Bookmark> ScheduleRestore(const Point& to, const RestoreOptions& options = {});
  // The same with the state of another object of this store, of whatever namespace, at a commit as
  // Resolve or History gave it: a snapshot of it. The alarm is not taken from there, unless
  // `options` say so: the object has none then. The other one cannot be purged while this waits,
  // nor while the object has history of it. The restore is a commit of kind kPromote, whose
  // SourceOf says where it came from. Errors: kForeign if it is of another store; as above, of the
  // other object.
  Result<Bookmark> ScheduleRestore(const Object& from, const CommitInfo& commit,
                                   const RestoreOptions& options = {.alarms = Alarms::kClear});
  // Nothing waits any more. Durable when it returns; blocks for that. Errors: kNotFound if nothing
  // waits.
  Status CancelScheduledRestore();
  // What waits; none if nothing does.
  Result<std::optional<ScheduledRestore>> scheduled_restore() const;

  // For the host, when it starts the object, before anything of it is open for writing: makes the
  // restore that waits, as Restore does, with its entry in the restore journal and its automatic
  // label, durably; or returns none if nothing waits, which costs no I/O while nothing has. A
  // process that dies in it leaves the restore made, or waiting.
  //
  // Errors: kBusy if a transaction holds the write lock: it waits still; likewise kIoError, kFull,
  // kBroken, kOutOfMemory. kExpired, kCorruption, also if a damaged record may have moved or
  // cancelled it, kNotFound: it cannot be made and waits no more, and the object stays as it is.
  Result<std::optional<RestoreInfo>> BeginSession();

  // ---- retention ----

  // While an object is held nothing of its history expires, from the horizon at that time on;
  // `reason` is for people (at most 256 bytes), and replaces that of a hold that is there. Durable
  // when they return; both block for that. What a release lets expire goes with the next licence.
  // Errors: kNotFound if the object does not exist (a deleted one can be held), or to be released
  // is not held; kInvalidArgument.
  Status SetHold(std::string_view reason);
  Status ReleaseHold();
  // Policy, hold and horizons.
  Result<RetentionInfo> GetRetention() const;

  // ---- labels ----
  //
  // A label names one commit of this object, on whatever timeline, and is a Point: everything that
  // goes to a bookmark goes to a label. It never expires, and keeps its commit from expiring.
  // Automatic labels do not: they expire with the window, as bookmarks do, so that nobody has to
  // tidy them away. Labels are no commits: they neither need nor take the write lock, and change
  // nothing that a snapshot or SQLite sees.

  // Names the commit at `at`. Durable when it returns; blocks for that. Nothing happens if the
  // label names that commit already, but that an automatic one is kept for good from then on.
  // Errors: kInvalidArgument (ValidateLabelName); kExists, if it names another commit and is not to
  // be moved, naming that; as Resolve.
  Status SetLabel(std::string_view name, const Point& at,
                  IfLabelExists if_exists = IfLabelExists::kFail);
  // The commit stays. Durable when it returns; blocks for that. Errors: kInvalidArgument;
  // kNotFound.
  Status RemoveLabel(std::string_view name);
  // Gives head() a label "PREFIX-20261121T040506Z", of the present time in UTC, with more digits if
  // that is taken, and returns its name: to be called before something is done that somebody may
  // regret. If head() has an automatic label it returns that one, so there is at most one a commit.
  // Does not wait: the label stands in the log before whatever is committed later, so it survives
  // if that does. Errors: kNotFound (no commit); kCorruption if the object is quarantined;
  // kInvalidArgument if that is no name for a label.
  Result<std::string> SetAutomaticLabel(std::string_view prefix);
  // In order of names, without automatic labels that have expired. Cost: a look-up a label.
  Result<std::vector<LabelInfo>> ListLabels() const;

 private:
  Result<CommitInfo> ResolveBookmark(const Bookmark& bookmark) const;
  Result<CommitInfo> LookUpBookmark(const Bookmark& bookmark) const;
  Result<CommitInfo> ResolveOfNamespace(const Bookmark& bookmark) const;
  Result<internal::FoundCommit> LocateAtTime(Timestamp time) const;
  Result<CommitInfo> ResolveLabel(const Label& label) const;
  Result<CommitInfo> ResolveLabel(const internal::LabelRow& row) const;
  Bookmark BookmarkOfLabel(const internal::LabelRow& row) const;
  Status NoSuchLabel(std::string_view name) const;
  friend class Transaction;
  friend class Store;
  friend class internal::Retention;
  friend class internal::Scrubber;
  explicit Object(internal::StoreImpl* store, std::shared_ptr<internal::ObjectState> state);
  // With the write lock held.
  Result<RestoreInfo> RestoreTo(const Point& to, format::TimelineOperation operation,
                                const RestoreOptions& options);
  Result<CommitInfo> FindReplaced(Lsn lsn) const;
  Result<Bookmark> Schedule(const internal::ObjectState& source, const CommitInfo& commit,
                            const RestoreOptions& options);
  Result<RestoreInfo> RestoreScheduled(const internal::ScheduleRow& row);
  Result<Bookmark> SessionEnd(Lsn session) const;
  Result<CommitInfo> ResolveSessionEnd(const Bookmark& bookmark) const;
  // Errors: kExists if there are commits behind `point` that the fork has not seen.
  Status CheckNothingNewer(const Object& fork, Lsn point) const;

  internal::StoreImpl* store_;
  std::shared_ptr<internal::ObjectState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_OBJECT_H_
