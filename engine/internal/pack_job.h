// PackJob: writes neighbouring segments, of the log or packed ones, anew as one packed segment:
// the history of each page side by side, without what nobody needs any more.
//
//   scan: copy records, collect commits and versions -> write histories, each block checked ->
//   sync -> read it all back ->
//   one index transaction -> old files are put aside
//
// A page version is needed while a point that must stay reachable shows it (Retention), or while
// what comes behind the input is made on it. A commit is needed while such a point shows it. Other
// records stay, because the index is made of them, but for automatic labels whose commits have
// expired. The pages of a batch go with the commit whose frame names it, wherever that frame is.
// What is purged (purge_table.h) is left out, of whatever kind.
//
// What a reader found in the index before it changed may be gone when it looks there; it looks
// again then (PageReader, StoreImpl::ReadCommit). A crash before the index has changed leaves a
// file that nobody needs, and afterwards old files that nobody needs: opening removes them.
//
// Damage is never copied nor thrown away: a job that meets some leaves everything as it is.
//
// Memory: about 80 bytes a commit of one page in the input, and up to 64 MiB of its log.
//
// Threads: one job at a time; commits, reads and checkpoints go on beside it.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_
#define TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/internal/batched_pages.h"
#include "engine/internal/commit_strip.h"
#include "engine/internal/history_packer.h"
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
  // All files before these were packed since the purges in these began: with that they have ended.
  bool ends_purges = false;
};

class PackJob {
 public:
  PackJob(StoreImpl* store, PackInput input)
      : store_(store),
        input_(std::move(input)),
        packer_(store->reader(), held_, [this](uint32_t s) { return IsInput(s); }) {}

  // What would be left of each file, in bytes, about; under `licence` if it is not the one in
  // force. Reads it all, and writes nothing. Errors: as Run.
  Result<std::map<uint32_t, uint64_t>> Estimate(const LicenceRow* licence = nullptr);

  // Puts the old files aside (Segments::RemoveUnused). Errors: kCorruption (damage in what is to be
  // packed, or an index that does not fit it); kFull, kIoError, kLimitExceeded: nothing has changed
  // then, but that files may stay that nobody needs (Packer::RemoveLeftOvers).
  Status Run();

  uint64_t packed_bytes() const { return writer_ == nullptr ? 0 : writer_->bytes(); }
  // The frame that names a batch of the input is not in the index yet: there is nothing to be done
  // with the input for now.
  bool splits_commit() const { return splits_commit_; }

 private:
  struct Line {
    std::shared_ptr<Timeline> timeline;
    KeptPoints points;
  };
  // A frame that names batches.
  struct LargeFrame {
    std::shared_ptr<const BatchedPages> batches;
    std::unordered_set<uint32_t> own_pages;
  };
  // A frame, or a batch whose frame is known.
  struct Claim {
    TimelineId timeline;
    uint32_t page_size = 0;
    Lsn lsn;                                            // of the frame
    std::shared_ptr<const LargeFrame> frame = nullptr;  // of a batch
    uint32_t number = 0;                                // likewise

    // Does the commit have another version of the page, that counts?
    bool IsReplaced(PageNo page) const {
      return frame != nullptr &&
             (frame->own_pages.contains(page.value) || frame->batches->BatchOf(page) != number);
    }
  };
  struct WrittenBlock {
    TimelineId timeline;
    HistoryPacker::Block block;
  };
  struct Commits {
    CommitStrip strip;
    Lsn first_of_log;  // those from here on have rows of their own
  };
  using Visit =
      std::function<Status(const ScannedGroup&, const DirectoryEntry&, const RecordView&)>;

  static Status Damaged(Location place, const std::string& what);
  bool IsInput(uint32_t segment) const;
  Result<Line*> LineOf(TimelineId id);

  // ---- scanning: pack_job.cc ----
  Status Scan(const Visit& visit);
  Status FindBatches();
  // Of batches, each with its epoch; until all have one.
  Status FindFramesBehind(std::map<Location, uint32_t> batches);
  Status ClaimBatches(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record, const FrameFields& fields);
  Status Collect(const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record);
  Status CollectFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record);
  Status CollectBatch(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record);
  void CollectVersions(const Claim& claim, std::span<const PageChange> changes,
                       const ScannedGroup& group);
  Status CollectCommits(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record);
  Status CollectHistory(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record);
  Status CollectPurge(const ScannedGroup& group, const DirectoryEntry& entry,
                      const RecordView& record);
  Status CopyRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                    const RecordView& record);
  // Of an automatic label whose commit has expired; its row goes, too.
  Result<bool> HasExpired(const DirectoryEntry& entry, const LabelFields& label);

  // ---- what is needed: pack_job_needed.cc ----
  // Orders what was collected; then calls `visit` for the pieces of each page and what the index
  // has around them.
  Status ForEachPage(const std::function<Status(const Line&, std::span<const PackedPiece>,
                                                const PageRows&)>& visit);
  // Calls `visit` for the commits of a timeline that are needed.
  Status ForEachNeededCommit(TimelineId id, const std::function<Status(const CommitInfo&)>& visit);

  // ---- writing: pack_job_writing.cc ----
  Status WriteHistories();
  Status WriteCommits(TimelineId timeline);
  // Learns from some of the pages of a timeline, and writes what was learnt if that pays.
  Status WriteDictionary(const Line& line, std::span<const PackedPiece> pieces);
  Status WriteRun(std::span<const CommitInfo> run);
  Status FlushBlocks(TimelineId timeline, std::vector<HistoryPacker::Block>& blocks);
  Result<PackedWriter::Added> AddRecord(RecordKind kind, TimelineId timeline, ConstBytes payload);
  Status CheckWritten();
  Status CheckBlocks();
  Status Switch();
  static Status RemoveCommits(IndexWriter& writer, TimelineId timeline, const Commits& commits);

  StoreImpl* const store_;
  const PackInput input_;
  bool estimate_ = false;
  const LicenceRow* licence_ = nullptr;  // none: the one in force
  std::map<uint32_t, uint64_t> estimated_;
  std::unique_ptr<PackedWriter> writer_;
  Buffer held_;  // page versions of the log, as many as there is room for
  HistoryPacker packer_;
  std::unordered_map<TimelineId, Line> lines_;
  std::map<Location, Claim> claims_;
  format::PackedLog end_{};
  bool splits_commit_ = false;

  // Collected.
  std::vector<PackedPiece> pieces_;
  std::map<TimelineId, Commits> commits_;
  // What becomes of rows.
  std::vector<std::pair<TimelineId, CommitRow>> moved_commits_;
  std::vector<MovedRun> old_runs_;
  std::vector<MovedRun> new_runs_;
  std::vector<CommitInfo> last_of_runs_;  // of each new one
  std::vector<LabelRow> labels_;          // that go
  std::vector<PurgeRow> ended_;           // purges
  std::vector<WrittenBlock> written_;
  std::unique_ptr<const CompressionDictionary> dictionary_;  // of the timeline at hand, or null
  Buffer fields_;
  Buffer payload_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACK_JOB_H_
