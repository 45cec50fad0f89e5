// PackJob's second part, see pack_job.h: what of the input is needed.

#include <algorithm>
#include <tuple>

#include "engine/internal/pack_job.h"
#include "engine/internal/packer.h"

namespace tidemark::internal {
namespace {

// What a commit takes in a run, about.
constexpr uint64_t kCommitBytes = 12;

}  // namespace

Status PackJob::ForEachPage(const std::function<Status(const Line&, std::span<const PackedPiece>,
                                                       const PageRows&)>& visit) {
  std::sort(pieces_.begin(), pieces_.end(), [](const PackedPiece& a, const PackedPiece& b) {
    return std::tie(a.timeline, a.page, a.version.lsn) <
           std::tie(b.timeline, b.page, b.version.lsn);
  });
  const std::span<const PackedPiece> all(pieces_);
  PageRows rows;
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin + 1;
    while (end < all.size() && all[end].timeline == all[begin].timeline &&
           all[end].page == all[begin].page) {
      ++end;
    }
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    const auto pieces = all.subspan(begin, end - begin);
    TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(pieces.front().timeline));
    TIDEMARK_RETURN_IF_ERROR(
        store_->index().ListPageRows(pieces.front().timeline, pieces.front().page,
                                     pieces.front().version.lsn, pieces.back().version.lsn, &rows));
    for (const PackedPiece& piece : pieces) {
      if (!rows.Know(piece.version)) {
        return Damaged(piece.version.location, "is not what the index says");
      }
    }
    TIDEMARK_RETURN_IF_ERROR(visit(*line, pieces, rows));
    begin = end;
  }
  return OkStatus();
}

Status PackJob::ForEachNeededCommit(TimelineId id,
                                    const std::function<Status(const CommitInfo&)>& visit) {
  const CommitStrip& strip = commits_.at(id).strip;
  TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(id));
  TIDEMARK_ASSIGN_OR_RETURN(const auto behind,
                            store_->index().FindNextCommit(id, strip.last_lsn()));
  CommitStrip::Cursor cursor(strip);
  CommitInfo commit;
  CommitInfo next;
  for (bool there = cursor.Next(&commit); there; commit = next) {
    there = cursor.Next(&next);
    const Lsn until = there ? next.lsn : behind.value_or(Lsn(UINT64_MAX));
    if (line->points.AnyIn(commit.lsn, until)) TIDEMARK_RETURN_IF_ERROR(visit(commit));
  }
  return OkStatus();
}

Result<std::map<uint32_t, uint64_t>> PackJob::Estimate(const LicenceRow* licence) {
  estimate_ = true;
  licence_ = licence;
  TIDEMARK_RETURN_IF_ERROR(FindBatches());
  TIDEMARK_RETURN_IF_ERROR(
      Scan([this](const ScannedGroup& group, const DirectoryEntry& entry,
                  const RecordView& record) { return Collect(group, entry, record); }));
  TIDEMARK_RETURN_IF_ERROR(ForEachPage(
      [this](const Line& line, std::span<const PackedPiece> pieces, const PageRows& rows) {
        return packer_.Estimate(line.points, pieces, rows,
                                [this](const PackedPiece& piece, uint64_t bytes) {
                                  estimated_[piece.version.location.segment] += bytes;
                                });
      }));
  uint64_t& of_commits = estimated_[input_.numbers.front()];
  for (const auto& [timeline, commits] : commits_) {
    TIDEMARK_RETURN_IF_ERROR(ForEachNeededCommit(timeline, [&](const CommitInfo&) {
      of_commits += kCommitBytes;
      return OkStatus();
    }));
  }
  return std::move(estimated_);
}

}  // namespace tidemark::internal
