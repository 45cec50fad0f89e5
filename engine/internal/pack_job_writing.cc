// PackJob's second part, see pack_job.h: the new segment, and the switch to it.

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "engine/internal/coding.h"
#include "engine/internal/commit_run.h"
#include "engine/internal/pack_job.h"
#include "engine/internal/packer.h"

namespace tidemark::internal {
namespace {

// A history record is written when its blocks have grown to this.
constexpr size_t kHistoryBytes = 128u << 10;

}  // namespace

Status PackJob::Run() {
  TIDEMARK_RETURN_IF_ERROR(FindBatches());
  if (splits_commit_) return OkStatus();
  writer_ = std::make_unique<PackedWriter>(&store_->segments(), store_->store_id(), input_.first,
                                           input_.end);
  TIDEMARK_RETURN_IF_ERROR(writer_->Begin());
  TIDEMARK_RETURN_IF_ERROR(
      Scan([this](const ScannedGroup& group, const DirectoryEntry& entry,
                  const RecordView& record) { return Collect(group, entry, record); }));
  TIDEMARK_RETURN_IF_ERROR(WriteHistories());
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
  for (const auto& [timeline, all] : commits_) TIDEMARK_RETURN_IF_ERROR(WriteCommits(timeline));
  std::optional<TimelineId> timeline;  // of `blocks`
  std::vector<HistoryPacker::Block> blocks;
  TIDEMARK_RETURN_IF_ERROR(
      ForEachPage([&](const Line& line, std::span<const PackedPiece> pieces,
                      const PageRows& rows) -> Status {
        if (timeline && *timeline != line.timeline->id()) {
          TIDEMARK_RETURN_IF_ERROR(FlushBlocks(*timeline, blocks));
        }
        timeline = line.timeline->id();
        return packer_.Pack(*line.timeline, line.points, pieces, rows, payload_, blocks, [&] {
          return payload_.size() < kHistoryBytes ? OkStatus() : FlushBlocks(*timeline, blocks);
        });
      }));
  return timeline ? FlushBlocks(*timeline, blocks) : OkStatus();
}

Status PackJob::WriteCommits(TimelineId timeline) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto needed, NeededCommits(timeline));
  const std::span<const CommitInfo> all(needed);
  for (size_t begin = 0; begin < all.size(); begin += kMostCommitsInRun) {
    const auto run = all.subspan(begin, std::min(kMostCommitsInRun, all.size() - begin));
    fields_.clear();
    EncodeCommitRun(run, fields_);
    TIDEMARK_ASSIGN_OR_RETURN(const PackedWriter::Added added,
                              AddRecord(RecordKind::kCommits, timeline, {}));
    new_runs_.push_back({timeline,
                         {.lsn = run.front().lsn,
                          .location = added.location,
                          .count = static_cast<uint32_t>(run.size())}});
  }
  commits_[timeline] = needed;
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

// What is written is read again, before what it was made from goes.
Status PackJob::CheckWritten() {
  for (const WrittenBlock& written : written_) {
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    TIDEMARK_RETURN_IF_ERROR(CheckBlock(written).WithContext("packing"));
  }
  size_t at = 0;
  const std::vector<CommitInfo>* all = nullptr;
  for (const MovedRun& run : new_runs_) {
    if (const auto* of_timeline = &commits_.at(run.timeline); of_timeline != all) {
      all = of_timeline;
      at = 0;
    }
    at += run.row.count;
    const CommitInfo& last = (*all)[at - 1];
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

Status PackJob::CheckBlock(const WrittenBlock& written) {
  const PageVersion& row = written.block.row;
  const auto wrong = [&](const char* what) {
    return Status(StatusCode::kCorruption, Describe(written.block.page, row) + ": " + what);
  };
  Buffer& bytes = payload_;
  bytes.resize(row.length);
  TIDEMARK_RETURN_IF_ERROR(store_->reader().ReadBytes(row.location, bytes));
  HistoryBlock history;
  if (!history.Parse(written.block.page, bytes, row.hash)) return wrong("it was not written so");
  if (history.versions().size() != written.block.hashes.size())
    return wrong("versions are missing");
  Buffer page(history.page_size());
  if (history.base_lsn().valid()) {
    const Line& line = lines_.at(written.timeline);
    TIDEMARK_ASSIGN_OR_RETURN(
        const PageVersion base,
        store_->reader().FindBlock(*line.timeline, written.block.page, history.base_lsn()));
    TIDEMARK_RETURN_IF_ERROR(
        store_->reader().Read(line.timeline.get(), written.block.page, base, page));
  }
  for (size_t i = 0; i < history.versions().size(); ++i) {
    if (!history.Apply(i, page) || PageHash(written.block.page, page) != written.block.hashes[i]) {
      return wrong("a version is not the page that it was");
    }
  }
  return OkStatus();
}

// ---- the switch --------------------------------------------------------------------------------

Status PackJob::Switch() {
  for (auto& [timeline, rows] : moved_commits_) {
    std::sort(rows.begin(), rows.end(),
              [](const CommitRow& a, const CommitRow& b) { return a.lsn < b.lsn; });
  }
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
    for (const auto& [timeline, rows] : moved_commits_) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutCommits(timeline, rows));
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
