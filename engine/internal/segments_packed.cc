// Packed segments among the files of the log: which count, what they stand for, what goes.

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <string>

#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

std::string Range(const format::SegmentHeader& packed) {
  return "segments " + std::to_string(packed.packed_from) + " to " +
         std::to_string(packed.previous);
}

}  // namespace

// Either copy of the header will do. Without one it is `spare`: what a crash left of a packing, or
// damage. ChoosePacked knows whether it is missed.
Result<Segments::Entry> Segments::LookPacked(uint32_t number) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto file, file_system_->Open(Path(number), OpenMode::kReadOnly));
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t size, file->SizeBytes());
  Entry entry;
  entry.size_bytes =
      static_cast<uint32_t>(std::min<uint64_t>(size, std::numeric_limits<uint32_t>::max()));
  for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
    format::SegmentHeader header{};
    const auto got = file->ReadAt(offset, std::as_writable_bytes(std::span(&header, 1)));
    if (got.status().code() == StatusCode::kIoError) continue;
    TIDEMARK_RETURN_IF_ERROR(got.status());
    if (*got != sizeof(header)) continue;
    const Status status = CheckSegmentHeader(header, number);
    if (status.code() == StatusCode::kUnsupportedVersion) return status;
    if (!status.ok()) continue;
    const auto log =
        file->ReadAt(offset + sizeof(header), std::as_writable_bytes(std::span(&entry.log, 1)));
    if (log.status().code() == StatusCode::kIoError) continue;
    TIDEMARK_RETURN_IF_ERROR(log.status());
    if (entry.log.hash != PackedLogHash(entry.log, header.incarnation)) continue;
    entry.spare = false;
    entry.header = header;
    break;
  }
  return entry;
}

std::vector<uint32_t> Segments::PackedInPlaceOfOthers() const {
  std::lock_guard lock(mutex_);
  std::vector<uint32_t> chosen;
  const auto is_chosen = [&](uint32_t segment) {
    return std::any_of(chosen.begin(), chosen.end(), [&](uint32_t number) {
      const auto& header = packed_.at(number).header;
      return header.packed_from <= segment && segment <= header.previous;
    });
  };
  // Is it there without the packed segments from `newest` on?
  const auto is_there = [&](uint32_t segment, uint32_t newest) {
    const auto own = entries_.find(segment);
    if (own != entries_.end() && !own->second.spare) return true;
    return std::any_of(packed_.begin(), packed_.lower_bound(newest), [&](const auto& older) {
      const auto& header = older.second.header;
      return !older.second.spare && header.packed_from <= segment && segment <= header.previous;
    });
  };
  for (auto it = packed_.rbegin(); it != packed_.rend(); ++it) {
    const auto& header = it->second.header;
    if (it->second.spare || is_chosen(header.packed_from)) continue;
    for (uint32_t segment = header.packed_from; segment <= header.previous; ++segment) {
      if (is_there(segment, it->first)) continue;
      chosen.push_back(it->first);
      break;
    }
  }
  return chosen;
}

Status Segments::ChoosePacked(const std::optional<std::vector<uint32_t>>& known) {
  std::lock_guard lock(mutex_);
  std::vector<uint32_t> chosen;
  if (known) {
    for (const uint32_t number : *known) {
      next_packed_ = std::max(next_packed_, number + 1);
      if (FindLocked(number) == nullptr) {
        return Status(StatusCode::kCorruption,
                      "the log is damaged: " + SegmentLabel(number) +
                          ", which the index names, is missing or both copies of its header are "
                          "damaged; bring it back from a copy of the store");
      }
      chosen.push_back(number);
    }
  } else {
    for (auto it = packed_.rbegin(); it != packed_.rend(); ++it) {
      const auto& header = it->second.header;
      const bool replaced = std::any_of(chosen.begin(), chosen.end(), [&](uint32_t other) {
        const auto& by = packed_.at(other).header;
        return header.packed_from <= by.previous && by.packed_from <= header.previous;
      });
      if (!it->second.spare && !replaced) chosen.push_back(it->first);
    }
  }
  std::sort(chosen.begin(), chosen.end(), [this](uint32_t a, uint32_t b) {
    return packed_.at(a).header.packed_from < packed_.at(b).header.packed_from;
  });
  // Together they stand for the begin of the log, and the first segment behind goes on there.
  Location end;
  for (const uint32_t number : chosen) {
    const auto& header = packed_.at(number).header;
    if (header.packed_from != end.segment + 1) {
      return Status(StatusCode::kCorruption,
                    "the log is damaged: what stands for its segments from " +
                        std::to_string(end.segment + 1) + " on is missing before " +
                        SegmentLabel(number) + ", which stands for " + Range(header) +
                        ". If the index came from another copy, `tidemark rebuild` makes it anew. "
                        "Else bring the file back from a copy");
    }
    end = {header.previous, header.previous_end};
  }
  const std::string other_copy =
      ". If the index came from another copy, `tidemark rebuild` makes it anew";
  // Those that are not in use go, if what they stand for is there: an interrupted packing.
  std::vector<uint32_t> unused;
  for (const auto& [number, entry] : packed_) {
    if (std::find(chosen.begin(), chosen.end(), number) != chosen.end()) continue;
    unused.push_back(number);
    if (entry.spare) continue;
    for (uint32_t n = entry.header.packed_from; n <= entry.header.previous; ++n) {
      if (n > end.segment && FindLocked(n) == nullptr) {
        return Status(StatusCode::kCorruption, "the log is damaged: segment " + std::to_string(n) +
                                                   " is missing, and the index does not name " +
                                                   SegmentLabel(number) + ", which stands for " +
                                                   Range(entry.header) + other_copy);
      }
    }
  }
  // A spare does not stand before the log: one that seems to has lost its header.
  auto first = entries_.upper_bound(end.segment);
  while (first != entries_.end() && FindLocked(first->first) == nullptr) ++first;
  if (first != entries_.end()) {
    const auto& header = first->second.header;
    const bool follows = header.previous == end.segment && header.previous_end == end.offset;
    // With an index the store opens, and what stood in segments that are missing is damaged.
    if (!follows && (!known || (!chosen.empty() && first->first == end.segment + 1))) {
      return Status(StatusCode::kCorruption,
                    "the log is damaged: segment " + std::to_string(first->first) +
                        " goes on behind segment " + std::to_string(header.previous) + ", offset " +
                        std::to_string(header.previous_end) +
                        (chosen.empty() ? ", which is missing or whose header is damaged"
                                        : ", and " + SegmentLabel(chosen.back()) + " stands for " +
                                              Range(packed_.at(chosen.back()).header)) +
                        (known ? other_copy : ", and there is no index"));
    }
  }
  for (const uint32_t number : unused) packed_.erase(number);
  for (auto& [number, entry] : packed_) entry.in_use = true;
  for (auto it = entries_.begin(); it != entries_.end() && it->first <= end.segment;) {
    unused.push_back(it->first);
    it = entries_.erase(it);
  }
  unused_ = std::move(unused);
  packed_through_ = end.segment;
  return OkStatus();
}

Status Segments::RewritePackedHeaders() {
  for (const Packed& packed : ListPacked()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto file,
                              file_system_->Open(Path(packed.header.number), OpenMode::kReadWrite));
    TIDEMARK_RETURN_IF_ERROR(file->WriteAt(0, MakePackedBlocks(packed.header, packed.log)));
    TIDEMARK_RETURN_IF_ERROR(file->Sync());
  }
  return SyncNames();
}

Status Segments::RemoveUnused() {
  std::vector<uint32_t> unused;
  {
    std::lock_guard lock(mutex_);
    unused = unused_;
  }
  if (unused.empty()) return OkStatus();
  Status status;  // the first that failed: the others go all the same
  for (const uint32_t number : unused) {
    const Status removed = file_system_->Remove(Path(number));
    if (removed.ok() || removed.code() == StatusCode::kNotFound) {
      std::lock_guard lock(mutex_);
      std::erase(unused_, number);
    } else if (status.ok()) {
      status = removed;
    }
  }
  const Status synced = SyncNames();
  return status.ok() ? synced : status;
}

std::vector<Segments::Packed> Segments::ListPacked() const {
  std::lock_guard lock(mutex_);
  std::vector<Packed> packed;
  for (const auto& [number, entry] : packed_) {
    if (!entry.in_use) continue;
    packed.push_back({.header = entry.header, .log = entry.log, .size_bytes = entry.size_bytes});
  }
  std::sort(packed.begin(), packed.end(), [](const Packed& a, const Packed& b) {
    return a.header.packed_from < b.header.packed_from;
  });
  return packed;
}

std::vector<uint32_t> Segments::ListUnnamed() const {
  std::lock_guard lock(mutex_);
  std::vector<uint32_t> unnamed;
  for (const auto& [number, entry] : packed_) {
    if (!entry.in_use) unnamed.push_back(number);
  }
  return unnamed;
}

uint32_t Segments::NextPackedNumber() const {
  std::lock_guard lock(mutex_);
  return next_packed_;
}

Result<std::unique_ptr<File>> Segments::CreatePacked(uint32_t number) {
  {
    std::lock_guard lock(mutex_);
    next_packed_ = std::max(next_packed_, number + 1);
    unused_.push_back(number);
  }
  return file_system_->Open(Path(number), OpenMode::kCreateNew);
}

void Segments::AbandonPacked(uint32_t number) noexcept try {
  // What stays has no header, and goes with the next packing or opening.
  const Status removed = file_system_->Remove(Path(number));
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) return;
  std::lock_guard lock(mutex_);
  std::erase(unused_, number);
} catch (const std::bad_alloc&) {
  // Likewise.
}

Status Segments::SyncNames() { return file_system_->SyncDirectory(directory_); }

void Segments::AddPacked(const Packed& packed) {
  std::lock_guard lock(mutex_);
  Entry& entry = packed_[packed.header.number];
  std::erase(unused_, packed.header.number);
  entry.size_bytes = packed.size_bytes;
  entry.spare = false;
  entry.header = packed.header;
  entry.log = packed.log;
}

void Segments::UsePacked(uint32_t number) {
  std::lock_guard lock(mutex_);
  packed_.at(number).in_use = true;
}

void Segments::MakeRoomToPutAside(size_t count) {
  std::lock_guard lock(mutex_);
  unused_.reserve(unused_.size() + count);
}

void Segments::PutAside(const std::vector<uint32_t>& numbers) {
  std::lock_guard lock(mutex_);
  for (const uint32_t number : numbers) {
    CloseLocked(number);
    if (format::IsPacked(number)) {
      packed_.erase(number);
    } else {
      entries_.erase(number);
      packed_through_ = std::max(packed_through_, number);
    }
    unused_.push_back(number);
  }
}

bool Segments::WasPacked(uint32_t number) const {
  std::lock_guard lock(mutex_);
  if (FindLocked(number) != nullptr) return false;
  return format::IsPacked(number) ? number < next_packed_ : number <= packed_through_;
}

}  // namespace tidemark::internal
