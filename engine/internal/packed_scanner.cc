#include "engine/internal/packed_scanner.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/log_window.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

class PackedScanner {
 public:
  PackedScanner(Segments& segments, Location from,
                const std::function<Status(const ScannedGroup&)>& visit,
                const std::function<void(Location, const Status&)>& on_lost)
      : segments_(segments), at_(from), visit_(visit), on_lost_(on_lost) {}

  Status Run() {
    TIDEMARK_ASSIGN_OR_RETURN(auto segment, segments_.Get(at_.segment));
    end_ = segment->size_bytes;
    LogWindow::OnUnreadable on_unreadable;
    if (on_lost_) on_unreadable = on_lost_;
    window_.emplace(segments_, std::move(segment), std::move(on_unreadable));
    while (at_.offset < end_) {
      TIDEMARK_ASSIGN_OR_RETURN(auto header, window_->HeaderAt(at_.offset));
      if (header && header->first_lsn >= last_lsn_.value && header->length <= end_ - at_.offset) {
        TIDEMARK_RETURN_IF_ERROR(VisitGroup(header, at_.offset, header->length));
        at_.offset += header->length;
      } else {
        TIDEMARK_RETURN_IF_ERROR(VisitHeadless());
      }
    }
    return OkStatus();
  }

 private:
  Status VisitGroup(const std::optional<format::GroupHeader>& header, uint32_t begin,
                    uint32_t length) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, window_->Read(begin, length));
    const uint64_t incarnation = window_->segment().incarnation;
    ScannedGroup group;
    group.location = {at_.segment, begin};
    group.incarnation = incarnation;
    group.header_ok = header.has_value();
    if (header) group.header = *header;
    group.intact = header && IsGroupIntact(bytes, incarnation);
    group.bytes = bytes;
    auto directory = ParseDirectory(bytes, incarnation);
    if (directory && header &&
        (directory->size() != header->record_count ||
         directory->front().lsn.value != header->first_lsn)) {
      directory.reset();
      group.intact = false;
    }
    if (!directory && header) directory = DirectoryFromRecords(bytes, *header, incarnation);
    if (!directory || bytes.size() != length) return Lose(begin);
    group.directory = *std::move(directory);
    last_lsn_ = group.directory.back().lsn;
    return visit_(group);
  }

  // Groups without headers up to the next one that has its own, or the file's end: footers lead
  // back from there.
  Status VisitHeadless() {
    TIDEMARK_ASSIGN_OR_RETURN(
        const uint32_t next,
        window_->FindGroup(at_.offset + uint32_t{format::kGroupAlignment}, Before(last_lsn_)));
    const uint32_t begin = at_.offset;
    const uint32_t end = next == 0 ? end_ : next;
    at_.offset = end;
    std::vector<std::pair<uint32_t, uint32_t>> groups;  // begin and length, the last one first
    for (uint32_t at = end; at > begin;) {
      TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes before, window_->Read(begin, at - begin));
      const auto footer = ParseFooter(before, window_->segment().incarnation);
      if (!footer || footer->length > at - begin || footer->length < GroupBuilder::kOverhead - 8) {
        return Lose(begin);
      }
      at -= footer->length;
      groups.emplace_back(at, footer->length);
    }
    for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
      TIDEMARK_RETURN_IF_ERROR(VisitGroup(std::nullopt, group->first, group->second));
    }
    return OkStatus();
  }

  static Lsn Before(Lsn lsn) { return Lsn(lsn.value - (lsn.valid() ? 1 : 0)); }

  Status Lose(uint32_t begin) const {
    const Status status(StatusCode::kCorruption,
                        SegmentLabel(at_.segment) + " is damaged from offset " +
                            std::to_string(begin) +
                            " on, and nothing there says whose commits it held");
    if (!on_lost_) return status;
    on_lost_({at_.segment, begin}, status);
    return OkStatus();
  }

  Segments& segments_;
  Location at_;
  const std::function<Status(const ScannedGroup&)>& visit_;
  const std::function<void(Location, const Status&)>& on_lost_;
  std::optional<LogWindow> window_;
  uint32_t end_ = 0;
  Lsn last_lsn_;
};

}  // namespace

Status ScanPacked(Segments& segments, Location from,
                  const std::function<Status(const ScannedGroup&)>& visit,
                  const std::function<void(Location, const Status&)>& on_lost) {
  return PackedScanner(segments, from, visit, on_lost).Run();
}

}  // namespace tidemark::internal
