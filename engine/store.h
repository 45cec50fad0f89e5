// Store: one directory, one process, millions of objects.
//
//   auto store = tidemark::Store::Open("data", {.create_if_missing = true});
//   auto object = (*store)->OpenObject("rooms", "lobby", tidemark::IfMissing::kCreate);
//
// The layers above (vfs, api) put SQLite on top; the engine knows pages and commits only.

#ifndef TIDEMARK_ENGINE_STORE_H_
#define TIDEMARK_ENGINE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/export.h"
#include "engine/health.h"
#include "engine/lsn.h"
#include "engine/object.h"
#include "engine/object_id.h"
#include "engine/options.h"
#include "engine/result.h"
#include "engine/retention.h"

namespace tidemark {

namespace internal {
class ObjectState;
class StoreImpl;
class StorePeer;
struct LicenceRow;
}  // namespace internal

enum class IfMissing {
  kFail,     // kNotFound
  kCreate,   // a handle to an object that comes to exist with its first commit
  kDeleted,  // kNotFound, but a deleted one is opened: for its past, and to bring it back
};

// Which objects a listing has.
enum class Listed { kExisting, kDeleted };

// One object, as listings show it.
struct ObjectSummary {
  ObjectId id;
  std::string namespace_name;
  std::string name;
  CommitInfo head;
  // Commits and restores that are there, over all timelines; a fork's are its own.
  uint64_t commit_count = 0;
  // Not OK if its latest state is damaged (kCorruption) or the disk cannot read what the log says
  // of it (kIoError): `head` has what else is known of it then, or nothing.
  Status damage;
};

// An object that is to be woken, as ListAlarms gives it.
struct DueAlarm {
  Timestamp due;
  ObjectId id;
  std::string namespace_name;
  std::string name;  // empty for an object without a name
};

// One restore, promote, deletion or undeletion, from the restore journal.
struct RestoreEntry {
  Timestamp time;
  Lsn lsn;  // of the restore
  CommitKind kind = CommitKind::kRestore;
  Bookmark from;  // what was current before: the undo bookmark
  // What came back; of a promote, a bookmark of the fork. None of a deletion, unless a deletion was
  // restored to.
  std::optional<Bookmark> to;
};

enum class ReclaimWhat {
  kWhatPays,    // sealed segments of the log, once, and packed ones that take a good deal more than
                // what is needed of them
  kEverything,  // all there is, the segment that is written to, too: it is sealed first
};

// What Reclaim did, in the files of the log.
struct ReclaimReport {
  uint64_t files = 0;         // that were written anew
  uint64_t bytes_before = 0;  // their sizes
  uint64_t bytes_after = 0;   // of what stands in their place
};

// What Purge did.
struct PurgeReport {
  ObjectId id;
  bool continued = false;       // it had begun before, and was interrupted
  ReclaimReport log;            // written anew
  uint64_t searched_bytes = 0;  // of all files, log and index: the id was found in none
};

// An object of which a licence would let commits expire.
struct ExpiringObject {
  ObjectId id;
  std::string namespace_name;
  std::string name;
  std::string display_name;
  uint64_t commits = 0;  // bookmarks that become unreachable
  CommitInfo newest;     // of them
  CommitInfo oldest;
};

// A policy of its own, or a hold, as ListRetention gives them.
struct RetentionEntry {
  std::string scope;  // "the store", "namespace rooms", "object rooms/lobby"
  std::optional<RetentionPolicy> policy;
  std::optional<HoldInfo> hold;
  std::optional<uint64_t> budget_bytes;  // of the store
};

// A damaged place that Verify or a scrub found.
struct Damage {
  std::string object;  // "rooms/lobby"; empty if it cannot be blamed on one
  uint32_t segment = 0;
  uint64_t offset = 0;  // of the damaged record or group in the segment
  std::string message;  // what is wrong, in a sentence
};

struct StoreStats {
  std::string store_id;  // 16 hex digits, random, for ever
  uint32_t format_version = 0;
  uint32_t epoch = 0;  // grows by one at every open for writing
  Lsn last_lsn;        // of the latest record, confirmed or not
  Lsn durable_lsn;     // confirmed up to here
  Lsn checkpoint_lsn;  // indexed up to here
  uint64_t namespace_count = 0;
  uint64_t object_count = 0;          // deleted ones included
  uint64_t alarm_count = 0;           // objects that have an alarm
  uint64_t purge_count = 0;           // that have begun and not ended
  uint64_t segment_count = 0;         // with spares
  uint64_t packed_segment_count = 0;  // of them
  uint64_t spare_segment_count = 0;
  uint64_t log_bytes = 0;       // records and headers in the log
  uint64_t log_file_bytes = 0;  // files, unused room included
  uint64_t waiting_bytes = 0;   // full segments of the log that were not packed yet
  uint64_t index_bytes = 0;     // LMDB pages in use
  uint64_t index_file_bytes = 0;
  uint64_t recent_version_count = 0;  // page versions not yet in LMDB
  uint64_t page_cache_bytes = 0;      // StoreOptions::page_cache_bytes: of them in use
  // Where the store's own policy counts bookmarks reach back to here; 1970 if nothing has expired.
  Timestamp horizon;
  // Nothing expires until Store::ConfirmClock().
  std::optional<ClockAlarm> clock_alarm;
  uint64_t budget_bytes = 0;   // Store::SetBudget; 0: none
  uint64_t history_bytes = 0;  // what counts against it: files of packed segments
  Timestamp budget_horizon;  // what budgets have let go of so far, of all that is not held; or 1970
  // They take more, and nothing more may go for it: the rest is current, of the last hour, named by
  // labels, held, or a fork's. Found out when the background or Prune last tried.
  bool budget_is_unmet = false;
  // What kept the background's retention (Store::RunRetention) from its work when it last tried: it
  // will try again. OK if nothing did.
  Status retention_error;
  uint64_t damaged_object_count = 0;
  StoreHealth health;
  // What kept the background's last scrub or drill (Store::RunScrub) from its end: it will try
  // again. OK if nothing did.
  Status scrub_error;
  std::string failed_drill;            // since this open, the last: object, point and reason
  std::vector<Damage> scrub_damage{};  // the first hundred places that the last scrub found
  // Since this open:
  uint64_t commits = 0;
  uint64_t groups_written = 0;   // each is one write and one sync
  uint64_t appended_bytes = 0;   // records that came to the log
  uint64_t packed_bytes = 0;     // of the log's own segments that were packed
  uint64_t rewritten_bytes = 0;  // that packing wrote: what it adds to the bytes that commits wrote
  uint64_t checkpoints = 0;
  uint64_t page_cache_hits = 0;  // pages that were read, one by one, and were in memory
  uint64_t page_cache_misses = 0;
  uint64_t background_licences = 0;         // granted by RunRetention
  uint64_t background_reclaimed_bytes = 0;  // that it gave back
  uint64_t scrubs = 0;
  uint64_t scrubbed_bytes = 0;  // by those, and the one under way
  uint64_t drills = 0;
  uint64_t failed_drills = 0;
};

// What Rebuild did.
struct RebuildReport {
  bool continued = false;  // a rebuild that was interrupted went on
  uint64_t objects = 0;    // in the new index, deleted ones included
  uint64_t log_bytes = 0;  // records and headers in the log
  uint64_t index_file_bytes = 0;
  // Objects that lost something to damage in the log. Then the old index is kept at `old_index`: of
  // them it may know what the log does not tell any more.
  uint64_t damaged_objects = 0;
  std::string old_index;  // empty: there was none, or it is gone
};

struct VerifyReport {
  uint64_t segments = 0;
  uint64_t groups = 0;
  uint64_t records = 0;
  uint64_t page_versions = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;
  std::vector<Damage> damage;
};

// How far a long call has come, in bytes or in things; called from the calling thread, now and
// then.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

// Memory that runs out in a call: engine/status.h. In the store's own threads it costs nothing but
// time: the checkpoint or the segment is made later.
//
// A child of fork() does not have its parent's store: what needs the directory is kBroken there,
// and nothing that it destroys, closes or ends with touches the store, which the parent goes on
// with. (Should another thread have been at work in the store at the fork, calls of the child may
// block.)
//
// Any thread may call any method, except that no other call may be under way, on the store or on
// what was made from it, when Close() or the destructor is called.
class TIDEMARK_API Store {
 public:
  // Makes an empty store in `directory`, which must be missing or empty.
  // Errors: kExists (a store, or a directory with something in it), kReadOnly, kFull, kIoError.
  static Status Create(const std::string& directory, const StoreOptions& options);

  // Opens a store and recovers it: reads the log from the checkpoint on, never more.
  // Errors: kNotFound (no store there), kInUse (names the owner's pid), kUnsupportedVersion,
  // kReadOnly, kCorruption (damage that cannot be blamed on objects), kFull, kIoError (also where
  // the tail of the log cannot be read: the message says what to do), kLimitExceeded (the numbers
  // of format.h are used up), kInvalidArgument (options out of range).
  static Result<std::unique_ptr<Store>> Open(const std::string& directory,
                                             const StoreOptions& options);

  // Makes the index of a closed store anew from the log, for one that is damaged, missing or of
  // another copy. The old one is used until the new one is whole and durable, and then goes; if the
  // log has damage it is kept beside it (RebuildReport). Interrupted at any point it is begun or
  // continued by the next call; opening the store meanwhile with the old index, where that works,
  // drops what was begun. Blocks for as long as reading all of the log takes: `options` tells how
  // far it is by recovery_progress. The store is closed when it returns.
  // Errors: those of Open; then the old index is in its place.
  static Result<RebuildReport> Rebuild(const std::string& directory, const StoreOptions& options);

  // Without Close(): what is confirmed stays, the rest may be lost, as in a crash.
  ~Store();

  // Writes and indexes everything, marks the log as cleanly closed and releases the directory.
  // Idempotent. Errors: kBroken, kOutOfMemory and those of writing; the directory is released all
  // the same. With kFull the log may be cleanly closed, and only the index behind it: then nothing
  // is lost, and the next opening brings it up to date.
  //
  // Objects, snapshots and transactions may be there still. Whatever they are asked that needs the
  // directory, and so every method of the store that can fail, is kBroken from here on; what a
  // transaction staged is lost with it, prepared or not. Stats() and durable_lsn() stay as they are
  // at the close.
  Status Close();

  const std::string& directory() const;
  const StoreOptions& options() const;

  // The handle of an object. Errors: kInvalidArgument (names: see ValidateName), kNotFound, which
  // says when the object was deleted if it was.
  Result<std::shared_ptr<Object>> OpenObject(std::string_view namespace_name, std::string_view name,
                                             IfMissing if_missing);
  // By id. Errors: kNotFound; kInvalidArgument if the id's second half does not fit the namespace.
  Result<std::shared_ptr<Object>> OpenObject(std::string_view namespace_name, const ObjectId& id,
                                             IfMissing if_missing);

  // Makes a new object that begins as what `from` was at a point: copy on write, in constant time
  // whatever the size. Its first timeline is a child of the other's; from there on nothing that
  // either does shows on the other, and it stays if the other is deleted. Its history begins with
  // the fork, a commit of kind kFork, and no bookmark of the other is one of it. What is damaged
  // before the point is damaged in both. Durable when this returns; a crash leaves all of it or
  // nothing.
  //
  // A handle of the new object that was opened before sees the fork as somebody else's commit.
  // Errors: kInvalidArgument (names; `from` is of another store); kExists if the object exists, is
  // deleted, or is being written by a transaction that creates it; those of Object::Resolve.
  //
  // It has no alarm, lest what is to happen once happens twice, unless `options` say otherwise.
  Result<std::shared_ptr<Object>> Fork(const Object& from, const Point& at,
                                       std::string_view namespace_name, std::string_view name,
                                       const RestoreOptions& options = {.alarms = Alarms::kClear});

  // Removes an object, deleted or not, and all its history, labels, policy and hold, for good: when
  // this returns, no file of the store has a byte of it, nor its name. This cannot be undone. All
  // of the log is written anew without it, packed as Reclaim does, and the index; then every file
  // is searched for its id. Blocks for as long as that takes; other threads go on meanwhile. What
  // the disk keeps of blocks that files gave back, and copies of the store, are not this one's. The
  // name of its namespace stays. `progress` gets bytes of the log.
  //
  // From early on the object is gone whatever comes, and until all is done nothing can be made in
  // its place: that is kBusy. An error behind that says so. Purge it again then to go on, in this
  // process or another; the store does so by itself, too (RunRetention). If an interruption came so
  // late that opening the store has ended it, it is kNotFound.
  //
  // Errors, without having changed anything: kNotFound; kBusy (the object is in use: handles,
  // snapshots and databases of it are open; or Verify is at work); kExists (it is held; or another
  // object shares its history: its forks, and what they were promoted to; the message names what to
  // do); kLimitExceeded (more restores than a record can name). On the way: kFull, kIoError,
  // kCorruption (damage in the log, which is not written anew), kBusy (a large transaction is
  // open), kBroken.
  Result<PurgeReport> Purge(std::string_view namespace_name, std::string_view name,
                            const Progress& progress = nullptr);
  // By id; as OpenObject. Errors: kInvalidArgument, too.
  Result<PurgeReport> Purge(std::string_view namespace_name, const ObjectId& id,
                            const Progress& progress = nullptr);

  // The present of all objects of a namespace: a bookmark that each of them takes for a point of
  // its own (Object::Resolve), those too that did not exist then; RestoreNamespace and
  // ForkNamespace (engine/namespace_point.h) take it for all of them. It names the latest record of
  // the store, so another one comes when anything was committed, and it expires as the commits do
  // that it means. Durable when it returns; blocks for that. Errors: kNotFound; kBroken and those
  // of writing.
  Result<Bookmark> NamespaceBookmark(std::string_view namespace_name);

  // In order of their names.
  Result<std::vector<std::string>> ListNamespaces() const;
  // Every object of a namespace (of all if empty), in order of ids, until `visit` returns false;
  // of a deleted one `head` is the deletion. With `after` those behind that id only: the next page
  // costs what it has, wherever it is. Errors: kNotFound if the namespace does not exist.
  Status ListObjects(std::string_view namespace_name,
                     const std::function<bool(const ObjectSummary&)>& visit,
                     Listed which = Listed::kExisting,
                     const std::optional<ObjectId>& after = std::nullopt) const;
  // Every object that exists and has an alarm (Object::alarm) due at or before `due_by`, in order
  // of due times, then ids, until `visit` returns false. Commits count from when they are visible,
  // confirmed or not: what waits by this list never waits for longer than an object's alarm says.
  // Of an object whose alarm changes while this is at work either is told, or, if it moves to
  // before what was told last, neither: the next call has it. `visit` is called without locks.
  //
  // Cost: a look at each object that has commits which the index does not have yet, and a row of
  // the index for each alarm that is told; those that are due later cost nothing. Errors:
  // kCorruption (a row of the index); kIoError; kBroken.
  Status ListAlarms(const std::function<bool(const DueAlarm&)>& visit, Timestamp due_by) const;
  // Restores, promotes, deletions and undeletions of one object, oldest first.
  Result<std::vector<RestoreEntry>> ListRestores(const Object& object) const;

  // Blocks until the record `lsn` is durable. The thread may do the write and sync itself.
  // Errors: kBroken, with the failure that broke the store.
  Status WaitDurable(Lsn lsn);
  // For those who do not want to wait: `call` comes once, from a thread of the store, with OK when
  // the record `lsn` is durable, else with the failure that broke the store; in the order of LSNs,
  // at the latest in Close. It must not throw, nor block, nor close the store. Errors: kBroken, and
  // then it never comes.
  Status NotifyDurable(Lsn lsn, std::function<void(const Status&)> call);
  // Everything committed so far.
  Status Sync();
  Lsn durable_lsn() const;

  // Brings the index up to the durable LSN. Errors: kFull (max_index_bytes), kIoError, kBroken.
  Status Checkpoint();
  // Makes the next segment ready, if it is not. For BackgroundWork::kManual.
  Status PrepareSegment();

  // Packs: segments are written anew, each page's history side by side, without what has expired,
  // one after the other, where that pays. Blocks for as long as that takes; other threads go on
  // meanwhile. What was done before an error stays done. Errors: kCorruption (damage in what was to
  // be written anew: it stays as it is), kBusy (Verify is at work), kFull, kIoError, kBroken.
  Result<ReclaimReport> Reclaim(ReclaimWhat what = ReclaimWhat::kWhatPays);

  // ---- retention ----
  //
  // History expires by licence only: what a durable licence lets go of is refused from then on, and
  // its space may be taken; what none let go of stays, however old it is. A licence takes what is
  // behind the windows of the policies (engine/retention.h) at its time. Horizons never move back:
  // a longer window keeps what is there, and brings nothing back; whatever is set, cleared, held or
  // released counts from the next licence on. Kept is besides: what labels name that are not
  // automatic, what forks and restores were made of while they need it, and what snapshots show.
  // While the store grants licences by itself (RunRetention), the next one may come in a minute.

  // Grants a licence as of the present, durably. Blocks for that. Errors: kPaused if the clock is
  // in doubt: it went more than a day beyond the time that has passed, or the store lay closed for
  // more than eight days (a wrong clock must not let everything expire); kCorruption if the record
  // of a licence or of the store's policy is damaged; kBroken and those of writing. With a budget
  // that is exceeded it first reads all that Reclaim reads, some times, to find out what must go:
  // its errors, too.
  Status Prune();
  // What Prune would let expire now: calls `visit` for each object of which commits would, in order
  // of namespaces and ids, those that exist before the deleted ones, until it returns false. Cost:
  // a look at each commit of each object that would expire. With `freed_bytes` it tells, too, how
  // many bytes of the log Prune and then Reclaim would free, about: that takes reading what Reclaim
  // reads, as a budget that is exceeded does. Errors: kPaused; kCorruption; kIoError; with either
  // those of Reclaim.
  Status PlanPrune(const std::function<bool(const ExpiringObject&)>& visit,
                   uint64_t* freed_bytes = nullptr) const;
  // One step of what a thread of the store does by itself, while StoreOptions::retention_share is
  // not 0; for BackgroundWork::kManual, where it never pauses. Blocks until it is done.
  //
  // It looks now and then, first a minute after the open: a 32nd of the shortest window after the
  // look before, but not within a minute nor later than a day; after a policy, hold or clock was
  // changed within two minutes. If a commit would expire by a licence, or can go for a budget that
  // is exceeded, that grants one, as Prune does; if none would, it writes nothing. And it reclaims
  // what pays, as Reclaim does, if there is a licence, a full segment or a change of labels since
  // it last did, eight times as long after that as it took (at most a day). Before that it packs
  // the log's full segments whenever a quarter of StoreOptions::packing_backlog_bytes of them wait;
  // and all of the log, if a 64th of a segment of full size has been written, when pages that are
  // kept as chains of patches in it have been read so often, and so little changed, that reading
  // them has cost several times as much, every ten minutes at most. A purge that was interrupted is
  // continued. It gives way to Reclaim and Verify. What fails is tried again, after a minute, two,
  // four, up to a day; commits do not notice.
  //
  // So what is older than its window goes at the latest a day after that, while a process has the
  // store open. Errors: those of Prune and Reclaim (StoreStats::retention_error keeps them); what
  // was not due is not tried, and is no error.
  Status RunRetention();
  // The clock is right as it is now: ends the pause. Durable; nothing happens if there is none.
  Status ConfirmClock();

  // The history of the store is to take at most so many bytes of disk; none: as many as its
  // policies ask for. Durable when it returns; blocks for that. Counted is what is packed; beside
  // it there are the log's own segments: up to StoreOptions::packing_backlog_bytes that wait to be
  // packed, the one that is written, and the next one.
  //
  // Where history takes more, the oldest of it goes before its time, with the next licences: of
  // RunRetention, which looks again after each pass, or of Prune. That is one horizon for the whole
  // store, whatever policies say, and like all of them it never moves back. Not by a budget go:
  // what is current, what is younger than an hour, what labels name, forks and restores were made
  // of, or snapshots show, and objects that are held. So a budget can be too small to be met: then
  // all that may go goes, StoreStats::budget_is_unmet says so, and nothing else happens. Under load
  // history takes more than the budget by what is packed between two passes.
  //
  // Errors: kInvalidArgument (0 bytes); kCorruption if the record of the store's policy is damaged:
  // set that anew before; kBroken and those of writing.
  Status SetBudget(std::optional<uint64_t> bytes);
  // Sets or clears a policy; cleared, what is in the scope goes by the one around it, and the store
  // by StoreOptions::retention. Durable when they return; both block for that. Errors:
  // kInvalidArgument (windows below 0 or beyond ten thousand years); kNotFound (the namespace or
  // object).
  Status SetRetention(const RetentionScope& scope, const RetentionPolicy& policy);
  Status ClearRetention(const RetentionScope& scope);
  // What is in force, and where it comes from. Errors: kNotFound.
  Result<RetentionInfo> GetRetention(const RetentionScope& scope) const;
  // Everything that has a policy or is held: the store, namespaces, objects.
  Result<std::vector<RetentionEntry>> ListRetention() const;

  StoreStats Stats() const;

  // Reads the whole log and index and checks every hash, and that each object's pages give its
  // state hash. What the disk cannot read is reported as damage, and the rest is looked at. Commits
  // go on meanwhile; what came after the start is not looked at. Waits for a Reclaim to end.
  Result<VerifyReport> Verify(const Progress& progress = nullptr);

  // One look of the background at the store's health; a thread does this once a minute, if
  // BackgroundWork is kThreads. If StoreOptions::scrub_interval has passed since the last scrub (or
  // Verify) that came to its end, in whatever process, else since the store was opened, it makes
  // one: it reads all that Verify reads, file by file, at most
  // StoreOptions::scrub_bytes_per_second, but for labels that are missing, and takes nothing from
  // packing. And every StoreOptions::drill_interval it makes a restore drill, as Drill does. Writes
  // nothing; what is found is in Stats(), and of it `health` is kept when the store is closed.
  // Blocks for as long as it takes; with BackgroundWork::kManual it does not wait to keep to the
  // rate. Errors: what kept it from its end (kIoError, kBroken); damage is none.
  Status RunScrub();

  // Makes `count` restore drills, one after the other: a random object of a random namespace,
  // deleted ones included; of that a random commit that has not expired or, one time in four, the
  // oldest state that it can be restored to; all of that state's pages as a restore would show
  // them; and their state hash, which the commit has. Writes nothing. Blocks for as long as that
  // takes. A failure is in the report, and in Stats(). Errors: kBroken; those of reading the index.
  Result<DrillReport> Drill(uint64_t count = 1, const Progress& progress = nullptr);

 private:
  friend class internal::StorePeer;  // of tests
  explicit Store(std::unique_ptr<internal::StoreImpl> impl);
  struct Scope {
    uint64_t namespace_id = 0;                      // 0: the store
    std::shared_ptr<internal::ObjectState> object;  // null: the namespace
    uint64_t tag = 0;
  };
  Result<Scope> FindScope(const RetentionScope& scope) const;
  Status CountExpiring(const internal::LicenceRow& next, ExpiringObject* expiring) const;

  std::unique_ptr<internal::StoreImpl> impl_;
  StoreStats stats_at_close_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_STORE_H_
