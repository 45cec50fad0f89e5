// PackJob's last part, see pack_job.h: the new segment, and the switch to it.

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "engine/internal/coding.h"
#include "engine/internal/commit_run.h"
#include "engine/internal/pack_job.h"
#include "engine/internal/packed_scanner.h"
#include "engine/internal/packer.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

// A history record is written when its blocks have grown to this.
constexpr size_t kHistoryBytes = 128u << 10;
constexpr uint64_t kMostHeldBytes = 64u << 20;

// A dictionary is learnt from so many bytes at most.
constexpr uint64_t kMostSampled = 512u << 10;
// What is in a block was about so many times as long.
constexpr uint64_t kBlockRatio = 4;
constexpr ptrdiff_t kMostSampledOfPage = 64;  // versions

}  // namespace

Status PackJob::Run() {
  TIDEMARK_RETURN_IF_ERROR(FindBatches());
  if (splits_commit_) return OkStatus();
  writer_ = std::make_unique<PackedWriter>(&store_->segments(), store_->store_id(), input_.first,
                                           input_.end);
  TIDEMARK_RETURN_IF_ERROR(writer_->Begin());
  held_.reserve(std::min(input_.bytes, kMostHeldBytes));
  TIDEMARK_RETURN_IF_ERROR(
      Scan([this](const ScannedGroup& group, const DirectoryEntry& entry,
                  const RecordView& record) { return Collect(group, entry, record); }));
  TIDEMARK_RETURN_IF_ERROR(WriteHistories());
  Buffer().swap(held_);  // gives the room back
  TIDEMARK_RETURN_IF_ERROR(writer_->Finish(end_));
  // Should these fail the index does not name the new segment: the packer removes it.
  TIDEMARK_RETURN_IF_ERROR(CheckWritten());
  Segments& segments = store_->segments();
  segments.MakeRoomToPutAside(input_.numbers.size());
  TIDEMARK_RETURN_IF_ERROR(Switch());
  store_->purges().NoteClean(ended_);
  segments.UsePacked(writer_->number());
  segments.PutAside(input_.numbers);
  return OkStatus();
}

Result<PackedWriter::Added> PackJob::AddRecord(RecordKind kind, TimelineId timeline,
                                               ConstBytes payload) {
  const DirectoryEntry entry{
      .lsn = Lsn(end_.last_lsn), .timeline = timeline, .offset = 0, .tag = 0};
  const Timestamp time(std::chrono::microseconds(static_cast<int64_t>(end_.last_time)));
  return writer_->Add(kind, entry, time, end_.epoch, fields_, payload);
}

// Of each timeline the commits, then the pages.
Status PackJob::WriteHistories() {
  for (const auto& [timeline, commits] : commits_) {
    TIDEMARK_RETURN_IF_ERROR(WriteCommits(timeline));
  }
  std::optional<TimelineId> timeline;  // of `blocks`
  std::vector<HistoryPacker::Block> blocks;
  TIDEMARK_RETURN_IF_ERROR(ForEachPage(
      [&](const Line& line, std::span<const PackedPiece> pieces, const PageRows& rows) -> Status {
        if (!timeline || *timeline != line.timeline->id()) {
          if (timeline) TIDEMARK_RETURN_IF_ERROR(FlushBlocks(*timeline, blocks));
          TIDEMARK_RETURN_IF_ERROR(WriteDictionary(line, pieces));
        }
        timeline = line.timeline->id();
        return packer_.Pack(*line.timeline, line.points, pieces, rows, payload_, blocks, [&] {
          return payload_.size() < kHistoryBytes ? OkStatus() : FlushBlocks(*timeline, blocks);
        });
      }));
  return timeline ? FlushBlocks(*timeline, blocks) : OkStatus();
}

// `pieces` are the first page's; those of the timeline's others stand behind them.
Status PackJob::WriteDictionary(const Line& line, std::span<const PackedPiece> pieces) {
  packer_.UseDictionary(nullptr, {});
  dictionary_.reset();
  const PackedPiece* const first = pieces.data();
  const PackedPiece* const all_end = pieces_.data() + pieces_.size();
  const PackedPiece* const last = std::find_if(
      first, all_end, [&](const PackedPiece& piece) { return piece.timeline != first->timeline; });
  uint64_t total = 0;
  for (const PackedPiece* piece = first; piece != last; ++piece) {
    total += piece->version.length * (piece->version.is_block() ? kBlockRatio : 1);
  }
  const DictionaryRule& rule = store_->packer().dictionary_rule();
  if (total < rule.least_bytes) return OkStatus();

  const uint64_t most = std::min(kMostSampled, total / rule.sampled);
  const uint64_t step = std::max<uint64_t>(1, total / std::max<uint64_t>(1, most));
  BlockSamples samples;
  PageRows rows;
  uint64_t page = 0;
  for (const PackedPiece* begin = first; begin != last && samples.data.size() < 2 * most; ++page) {
    const PackedPiece* const end = std::find_if(
        begin, last, [&](const PackedPiece& piece) { return piece.page != begin->page; });
    if (page % step == 0) {
      TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
      const PackedPiece* const enough = std::min(end, begin + kMostSampledOfPage);
      TIDEMARK_RETURN_IF_ERROR(store_->index().ListPageRows(
          begin->timeline, begin->page, begin->version.lsn, std::prev(enough)->version.lsn, &rows));
      TIDEMARK_RETURN_IF_ERROR(
          packer_.Sample(*line.timeline, line.points, {begin, enough}, rows, samples));
    }
    begin = end;
  }
  dictionary_ = CompressionDictionary::Train(samples, total, rule);
  if (dictionary_ == nullptr) return OkStatus();
  fields_.clear();
  AppendVarint(fields_, first->timeline.value);
  TIDEMARK_ASSIGN_OR_RETURN(
      const PackedWriter::Added added,
      AddRecord(RecordKind::kDictionary, first->timeline, dictionary_->bytes()));
  packer_.UseDictionary(dictionary_.get(),
                        {.offset = added.payload_offset,
                         .length = static_cast<uint32_t>(dictionary_->bytes().size())});
  return OkStatus();
}

Status PackJob::WriteCommits(TimelineId timeline) {
  std::vector<CommitInfo> run;
  TIDEMARK_RETURN_IF_ERROR(ForEachNeededCommit(timeline, [&](const CommitInfo& commit) {
    run.push_back(commit);
    if (run.size() < kMostCommitsInRun) return OkStatus();
    const Status written = WriteRun(run);
    run.clear();
    return written;
  }));
  return run.empty() ? OkStatus() : WriteRun(run);
}

Status PackJob::WriteRun(std::span<const CommitInfo> run) {
  fields_.clear();
  EncodeCommitRun(run, fields_);
  const TimelineId timeline = run.front().timeline;
  TIDEMARK_ASSIGN_OR_RETURN(const PackedWriter::Added added,
                            AddRecord(RecordKind::kCommits, timeline, {}));
  new_runs_.push_back({timeline,
                       {.lsn = run.front().lsn,
                        .location = added.location,
                        .count = static_cast<uint32_t>(run.size())}});
  last_of_runs_.push_back(run.back());
  return OkStatus();
}

// Writes what is in `payload_`.
Status PackJob::FlushBlocks(TimelineId timeline, std::vector<HistoryPacker::Block>& blocks) {
  if (blocks.empty()) return OkStatus();
  fields_.clear();
  AppendVarint(fields_, timeline.value);
  TIDEMARK_ASSIGN_OR_RETURN(const PackedWriter::Added added,
                            AddRecord(RecordKind::kHistory, timeline, payload_));
  for (HistoryPacker::Block& block : blocks) {
    block.row.location = {writer_->number(), added.payload_offset + block.row.location.offset};
    written_.push_back({timeline, std::move(block)});
  }
  blocks.clear();
  payload_.clear();
  return OkStatus();
}

// ---- checking ----------------------------------------------------------------------------------

// What is written is read again, before what it was made from goes. That a block is right was found
// when it was made.
Status PackJob::CheckWritten() {
  TIDEMARK_RETURN_IF_ERROR(CheckBlocks().WithContext("packing"));
  for (size_t i = 0; i < new_runs_.size(); ++i) {
    const MovedRun& run = new_runs_[i];
    const CommitInfo& last = last_of_runs_[i];
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo read,
                              store_->ReadCommit({.lsn = run.row.lsn, .location = run.row.location},
                                                 run.timeline, last.lsn));
    if (read != last) {
      return Status(StatusCode::kCorruption, "packing: the commit with LSN " +
                                                 std::to_string(last.lsn.value) +
                                                 " was not written as it was");
    }
  }
  return OkStatus();
}

// The hashes of groups show that all bytes are there; the blocks begin where rows will say.
Status PackJob::CheckBlocks() {
  auto next = written_.begin();
  HistoryBlock block;
  const Location begin{writer_->number(), format::kFirstGroupOffset};
  const auto wrong = [](Location place) {
    return Status(StatusCode::kCorruption, SegmentLabel(place.segment) + ", offset " +
                                               std::to_string(place.offset) +
                                               ": it was not written so");
  };
  TIDEMARK_RETURN_IF_ERROR(
      ScanPacked(store_->segments(), begin, [&](const ScannedGroup& group) -> Status {
        TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
        if (!group.intact) return wrong(group.location);
        const uint32_t end = group.location.offset + static_cast<uint32_t>(group.bytes.size());
        for (; next != written_.end() && next->block.row.location.offset < end; ++next) {
          const PageVersion& row = next->block.row;
          if (row.location.offset < group.location.offset) return wrong(row.location);
          const auto head = ParseHistoryBlockHead(
              group.bytes.subspan(row.location.offset - group.location.offset));
          PageVersion read = head ? head->row : PageVersion();
          read.location = row.location;
          if (!head || head->page != next->block.page || read != row) return wrong(row.location);
          if (next != written_.begin() && std::prev(next)->timeline == next->timeline) continue;
          // With the dictionary of its timeline, where the block says that it is.
          TIDEMARK_RETURN_IF_ERROR(store_->reader().LoadBlock(
              head->page, row,
              group.bytes.subspan(row.location.offset - group.location.offset, row.length), block));
        }
        return OkStatus();
      }));
  return next == written_.end() ? OkStatus() : wrong(next->block.row.location);
}

// ---- the switch --------------------------------------------------------------------------------

// Those that are in runs now.
Status PackJob::RemoveCommits(IndexWriter& writer, TimelineId timeline, const Commits& commits) {
  if (!commits.first_of_log.valid()) return OkStatus();
  std::vector<CommitRow> gone;
  CommitStrip::Cursor cursor(commits.strip);
  for (CommitInfo commit; cursor.Next(&commit);) {
    if (commit.lsn >= commits.first_of_log) gone.push_back({.lsn = commit.lsn, .location = {}});
  }
  return writer.PutCommits(timeline, gone);
}

Status PackJob::Switch() {
  Index& index = store_->index();
  return store_->checkpointer().UpdateIndex([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutPacked(
        {.number = writer_->number(), .first = input_.first, .last = input_.end.segment}));
    for (const uint32_t number : input_.numbers) {
      if (format::IsPacked(number)) TIDEMARK_RETURN_IF_ERROR(writer.RemovePacked(number));
    }
    // Rows that begin at the same LSN are replaced, so what goes goes first.
    for (const PackedPiece& piece : pieces_) {
      MovedVersion gone{piece.timeline, piece.page, {}};
      gone.version.lsn = piece.version.lsn;
      TIDEMARK_RETURN_IF_ERROR(writer.Move(gone));
    }
    for (const WrittenBlock& written : written_) {
      TIDEMARK_RETURN_IF_ERROR(
          writer.Move(MovedVersion{written.timeline, written.block.page, written.block.row}));
    }
    for (const auto& [timeline, row] : moved_commits_) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutCommits(timeline, std::span(&row, 1)));
    }
    for (const auto& [timeline, commits] : commits_) {
      TIDEMARK_RETURN_IF_ERROR(RemoveCommits(writer, timeline, commits));
    }
    for (const MovedRun& run : old_runs_) TIDEMARK_RETURN_IF_ERROR(writer.Move(run));
    for (const MovedRun& run : new_runs_) TIDEMARK_RETURN_IF_ERROR(writer.Move(run));
    for (const PurgeRow& purge : ended_) TIDEMARK_RETURN_IF_ERROR(writer.PutPurge(purge));
    for (const LabelRow& label : labels_) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto row, index.FindLabel(label.object, label.name));
      if (row != label) continue;  // it was moved since
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveLabel(label.object, label.name));
    }
    return OkStatus();
  });
}

}  // namespace tidemark::internal
