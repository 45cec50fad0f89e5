// Recovery: what an open finds in the log behind the checkpoint becomes recent versions again.
//
//   scan from the checkpoint -> replay records -> the log's end -> rewrite the unproven tail
//
// Opening costs the tail of the log, never the size of the store. The last group may stand only in
// the page cache (a process died between its write and its sync, or the sync failed): it is written
// and synced again before anything is served from it. Damage, as LogScanner proves it, quarantines
// the timelines it touches; everything else opens.
//
// What the disk cannot read is neither the log's end nor damage: a confirmed commit may stand
// there, and the next try may read it. So it ends the open where the replay must read it, and costs
// its object only where it is an old page.
//
// Without a checkpoint (a new or deleted index) the whole log is replayed.

#ifndef TIDEMARK_ENGINE_INTERNAL_RECOVERY_H_
#define TIDEMARK_ENGINE_INTERNAL_RECOVERY_H_

#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/internal/log_scanner.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

class Recovery {
 public:
  explicit Recovery(StoreImpl* store) : store_(store) {}

  // Where the log goes on. Errors: kCorruption (damage that cannot be blamed on objects, an index
  // newer than the log), kIoError, kLimitExceeded (opened as often as epochs can count).
  Result<LogEnd> Run();

 private:
  // What packed segments stand for, before the log goes on behind them.
  Status ReplayPacked(ScanStart* start);
  static Status Inconsistent(const ScannedGroup& group, const DirectoryEntry& entry,
                             const char* what);
  Status ReplayGroup(const ScannedGroup& group);
  void ReportProgress(const ScannedGroup& group);
  Status ReplayRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record);
  Status ReplayFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                     const RecordView& record);
  Status ReplayCommits(const ScannedGroup& group, const DirectoryEntry& entry,
                       const RecordView& record);
  Status ReplayDictionary(const ScannedGroup& group, const DirectoryEntry& entry,
                          const RecordView& record);
  Status ReplayHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                       const RecordView& record);
  // Rows of packed segments go into the index themselves, before the checkpoint moves over them.
  Status FlushPackedRows();
  Status ReplayTimeline(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record);
  Status ReplayLabel(const ScannedGroup& group, const DirectoryEntry& entry,
                     const RecordView& record);
  Status ReplaySchedule(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record);
  Status ReplayRule(const ScannedGroup& group, const DirectoryEntry& entry,
                    const RecordView& record);
  Status ReplayLicence(const ScannedGroup& group, const DirectoryEntry& entry,
                       const RecordView& record);
  Status ReplayPurge(const ScannedGroup& group, const DirectoryEntry& entry,
                     const RecordView& record);
  // An open record that is damaged says nothing, but the groups behind it carry the epoch.
  void NoteEpoch(const ScannedGroup& group);
  Status Quarantine(const ScannedGroup& group, const DirectoryEntry& entry);
  // Reads every page version that a commit made.
  Result<bool> IsReadable(const Timeline& timeline, const std::vector<PageChange>& changes,
                          uint32_t page_size) const;
  Result<std::shared_ptr<ObjectState>> ObjectOf(const Timeline& timeline);
  std::shared_ptr<Timeline> AddTimeline(const TimelineRow& row, std::shared_ptr<Timeline> parent);
  void Publish(const std::shared_ptr<ObjectState>& object,
               const std::shared_ptr<Timeline>& timeline, const RecentCommit& commit,
               std::span<const PageChange> changes, std::shared_ptr<const BatchedPages> batched);
  Status CheckFits(const CheckpointRow& checkpoint) const;
  Status CheckEnd(const ScanEnd& end) const;
  Status RewriteTail(const ScanEnd& end);

  StoreImpl* const store_;
  CheckpointRow behind_;  // the boundary before the group that is replayed: known to be durable
  uint32_t epoch_ = 0;    // the highest one seen
  // While packed segments are replayed.
  bool in_packed_ = false;
  Lsn packed_first_;  // what the one that is replayed stands for: LSNs from here
  Lsn packed_last_;   // up to here
  std::vector<MovedVersion> blocks_;
  std::vector<MovedRun> runs_;
  uint64_t replayed_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // of the files from the checkpoint on: the log may end earlier
  // Objects and timelines stay in memory through the replay, dirty or not.
  std::unordered_map<ObjectId, std::shared_ptr<ObjectState>> objects_;
  std::unordered_map<TimelineId, std::shared_ptr<Timeline>> timelines_;
  // Timelines that began and of which no commit was seen: should their first frame be damaged, what
  // was before it, the object as it was or nothing at all, must not be taken for the present.
  struct Begun {
    TimelineId ended;  // that a rewrite ends
    uint64_t tag = 0;  // of an object that is created
  };
  std::unordered_map<TimelineId, Begun> begun_;
};

// The page versions in a frame's payload, which stands at `location`. Empty if they are not exactly
// `count` page versions.
std::optional<std::vector<PageChange>> ParsePageVersions(ConstBytes payload, Location location,
                                                         uint32_t count, Lsn lsn);

Timestamp RecordTime(const format::GroupHeader& header, const RecordPlace& place);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RECOVERY_H_
