#include "engine/internal/segments.h"

#include <algorithm>
#include <bit>
#include <new>

#include "engine/check.h"
#include "engine/internal/group.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

constexpr size_t kMaxOpenSegments = 128;

}  // namespace

Segments::Segments(FileSystem* file_system, std::string directory, uint32_t full_size_bytes,
                   OpenMode mode)
    : file_system_(file_system),
      directory_(std::move(directory)),
      full_size_bytes_(full_size_bytes),
      mode_(mode) {}

std::string Segments::Path(uint32_t number) const { return directory_ + "/" + SegmentName(number); }

Status Segments::Load() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto names, file_system_->ListDirectory(directory_));
  std::lock_guard lock(mutex_);
  for (const std::string& name : names) {
    const std::optional<uint32_t> number = ParseSegmentName(name);
    if (!number) continue;
    if (format::IsPacked(*number)) {
      TIDEMARK_ASSIGN_OR_RETURN(packed_[*number], LookPacked(*number));
      next_packed_ = std::max(next_packed_, *number + 1);
    } else {
      TIDEMARK_ASSIGN_OR_RETURN(entries_[*number], Look(*number));
    }
  }
  return OkStatus();
}

Result<Segments::Entry> Segments::Look(uint32_t number) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto file, file_system_->Open(Path(number), OpenMode::kReadOnly));
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t size, file->SizeBytes());
  Entry entry;
  entry.size_bytes = static_cast<uint32_t>(std::min<uint64_t>(size, 1u << 30));
  Status unreadable;  // the first block that the disk could not read
  const auto read = [&](uint64_t offset, auto& out) -> Result<bool> {
    auto got = file->ReadAt(offset, std::as_writable_bytes(std::span(&out, 1)));
    if (got.status().code() == StatusCode::kIoError) {
      if (unreadable.ok()) {
        unreadable = CannotRead({number, static_cast<uint32_t>(offset)}, got.status());
      }
      return false;
    }
    TIDEMARK_RETURN_IF_ERROR(got.status());
    return *got == sizeof(out);
  };
  const auto read_group = [&](uint64_t offset, format::GroupHeader& group) -> Result<bool> {
    TIDEMARK_ASSIGN_OR_RETURN(const bool there, read(offset, group));
    return there && group.magic == format::kGroupMagic;
  };
  format::GroupHeader first{};
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_first, read_group(format::kFirstGroupOffset, first));
  bool of_another_number = false;
  for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
    format::SegmentHeader header{};
    TIDEMARK_ASSIGN_OR_RETURN(const bool there, read(offset, header));
    if (!there) continue;
    const Status status = CheckSegmentHeader(header, number);
    if (status.code() == StatusCode::kUnsupportedVersion) return status;
    of_another_number |= header.hash == HeaderHash(header) && header.number != number;
    if (!status.ok()) continue;
    // One may be of an earlier use of the file: the groups know which.
    if (entry.spare || (has_first && IsGroupHeader(first, header.incarnation))) {
      entry.spare = false;
      entry.header = header;
    }
  }
  if (!entry.spare) return entry;
  if (!of_another_number && has_first && unreadable.ok()) {
    // A crash can leave the first group without a header, but not a second one: the header was
    // synced with the first.
    format::GroupHeader second{};
    TIDEMARK_ASSIGN_OR_RETURN(
        const bool has_second,
        read_group(uint64_t{format::kFirstGroupOffset} + first.length, second));
    entry.unreadable = has_second && first.length != 0;
    entry.spare = !entry.unreadable;
  }
  // One that was not finished is zeros, and a header is written to one that was: so this was cut
  // off.
  if (entry.spare && !of_another_number && size < format::kFirstGroupOffset && unreadable.ok()) {
    std::array<std::byte, sizeof(format::SegmentHeader)> begin{};
    TIDEMARK_RETURN_IF_ERROR(file->ReadAt(0, begin).status());
    entry.unreadable = std::ranges::any_of(begin, [](std::byte b) { return b != std::byte{0}; });
    entry.spare = !entry.unreadable;
  }
  // A spare is written over: it must be known to be one.
  if (entry.spare && !unreadable.ok()) return unreadable;
  return entry;
}

uint32_t Segments::UnreadableBehind(uint32_t number) const {
  std::lock_guard lock(mutex_);
  for (auto it = entries_.upper_bound(number); it != entries_.end(); ++it) {
    if (it->second.unreadable) return it->first;
  }
  return 0;
}

uint32_t Segments::MissingBehind(uint32_t number) const {
  std::lock_guard lock(mutex_);
  for (auto it = entries_.upper_bound(number); it != entries_.end(); ++it) {
    if (it->first != ++number) return number;
  }
  return 0;
}

std::map<uint32_t, format::SegmentHeader> Segments::Headers() const {
  std::lock_guard lock(mutex_);
  std::map<uint32_t, format::SegmentHeader> headers;
  for (const auto& [number, entry] : entries_) {
    if (!entry.spare && !entry.unreadable) headers[number] = entry.header;
  }
  return headers;
}

void Segments::MarkSpare(uint32_t number) {
  std::lock_guard lock(mutex_);
  entries_[number].spare = true;
  CloseLocked(number);
}

Status Segments::ReadySpares() {
  std::lock_guard lock(mutex_);
  const bool has_spares = !entries_.empty() && entries_.rbegin()->second.spare;
  for (auto it = entries_.rbegin(); it != entries_.rend() && it->second.spare;) {
    const uint32_t number = it->first;
    // Of another size than segments are made with: a crash or a full disk cut its making short.
    if (std::has_single_bit(it->second.size_bytes) &&
        it->second.size_bytes >= std::min(kFirstSegmentBytes, full_size_bytes_)) {
      // A crash can leave a file that has its size but not all its blocks.
      TIDEMARK_ASSIGN_OR_RETURN(auto file, file_system_->Open(Path(number), OpenMode::kReadWrite));
      TIDEMARK_RETURN_IF_ERROR(file->Allocate(it->second.size_bytes));
      it->second.file = std::move(file);
      ++it;
    } else {
      TIDEMARK_RETURN_IF_ERROR(file_system_->Remove(Path(number)));
      it = std::make_reverse_iterator(entries_.erase(std::next(it).base()));
    }
  }
  // Nor need the names be durable yet: a process may have died before it synced them.
  return has_spares ? file_system_->SyncDirectory(directory_) : OkStatus();
}

Status Segments::CutAt(Location end) {
  uint32_t keep = (end.offset + 4095u) / 4096u * 4096u;
  if (std::has_single_bit(keep)) keep += 4096;  // of a full one this is more than it had
  TIDEMARK_ASSIGN_OR_RETURN(const auto segment, Get(end.segment));
  TIDEMARK_RETURN_IF_ERROR(segment->file->Truncate(keep));
  std::lock_guard lock(mutex_);
  entries_[end.segment].size_bytes = keep;
  return OkStatus();
}

Status Segments::PrepareSpare(SpareBlocks blocks) {
  std::lock_guard prepare_lock(prepare_mutex_);
  uint32_t number = 1;
  {
    std::lock_guard lock(mutex_);
    if (SpareCountLocked() > 0) return OkStatus();
    if (!entries_.empty()) number = entries_.rbegin()->first + 1;
  }
  // Doubling by number, not by the last size: recovery cuts the segments it leaves behind.
  uint32_t size_bytes = std::min(kFirstSegmentBytes, full_size_bytes_);
  for (uint32_t n = 1; n < number && size_bytes < full_size_bytes_; ++n) size_bytes *= 2;
  if (number > format::kMaxSegmentNumber) {
    return Status(StatusCode::kLimitExceeded,
                  "the log is at its last segment, " + std::to_string(format::kMaxSegmentNumber) +
                      ": copy the objects to a new store, with larger segments");
  }
  const std::string path = Path(number);
  Entry entry;
  entry.size_bytes = size_bytes;
  const auto make = [&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(entry.file, file_system_->Open(path, OpenMode::kCreateNew));
    File& file = *entry.file;
    TIDEMARK_RETURN_IF_ERROR(file.Allocate(size_bytes));
    if (blocks == SpareBlocks::kWritten) {
      // Small writes leave small folios in the page cache. In a large one, Linux walks over all
      // its blocks at every small write and sync that come later.
      const Buffer zeros(16u << 10);
      for (uint32_t offset = 0; offset < size_bytes;) {
        const uint32_t length = std::min(static_cast<uint32_t>(zeros.size()), size_bytes - offset);
        TIDEMARK_RETURN_IF_ERROR(file.WriteAt(offset, ConstBytes(zeros).first(length)));
        offset += length;
      }
    }
    TIDEMARK_RETURN_IF_ERROR(file.Sync());
    return file_system_->SyncDirectory(directory_);
  };
  Status status;
  std::map<uint32_t, Entry> made;
  try {
    status = make();
    if (status.ok()) made.emplace(number, std::move(entry));
  } catch (const std::bad_alloc&) {
    status = Status::OutOfMemory();
  }
  if (!status.ok()) {
    // Best effort: what is left is a spare of the wrong size, and the error is what counts.
    (void)file_system_->Remove(path);
    return status.WithContext("preparing segment " + std::to_string(number));
  }
  std::lock_guard lock(mutex_);
  entries_.merge(made);
  return OkStatus();
}

bool Segments::HasSpare() const { return SpareCount() > 0; }

uint32_t Segments::SpareCount() const {
  std::lock_guard lock(mutex_);
  return SpareCountLocked();
}

uint32_t Segments::SpareCountLocked() const {
  uint32_t count = 0;
  for (auto it = entries_.rbegin(); it != entries_.rend() && it->second.spare; ++it) ++count;
  return count;
}

std::shared_ptr<Segment> Segments::Activate(uint64_t store_id, Location previous_end, Lsn first_lsn,
                                            format::SegmentHeader* header) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.upper_bound(previous_end.segment);
  CHECK(it != entries_.end());
  CHECK(it->second.spare);
  CHECK(it->second.file != nullptr);
  auto segment = std::make_shared<Segment>();
  segment->number = it->first;
  segment->size_bytes = it->second.size_bytes;
  segment->incarnation = RandomNumber();
  CacheLocked(segment);  // before the spare is touched: memory may run out
  segment->file = std::move(it->second.file);
  *header = MakeSegmentHeader(it->first, store_id, segment->incarnation, previous_end, first_lsn);
  it->second.spare = false;
  it->second.header = *header;
  return segment;
}

const Segments::Entry* Segments::FindLocked(uint32_t number) const {
  const auto& entries = format::IsPacked(number) ? packed_ : entries_;
  const auto it = entries.find(number);
  if (it == entries.end() || it->second.spare || it->second.unreadable) return nullptr;
  return &it->second;
}

// Whoever still reads it holds a reference.
void Segments::CloseLocked(uint32_t number) {
  if (const auto it = open_by_number_.find(number); it != open_by_number_.end()) {
    open_.erase(it->second);
    open_by_number_.erase(it);
  }
}

Result<std::shared_ptr<Segment>> Segments::OpenLocked(uint32_t number, OpenMode mode) {
  TIDEMARK_ASSIGN_OR_RETURN(auto file, file_system_->Open(Path(number), mode));
  auto segment = std::make_shared<Segment>();
  segment->number = number;
  const Entry& entry = *FindLocked(number);
  segment->size_bytes = entry.size_bytes;
  segment->incarnation = entry.header.incarnation;
  segment->file = std::move(file);
  return segment;
}

void Segments::CacheLocked(const std::shared_ptr<Segment>& segment) {
  std::list<std::shared_ptr<Segment>> front{segment};
  open_by_number_[segment->number] = front.begin();  // there is no memory: nothing has changed
  open_.splice(open_.begin(), front);
  if (open_.size() > kMaxOpenSegments) {
    open_by_number_.erase(open_.back()->number);
    open_.pop_back();  // whoever still uses it holds a reference
  }
}

Result<std::shared_ptr<Segment>> Segments::Get(uint32_t number) {
  std::lock_guard lock(mutex_);
  if (const auto it = open_by_number_.find(number); it != open_by_number_.end()) {
    if (it->second != open_.begin()) open_.splice(open_.begin(), open_, it->second);
    return *it->second;
  }
  if (FindLocked(number) == nullptr) {
    return Status(StatusCode::kCorruption,
                  SegmentLabel(number) + " is missing or its header is damaged");
  }
  TIDEMARK_ASSIGN_OR_RETURN(auto segment, OpenLocked(number, mode_));
  CacheLocked(segment);
  return segment;
}

Status Segments::Read(Location location, Bytes out, uint64_t* incarnation) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto segment, Get(location.segment));
  TIDEMARK_ASSIGN_OR_RETURN(const size_t got, ReadUpTo(*segment, location.offset, out));
  if (got != out.size()) {
    return Status(StatusCode::kCorruption, SegmentLabel(location.segment) + " ends before offset " +
                                               std::to_string(location.offset + out.size()));
  }
  if (incarnation != nullptr) *incarnation = segment->incarnation;
  return OkStatus();
}

Result<size_t> Segments::ReadUpTo(const Segment& segment, uint32_t offset, Bytes out) const {
  auto got = segment.file->ReadAt(offset, out);
  if (got.status().code() != StatusCode::kIoError) return got;
  return CannotRead({segment.number, offset}, got.status());
}

Status Segments::CannotRead(Location place, const Status& why) const {
  return Status(StatusCode::kIoError,
                "the disk cannot read " + SegmentLabel(place.segment) + " at offset " +
                    std::to_string(place.offset) + " (" + why.message() +
                    "): if that goes on, copy the store with a tool that gets over it, such as "
                    "ddrescue, and open the copy: what could not be read is damage there, and "
                    "costs what it hits");
}

uint64_t Segments::SealedBytes() const {
  std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const auto& [number, entry] : entries_) {
    // Each says where the one before it ended.
    if (FindLocked(number) != nullptr && FindLocked(entry.header.previous) != nullptr) {
      bytes += entry.header.previous_end;
    }
  }
  return bytes;
}

uint64_t Segments::FileBytes() const {
  std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const auto& [number, entry] : entries_) bytes += entry.size_bytes;
  for (const auto& [number, entry] : packed_) bytes += entry.size_bytes;
  return bytes;
}

}  // namespace tidemark::internal
