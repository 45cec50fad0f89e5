// Reads all that verifies in the files of a log, wherever it stands.
//
// Recovery follows the log from its begin to its end, and must know at each place what comes next.
// Here nothing has to hang together: each file is searched for groups, each group that is not whole
// for records, and each record says by its LSN where it belongs. A file counts by its header,
// whatever its name, once; what an unclean stop left behind the end of a segment does not count.
//
// Threads: one at a time. Writes nothing.

#ifndef TIDEMARK_ENGINE_INTERNAL_SALVAGE_SCAN_H_
#define TIDEMARK_ENGINE_INTERNAL_SALVAGE_SCAN_H_

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/file_system.h"
#include "engine/internal/group.h"
#include "engine/internal/log_scanner.h"
#include "engine/internal/log_window.h"
#include "engine/internal/salvage_catalog.h"

namespace tidemark::internal {

class SalvageScan {
 public:
  // `log` is the directory of the log.
  SalvageScan(FileSystem* file_system, std::string log, SalvageCatalog* catalog)
      : file_system_(file_system),
        log_(std::move(log)),
        segments_(file_system, log_, kMinSegmentBytes),
        catalog_(*catalog) {}

  // Fills the catalog. `progress` gets bytes. Errors: kNotFound, kIoError (the directory);
  // kUnsupportedVersion.
  Status Run(const Progress& progress);

 private:
  struct Batch {
    uint32_t file = 0;
    uint32_t offset = 0;  // of its payload
    uint32_t length = 0;  // of its payload
    BatchFields fields;
  };
  // A frame with batches, for when all batches are known.
  struct LargeFrame {
    Lsn lsn;
    FrameFields fields;
  };

  // ---- files ----
  Status OpenFiles();
  Status OpenFile(const std::string& name);
  // Leaves out other stores' files and copies, and says where segments end.
  void ChooseFiles();
  void CheckEnd();
  void CutOff(const SalvageCatalog::LogFile& file);
  uint64_t FirstLsnOf(const SalvageCatalog::LogFile& packed) const;
  Status ScanFile(uint32_t file);
  // False if none begins there.
  Result<bool> ScanCutGroup(uint32_t begin);
  // A stretch without a group's header up to `end`: footers lead back from there.
  Status ScanHeadless(uint32_t begin, uint32_t end);
  Status ScanGroup(const std::optional<format::GroupHeader>& header, uint32_t begin,
                   uint32_t length);

  // ---- records ----
  // True if a record stands there and was taken.
  bool TakeRecord(const ScannedGroup& group, const DirectoryEntry* entry, uint32_t offset,
                  uint32_t* length, Lsn* lsn);
  bool Take(const ScannedGroup& group, const RecordView& record, ConstBytes payload,
            Location payload_place);
  bool TakeFrame(const ScannedGroup& group, const RecordView& record, ConstBytes payload,
                 uint32_t payload_offset);
  void TakeVersions(ConstBytes payload, uint32_t offset, uint32_t count,
                    const SalvageVersion& like);
  bool TakeCommits(const RecordView& record);
  bool TakeHistory(const RecordView& record, ConstBytes payload, uint32_t payload_offset);
  void TakeBatches();
  void AddEvent(const ScannedGroup& group, const RecordView& record, SalvageEvent::Kind kind,
                size_t position);
  void Blame(const ScannedGroup& group, const DirectoryEntry& entry);
  void Damaged(uint32_t offset, const std::string& what);

  // ---- afterwards ----
  // The last group of the log, if it is not whole and nothing proves that it was durable.
  void DropTornTail();
  void DropUnconfirmed();
  void DropTold();
  void FindHoles();

  FileSystem* const file_system_;
  const std::string log_;
  Segments segments_;  // for its messages; it has loaded nothing
  SalvageCatalog& catalog_;

  uint32_t file_ = 0;  // that is read
  std::optional<LogWindow> window_;
  std::unordered_map<uint64_t, Batch> batches_;  // by the record's hash
  std::vector<LargeFrame> large_;
  std::vector<std::pair<uint64_t, uint64_t>>
      known_;  // LSNs of which something is told: first, last
  std::vector<std::pair<uint64_t, uint64_t>> unused_;  // that no record has, or that do not count
  uint64_t proven_ = 0;  // the highest durable LSN that a group carries
  struct Torn {
    uint64_t first = 0;
    uint64_t last = 0;
    uint32_t file = 0;
    uint32_t offset = 0;
  };
  // Of each segment of the log, where its last group ends, and that one's last LSN.
  std::map<uint32_t, std::pair<uint32_t, uint64_t>> ends_;
  std::vector<Torn> torn_;   // groups that are not whole
  uint64_t last_lsn_ = 0;    // the highest of all groups
  uint64_t closed_lsn_ = 0;  // of the highest close record
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SALVAGE_SCAN_H_
