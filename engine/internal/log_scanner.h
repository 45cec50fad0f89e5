// Reads the log group by group, and tells its end from damage.
//
// Where a group does not verify, either the log ends there (a torn tail, or nothing was written) or
// something that was durable is damaged. The proof is a durable LSN above the last good record, in
// a later group of the segment or known to the caller (the checkpoint), or a later segment: its
// header was written when all before it was synced. Without proof the log ends. With it, the
// damaged groups up to the next good one are shown to the visitor one by one, with their
// directories, so that the damage can be blamed on objects.

#ifndef TIDEMARK_ENGINE_INTERNAL_LOG_SCANNER_H_
#define TIDEMARK_ENGINE_INTERNAL_LOG_SCANNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "engine/internal/group.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {

struct ScannedGroup {
  Location location;
  uint64_t incarnation = 0;
  bool intact = true;     // every byte is as written
  bool header_ok = true;  // `header` can be used
  format::GroupHeader header{};
  ConstBytes bytes;  // header to footer; valid during the visit
  std::vector<DirectoryEntry> directory;
  Location PlaceOf(const DirectoryEntry& entry) const {
    return {location.segment, location.offset + entry.offset};
  }
};

struct ScanEnd {
  Location position;        // where the next group would begin
  Lsn last_lsn;             // of the last record; the one given if there was none
  Timestamp last_time;      // at least the time of the last group; the one given if none
  uint32_t last_epoch = 0;  // 0 if there was no group
  Lsn proven_lsn;           // highest durable LSN any group carried
  Location last_group;      // offset 0 if there was no group
  uint32_t last_group_length = 0;
  bool closed = false;  // the last record is a close record
  uint32_t empty_segment =
      0;  // activated behind `position`, but nothing was written: a spare again
};

struct ScanStart {
  Location position;  // of a group, or where one would begin
  Lsn last_lsn;       // of the record before
  Timestamp last_time;
  Lsn proven_lsn;  // everything up to here is known to be durable
};

// `on_lost` is for damage that cannot be blamed on objects: nothing says which records a damaged
// stretch held. It gets the place where the stretch begins and what is wrong, and the scan goes on
// at the next group behind it, in this segment or a later one. Without it that is the error the
// scan ends with. Likewise for what cannot be read at all: with `on_lost` it counts as damage,
// without it the scan ends, because a commit that is confirmed may stand there. Errors: the
// visitor's; kCorruption as just said; kIoError, with the file, the offset and what to do.
Result<ScanEnd> ScanLog(Segments& segments, const ScanStart& start,
                        const std::function<Status(const ScannedGroup&)>& visit,
                        const std::function<void(Location, const Status&)>& on_lost = nullptr);

// Do the records up to this checkpoint end at its position, in the group that it names? False if
// another group is there, or if nothing there says so, though all of it could be read: not the end
// of the group, nor its header, nor what follows.
Result<bool> HasCheckpoint(Segments& segments, const CheckpointRow& checkpoint);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_LOG_SCANNER_H_
