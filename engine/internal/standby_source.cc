#include "engine/internal/standby_source.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

#include "engine/internal/group.h"
#include "engine/internal/log_scanner.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

// The end of a group.
struct GroupEnd {
  Location begin;
  Location end;
  Lsn lsn;
  Timestamp time;
  uint64_t hash = 0;
  bool is_close = false;  // nothing but a close record
  bool may_rule = false;  // has what a packed segment may have been made by
};

Status Diverged(const std::string& source, const std::string& what) {
  return Status(StatusCode::kForeign,
                source + " is not what this standby followed: " + what +
                    ". One of the two was brought back from a copy, or promoted: keep the one that "
                    "counts, and begin a new standby in an empty directory");
}

// Frames change nothing that is in packed segments, but those that say whose the pages of a batch
// are, which may stand in one before.
bool MayRule(const RecordView& record) {
  switch (record.kind) {
    case RecordKind::kFrame: {
      const auto frame = DecodeFrame(record.fields);
      return !frame || frame->batch_count != 0;
    }
    case RecordKind::kBatch:
    case RecordKind::kOpen:
    case RecordKind::kClose: return false;
    default: return true;
  }
}

class Look {
 public:
  Look(FileSystem& files, const std::string& source, const std::optional<StandbyManifest>& has,
       Lsn confirmed)
      : source_(source),
        has_(has),
        confirmed_(confirmed),
        segments_(&files, source + "/log", 64 << 20, OpenMode::kReadOnly) {}

  Result<SourceLook> Run() {
    TIDEMARK_RETURN_IF_ERROR(segments_.Load());
    TIDEMARK_RETURN_IF_ERROR(segments_.ChoosePacked(segments_.PackedInPlaceOfOthers()));
    headers_ = segments_.Headers();
    packed_ = segments_.ListPacked();
    TIDEMARK_RETURN_IF_ERROR(CheckStore());
    const auto start = FindStart();
    if (start.status().code() == StatusCode::kNotFound && !packed_.empty()) return AllIsPacked();
    TIDEMARK_RETURN_IF_ERROR(start.status());
    TIDEMARK_ASSIGN_OR_RETURN(
        const ScanEnd end,
        ScanLog(segments_, *start, [this](const ScannedGroup& group) { return Visit(group); }));
    TakeProven(std::max(end.proven_lsn, confirmed_));
    return Finish();
  }

 private:
  // Nothing was written since: the next commit begins a segment, behind which all can be taken.
  SourceLook AllIsPacked() const {
    const format::PackedLog& log = packed_.back().log;
    SourceLook look;
    look.next = has_;
    look.source_lsn = Lsn(log.last_lsn);
    look.source_time = Timestamp(std::chrono::microseconds(static_cast<int64_t>(log.last_time)));
    look.waits = !has_ || has_->lsn < look.source_lsn;
    return look;
  }

  Status CheckStore() const {
    for (const auto& [number, header] : headers_) {
      if (has_ && header.store_id != has_->store_id) {
        return Diverged(source_, "it is another store");
      }
    }
    return OkStatus();
  }

  // Where the standby ends; else behind the packed segments.
  Result<ScanStart> FindStart() {
    if (has_) {
      const auto [number, size] = *has_->segments.rbegin();
      const Location end{number, size};
      if (headers_.contains(number) && size > format::kFirstGroupOffset) {
        TIDEMARK_RETURN_IF_ERROR(CheckGoesOn(number));
        goes_on_ = true;
        lengths_ = has_->segments;
        reached_ = {.begin = {number, has_->last_group},
                    .end = end,
                    .lsn = has_->lsn,
                    .time = has_->time,
                    .hash = has_->last_hash};
        return ScanStart{.position = end,
                         .last_lsn = has_->lsn,
                         .last_time = has_->time,
                         .proven_lsn = has_->lsn};
      }
    }
    ScanStart start;
    if (packed_.empty()) {
      if (headers_.empty()) return Status(StatusCode::kNotFound, source_ + " has no log yet");
      start.position = {headers_.begin()->first, format::kFirstGroupOffset};
    } else {
      const Segments::Packed& last = packed_.back();
      start.position = {last.header.previous + 1, format::kFirstGroupOffset};
      start.last_lsn = Lsn(last.log.last_lsn);
      start.last_time =
          Timestamp(std::chrono::microseconds(static_cast<int64_t>(last.log.last_time)));
      start.proven_lsn = start.last_lsn;
    }
    if (!headers_.contains(start.position.segment)) {
      return Status(StatusCode::kNotFound,
                    source_ + " has no " + SegmentLabel(start.position.segment) + " yet");
    }
    if (has_ && start.last_lsn < has_->lsn) {
      return Diverged(source_, "it has no " + SegmentLabel(has_->segments.rbegin()->first) +
                                   " with the record of LSN " + std::to_string(has_->lsn.value));
    }
    lengths_[start.position.segment] = format::kFirstGroupOffset;
    reached_ = {.begin = {}, .end = start.position, .lsn = start.last_lsn, .time = start.last_time};
    return start;
  }

  // The last group that the standby has is the source's.
  Status CheckGoesOn(uint32_t number) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto segment, segments_.Get(number));
    format::GroupHeader header{};
    TIDEMARK_RETURN_IF_ERROR(
        segments_.Read({number, has_->last_group}, std::as_writable_bytes(std::span(&header, 1))));
    if (IsGroupHeader(header, segment->incarnation) && header.hash == has_->last_hash) {
      return OkStatus();
    }
    return Diverged(source_, "at LSN " + std::to_string(has_->lsn.value) +
                                 " its log has another "
                                 "group");
  }

  Status Visit(const ScannedGroup& group) {
    if (!group.intact) {
      return Status(StatusCode::kCorruption,
                    "the log of " + source_ + " is damaged: the group at " +
                        SegmentLabel(group.location.segment) + ", offset " +
                        std::to_string(group.location.offset) +
                        " does not verify; `tidemark verify` there says what is lost");
    }
    TakeProven(std::max(Lsn(group.header.durable_lsn), confirmed_));
    GroupEnd& end = pending_.emplace_back();
    end.begin = group.location;
    end.end = {group.location.segment,
               group.location.offset + static_cast<uint32_t>(group.bytes.size())};
    end.hash = group.header.hash;
    end.is_close = true;
    for (const DirectoryEntry& entry : group.directory) {
      RecordView record;
      if (ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record) !=
          ParseOutcome::kOk) {
        return Status(StatusCode::kCorruption, "a record of a whole group does not verify");
      }
      end.lsn = entry.lsn;
      end.time = Timestamp(std::chrono::microseconds(
          static_cast<int64_t>(group.header.time + record.place.time_delta)));
      end.is_close = end.is_close && record.kind == RecordKind::kClose;
      end.may_rule = end.may_rule || MayRule(record);
    }
    return OkStatus();
  }

  void TakeProven(Lsn durable) {
    while (!pending_.empty() && pending_.front().lsn <= durable) {
      reached_ = pending_.front();
      lengths_[reached_.end.segment] = reached_.end.offset;
      pending_.pop_front();
    }
  }

  // The packed segments that the standby has, or those of the source; none if it must wait.
  std::optional<std::map<uint32_t, uint64_t>> ChoosePacked() const {
    std::map<uint32_t, uint64_t> now;
    for (const Segments::Packed& one : packed_) now[one.header.number] = one.size_bytes;
    if (now.empty() || (has_ && now == has_->packed)) return now;
    const bool may_rule = std::any_of(pending_.begin(), pending_.end(),
                                      [](const GroupEnd& group) { return group.may_rule; });
    if (!may_rule) return now;
    if (goes_on_) return has_->packed;
    return std::nullopt;
  }

  Result<SourceLook> Finish() {
    SourceLook look;
    look.source_lsn = reached_.lsn;
    look.source_time = reached_.time;
    for (const GroupEnd& group : pending_) {
      if (group.is_close) continue;
      look.source_lsn = group.lsn;
      look.source_time = std::max(look.source_time, group.time);
      look.lag_bytes += group.end.offset - group.begin.offset;
    }
    auto packed = ChoosePacked();
    if (!packed) {
      look.next = has_;
      look.waits = true;
      return look;
    }
    StandbyManifest& next = look.next.emplace();
    next.source = source_;
    next.store_id = headers_.begin()->second.store_id;
    next.lsn = reached_.lsn;
    next.time = reached_.time;
    next.last_group = reached_.begin.offset;
    next.last_hash = reached_.hash;
    next.segments = std::move(lengths_);
    if (!has_ || *packed != has_->packed) {
      const uint32_t through = packed_.empty() ? 0 : packed_.back().header.previous;
      next.segments.erase(next.segments.begin(), next.segments.upper_bound(through));
    }
    next.packed = *std::move(packed);
    return look;
  }

  const std::string& source_;
  const std::optional<StandbyManifest>& has_;
  const Lsn confirmed_;
  Segments segments_;
  std::map<uint32_t, format::SegmentHeader> headers_;
  std::vector<Segments::Packed> packed_;
  bool goes_on_ = false;                  // from where the standby ends
  GroupEnd reached_;                      // the last one that is proven
  std::map<uint32_t, uint32_t> lengths_;  // of segments, up to there
  std::deque<GroupEnd> pending_;          // behind it
};

}  // namespace

Result<SourceLook> LookAtSource(FileSystem& files, const std::string& source,
                                const std::optional<StandbyManifest>& has, Lsn confirmed) {
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_log, files.Exists(source + "/log"));
  if (!has_log) {
    return Status(StatusCode::kNotFound, source + " is not a tidemark store (it has no log)");
  }
  return Look(files, source, has, confirmed).Run();
}

}  // namespace tidemark::internal
