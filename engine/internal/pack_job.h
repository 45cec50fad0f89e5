// PackJob: writes neighbouring segments, of the log or packed ones, anew as one packed segment,
// without what nobody needs any more.
//
//   scan -> write what is needed -> sync -> read it all back -> one index transaction -> old files
//
// A page version is needed while a point that must stay reachable shows it (Retention), or while a
// needed patch is made on it. A commit stays if it is such a point or if one of its versions is
// needed. A patch whose chain has grown longer than an image becomes one, so that what it was made
// on can go. Other records stay, because the index is made of them, but for automatic labels
// whose commits have expired.
//
// What a reader found in the index before it changed may be gone when it looks there; it looks
// again then (PageReader, StoreImpl::ReadCommit). A crash before the index has changed leaves a
// file that nobody needs, and afterwards old files that nobody needs: opening removes them.
//
// Damage is never copied nor thrown away: a job that meets some leaves everything as it is.
//
// Threads: one job at a time; commits, reads and checkpoints go on beside it.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_
#define TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/internal/log_scanner.h"
#include "engine/internal/packed_writer.h"
#include "engine/internal/recovery.h"
#include "engine/internal/retention.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

// What a job is about: files that follow each other in the log, all of it in the index.
struct PackInput {
  std::vector<uint32_t> numbers;  // in order; packed ones before those of the log
  uint32_t first = 0;             // the segments of the log that they stand for
  Location end;
  uint64_t bytes = 0;  // of the files
};

class PackJob {
 public:
  PackJob(StoreImpl* store, PackInput input) : store_(store), input_(std::move(input)) {}

  // What would be left of each file, in bytes, about; under `licence` if it is not the one in
  // force. Reads it all, and writes nothing. Errors: as Run.
  Result<std::map<uint32_t, uint64_t>> Estimate(const LicenceRow* licence = nullptr);

  // Errors: kCorruption (damage in what is to be packed, or an index that does not fit it); kFull,
  // kIoError, kLimitExceeded: nothing has changed then, but that files may stay that the next open
  // removes.
  Status Run();

  uint64_t packed_bytes() const { return writer_ == nullptr ? 0 : writer_->bytes(); }
  // The frame that names a batch of the input stands behind it: there is nothing to be done with
  // the input but together with what follows.
  bool splits_commit() const { return splits_commit_; }

 private:
  struct Line {
    std::shared_ptr<Timeline> timeline;
    KeptPoints points;
  };
  // A batch whose frame is in the input.
  struct Claim {
    TimelineId timeline;
    uint32_t page_size = 0;
    Lsn lsn;  // of the frame
  };
  struct WrittenBatches {
    uint32_t count = 0;
    uint64_t versions = 0;
    uint64_t bytes = 0;
    BatchReference last{};
  };

  Status Scan(const std::function<Status(const ScannedGroup&, const DirectoryEntry&,
                                         const RecordView&)>& visit);
  Status FindBatches();
  Status Rewrite(const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record);
  Status RewriteFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record);
  Status RewriteBatch(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record, const Claim& claim);
  Status CopyRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                    const RecordView& record);
  // Leaves what is needed of `changes` in `payload_` and `kept_`.
  Status KeepVersions(const Line& line, Lsn lsn, uint32_t page_size,
                      std::span<const PageChange> changes, ConstBytes payload, bool in_batch);
  Status KeepVersion(const Line& line, uint32_t page_size, const PageChange& change,
                     const PageVersionView& view);
  Status KeepImage(PageNo page, uint64_t hash, ConstBytes image, PageVersion& version);
  // Of an automatic label whose commit has expired; its row goes, too.
  Result<bool> HasExpired(const DirectoryEntry& entry, const LabelFields& label);
  static bool StaysPatch(const PageVersion& version, uint32_t page_size);
  Result<bool> IsNeeded(const Line& line, PageNo page, uint32_t page_size,
                        PageVersion version) const;
  // What a patch is made on, where it stands in the new segment or outside the job; empty if it
  // goes.
  Result<std::optional<PageVersion>> KeptBase(const Line& line, PageNo page,
                                              const PageVersionView& view) const;
  void NoteMoved(TimelineId timeline, uint32_t page_size, uint32_t payload_offset);
  Status CheckWritten();
  Status Switch();
  Result<Line*> LineOf(TimelineId id);
  bool IsInput(uint32_t segment) const;

  StoreImpl* const store_;
  const PackInput input_;
  bool estimate_ = false;
  const LicenceRow* licence_ = nullptr;  // none: the one in force
  std::map<uint32_t, uint64_t> estimated_;
  uint64_t* estimated_bytes_ = nullptr;  // of the file that is being read
  std::unique_ptr<PackedWriter> writer_;
  std::unordered_map<TimelineId, Line> lines_;
  std::map<Location, Claim> claims_;
  std::unordered_map<uint64_t, WrittenBatches> batches_;  // by the frame's LSN
  std::map<Location, PageVersion> stands_;                // what stood there, where it is now
  std::vector<MovedVersion> moved_;
  std::vector<MovedCommit> commits_;
  std::vector<LabelRow> labels_;      // that go
  std::vector<uint32_t> page_sizes_;  // of `moved_`
  format::PackedLog end_{};
  bool splits_commit_ = false;

  // Of one record.
  Buffer payload_;
  std::vector<PageChange> kept_;
  std::vector<Location> old_places_;
  Buffer fields_;
  Buffer page_;
  Buffer packed_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_
