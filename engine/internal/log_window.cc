#include "engine/internal/log_window.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "engine/internal/group.h"

namespace tidemark::internal {
namespace {

using format::GroupHeader;

constexpr size_t kWindowBytes = 64u << 10;
// What a disk loses at once, and the page cache reads at least.
constexpr size_t kBlockBytes = 4096;

}  // namespace

LogWindow::LogWindow(Segments& segments, std::shared_ptr<Segment> segment,
                     OnUnreadable on_unreadable)
    : segments_(segments), segment_(std::move(segment)), on_unreadable_(std::move(on_unreadable)) {}

Result<ConstBytes> LogWindow::Read(uint32_t offset, size_t length) {
  if (offset < begin_ || offset + length > begin_ + size_) {
    buffer_.resize(std::max(length, kWindowBytes));
    size_ = 0;
    TIDEMARK_ASSIGN_OR_RETURN(size_, Fill(offset));
    begin_ = offset;
  }
  const ConstBytes all = ConstBytes(buffer_).first(size_).subspan(offset - begin_);
  return all.first(std::min(length, all.size()));
}

// No further than the segment's end: a disk that is gone fails behind it, too, and what cannot be
// read counts as zeros, of which a search would find no end.
Result<size_t> LogWindow::Fill(uint32_t offset) {
  if (offset >= segment_->size_bytes) return size_t{0};
  const Bytes window =
      Bytes(buffer_).first(std::min<size_t>(buffer_.size(), segment_->size_bytes - offset));
  auto whole = segment_->file->ReadAt(offset, window);
  if (whole.status().code() != StatusCode::kIoError) return whole;
  size_t done = 0;
  while (done < window.size()) {
    const uint32_t at = offset + static_cast<uint32_t>(done);
    const size_t step = std::min(kBlockBytes - at % kBlockBytes, window.size() - done);
    const Bytes block = window.subspan(done, step);
    const auto got = segment_->file->ReadAt(at, block);
    if (got.status().code() == StatusCode::kIoError) {
      const Location place{segment_->number, at};
      const Status status = segments_.CannotRead(place, got.status());
      if (!on_unreadable_) return status;
      on_unreadable_(place, status);
      std::ranges::fill(block, std::byte{0});
      done += step;
      continue;
    }
    if (!got.ok()) return got.status();
    done += *got;
    if (*got < step) break;
  }
  return done;
}

Result<std::optional<GroupHeader>> LogWindow::HeaderAt(uint32_t offset) {
  TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, Read(offset, sizeof(GroupHeader)));
  if (bytes.size() < sizeof(GroupHeader)) return std::optional<GroupHeader>();
  GroupHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (!IsHeader(header, offset)) return std::optional<GroupHeader>();
  return std::optional<GroupHeader>(header);
}

Result<uint32_t> LogWindow::FindGroup(uint32_t offset, Lsn above) {
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, Read(offset, kWindowBytes));
    if (bytes.size() < sizeof(GroupHeader)) return uint32_t{0};
    size_t at = 0;
    for (; at + sizeof(GroupHeader) <= bytes.size(); at += format::kGroupAlignment) {
      uint32_t magic;  // of nearly all places it is another one: no more is read of them
      std::memcpy(&magic, bytes.data() + at + offsetof(GroupHeader, magic), sizeof(magic));
      if (magic != format::kGroupMagic) continue;
      GroupHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof(header));
      if (IsHeader(header, offset + at) && header.first_lsn > above.value) {
        return offset + static_cast<uint32_t>(at);
      }
    }
    offset += static_cast<uint32_t>(at);
  }
}

// One whose length cannot be true leads past what is behind it.
bool LogWindow::IsHeader(const GroupHeader& header, uint64_t offset) const {
  return IsGroupHeader(header, segment_->incarnation) &&
         offset + header.length <= segment_->size_bytes;
}

}  // namespace tidemark::internal
