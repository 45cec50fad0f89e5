// Writes a packed segment: records in the order of their LSNs, with their own times and epochs.
//
//   Begin -> Add ... -> Finish: synced, then the header, synced, then its name
//
// Nothing of it counts before Finish: until then the file has no header. What fails leaves a file
// that is nobody's.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACKED_WRITER_H_
#define TIDEMARK_ENGINE_INTERNAL_PACKED_WRITER_H_

#include <cstdint>
#include <memory>

#include "engine/internal/group.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {

class PackedWriter {
 public:
  // What it will stand for: the segments of the log from `first` up to `end`.
  PackedWriter(Segments* segments, uint64_t store_id, uint32_t first, Location end);
  ~PackedWriter();  // removes what was not finished
  PackedWriter(const PackedWriter&) = delete;
  PackedWriter& operator=(const PackedWriter&) = delete;

  Status Begin();

  struct Added {
    Location location{};          // of the record
    uint32_t payload_offset = 0;  // of its payload in the segment
    uint64_t hash = 0;
    uint32_t length = 0;
  };
  // LSNs rise, times and epochs do not fall. Errors: kLimitExceeded if it would become too long;
  // kFull, kIoError.
  Result<Added> Add(RecordKind kind, const DirectoryEntry& entry, Timestamp time, uint32_t epoch,
                    ConstBytes fields, ConstBytes payload);

  // Ends it. It can be read then, and is durable.
  Status Finish(const format::PackedLog& log);

  uint32_t number() const { return number_; }
  uint64_t bytes() const { return offset_; }

 private:
  Status FlushGroup();

  Segments* const segments_;
  const uint64_t store_id_;
  const uint32_t first_;
  const Location end_;
  const uint32_t number_;
  const uint64_t incarnation_;
  std::unique_ptr<File> file_;
  GroupBuilder group_;
  Lsn group_lsn_;  // of the group that is being filled
  uint32_t group_epoch_ = 0;
  uint32_t offset_ = format::kFirstGroupOffset;
  bool finished_ = false;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACKED_WRITER_H_
