#include "engine/internal/packed_writer.h"

#include <algorithm>
#include <string>

#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

// A group is written when it has grown to this.
constexpr size_t kGroupBytes = 256u << 10;
constexpr uint64_t kMaxPackedBytes = uint64_t{2} << 30;

}  // namespace

PackedWriter::PackedWriter(Segments* segments, uint64_t store_id, uint32_t first, Location end)
    : segments_(segments),
      store_id_(store_id),
      first_(first),
      end_(end),
      number_(segments->NextPackedNumber()),
      incarnation_(RandomNumber()) {}

PackedWriter::~PackedWriter() {
  if (file_ != nullptr && !finished_) segments_->AbandonPacked(number_);
}

Status PackedWriter::Begin() {
  TIDEMARK_ASSIGN_OR_RETURN(file_, segments_->CreatePacked(number_));
  return OkStatus();
}

Result<PackedWriter::Added> PackedWriter::Add(RecordKind kind, const DirectoryEntry& entry,
                                              Timestamp time, uint32_t epoch, ConstBytes fields,
                                              ConstBytes payload) {
  if (!group_.empty() && epoch != group_epoch_) TIDEMARK_RETURN_IF_ERROR(FlushGroup());
  const uint64_t most =
      offset_ + group_.SealedLength() + GroupBuilder::RecordBound(fields.size() + payload.size());
  if (most > kMaxPackedBytes) {
    return Status(StatusCode::kLimitExceeded,
                  SegmentLabel(number_) + " would become longer than 2 GiB");
  }
  if (group_.empty()) {
    group_.Open(incarnation_, epoch, entry.lsn, time);
    group_lsn_ = entry.lsn;
    group_epoch_ = epoch;
  }
  const GroupBuilder::Added added =
      group_.Add(kind, entry.lsn, time, entry.timeline, entry.tag, fields, payload);
  const Added out{.location = {number_, offset_ + added.offset},
                  .payload_offset = offset_ + added.payload_offset,
                  .hash = added.hash,
                  .length = added.length};
  if (group_.SealedLength() >= kGroupBytes) TIDEMARK_RETURN_IF_ERROR(FlushGroup());
  return out;
}

Status PackedWriter::FlushGroup() {
  if (group_.empty()) return OkStatus();
  group_.Close();
  group_.Seal(Lsn(group_lsn_.value - 1));
  TIDEMARK_RETURN_IF_ERROR(file_->WriteAt(offset_, group_.bytes()));
  offset_ += static_cast<uint32_t>(group_.bytes().size());
  group_.Clear();
  return OkStatus();
}

Status PackedWriter::Finish(const format::PackedLog& log) {
  TIDEMARK_RETURN_IF_ERROR(FlushGroup());
  TIDEMARK_RETURN_IF_ERROR(file_->Sync());
  const format::SegmentHeader header =
      MakePackedHeader(number_, store_id_, incarnation_, first_, end_, Lsn(log.last_lsn));
  const auto blocks = MakePackedBlocks(header, log);
  TIDEMARK_RETURN_IF_ERROR(file_->WriteAt(0, blocks));
  TIDEMARK_RETURN_IF_ERROR(file_->Sync());
  TIDEMARK_RETURN_IF_ERROR(segments_->SyncNames());
  segments_->AddPacked({.header = header, .log = log, .size_bytes = offset_});
  finished_ = true;
  return OkStatus();
}

}  // namespace tidemark::internal
