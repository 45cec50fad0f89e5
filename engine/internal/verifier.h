// The verifier: reads the whole log and index and checks that every byte is what was committed.
//
// In log order: each group's and record's hash, and each page version decoded and hashed (against
// the version before it, which is at hand, so a chain costs one patch a version), found in the
// index where it stands; commits, the restore journal, epochs and what was created likewise
// (verifier_rows.cc), and labels, and what they name (verifier_labels.cc). Then, object by object:
// the pages of its head give its state hash.

#ifndef TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_
#define TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/log_scanner.h"
#include "engine/internal/store_impl.h"
#include "engine/internal/version_checker.h"

namespace tidemark::internal {

class Verifier {
 public:
  explicit Verifier(StoreImpl* store) : store_(store) {}

  // Called between pieces of the work, with the bytes of each; an error of it ends the work.
  using Visited = std::function<Status(uint64_t bytes)>;

  // All of it. No file may be packed meanwhile (Packer::KeepFiles). Errors: what keeps it from
  // going on (kIoError, kBroken). Damage is in the report.
  Result<VerifyReport> Run(const Progress& progress);

  // Or a part, for a scrub: first this, then one file of those that there are, or the objects. A
  // label that is missing is found by Run only. What is reported of a file that is packed meanwhile
  // may be no damage. Errors: as Run; those of `visited`.
  Status Begin();
  std::vector<uint32_t> Files() const;
  Status CheckFile(uint32_t number, const Visited& visited);
  Status CheckObjects(const Visited& visited);
  const VerifyReport& report() const { return report_; }

 private:
  void CheckHeaders();
  void CheckHeader(const format::SegmentHeader& expected);
  void CheckHeader(const Segments::Packed& packed);
  void CheckCopies(uint32_t segment, uint32_t offset, ConstBytes expected);
  Status ScanSegments(const Progress& progress);
  // Groups of the log from a segment's first one on, up to the end of what is verified.
  Status ScanFrom(const format::SegmentHeader& header,
                  const std::function<Status(const ScannedGroup&)>& check);
  Status CheckGroup(const ScannedGroup& group);
  void CheckTimeline(const ScannedGroup& group, const DirectoryEntry& entry,
                     const RecordView& record);
  // The rows of the index that a record makes, unless they are still on their way there.
  void CheckCommitRow(const Timeline& timeline, const DirectoryEntry& entry, Location place);
  void CheckOwner(const TimelineRow& row, Location place);
  void CheckCreation(const DirectoryEntry& entry, const RecordView& record, Location place);
  void CheckJournal(const TimelineFields& fields, const DirectoryEntry& entry, Timestamp time,
                    Location place);
  void CheckEpoch(const DirectoryEntry& entry, const RecordView& record, Location place);
  void CheckCommits(const DirectoryEntry& entry, const RecordView& record, Location place);
  void CheckDictionary(const ScannedGroup& group, const DirectoryEntry& entry,
                       const RecordView& record);
  void CheckHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                    const RecordView& record);
  Status CheckBlock(const Timeline& timeline, const PageChange& block, ConstBytes bytes);
  void CheckFrame(const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record);
  void CheckRetention(const DirectoryEntry& entry, const RecordView& record, Location place);
  void CheckLabel(const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record);
  // Empty, or what is wrong.
  Status CheckLabelled(const LabelFields& label);
  // What the log says of restores that wait, and whether the index says the same in the end.
  void CheckSchedule(const DirectoryEntry& entry, const RecordView& record, Location place);
  void NoteSchedule(const ScheduleRow& row, Lsn lsn, Location place);
  void ReportSchedules();
  // Those that were set, and not removed again by the end of what is verified.
  void ReportMissingLabels();
  bool HasExpired(const Timeline& timeline, const PageChange& change);
  Status CheckIndexed(const Timeline& timeline, const PageChange& change);
  void CheckObject(const ObjectState& object);
  // Of an object of the index: its row has the alarm of its head, and the table of alarms, too.
  Status CheckAlarm(const ObjectState& object);
  // The table has no others.
  Status CheckAlarms(const Visited& visited);

  void Report(Location location, const std::string& object, const std::string& message);
  std::string ObjectOf(TimelineId timeline);
  std::string ObjectOf(const DirectoryEntry& entry);

  StoreImpl* const store_;
  CheckpointRow end_;
  VerifyReport report_;

  bool in_order_ = false;    // all files are gone through, from the first on
  uint32_t last_epoch_ = 0;  // that a record has told of

  // Labels that a record sets, and that the index does not know as it says: a later record must
  // remove them, or be the one that the index knows.
  struct MissingLabel {
    Location location;
    std::string object;  // for messages
  };
  std::map<std::pair<ObjectId, std::string>, MissingLabel> missing_labels_;

  // Of each object the last change of what waits for its session.
  struct LoggedSchedule {
    ScheduleRow row;
    Location location;
  };
  std::map<ObjectId, LoggedSchedule> schedules_;

  VersionChecker checker_{store_->reader()};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_
