#include "engine/internal/salvage_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "engine/internal/segment_header.h"

namespace tidemark::internal {

Status SalvageScan::Run(const Progress& progress) {
  TIDEMARK_RETURN_IF_ERROR(OpenFiles());
  ChooseFiles();
  uint64_t total = 0;
  for (const auto& file : catalog_.files) total += file.segment->size_bytes;
  for (file_ = 0; file_ < catalog_.files.size(); ++file_) {
    if (progress) progress(catalog_.report.bytes, total);
    TIDEMARK_RETURN_IF_ERROR(ScanFile(file_));
    catalog_.report.bytes += catalog_.files[file_].segment->size_bytes;
  }
  catalog_.report.files = catalog_.files.size();
  // A store without a log was never one.
  if (catalog_.files.empty()) ++catalog_.report.unattributed;
  TakeBatches();
  DropTornTail();
  DropUnconfirmed();
  catalog_.Sort();
  DropTold();
  FindHoles();
  catalog_.report.ends_cleanly = closed_lsn_ != 0 && closed_lsn_ == last_lsn_;
  return OkStatus();
}

void SalvageScan::Damaged(uint32_t offset, const std::string& what) {
  Damage damage;
  damage.segment = catalog_.files[file_].header.number;
  damage.offset = offset;
  damage.message = what;
  catalog_.report.damage.push_back(std::move(damage));
}

// ---- files
// ---------------------------------------------------------------------------------------

Status SalvageScan::OpenFiles() {
  TIDEMARK_ASSIGN_OR_RETURN(auto names, file_system_->ListDirectory(log_));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.ends_with(".seg") || name.ends_with(".pack")) {
      TIDEMARK_RETURN_IF_ERROR(OpenFile(name));
    }
  }
  return OkStatus();
}

Status SalvageScan::OpenFile(const std::string& name) {
  const auto unusable = [&](const std::string& what) {
    Damage damage;
    damage.message = log_ + "/" + name + " " + what;
    catalog_.report.damage.push_back(std::move(damage));
    ++catalog_.report.unattributed;
    return OkStatus();
  };
  auto opened = file_system_->Open(log_ + "/" + name, OpenMode::kReadOnly);
  if (!opened.ok()) return unusable("cannot be opened: " + opened.status().message());
  const std::shared_ptr<File> file = *std::move(opened);
  const auto size = file->SizeBytes();
  if (!size.ok()) return unusable("cannot be read: " + size.status().message());
  const uint32_t before = static_cast<uint32_t>(catalog_.files.size());
  for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
    SalvageCatalog::LogFile found;
    const auto got = file->ReadAt(offset, std::as_writable_bytes(std::span(&found.header, 1)));
    if (!got.ok() || *got != sizeof(found.header)) continue;
    const Status status = CheckSegmentHeader(found.header, found.header.number);
    if (status.code() == StatusCode::kUnsupportedVersion) return status;
    if (!status.ok()) continue;
    const auto log = file->ReadAt(offset + sizeof(found.header),
                                  std::as_writable_bytes(std::span(&found.log, 1)));
    if (format::IsPacked(found.header.number) &&
        (!log.ok() || found.log.hash != PackedLogHash(found.log, found.header.incarnation))) {
      continue;
    }
    // One of the two may be of an earlier use of the file.
    if (catalog_.files.size() > before &&
        catalog_.files.back().header.incarnation == found.header.incarnation) {
      continue;
    }
    found.segment = std::make_shared<Segment>();
    found.segment->number = found.header.number;
    found.segment->size_bytes =
        static_cast<uint32_t>(std::min<uint64_t>(*size, std::numeric_limits<uint32_t>::max()));
    found.segment->incarnation = found.header.incarnation;
    // A file of its own: an open one is no more than its descriptor.
    TIDEMARK_ASSIGN_OR_RETURN(found.segment->file,
                              file_system_->Open(log_ + "/" + name, OpenMode::kReadOnly));
    catalog_.files.push_back(std::move(found));
  }
  if (catalog_.files.size() > before + 1) {
    // The groups know which.
    format::GroupHeader first{};
    const auto got =
        file->ReadAt(format::kFirstGroupOffset, std::as_writable_bytes(std::span(&first, 1)));
    const bool is_second = got.ok() && *got == sizeof(first) &&
                           IsGroupHeader(first, catalog_.files[before + 1].header.incarnation);
    catalog_.files.erase(catalog_.files.begin() + before + (is_second ? 0 : 1));
  }
  if (catalog_.files.size() > before) return OkStatus();
  // A spare has nothing in it, nor has a packing that a crash cut short.
  format::GroupHeader group{};
  const auto got =
      file->ReadAt(format::kFirstGroupOffset, std::as_writable_bytes(std::span(&group, 1)));
  if (!got.ok()) return unusable("cannot be read: " + got.status().message());
  if (*got == sizeof(group) && group.magic == format::kGroupMagic && name.ends_with(".seg")) {
    return unusable(
        "holds commits, and both copies of its header are damaged: nothing in it can be "
        "checked");
  }
  if (*size < format::kFirstGroupOffset) return unusable("was cut off before its first commit");
  std::array<std::byte, sizeof(format::SegmentHeader)> header{};
  const auto first = file->ReadAt(0, header);
  const bool was_used = !first.ok() || std::ranges::any_of(header, [](std::byte byte) {
    return byte != std::byte{0};
  });
  if (was_used && name.ends_with(".seg")) {
    return unusable("has no header that is whole: nothing in it can be checked");
  }
  return OkStatus();
}

void SalvageScan::CutOff(const SalvageCatalog::LogFile& file) {
  Damage damage;
  damage.segment = file.header.number;
  damage.offset = file.segment->size_bytes;
  damage.message = "the file was cut off";
  catalog_.report.damage.push_back(std::move(damage));
  ++catalog_.report.unattributed;
}

// Behind what was packed the log goes on: what is written next has its segment.
void SalvageScan::CheckEnd() {
  uint32_t packed = 0;
  uint32_t last = 0;
  for (const auto& file : catalog_.files) {
    const bool is_packed = format::IsPacked(file.header.number);
    if (is_packed) packed = std::max(packed, file.header.previous);
    if (!is_packed) last = std::max(last, file.header.number);
  }
  if (packed == 0 || last > packed) return;
  Damage damage;
  damage.segment = packed + 1;
  damage.message = "the log's end is missing";
  catalog_.report.damage.push_back(std::move(damage));
  ++catalog_.report.unattributed;
}

void SalvageScan::ChooseFiles() {
  auto& files = catalog_.files;
  std::map<uint64_t, size_t> stores;
  for (const auto& file : files) ++stores[file.header.store_id];
  uint64_t store = 0;
  for (const auto& [id, count] : stores) {
    if (store == 0 || count > stores[store]) store = id;
  }
  std::erase_if(files, [&](const SalvageCatalog::LogFile& file) {
    if (file.header.store_id == store) return false;
    Damage damage;
    damage.segment = file.header.number;
    damage.message = "a file of the log is of another store";
    catalog_.report.damage.push_back(std::move(damage));
    return true;
  });
  CheckEnd();
  for (auto& file : files) {
    if (format::IsPacked(file.header.number)) {
      if (file.segment->size_bytes <= format::kFirstGroupOffset) CutOff(file);
      continue;
    }
    for (const auto& next : files) {
      if (!format::IsPacked(next.header.number) && next.header.previous == file.header.number &&
          next.header.first_lsn > file.header.first_lsn) {
        file.end = next.header.previous_end;
      }
    }
    // Those that were left for good are cut, the last one has the size it was made with.
    const uint64_t size = file.segment->size_bytes;
    if (file.end != UINT32_MAX ? size < file.end : !std::has_single_bit(size)) CutOff(file);
  }
}

// Of what a packed segment stands for: behind the one before it, if that is there.
uint64_t SalvageScan::FirstLsnOf(const SalvageCatalog::LogFile& packed) const {
  if (packed.header.packed_from == 1) return 1;
  uint64_t first = packed.header.first_lsn;
  for (const auto& file : catalog_.files) {
    const bool is_before = format::IsPacked(file.header.number) &&
                           file.header.previous + 1 == packed.header.packed_from;
    if (is_before) first = std::min(first, file.log.last_lsn + 1);
  }
  return first;
}

Status SalvageScan::ScanFile(uint32_t number) {
  const auto& file = catalog_.files[number];
  const uint32_t end = std::min(file.end, file.segment->size_bytes);
  window_.emplace(segments_, file.segment, [this](Location place, const Status& why) {
    Damaged(place.offset, why.message());
  });
  if (format::IsPacked(file.header.number)) {
    known_.emplace_back(FirstLsnOf(file), file.log.last_lsn);
    last_lsn_ = std::max(last_lsn_, file.log.last_lsn);
  }
  uint32_t at = format::kFirstGroupOffset;
  while (at < end) {
    TIDEMARK_ASSIGN_OR_RETURN(uint32_t next, window_->FindGroup(at));
    if (next == 0 || next >= end) next = end;
    if (next == end) {
      // One that reaches beyond the file's end: what there is of it.
      TIDEMARK_ASSIGN_OR_RETURN(const bool cut, ScanCutGroup(at));
      if (cut) break;
    }
    // Up to the end only if something says that the file ends there.
    const bool ends_there =
        next < end || file.end != UINT32_MAX || format::IsPacked(file.header.number);
    if (next > at && ends_there) TIDEMARK_RETURN_IF_ERROR(ScanHeadless(at, next));
    if (next == end) break;
    TIDEMARK_ASSIGN_OR_RETURN(const auto header, window_->HeaderAt(next));
    if (!header) break;
    TIDEMARK_RETURN_IF_ERROR(ScanGroup(header, next, header->length));
    // A group that is not whole may have another one in it, by a misdirected write or a wrong
    // length.
    const bool whole = torn_.empty() || torn_.back().file != file_ || torn_.back().offset != next;
    at = next + (whole ? header->length : uint32_t{format::kGroupAlignment});
    if (whole) continue;
    TIDEMARK_ASSIGN_OR_RETURN(const uint32_t inside, window_->FindGroup(at));
    at = inside != 0 && inside < next + header->length ? inside : next + header->length;
  }
  return OkStatus();
}

Result<bool> SalvageScan::ScanCutGroup(uint32_t begin) {
  format::GroupHeader header{};
  TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, window_->Read(begin, sizeof(header)));
  if (bytes.size() < sizeof(header)) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (!IsGroupHeader(header, window_->segment().incarnation)) return false;
  TIDEMARK_RETURN_IF_ERROR(ScanGroup(header, begin, header.length));
  return true;
}

Status SalvageScan::ScanHeadless(uint32_t begin, uint32_t end) {
  uint32_t at = end;
  while (at > begin) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes before, window_->Read(begin, at - begin));
    const auto footer = ParseFooter(before, window_->segment().incarnation);
    if (!footer || footer->length > at - begin || footer->length < GroupBuilder::kOverhead - 8) {
      Damaged(begin, "damaged up to offset " + std::to_string(at) +
                         ", and nothing there says whose commits it held");
      ++catalog_.report.unattributed;
      return OkStatus();
    }
    at -= footer->length;
    TIDEMARK_RETURN_IF_ERROR(ScanGroup(std::nullopt, at, footer->length));
  }
  return OkStatus();
}

Status SalvageScan::ScanGroup(const std::optional<format::GroupHeader>& header, uint32_t begin,
                              uint32_t length) {
  TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, window_->Read(begin, length));
  const bool packed = format::IsPacked(window_->segment().number);
  ScannedGroup group;
  group.location = {window_->segment().number, begin};
  group.incarnation = window_->segment().incarnation;
  group.header_ok = header.has_value();
  if (header) group.header = *header;
  group.intact = header && bytes.size() == length && IsGroupIntact(bytes, group.incarnation);
  group.bytes = bytes;
  ++catalog_.report.groups;
  if (auto directory = ParseDirectory(bytes, group.incarnation)) {
    const bool ours = !header || (packed ? directory->front().lsn.value == header->first_lsn &&
                                               directory->size() == header->record_count
                                         : IsDirectoryOf(*directory, *header));
    if (ours) group.directory = *std::move(directory);
  }
  uint64_t first = header ? header->first_lsn : 0;
  uint64_t last = header ? first + header->record_count - 1 : 0;
  if (!header && !group.directory.empty()) {
    first = group.directory.front().lsn.value;
    last = group.directory.back().lsn.value;
  }
  if (header) proven_ = std::max(proven_, header->durable_lsn);
  if (!packed) last_lsn_ = std::max(last_lsn_, last);
  if (!packed && last != 0) ends_[group.location.segment] = {begin + length, last};
  if (!group.intact) {
    torn_.push_back({first, last, file_, begin});
    Damaged(begin, group.directory.empty() ? "a group of commits is damaged, and its directory"
                                           : "a group of commits is damaged");
  }
  uint32_t at = sizeof(format::GroupHeader);
  if (!group.directory.empty()) {
    if (!packed && last != 0) known_.emplace_back(first, last);
    for (const DirectoryEntry& entry : group.directory) {
      uint32_t size = 0;
      Lsn lsn;
      if (!TakeRecord(group, &entry, entry.offset, &size, &lsn)) Blame(group, entry);
    }
    return OkStatus();
  }
  // One behind the other; behind one that is damaged the next is searched for. What is not told is
  // a hole.
  if (packed && !group.intact) ++catalog_.report.unattributed;
  while (header && at < bytes.size()) {
    uint32_t size = 0;
    Lsn lsn;
    const bool taken = TakeRecord(group, nullptr, at, &size, &lsn);
    if (taken && !packed) known_.emplace_back(lsn.value, lsn.value);
    at += taken ? size : 1;
  }
  return OkStatus();
}

// ---- afterwards
// ----------------------------------------------------------------------------------

// What a crash tore was never confirmed, and a commit is whole or absent.
void SalvageScan::DropTornTail() {
  for (const Torn& torn : torn_) {
    if (torn.last == 0 || torn.last != last_lsn_ || torn.first <= proven_) continue;
    unused_.emplace_back(torn.first, torn.last);
    known_.emplace_back(torn.first, torn.last);
  }
}

// An open record says which LSNs were lost in a crash: what stands there all the same was not
// confirmed, and nothing builds on it.
void SalvageScan::DropUnconfirmed() {
  std::sort(unused_.begin(), unused_.end());
  catalog_.DropIf([this](uint64_t lsn) {
    const auto behind = std::upper_bound(unused_.begin(), unused_.end(),
                                         std::make_pair(lsn, std::numeric_limits<uint64_t>::max()));
    return behind != unused_.begin() && std::prev(behind)->second >= lsn;
  });
}

// What a copy told, or another file, is not lost.
void SalvageScan::DropTold() {
  std::erase_if(catalog_.blame, [&](const SalvageBlame& blame) {
    const auto event =
        std::partition_point(catalog_.events.begin(), catalog_.events.end(),
                             [&](const SalvageEvent& one) { return one.lsn < blame.lsn; });
    return !blame.of_history && event != catalog_.events.end() && event->lsn == blame.lsn &&
           event->kind != SalvageEvent::Kind::kPages;
  });
}

void SalvageScan::FindHoles() {
  // Where a segment ends exactly with the last group that is known there, the next one's first LSN
  // leaves out what was never used; should the open record be lost that says so.
  for (const auto& file : catalog_.files) {
    const auto end = ends_.find(file.header.previous);
    if (format::IsPacked(file.header.number) || end == ends_.end()) continue;
    if (end->second.first == file.header.previous_end) {
      unused_.emplace_back(end->second.second + 1, file.header.first_lsn - 1);
    }
  }
  known_.insert(known_.end(), unused_.begin(), unused_.end());
  std::sort(known_.begin(), known_.end());
  uint64_t next = 1;
  for (const auto& [first, last] : known_) {
    if (last < first) continue;
    if (first > next) catalog_.report.lost.push_back({Lsn(next), Lsn(first - 1)});
    next = std::max(next, last + 1);
  }
}

}  // namespace tidemark::internal
