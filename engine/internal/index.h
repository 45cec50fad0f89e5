// The index: where the log's records are found. LMDB behind typed tables; the log is the truth.
//
// What stands here is a function of the log up to checkpoint(), brought forward by the checkpointer
// in large batches, each one LMDB transaction with its own fsync. Nothing else writes it.
//
//   table            key                          value
//   meta             name                         CheckpointRow, and single numbers
//   namespaces       name                         NamespaceRow
//   objects          namespace id, object id      ObjectRow
//   timelines        timeline id                  TimelineRow
//   object_timelines object id                    timeline ids, sorted duplicates
//   pages            timeline id, page number     PageVersion rows, duplicates sorted by LSN
//   commits          timeline id, LSN             CommitRow rows, up to 256 side by side
//   runs             timeline id                  CommitRunRow rows, duplicates sorted by LSN
//   times            time                         LSN: the first record at or after it; sparse
//   epochs           epoch                        EpochRow
//   restores         object id, LSN               RestoreRow
//   damage           timeline id                  DamageRow
//   labels           object id, name              LabelRow
//   packed           number                       PackedRow
//   rules            kind, scope                  RuleRow: policies and holds
//   children         parent timeline id           ChildRow rows, duplicates sorted by parent LSN
//   alarms           due time, object id          AlarmRow: objects that are to be woken
//   schedules        object id                    ScheduleRow: restores that wait for a session
//
// Keys are big-endian, so that LMDB's order is the numbers' order; values are little-endian except
// for the LSN that begins a duplicate.
//
// Threads: any thread may read at any time, each read is a short LMDB read transaction of its own
// (pooled), never held after the call returns. Update() is called by one thread at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/clock.h"
#include "engine/health.h"
#include "engine/internal/page_set.h"
#include "engine/internal/purge_record.h"
#include "engine/internal/retention_rows.h"
#include "engine/internal/schedule_record.h"
#include "engine/lsn.h"
#include "engine/object_id.h"
#include "engine/result.h"

namespace tidemark::internal {

struct PageRows;  // page_rows.h

// A place in the log: a byte offset in a segment.
struct Location {
  uint32_t segment = 0;  // numbered from 1; 0 is "none"
  uint32_t offset = 0;
  auto operator<=>(const Location&) const = default;
};

// One version of one page, as the index and the recent-versions table know it; or, in packed
// segments, a block of versions (history_block.h), which is the version at any LSN up to the next
// row's.
struct PageVersion {
  // The depth of a block.
  static constexpr uint8_t kBlock = 127;
  bool is_block() const { return depth == kBlock; }
  // It leads to the version at `lsn`, which stands in its block, or in its chain.
  bool is_indirect() const { return is_block() || in_chain; }
  // Is `other`, a version of the same page and timeline, one of those that this one builds on, as
  // far as rows can tell?
  bool MayBuildOn(const PageVersion& other) const {
    return !is_block() && !other.is_block() && lsn > other.lsn && depth > other.depth;
  }

  // Of a block, in the index: that of its first version. PageReader says for which LSN it was
  // found.
  Lsn lsn{};
  Location location{};      // of the page version's own bytes, not of its frame
  uint32_t length = 0;      // bytes there; below 2^17
  uint8_t depth = 0;        // links to follow to a full image: 0 is one itself; below kBlock
  uint8_t chain_units = 0;  // bytes of the whole chain in units of 256, saturating; of a block, how
                            // many other blocks it needs
  // Only of what was looked up: the version wanted has no row of its own; it is one of those that
  // the one here builds on, the latest at or before the LSN asked for.
  bool in_chain = false;
  uint64_t hash = 0;  // of page number and decoded page; of a block, its own
  bool operator==(const PageVersion&) const = default;
};

struct CommitRow {
  Lsn lsn{};
  Location location{};  // of the frame or timeline record; or of the run in which it stands
  bool operator==(const CommitRow&) const = default;
};

// A run of commits in a packed segment: commit_run.h.
struct CommitRunRow {
  Lsn lsn{};            // of its first commit
  Location location{};  // of the record
  uint32_t count = 0;
  bool operator==(const CommitRunRow&) const = default;
};

struct CheckpointRow {
  Lsn lsn{};            // every record up to here is in the index
  Location position{};  // where the group after it begins: recovery scans from here
  Timestamp time{};     // of the last record indexed
  // The group that ends at `position`, by which the log is known that this is an index of. 0: its
  // header was damaged when it was replayed.
  uint32_t group_length = 0;
  uint64_t group_hash = 0;  // of its header
  bool operator==(const CheckpointRow&) const = default;
};

// A packed segment in use.
struct PackedRow {
  uint32_t number = 0;
  uint32_t first = 0;  // the segments of the log that it stands for
  uint32_t last = 0;
  bool operator==(const PackedRow&) const = default;
};

// Pages of a timeline between two of its LSNs, as far as the index can tell.
struct PageChanges {
  std::vector<PageNo> pages;                             // that may have a version there
  std::vector<std::pair<PageNo, PageVersion>> blocks{};  // that have one if the block has
  std::optional<PageNo> next;                            // where to go on; empty: at the end
};

// What packing made of rows: where they stand now, or that they are gone.
struct MovedVersion {
  TimelineId timeline;
  PageNo page;
  PageVersion version;  // without a place (segment 0) if it is gone: then only its LSN counts
};
struct MovedRun {
  TimelineId timeline;
  CommitRunRow row;  // likewise
};

struct NamespaceRow {
  uint64_t id = 0;  // the LSN of its record
  std::string name{};
};

struct ObjectRow {
  ObjectId id{};
  uint64_t namespace_id = 0;
  TimelineId timeline{};  // the current one
  Lsn created{};
  std::string name{};  // empty if it has none
  // Of its latest commit; then it is in the table of alarms, too.
  std::optional<Timestamp> alarm{};
};

struct AlarmRow {
  Timestamp due{};
  ObjectId id{};
  uint64_t namespace_id = 0;
  bool operator==(const AlarmRow&) const = default;
};

enum class TimelineKind : uint8_t {
  kCreate = 1,   // the object's first
  kRestore = 2,  // starts at parent_lsn of the parent
  kRewrite = 3,  // follows its parent but inherits no pages (another page size)
  kFork = 4,     // starts at parent_lsn of another object's timeline, as does kPromote
  kPromote = 5,
  kDelete = 6,    // inherits no pages
  kUndelete = 7,  // starts at parent_lsn of the parent
};

struct TimelineRow {
  TimelineId id{};  // the LSN of the record that created it
  TimelineKind kind = TimelineKind::kCreate;
  uint64_t namespace_id = 0;  // of the object
  ObjectId object{};
  TimelineId parent{};  // whose pages up to parent_lsn it inherits; none if it inherits none
  Lsn parent_lsn{};
  bool operator==(const TimelineRow&) const = default;
};

// A timeline, as the one that it inherits pages of knows it.
struct ChildRow {
  Lsn parent_lsn{};
  TimelineId id{};
  auto operator<=>(const ChildRow&) const = default;
};

struct EpochRow {
  uint32_t epoch = 0;
  Lsn first_lsn{};     // its open record
  Lsn previous_end{};  // the last record of the log before it: LSNs between the two were lost
  bool operator==(const EpochRow&) const = default;
};

// Whatever gave an object another present than a commit would: all kinds of timelines but those
// that create it or rewrite it.
struct RestoreRow {
  ObjectId object{};
  Lsn lsn{};  // of the restore
  Timestamp time{};
  TimelineKind kind = TimelineKind::kRestore;
  std::string from_bookmark{};  // the undo bookmark
  std::string to_bookmark{};    // empty for a deletion
  Lsn session{};                // of a scheduled restore: ScheduleRow
  bool operator==(const RestoreRow&) const = default;
};

// The commit that a label names.
struct LabelRow {
  ObjectId object{};
  std::string name{};
  Lsn lsn{};         // of the record that set it
  Timestamp time{};  // of that record
  bool automatic = false;
  TimelineId timeline{};  // of the commit
  Lsn commit{};
  uint32_t epoch = 0;
  uint64_t state_hash = 0;
  bool operator==(const LabelRow&) const = default;
};

// Where a timeline stops being trusted.
struct TimelineDamage {
  Lsn lsn{};            // commits from here on are not; not valid: all are
  Location location{};  // of the damage
  Timestamp time{};     // the damaged commit is not older
  bool operator==(const TimelineDamage&) const = default;
};

struct DamageRow {
  TimelineId timeline{};  // of a label's record its LSN
  TimelineDamage damage{};
  uint64_t tag = 0;  // if the record that is damaged created something: its directory's tag
  bool operator==(const DamageRow&) const = default;
};

// The tables as one batch may change them. Valid only inside Update's callback. Every Put replaces
// what has the same key (and, for duplicates, the same LSN). An error ends the callback: return it.
class IndexWriter {
 public:
  virtual ~IndexWriter() = default;
  virtual Status PutCheckpoint(const CheckpointRow& row) = 0;
  // Rows up to this LSN may be there, ahead of the checkpoint: the log is durable up to it.
  virtual Status PutDurable(Lsn lsn) = 0;
  virtual Status PutNamespace(const NamespaceRow& row) = 0;
  virtual Status PutObject(const ObjectRow& row) = 0;
  // Where its row had `from` for an alarm and has `to` now.
  virtual Status MoveAlarm(const ObjectRow& row, std::optional<Timestamp> from,
                           std::optional<Timestamp> to) = 0;
  // And its rows in object_timelines and children.
  virtual Status PutTimeline(const TimelineRow& row) = 0;
  // Versions of one page, in LSN order. Fastest when called in order of (timeline, page). Of
  // versions that a later one is a patch on some get no row, or lose it: see index_writer.h.
  virtual Status PutPageVersions(TimelineId timeline, PageNo page,
                                 std::span<const PageVersion> versions) = 0;
  // Of a large commit, ahead of the checkpoint that has it, which may replace it: what is before it
  // keeps its row.
  virtual Status PutPageVersionAhead(TimelineId timeline, PageNo page,
                                     const PageVersion& version) = 0;
  // In LSN order. One without a place (segment 0) removes the row with its LSN.
  virtual Status PutCommits(TimelineId timeline, std::span<const CommitRow> rows) = 0;
  virtual Status PutTime(Timestamp time, Lsn lsn) = 0;
  virtual Status PutEpoch(const EpochRow& row) = 0;
  virtual Status PutRestore(const RestoreRow& row) = 0;
  virtual Status PutDamage(const DamageRow& row) = 0;
  virtual Status PutLabel(const LabelRow& row) = 0;
  virtual Status RemoveLabel(const ObjectId& object, std::string_view name) = 0;  // if it is there
  virtual Status PutSchedule(const ScheduleRow& row) = 0;
  virtual Status RemoveSchedule(const ObjectId& object) = 0;  // if it is there
  virtual Status PutPacked(const PackedRow& row) = 0;
  virtual Status RemovePacked(uint32_t number) = 0;
  // Puts the row, in place of the one with its LSN, or removes that one; fastest when sorted.
  virtual Status Move(const MovedVersion& moved) = 0;
  virtual Status Move(const MovedRun& moved) = 0;
  virtual Status PutPurge(const PurgeRow& row) = 0;
  virtual Status RemovePurge(const ObjectId& object) = 0;
  // From here on the file is to be compacted, now or when it is opened.
  virtual Status PutCompactionDue() = 0;
  // What there is of an object, but for its timelines and damage.
  virtual Status RemoveObject(uint64_t namespace_id, const ObjectId& object) = 0;
  // All of a timeline but its pages; of `row` its id counts and, if they are known, its parents.
  virtual Status RemoveTimeline(const TimelineRow& row) = 0;
  virtual Status RemoveDamage(TimelineId timeline) = 0;
  // Page by page, until about `most` versions have gone, which go from it, or none is left.
  virtual Status RemovePages(TimelineId timeline, uint64_t* most) = 0;
  virtual Status PutRule(const RuleRow& row) = 0;
  virtual Status PutLicence(const LicenceRow& row) = 0;
  virtual Status PutHealth(const StoreHealth& row) = 0;
};

struct IndexOptions {
  uint64_t initial_map_bytes = 64u << 20;
  uint64_t max_map_bytes = uint64_t{1} << 40;
  // Walks all of the file before LMDB reads it (index_file.h).
  bool check_pages = false;
};

class Index {
 public:
  // Opens (or creates, with its directory) the LMDB environment in `directory`.
  // Errors: kCorruption if LMDB finds it damaged, or if it is a copy that was made while it was
  // written; kFull, kReadOnly, kIoError.
  static Result<std::unique_ptr<Index>> Open(const std::string& directory,
                                             const IndexOptions& options);
  ~Index();

  // Runs `change` in one write transaction and commits it durably. When the map is full, at a put
  // or at the commit, it grows and `change` runs again, so `change` must be repeatable. Nothing of
  // a failed Update stays. Errors: change's own; kFull at max_map_bytes or on a full disk;
  // kIoError.
  Status Update(const std::function<Status(IndexWriter&)>& change);
  // After the last Update: what is copied from here on is whole. Errors: kReadOnly, kIoError.
  Status EndUpdates();

  // Leaves nothing in the file of what was ever removed. Blocks for as long as it takes to copy;
  // reads go on, updates wait. Errors: kFull, kIoError (it is due still then); kBroken.
  Status Compact();

  // A missing row is an empty optional; errors are kIoError and kCorruption (a row of wrong size).
  Result<std::optional<CheckpointRow>> Checkpoint() const;
  Result<std::optional<Lsn>> Durable() const;
  Result<std::optional<NamespaceRow>> FindNamespace(std::string_view name) const;
  Result<std::vector<NamespaceRow>> ListNamespaces() const;  // in order of names
  Result<std::optional<ObjectRow>> FindObject(uint64_t namespace_id, const ObjectId& id) const;
  // Objects of one namespace in order of ids, at most `limit`, after `after` if given.
  Result<std::vector<ObjectRow>> ListObjects(uint64_t namespace_id,
                                             const std::optional<ObjectId>& after,
                                             size_t limit) const;
  // In order of due times and ids, those due at or before `due_by`, behind `after` if given, at
  // most `limit`.
  Result<std::vector<AlarmRow>> ListAlarms(const std::optional<AlarmRow>& after, Timestamp due_by,
                                           size_t limit) const;
  // The same in order, of those whose object's row does not say so; looks at `limit` of all, the
  // last of which `next` gets: empty if there are no more.
  Result<std::vector<AlarmRow>> ListStrayAlarms(const std::optional<AlarmRow>& after, size_t limit,
                                                std::optional<AlarmRow>* next) const;
  // Is the alarm of the object's row in the table? Yes if it has none, or there is no such row.
  Result<bool> HasItsAlarm(uint64_t namespace_id, const ObjectId& id) const;
  Result<std::optional<TimelineRow>> FindTimeline(TimelineId id) const;
  // The object's timeline with the largest id <= lsn: the one that was current at lsn.
  Result<std::optional<TimelineId>> FindTimelineAt(const ObjectId& object, Lsn lsn) const;

  // The latest version of a page at or before `lsn` on this timeline itself; or, of a child, where
  // its own ones build on it, that of an ancestor. A version that has no row is given as the next
  // one that has: `in_chain`. LSNs are those of the rows.
  Result<std::optional<PageVersion>> FindPageVersion(TimelineId timeline, PageNo page,
                                                     Lsn lsn) const;
  // The same for `count` pages from `first` on, in one transaction; out[i] is empty if there is
  // none. For read-ahead. out.size() is the count.
  Status FindPageVersions(TimelineId timeline, PageNo first, Lsn lsn,
                          std::span<std::optional<PageVersion>> out) const;

  // The last row at or before `lsn`, and the first one behind it.
  Result<std::optional<PageVersion>> FindPageRow(TimelineId timeline, PageNo page, Lsn lsn) const;
  Result<std::optional<PageVersion>> FindNextPageRow(TimelineId timeline, PageNo page,
                                                     Lsn lsn) const;
  // All rows from the last one before `first` to the first one behind `last`. Fastest for one page
  // after the other in order.
  Status ListPageRows(TimelineId timeline, PageNo page, Lsn first, Lsn last, PageRows* out) const;

  // Of up to `most` pages from `first` on those that may have versions behind `after` and up to
  // `upto` on the timeline itself.
  Status ListPageChanges(TimelineId timeline, PageNo first, size_t most, Lsn after, Lsn upto,
                         PageChanges* out) const;

  // The pages of which the timeline itself has versions.
  Result<PageSet> ListPages(TimelineId timeline) const;

  // Where the latest commit at or before `lsn` on this timeline stands: a commit's own row, or that
  // of the run that it is in, with the LSN of the run's first commit.
  Result<std::optional<CommitRow>> FindCommit(TimelineId timeline, Lsn lsn) const;
  // The LSN of the first commit, or run, behind `lsn`.
  Result<std::optional<Lsn>> FindNextCommit(TimelineId timeline, Lsn lsn) const;
  Result<std::optional<CommitRunRow>> FindRun(TimelineId timeline, Lsn first) const;

  // Commits and restores of an object, over all its timelines, up to the checkpoint.
  struct CommitCount {
    uint64_t count = 0;
    Lsn checkpoint;
  };
  Result<CommitCount> CountCommits(const ObjectId& object) const;

  // The LSN of the first indexed row with a time > `time`; empty if there is none.
  Result<std::optional<Lsn>> FirstLsnAfter(Timestamp time) const;
  Result<std::optional<EpochRow>> FindEpoch(uint32_t epoch) const;
  // The epoch in which `lsn` was, or would have been, written: the largest with first_lsn <= lsn.
  Result<std::optional<EpochRow>> FindEpochOf(Lsn lsn) const;
  Result<std::vector<RestoreRow>> ListRestores(const ObjectId& object) const;  // oldest first
  Result<std::optional<RestoreRow>> FindRestore(const ObjectId& object, Lsn lsn) const;
  Result<std::vector<DamageRow>> ListDamage() const;
  Result<std::optional<LabelRow>> FindLabel(const ObjectId& object, std::string_view name) const;
  Result<std::vector<LabelRow>> ListLabels(const ObjectId& object) const;  // in order of names

  Result<std::optional<ScheduleRow>> FindSchedule(const ObjectId& object) const;
  Result<std::vector<ScheduleRow>> ListSchedules() const;  // in order of ids

  Result<std::vector<PackedRow>> ListPacked() const;
  Result<std::vector<PurgeRow>> ListPurges() const;

  Result<std::optional<RuleRow>> FindRule(const RuleKey& key) const;
  Result<std::vector<RuleRow>> ListRules() const;  // policies first, the store's the first of them
  Result<std::optional<LicenceRow>> Licence() const;
  Result<std::optional<StoreHealth>> Health() const;
  // The timeline's children at or behind `first`, in order of parent LSNs, at most `limit`.
  Result<std::vector<ChildRow>> ListChildren(TimelineId parent, const ChildRow& first,
                                             size_t limit) const;

  uint64_t AlarmCount() const;
  uint64_t ScheduleCount() const;
  uint64_t RuleCount() const;
  uint64_t ObjectCount() const;
  uint64_t NamespaceCount() const;
  uint64_t UsedBytes() const;  // pages in use
  // Another number after each change.
  uint64_t LastChange() const;
  uint64_t FileBytes() const;

 private:
  class Impl;
  explicit Index(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_H_
