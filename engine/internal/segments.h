// The segment files of the log: names, headers, spares, and reading.
//
//   spare --Activate--> active --(log rolls on)--> sealed
//
// A spare is a file of full size whose header does not verify for it. Preparing one costs a write
// of all its blocks, because overwriting written blocks is what makes a later fdatasync cheap; it
// happens in the background. When the log is faster than that, a spare with blocks merely reserved
// does: large groups do not notice, and a full disk is still found before a commit depends on it.
//
// A sealed segment goes when it was packed: a packed segment stands for what is still needed of it
// (segments_packed.cc). Places in the log keep their meaning: reading one that is gone fails, and
// WasPacked() says that its contents are to be found anew, by the index.
//
// Sizes: the first segments are small, so that a small store stays small; each is twice the one
// before, up to StoreOptions::segment_size_bytes.
//
// Threads: any thread. `mutex_` guards the maps; no I/O is done under it except opening a file to
// read. PrepareSpare is serialised by its own mutex.

#ifndef TIDEMARK_ENGINE_INTERNAL_SEGMENTS_H_
#define TIDEMARK_ENGINE_INTERNAL_SEGMENTS_H_

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/file_system.h"
#include "engine/format.h"
#include "engine/internal/index.h"
#include "engine/internal/page_codec.h"

namespace tidemark::internal {

inline constexpr uint32_t kMinSegmentBytes = 1u << 20;
inline constexpr uint32_t kFirstSegmentBytes = 8u << 20;

// A segment open for reading or writing.
struct Segment {
  uint32_t number = 0;
  uint32_t size_bytes = 0;
  uint64_t incarnation = 0;
  std::unique_ptr<File> file;
};

enum class SpareBlocks {
  kWritten,   // zeros on every block: cheap syncs later
  kReserved,  // room, but not written
};

class Segments {
 public:
  // `mode` is how segments that are there are opened.
  Segments(FileSystem* file_system, std::string directory, uint32_t full_size_bytes,
           OpenMode mode = OpenMode::kReadWrite);

  // Finds what is there: which files are segments of a log, by their headers, and which are spares.
  // A block that cannot be read is as good as a damaged one while the others tell what the file is.
  // Errors: kIoError; kUnsupportedVersion.
  Status Load();

  // Headers of the segments that Load found or Activate made, by number. Spares are not in it.
  std::map<uint32_t, format::SegmentHeader> Headers() const;

  // The first segment behind `number` that was written to and of which both headers are damaged; 0
  // if there is none. It is neither read nor used again.
  uint32_t UnreadableBehind(uint32_t number) const;

  // The first number behind `number` of which there is no file, though there is one of a later
  // number; 0 if there is none. Files are made in order, a spare only when the one before it is in
  // use, and none is ever removed but the last: so a log that ends in front of it has lost
  // something.
  uint32_t MissingBehind(uint32_t number) const;

  // A file turned out not to belong to the log (its header was written, its first group was not).
  void MarkSpare(uint32_t number);

  // After Load, for writing: removes spares that a crash left unfinished, readies the others.
  Status ReadySpares();

  // Gives back the room behind the end of a segment that the log has left for good. Its size is
  // then no power of two, unlike those that segments are made with: should the next one be missing,
  // the log is known not to end here.
  Status CutAt(Location end);

  // Makes sure a spare is there: syncs its blocks and its name. Errors: kFull, kIoError,
  // kLimitExceeded (no number is left); then nothing is left behind.
  Status PrepareSpare(SpareBlocks blocks);
  bool HasSpare() const;
  uint32_t SpareCount() const;

  // Takes the lowest spare and gives it a new incarnation. Writing the returned header, to both its
  // places and before the next sync, is the caller's. CHECKs that there is a spare; cannot fail,
  // because spares are open, but for want of memory, and then nothing has changed.
  std::shared_ptr<Segment> Activate(uint64_t store_id, Location previous_end, Lsn first_lsn,
                                    format::SegmentHeader* header);

  // A segment by number, from a cache of open files. Errors: kCorruption if it is missing or its
  // header is not one of the log.
  Result<std::shared_ptr<Segment>> Get(uint32_t number);

  // Reads exactly out.size() bytes. Errors: kCorruption if the segment ends before, or is missing;
  // kIoError as CannotRead says it.
  Status Read(Location location, Bytes out, uint64_t* incarnation = nullptr);

  // kIoError for a place that the disk cannot read: names it, and what to do.
  Status CannotRead(Location place, const Status& why) const;
  // What there is of out.size() bytes at `offset` of a segment. Errors: kIoError, likewise.
  Result<size_t> ReadUpTo(const Segment& segment, uint32_t offset, Bytes out) const;

  // ---- packed segments ----

  // After Load: which packed segments are in use, and for what. `known` are those that the index
  // names; without an index what the files say counts. Files that they stand in for, or that a
  // crash left unfinished, are no part of the log from here on. Errors: kCorruption if the log does
  // not hang together, naming what is missing.
  Status ChoosePacked(const std::optional<std::vector<uint32_t>>& known);
  // After Load, of a store that somebody else writes: the packed segments that are certain to be in
  // use, for something that they stand for has gone, as it does not before the index names them.
  std::vector<uint32_t> PackedInPlaceOfOthers() const;
  // After ChoosePacked without an index, before what they stand in for goes: a crash may have come
  // between the writing of a header and its sync, or have left one copy of it only.
  Status RewritePackedHeaders();
  // Removes the files that were put aside, by ChoosePacked, too, and abandoned ones. What cannot be
  // removed waits for the next call.
  Status RemoveUnused();

  // The packed segments in use, in the order of what they stand for.
  struct Packed {
    format::SegmentHeader header{};
    format::PackedLog log{};
    uint32_t size_bytes = 0;
  };
  std::vector<Packed> ListPacked() const;

  // A file for the next packed segment, which is nobody's until AddPacked.
  Result<std::unique_ptr<File>> CreatePacked(uint32_t number);
  uint32_t NextPackedNumber() const;
  void AbandonPacked(uint32_t number) noexcept;
  Status SyncNames();
  // It is complete and durable, and can be read. It is in use when the index names it: UsePacked.
  void AddPacked(const Packed& packed);
  void UsePacked(uint32_t number);
  // Those that were added and are not in use.
  std::vector<uint32_t> ListUnnamed() const;
  // The index does not name `numbers`, sealed or packed ones that another stands in for, or new
  // ones that stand in for none: RemoveUnused removes them. Cannot fail if room was made.
  void MakeRoomToPutAside(size_t count);
  void PutAside(const std::vector<uint32_t>& numbers);
  // Was there a segment of this number, of which the index knows what is needed?
  bool WasPacked(uint32_t number) const;

  // Bytes of the log's own segments that are sealed: what packing has before it.
  uint64_t SealedBytes() const;
  // Bytes of all files, spares included.
  uint64_t FileBytes() const;

 private:
  struct Entry {
    uint32_t size_bytes = 0;
    bool spare = true;
    bool unreadable = false;         // not spare, and without a header
    format::SegmentHeader header{};  // unless spare or unreadable
    std::unique_ptr<File> file;      // of a spare that is ready
    format::PackedLog log{};         // of a packed one
    bool in_use = false;             // likewise
  };

  std::string Path(uint32_t number) const;
  Result<Entry> Look(uint32_t number) const;
  Result<Entry> LookPacked(uint32_t number) const;
  const Entry* FindLocked(uint32_t number) const;
  void CloseLocked(uint32_t number);
  uint32_t SpareCountLocked() const;
  Result<std::shared_ptr<Segment>> OpenLocked(uint32_t number, OpenMode mode);
  void CacheLocked(const std::shared_ptr<Segment>& segment);

  FileSystem* const file_system_;
  const std::string directory_;
  const uint32_t full_size_bytes_;
  const OpenMode mode_;

  std::mutex prepare_mutex_;

  mutable std::mutex mutex_;
  std::map<uint32_t, Entry> entries_;
  std::map<uint32_t, Entry> packed_;
  std::vector<uint32_t> unused_;  // files that are to be removed
  uint32_t packed_through_ = 0;   // segments up to here have been packed
  uint32_t next_packed_ = format::kPackedBit | 1;
  // Open files, most recently used first: ten thousand segments must not take as many descriptors.
  std::list<std::shared_ptr<Segment>> open_;
  std::unordered_map<uint32_t, std::list<std::shared_ptr<Segment>>::iterator> open_by_number_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SEGMENTS_H_
