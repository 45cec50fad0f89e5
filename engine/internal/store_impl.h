// StoreImpl: the parts of an open store, and the tables they share: namespaces, objects, timelines.
//
//   Store, Object, Snapshot, Transaction   (public, thin)
//     StoreImpl      this file: what is open, and finding it
//       CommitQueue, Segments              commit path (commit_queue.h)
//       PageReader, PageCache, Index       read path (page_reader.h)
//       Recovery                           at open (recovery.h)
//       Checkpointer                       behind the log (checkpointer.h)
//       Packer, RetentionWorker            history that expires, and its space (packer.h)
//       Scrubber                           damage that nobody has met yet (scrubber.h)
//       Purger, PurgeTable                 objects that go without a trace (purger.h)
//
// Threads: any. `mutex_` guards the tables; it is held across index reads when something is not in
// memory yet, never across a write. Order of locks: ObjectState::schedule_mutex,
// its label_mutex, mutex_, ObjectState::mutex, then the commit queue's, Timeline's or LabelTable's,
// which are innermost.

#ifndef TIDEMARK_ENGINE_INTERNAL_STORE_IMPL_H_
#define TIDEMARK_ENGINE_INTERNAL_STORE_IMPL_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/internal/chain_reads.h"
#include "engine/internal/checkpointer.h"
#include "engine/internal/commit_queue.h"
#include "engine/internal/commit_room.h"
#include "engine/internal/durable_notifier.h"
#include "engine/internal/head_room.h"
#include "engine/internal/index.h"
#include "engine/internal/label_table.h"
#include "engine/internal/object_state.h"
#include "engine/internal/open_batches.h"
#include "engine/internal/page_cache.h"
#include "engine/internal/page_reader.h"
#include "engine/internal/purge_table.h"
#include "engine/internal/retention.h"
#include "engine/internal/schedule_table.h"
#include "engine/internal/segments.h"
#include "engine/store.h"

namespace tidemark::internal {

// A commit as the log has it, or what is left of it.
struct FoundCommit {
  CommitInfo info{};  // damaged: its LSN and timeline only, and a time that it is not older than
  Status damage{};    // kCorruption with LSN and place, if what the log says of it is not whole
};

// A label that says what was done to the commit it names, and when.
struct AutomaticLabel {
  std::string name;
  std::optional<LabelTable::NewChange> made;  // none: the commit has one already
};

class Packer;
class Purger;
class RetentionWorker;
class Scrubber;

class StoreImpl {
 public:
  static Status Create(const std::string& directory, const StoreOptions& options);
  static Result<std::unique_ptr<StoreImpl>> Open(const std::string& directory,
                                                 const StoreOptions& options);
  ~StoreImpl();
  // Finish, then Release: for what wants to look at the store in between.
  Status Close();
  // All that was logged so far stands in sealed segments then. Writes nothing if nothing was logged
  // since the last time. Errors: those of CommitQueue::Reserve and WaitDurable.
  Status SealLog();
  // Ends the threads, writes and indexes everything, and marks the log as cleanly closed.
  Status Finish();
  // Lets go of the directory. Every call that could need it fails from here on, with kBroken.
  void Release();
  bool released() const { return lock_ == nullptr; }

  // The error of a call in which memory ran out. For its catch block: allocates nothing.
  Status OutOfMemory() const noexcept;

  const std::string& directory() const { return directory_; }
  const StoreOptions& options() const { return options_; }
  std::string index_directory() const {
    return options_.index_directory.empty() ? directory_ + "/index" : options_.index_directory;
  }
  uint64_t store_id() const { return store_id_; }
  uint32_t epoch() const { return epoch_; }
  Index& index() { return *index_; }
  Segments& segments() { return *segments_; }
  HeadRoom& head_room() { return *head_room_; }
  CommitQueue& queue() { return *queue_; }
  DurableNotifier& notifier() { return *notifier_; }
  const PageReader& reader() const { return *reader_; }
  PageCache& page_cache() { return page_cache_; }
  ChainReads& chain_reads() { return chain_reads_; }
  Checkpointer& checkpointer() { return *checkpointer_; }
  OpenBatches& open_batches() { return open_batches_; }
  Packer& packer() { return *packer_; }
  PurgeTable& purges() { return *purges_; }
  Purger& purger() { return *purger_; }
  RetentionWorker& retention_worker() { return *retention_worker_; }
  Scrubber& scrubber() { return *scrubber_; }
  LabelTable& labels() { return *labels_; }
  ScheduleTable& schedules() { return *schedules_; }
  Retention& retention() { return *retention_; }

  // ---- finding things ----

  // The namespace; with kCreate one that is not logged yet if there is none.
  Result<std::shared_ptr<NamespaceState>> FindNamespace(std::string_view name,
                                                        IfMissing if_missing);
  Result<std::shared_ptr<ObjectState>> FindObject(const std::shared_ptr<NamespaceState>& ns,
                                                  const ObjectId& id, std::string_view name,
                                                  IfMissing if_missing);
  // The object whose ObjectTag is `tag`; null if there is none.
  Result<std::shared_ptr<ObjectState>> FindObjectByTag(uint64_t tag);
  std::vector<std::shared_ptr<NamespaceState>> Namespaces() const;
  // Objects that have commits which the index does not have.
  std::vector<std::shared_ptr<ObjectState>> DirtyObjects() const;

  Result<std::shared_ptr<Timeline>> FindTimeline(TimelineId id);

  // The timeline of the object that was current at `lsn`; null if it did not exist then.
  Result<std::shared_ptr<Timeline>> FindTimelineAt(const ObjectState& object, Lsn lsn);
  // The latest commit of the object at or before `lsn`, on the timeline current then; kNone if
  // none. Damage is part of the answer of the first, and an error of the second.
  Result<FoundCommit> LocateCommitAt(const ObjectState& object, Lsn lsn);
  Result<CommitInfo> FindCommitAt(const ObjectState& object, Lsn lsn);
  // The same for a time. A damaged commit is found from the earliest time on that it can have been
  // made at.
  Result<FoundCommit> LocateCommitAtTime(const ObjectState& object, Timestamp time);
  // The latest commit at or before `lsn` on the timeline itself.
  Result<std::optional<FoundCommit>> LocateCommitOn(const ObjectState& object,
                                                    const Timeline& timeline, Lsn lsn);
  // Did the object come into being behind `time`? If its first commit is gone, as far as is known.
  Result<bool> IsCreatedAfter(const ObjectState& object, Timestamp time);
  // Timelines that began on this one, those at or behind `first`, in order of parent LSNs; none if
  // there are no more.
  Result<std::vector<ChildRow>> ChildrenOf(TimelineId timeline, const ChildRow& first) const;
  // What the log says of the latest commit or restore at or before `lsn`, which the index found in
  // `row`. Errors: kCorruption, kIoError; kExpired if packing has dropped it meanwhile.
  Result<CommitInfo> ReadCommit(const CommitRow& row, TimelineId timeline, Lsn lsn) const;

  // ---- called by transactions, restores and recovery ----

  // What is added to the tables takes memory in two steps: Make... and MakeRoom get it, before
  // anything is appended; Add... and PublishCommit come behind the append and cannot fail.
  NewTimeline MakeTimeline(std::shared_ptr<Timeline> parent) const;
  void MakeRoom(const std::shared_ptr<ObjectState>& object, Timeline& timeline,
                std::span<const PageChange> changes, CommitRoom* room);
  // Adopts a namespace or timeline that was just logged, so that it is found and indexed.
  void AddNamespace(PendingRow<NamespaceRow> made, Lsn lsn) noexcept;
  std::shared_ptr<Timeline> AddTimeline(NewTimeline made, const TimelineRow& row) noexcept;
  // Makes a commit visible: recent versions, head, counter.
  void PublishCommit(CommitRoom* room, ObjectState& object,
                     const std::shared_ptr<Timeline>& timeline, const RecentCommit& commit,
                     std::span<const PageChange> changes,
                     std::shared_ptr<const BatchedPages> batched) noexcept;
  // Of an object that is purged, from here on: nothing of it is found in memory any more.
  void ForgetObject(const PurgeRow& purge) noexcept;
  void AddRestore(PendingRow<RestoreRow> made, Lsn lsn, Timestamp time) noexcept;
  void AddEpoch(PendingRow<EpochRow> made, Lsn first_lsn) noexcept;

  // Recovery: the namespace and object of a record, made if the index does not have them.
  Result<std::shared_ptr<ObjectState>> AdoptObject(uint64_t namespace_id, const ObjectId& id,
                                                   std::string_view name);
  // Recovery: a timeline of the object that a packed segment tells of, and its latest commit, if
  // that is known. Nothing of it is recent; its row goes into the index at the next checkpoint.
  void AdoptTimeline(const std::shared_ptr<ObjectState>& object,
                     const std::shared_ptr<Timeline>& timeline, const CommitInfo* commit);
  // Recovery: a namespace that the log tells of.
  void AdoptNamespace(const std::shared_ptr<NamespaceState>& ns);

  // ---- labels, see labels.cc; who makes one holds the object's label_mutex ----

  // Errors: kCorruption if a damaged record behind `lsn`, the label's own (0 if there is none), may
  // have changed it.
  Status CheckLabel(const ObjectState& object, std::string_view name, Lsn lsn) const;
  // What a label names. Errors: as CheckLabel.
  Result<std::optional<LabelRow>> FindLabel(const ObjectState& object, std::string_view name) const;
  static LabelTable::NewChange MakeLabel(const ObjectState& object, std::string_view name,
                                         const CommitInfo& commit);
  static LabelTable::NewChange MakeLabelRemoval(const ObjectState& object, std::string_view name);
  // Named `prefix` and the time. Errors: kInvalidArgument.
  Result<AutomaticLabel> MakeAutomaticLabel(const ObjectState& object, std::string_view prefix,
                                            const CommitInfo& commit) const;
  // The two steps of LogLabel, for one that shares its group with another record.
  static CommitQueue::Appended AppendLabel(CommitQueue::Scope& scope, const ObjectState& object,
                                           const LabelTable::NewChange& change);
  void AddLabel(ObjectState& object, LabelTable::NewChange change,
                const CommitQueue::Appended& appended) noexcept;
  // Not waited for.
  Result<Lsn> LogLabel(ObjectState& object, LabelTable::NewChange change);
  // The latest damaged record of those that have this tag in their group's directory.
  std::optional<TimelineDamage> LastLost(uint64_t tag) const;

  // For the checkpointer.
  struct PendingRows {
    Pending<NamespaceRow> namespaces;
    Pending<RestoreRow> restores;
    Pending<EpochRow> epochs;
    Pending<DamageRow> damage;
  };
  void AddDamage(const DamageRow& row);
  PendingRows CollectPending(Lsn cut) const;
  void DropPending(Lsn cut);
  // Lets go of the objects that have no recent commits any more.
  void UndirtyObjects();
  // Gives back what the tables have of objects that nobody uses any more, if these are many.
  void SweepIfManyExpired();

  Result<std::vector<RestoreRow>> RestoresOf(const ObjectId& object) const;
  // The epoch in which `lsn` was, or would have been, written.
  Result<std::optional<EpochRow>> EpochOf(Lsn lsn) const;
  Result<std::optional<EpochRow>> FindEpoch(uint32_t epoch) const;
  uint64_t damaged_timeline_count() const;
  // Objects and timelines that the tables have, with those that nobody uses any more.
  size_t table_entries() const;
  // Is what quarantines a timeline, or an object's or a namespace's creation, the record `lsn`?
  bool IsKnownDamage(Lsn lsn) const;

  // Page versions in memory; writers wait when it grows without bound.
  std::atomic<uint64_t> recent_versions{0};
  std::atomic<uint64_t> commits{0};  // since the store was opened
  // Grows with each timeline that begins on another and with each label, when it can be found.
  uint64_t references_made() const { return references_made_.load(); }
  // Grows with each label that somebody set, moved or removed.
  uint64_t labels_changed() const { return labels_changed_.load(std::memory_order_relaxed); }

 private:
  StoreImpl(std::string directory, const StoreOptions& options);
  Status OpenFiles();
  Status ChoosePacked();
  // Without a header in the log: do its files show that there were segments?
  bool HasLostItsLog() const;
  // Recovers the log, or begins one in a store that is being created, and opens an epoch.
  Status StartLog();
  // `last_record`: when the last one before was written; none in a new store.
  Status LogOpen(Lsn previous_end, std::optional<Timestamp> last_record);
  Result<std::shared_ptr<Timeline>> FindTimelineLocked(TimelineId id);
  // Errors: kCorruption if the record that created what has this tag is damaged.
  Status CheckNotLost(uint64_t tag, const std::string& what) const;
  void KeepDamageLocked(const DamageRow& row);
  Result<std::shared_ptr<ObjectState>> LoadObjectLocked(const std::shared_ptr<NamespaceState>& ns,
                                                        const ObjectId& id, std::string_view name,
                                                        IfMissing if_missing);
  Result<CommitInfo> ReadCommitAt(const CommitRow& row, TimelineId timeline, Lsn lsn) const;
  Status LoadHead(ObjectState& object, const ObjectRow& row);
  // A time that a damaged commit in the index is not older than: no earlier than that of the
  // object's whole commit before it.
  Result<Timestamp> NotOlderThan(const ObjectId& object, CommitRow row) const;
  void SweepLocked();

  friend class Recovery;

  const std::string directory_;
  const StoreOptions options_;
  const Status closed_;  // for whoever comes after Release
  std::unique_ptr<FileLock> lock_;
  uint64_t store_id_ = 0;
  uint32_t epoch_ = 0;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<NamespaceState>, std::less<>> namespaces_;
  std::unordered_map<ObjectId, std::weak_ptr<ObjectState>> objects_;
  std::map<TimelineId, std::weak_ptr<Timeline>> timelines_;
  size_t sweep_objects_at_ = 1024;  // expired entries are removed when the maps reach these sizes
  size_t sweep_timelines_at_ = 1024;
  DirtyList dirty_;
  PendingRows pending_;
  std::map<TimelineId, DamageRow> damaged_;
  // By tag: the first damaged record of what has it, which may be its creation, and the last one,
  // which may be a label's.
  std::unordered_map<uint64_t, DamageRow> lost_;
  std::unordered_map<uint64_t, DamageRow> last_lost_;
  std::atomic<bool> has_lost_{false};
  // Of each timeline those that began on it and are not in the index.
  std::multimap<TimelineId, ChildRow> children_;
  std::atomic<uint64_t> references_made_{0};
  std::atomic<uint64_t> labels_changed_{0};

  std::unique_ptr<Segments> segments_;
  std::unique_ptr<HeadRoom> head_room_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<LabelTable> labels_;
  std::unique_ptr<ScheduleTable> schedules_;
  std::unique_ptr<PurgeTable> purges_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<CommitQueue> queue_;
  std::unique_ptr<DurableNotifier> notifier_;
  std::mutex seal_mutex_;
  Lsn sealed_;  // the record that began the segment behind the last seal
  std::unique_ptr<PageReader> reader_;
  PageCache page_cache_;
  ChainReads chain_reads_;
  std::unique_ptr<Checkpointer> checkpointer_;
  OpenBatches open_batches_;
  std::unique_ptr<Packer> packer_;
  std::unique_ptr<Purger> purger_;
  std::unique_ptr<RetentionWorker> retention_worker_;
  std::unique_ptr<Scrubber> scrubber_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_STORE_IMPL_H_
