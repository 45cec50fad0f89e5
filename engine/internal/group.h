// Groups of the log to and from bytes, as engine/format.h gives them.

#ifndef TIDEMARK_ENGINE_INTERNAL_GROUP_H_
#define TIDEMARK_ENGINE_INTERNAL_GROUP_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/clock.h"
#include "engine/format.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

struct DirectoryEntry {
  Lsn lsn;
  TimelineId timeline;  // see engine/format.h
  uint32_t offset = 0;
  uint64_t tag = 0;  // of a record that creates

  bool creates() const { return timeline.value == lsn.value; }
  bool operator==(const DirectoryEntry&) const = default;
};

// Collects the records of one group. Used again and again: its buffers stay.
class GroupBuilder {
 public:
  // Up to so many bytes, nothing below asks for memory.
  void Reserve(size_t bytes);
  void Open(uint64_t incarnation, uint32_t epoch, Lsn first_lsn, Timestamp time);
  bool empty() const { return record_count_ == 0; }

  struct Added {
    uint32_t offset = 0;          // of the record in the group
    uint32_t payload_offset = 0;  // of its payload in the group
    uint64_t hash = 0;
    uint32_t length = 0;
  };
  // `timeline` and `tag` are for the directory.
  Added Add(RecordKind kind, Lsn lsn, Timestamp time, TimelineId timeline, uint64_t tag,
            ConstBytes fields, ConstBytes payload);

  // What the group would take on disk now, and what one more record with `bytes` of fields and
  // payload may add at most.
  size_t SealedLength() const;
  static constexpr size_t RecordBound(size_t bytes) {
    return bytes + kRecordOverhead + 3 * kMaxVarintBytes + sizeof(DirectoryEntry::tag);
  }
  // A group's own bytes at most: header, footer, padding.
  static constexpr size_t kOverhead =
      sizeof(format::GroupHeader) + sizeof(format::GroupFooter) + format::kGroupAlignment;

  // Puts directory and footer behind the records. Nothing can be added after it.
  void Close();
  // Fills in the header: hashes and the durable LSN. After Close; not under a lock, it reads it
  // all.
  void Seal(Lsn durable_lsn);
  uint64_t header_hash() const { return header_.hash; }  // once it is sealed
  ConstBytes bytes() const { return buffer_; }
  void Clear();

 private:
  Buffer buffer_;
  Buffer directory_;
  uint64_t incarnation_ = 0;
  format::GroupHeader header_{};
  Lsn previous_lsn_;
  uint32_t previous_offset_ = 0;
  uint32_t record_count_ = 0;
};

// True if `header` is one of a segment with this incarnation: magic, hash, and numbers that can be.
bool IsGroupHeader(const format::GroupHeader& header, uint64_t incarnation);

// True if the body of `group` (header included) has the hash its header says. IsGroupHeader first.
bool IsGroupIntact(ConstBytes group, uint64_t incarnation);

// The directory of a group, given all its bytes or those at its end, of which the header need not
// be right. Empty if the footer or its hash is not.
std::optional<std::vector<DirectoryEntry>> ParseDirectory(ConstBytes group_end,
                                                          uint64_t incarnation);

// True if the directory speaks of the records that the header counts: every LSN from its first one
// on.
bool IsDirectoryOf(const std::vector<DirectoryEntry>& directory, const format::GroupHeader& header);

// The directory of a group whose own is damaged, made from its header and records; empty if one of
// the records is damaged too.
std::optional<std::vector<DirectoryEntry>> DirectoryFromRecords(ConstBytes group,
                                                                const format::GroupHeader& header,
                                                                uint64_t incarnation);

// Reads a footer at the end of `bytes`; empty if it cannot be one.
std::optional<format::GroupFooter> ParseFooter(ConstBytes bytes, uint64_t incarnation);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_GROUP_H_
