#include "engine/internal/log_scanner.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/internal/log_window.h"

namespace tidemark::internal {
namespace {

using format::GroupHeader;

class Scanner {
 public:
  Scanner(Segments& segments, const ScanStart& start,
          const std::function<Status(const ScannedGroup&)>& visit,
          const std::function<void(Location, const Status&)>& on_lost)
      : segments_(segments), headers_(segments.Headers()), visit_(visit), on_lost_(on_lost) {
    end_.position = start.position;
    end_.last_lsn = start.last_lsn;
    end_.last_time = start.last_time;
    end_.proven_lsn = start.proven_lsn;
  }

  Result<ScanEnd> Run() {
    TIDEMARK_RETURN_IF_ERROR(Enter(end_.position.segment));
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const bool good, VisitGoodGroup());
      if (good) continue;
      if (const uint32_t next = NextSegment(); next != 0) {
        before_ = end_.position;
        end_.position = {next, format::kFirstGroupOffset};
        TIDEMARK_RETURN_IF_ERROR(Enter(next));
        continue;
      }
      TIDEMARK_ASSIGN_OR_RETURN(const bool damaged, IsDamage());
      if (!damaged || nothing_behind_) return End();
      TIDEMARK_RETURN_IF_ERROR(VisitDamage());
    }
  }

 private:
  // A segment whose header was written and whose first group was not does not belong to the log
  // yet.
  ScanEnd End() {
    if (before_.offset != 0 && end_.position.offset == format::kFirstGroupOffset) {
      end_.empty_segment = end_.position.segment;
      end_.position = before_;
    }
    return end_;
  }

  Status Enter(uint32_t number) {
    TIDEMARK_ASSIGN_OR_RETURN(auto segment, segments_.Get(number));
    LogWindow::OnUnreadable on_unreadable;
    if (on_lost_) {
      on_unreadable = [this](Location block, const Status& why) { NoteUnreadable(block, why); };
    }
    window_.emplace(segments_, std::move(segment), std::move(on_unreadable));
    return OkStatus();
  }

  // Neighbours are one finding, and so is a block that is read again. What it holds of groups is
  // another: they do not verify.
  void NoteUnreadable(Location block, const Status& why) {
    const uint32_t number = block.offset / 4096;
    const bool known = unreadable_.contains({block.segment, number});
    const bool goes_on = number > 0 && unreadable_.contains({block.segment, number - 1});
    unreadable_.emplace(block.segment, number);
    if (!known && !goes_on) on_lost_(block, why);
  }

  // The segment that begins exactly where we are.
  uint32_t NextSegment() const {
    for (const auto& [number, header] : headers_) {
      if (header.previous == end_.position.segment && header.previous_end == end_.position.offset &&
          number > header.previous && header.first_lsn > end_.last_lsn.value) {
        return number;
      }
    }
    return 0;
  }

  Result<bool> VisitGoodGroup() {
    has_hole_ = false;
    TIDEMARK_ASSIGN_OR_RETURN(const auto header, window_->HeaderAt(end_.position.offset));
    if (!header || header->first_lsn <= end_.last_lsn.value) return false;
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes,
                              window_->Read(end_.position.offset, header->length));
    if (bytes.size() < header->length || !IsGroupIntact(bytes, window_->segment().incarnation)) {
      return false;
    }
    auto directory = ParseDirectory(bytes, window_->segment().incarnation);
    const auto footer = ParseFooter(bytes, window_->segment().incarnation);
    if (!directory || !IsDirectoryOf(*directory, *header) || footer->length != header->length) {
      return false;
    }
    has_hole_ = !Follows(*header, bytes);
    if (has_hole_) return false;
    TIDEMARK_RETURN_IF_ERROR(Visit({.location = end_.position,
                                    .incarnation = window_->segment().incarnation,
                                    .header = *header,
                                    .bytes = bytes,
                                    .directory = std::move(*directory)}));
    return true;
  }

  // Is this the group that was written next? Nothing is left out between two groups but what an
  // unclean stop lost, and then a new segment begins with an open record that names the last record
  // before. A group that is whole and stands elsewhere (a misdirected write has put it here, or the
  // length of the one before is wrong) hides those between.
  bool Follows(const GroupHeader& header, ConstBytes bytes) const {
    if (header.first_lsn == end_.last_lsn.value + 1) return true;
    if (!MayBeginWith(header.first_lsn)) return false;
    RecordView first;
    if (ParseRecord(bytes.subspan(sizeof(header)), window_->segment().incarnation, first) !=
            ParseOutcome::kOk ||
        first.kind != RecordKind::kOpen) {
      return false;
    }
    const auto open = DecodeOpen(first.fields);
    return open && open->previous_end == end_.last_lsn;
  }

  // Can a group that begins with this LSN stand here, for all that is known without its records?
  bool MayBeginWith(uint64_t first_lsn) const {
    if (first_lsn == end_.last_lsn.value + 1) return true;
    return end_.position.offset == format::kFirstGroupOffset && first_lsn > end_.last_lsn.value &&
           first_lsn == headers_.at(end_.position.segment).first_lsn;
  }

  Status Visit(const ScannedGroup& group) {
    TIDEMARK_RETURN_IF_ERROR(visit_(group));
    end_.last_lsn = group.directory.back().lsn;
    end_.last_group = group.location;
    end_.last_group_length = static_cast<uint32_t>(group.bytes.size());
    end_.position.offset += end_.last_group_length;
    end_.closed = false;
    if (group.header_ok) {
      end_.proven_lsn = std::max(end_.proven_lsn, Lsn(group.header.durable_lsn));
      end_.last_epoch = group.header.epoch;
      end_.last_time =
          std::max(end_.last_time,
                   Timestamp(std::chrono::microseconds(static_cast<int64_t>(group.header.time))));
    }
    if (group.intact) {
      RecordView record;
      const ConstBytes last = group.bytes.subspan(group.directory.back().offset);
      if (ParseRecord(last, group.incarnation, record) == ParseOutcome::kOk) {
        end_.closed = record.kind == RecordKind::kClose;
        end_.last_time =
            std::max(end_.last_time, Timestamp(std::chrono::microseconds(static_cast<int64_t>(
                                         group.header.time + record.place.time_delta))));
      }
    }
    return OkStatus();
  }

  // Is there proof that records above last_lsn were durable?
  Result<bool> IsDamage() {
    if (end_.proven_lsn > end_.last_lsn || has_hole_) return true;
    // Behind a header that may stand here: it speaks of groups before its own, and they are all
    // there (the LSNs that an unclean stop left out count as durable to the first group behind it).
    uint32_t from = end_.position.offset + uint32_t{format::kGroupAlignment};
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const uint32_t offset, window_->FindGroup(from));
      if (offset == 0) break;
      TIDEMARK_ASSIGN_OR_RETURN(const auto header, window_->HeaderAt(offset));
      if (header && header->durable_lsn > end_.last_lsn.value) return true;
      from = offset + format::kGroupAlignment;
    }
    // A later segment was begun when all before it was synced.
    for (const auto& [number, header] : headers_) {
      if (number > end_.position.segment && header.first_lsn > end_.last_lsn.value) return true;
    }
    return false;
  }

  // A damaged stretch from here to `end` (0: for good) of which nothing can be told.
  Status Lose(uint32_t end) {
    const Status status = Unattributable(end);
    if (!on_lost_) return status;
    on_lost_(end_.position, status);
    // Only a group that goes on where the log does: there may be copies of older ones.
    TIDEMARK_ASSIGN_OR_RETURN(
        const uint32_t next, window_->FindGroup(end_.position.offset + uint32_t{8}, end_.last_lsn));
    const auto behind = headers_.upper_bound(end_.position.segment);
    if (next != 0) {
      end_.position.offset = next;
      TIDEMARK_ASSIGN_OR_RETURN(const auto header, window_->HeaderAt(next));
      if (header) end_.last_lsn = Lsn(header->first_lsn - 1);
    } else if (behind != headers_.end()) {
      end_.position = {behind->first, format::kFirstGroupOffset};
      end_.last_lsn = std::max(end_.last_lsn, Lsn(behind->second.first_lsn - 1));
      TIDEMARK_RETURN_IF_ERROR(Enter(behind->first));
    } else {
      nothing_behind_ = true;
    }
    return OkStatus();
  }

  Status Unattributable(uint32_t end) const {
    if (end == 0) {
      const uint32_t missing = segments_.MissingBehind(end_.position.segment);
      return Status(StatusCode::kCorruption,
                    "the log is damaged behind segment " + std::to_string(end_.position.segment) +
                        ", offset " + std::to_string(end_.position.offset) +
                        ": later segments or the index show that it goes on, and nothing says with "
                        "whose commits" +
                        (missing == 0 ? ""
                                      : "; the file of segment " + std::to_string(missing) +
                                            " is missing: bring it back from a copy"));
    }
    return Status(StatusCode::kCorruption,
                  "the log is damaged in segment " + std::to_string(end_.position.segment) +
                      " between offsets " + std::to_string(end_.position.offset) + " and " +
                      std::to_string(end) + ", and nothing there says whose commits it held");
  }

  // How long a damaged group with this header is. The header can be of a group that a misdirected
  // write has put here, or its length wrong: where the directory at its end is not its own, it ends
  // before the next one at the latest. Otherwise that one would be passed over as a part of it.
  //
  // Its own directory can be what such a write has moved, with the header behind it: then the group
  // is as long as both say, and `moved` is what they say of its records.
  Result<uint32_t> LengthOf(const GroupHeader& header, uint32_t begin,
                            std::vector<DirectoryEntry>* moved) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, window_->Read(begin, header.length));
    const auto directory = ParseDirectory(bytes, window_->segment().incarnation);
    if (directory && IsDirectoryOf(*directory, header)) return header.length;
    TIDEMARK_ASSIGN_OR_RETURN(
        const uint32_t next,
        window_->FindGroup(begin + uint32_t{format::kGroupAlignment}, Lsn(header.first_lsn)));
    if (next == 0 || next - begin >= header.length) return header.length;
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes before, window_->Read(begin, next - begin));
    const auto footer = ParseFooter(before, window_->segment().incarnation);
    auto there = ParseDirectory(before, window_->segment().incarnation);
    if (there && footer->length == header.length && IsDirectoryOf(*there, header)) {
      *moved = *std::move(there);
      return header.length;
    }
    return next - begin;
  }

  // Visits the damaged groups from here up to the next good one, or to the end of the segment.
  Status VisitDamage() {
    const uint32_t begin = end_.position.offset;
    TIDEMARK_ASSIGN_OR_RETURN(auto header, window_->HeaderAt(begin));
    uint32_t end = 0;
    Lsn next_lsn(UINT64_MAX);  // of what stands at `end`
    std::vector<DirectoryEntry> moved;
    if (header && MayBeginWith(header->first_lsn) && !has_hole_) {
      TIDEMARK_ASSIGN_OR_RETURN(header->length, LengthOf(*header, begin, &moved));
      end = begin + header->length;
    } else {
      header.reset();
      TIDEMARK_ASSIGN_OR_RETURN(
          end, window_->FindGroup(begin + uint32_t{format::kGroupAlignment}, end_.last_lsn));
      if (end != 0) {
        TIDEMARK_ASSIGN_OR_RETURN(const auto next, window_->HeaderAt(end));
        if (next) next_lsn = Lsn(next->first_lsn);
      } else if (const format::SegmentHeader* const next = Successor()) {
        end = next->previous_end;
        next_lsn = Lsn(next->first_lsn);
      }
      if (end == 0 || end <= begin) return Lose(end);
    }
    // A header says how long its group is; without one, footers lead back from the end.
    struct Stretch {
      uint32_t begin;
      uint32_t length;
    };
    std::vector<Stretch> groups;
    if (header) groups.push_back({begin, header->length});
    for (uint32_t at = end; at > begin && !header;) {
      TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes before, window_->Read(begin, at - begin));
      const auto footer = ParseFooter(before, window_->segment().incarnation);
      if (!footer || footer->length > at - begin || footer->length < GroupBuilder::kOverhead - 8) {
        return Lose(end);
      }
      at -= footer->length;
      groups.push_back({at, footer->length});
    }
    for (auto stretch = groups.rbegin(); stretch != groups.rend(); ++stretch) {
      TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes,
                                window_->Read(stretch->begin, stretch->length));
      std::vector<DirectoryEntry> directory =
          moved.empty() ? DirectoryOf(bytes, header, next_lsn) : std::move(moved);
      if (directory.empty()) return Lose(end);
      ScannedGroup group;
      group.location = {end_.position.segment, stretch->begin};
      group.incarnation = window_->segment().incarnation;
      group.intact = false;
      group.header_ok = header.has_value();
      if (header) group.header = *header;
      group.bytes = bytes;
      group.directory = std::move(directory);
      TIDEMARK_RETURN_IF_ERROR(Visit(group));
    }
    return OkStatus();
  }

  // Whose records a damaged group held; nobody's if nothing says. The directory of another group,
  // which a misdirected write can have put here, would blame those who lost nothing, and let the
  // others pass for whole.
  std::vector<DirectoryEntry> DirectoryOf(ConstBytes bytes,
                                          const std::optional<GroupHeader>& header,
                                          Lsn next_lsn) const {
    const uint64_t incarnation = window_->segment().incarnation;
    if (auto directory = ParseDirectory(bytes, incarnation)) {
      GroupHeader said{};  // as far as a directory is compared with it
      said.first_lsn = directory->front().lsn.value;
      said.record_count = static_cast<uint32_t>(directory->size());
      const bool may_stand_here =
          header || (MayBeginWith(said.first_lsn) && directory->back().lsn < next_lsn);
      if (may_stand_here && IsDirectoryOf(*directory, header.value_or(said))) {
        return std::move(*directory);
      }
    }
    if (!header) return {};
    auto directory = DirectoryFromRecords(bytes, *header, incarnation);
    if (!directory || !IsDirectoryOf(*directory, *header)) return {};
    return std::move(*directory);
  }

  // The header of the segment that goes on behind this one; null if there is none.
  const format::SegmentHeader* Successor() const {
    for (const auto& [number, header] : headers_) {
      if (header.previous == end_.position.segment && number > header.previous &&
          header.first_lsn > end_.last_lsn.value) {
        return &header;
      }
    }
    return nullptr;
  }

  Segments& segments_;
  const std::map<uint32_t, format::SegmentHeader> headers_;
  const std::function<Status(const ScannedGroup&)>& visit_;
  const std::function<void(Location, const Status&)>& on_lost_;
  std::optional<LogWindow> window_;
  std::set<std::pair<uint32_t, uint32_t>> unreadable_;  // segment and number of the block
  Location before_;                                     // where the segment before this one ended
  bool has_hole_ = false;        // a whole group stands here, and others are missing before it
  bool nothing_behind_ = false;  // a stretch that is lost goes on to the end of the log
  ScanEnd end_;
};

// As HasCheckpoint; errors of reading are its errors.
Result<bool> ShowsCheckpoint(Segments& segments, const CheckpointRow& checkpoint) {
  const Location position = checkpoint.position;
  const Lsn lsn = checkpoint.lsn;
  TIDEMARK_ASSIGN_OR_RETURN(auto segment, segments.Get(position.segment));
  const uint64_t incarnation = segment->incarnation;
  LogWindow window(segments, std::move(segment), nullptr);
  if (checkpoint.group_hash != 0 &&
      position.offset >= format::kFirstGroupOffset + checkpoint.group_length) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto last,
                              window.HeaderAt(position.offset - checkpoint.group_length));
    if (last) return last->hash == checkpoint.group_hash;
  }
  // Its header is damaged, or what should be there is not.
  TIDEMARK_ASSIGN_OR_RETURN(const auto next, window.HeaderAt(position.offset));
  if (next && next->first_lsn == lsn.value + 1) return true;
  for (const auto& [number, header] : segments.Headers()) {
    if (header.previous == position.segment && header.previous_end == position.offset &&
        header.first_lsn > lsn.value) {
      return true;
    }
  }
  // Longer than any directory.
  const uint32_t length = std::min(position.offset - format::kFirstGroupOffset, 1u << 20);
  TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes before, window.Read(position.offset - length, length));
  const auto directory = ParseDirectory(before, incarnation);
  if (before.size() == length && directory && directory->back().lsn == lsn) return true;
  for (uint32_t at = format::kFirstGroupOffset; at != 0 && at < position.offset;) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto header, window.HeaderAt(at));
    if (!header) {
      TIDEMARK_ASSIGN_OR_RETURN(at, window.FindGroup(at + uint32_t{format::kGroupAlignment}));
      continue;
    }
    at += header->length;
    if (at == position.offset && header->first_lsn + header->record_count == lsn.value + 1) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<bool> HasCheckpoint(Segments& segments, const CheckpointRow& checkpoint) {
  if (checkpoint.position.offset <= format::kFirstGroupOffset) return true;  // no group ends there
  auto shows = ShowsCheckpoint(segments, checkpoint);
  if (shows.status().code() == StatusCode::kIoError) return true;  // says nothing
  return shows;
}

Result<ScanEnd> ScanLog(Segments& segments, const ScanStart& start,
                        const std::function<Status(const ScannedGroup&)>& visit,
                        const std::function<void(Location, const Status&)>& on_lost) {
  return Scanner(segments, start, visit, on_lost).Run();
}

}  // namespace tidemark::internal
