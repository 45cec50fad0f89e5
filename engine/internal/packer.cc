#include "engine/internal/packer.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>

#include "engine/check.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

// A file may take so many tenths of what is needed of it.
constexpr uint64_t kMostWasteTenths = 13;
bool Pays(uint64_t bytes, uint64_t needed) { return bytes * 10 > needed * kMostWasteTenths; }

Timestamp LastTime(const Segments::Packed& packed) {
  return Timestamp(std::chrono::microseconds(static_cast<int64_t>(packed.log.last_time)));
}

}  // namespace

bool Packer::CostsItsFilesOnly(const Status& status) {
  return status.code() == StatusCode::kFull || status.code() == StatusCode::kCorruption;
}

void Packer::Stop() {
  {
    std::lock_guard lock(wanted_mutex_);
    stop_ = true;
    if (pacer_ != nullptr) pacer_->Interrupt();
  }
  std::lock_guard lock(mutex_);
}

Status Packer::Pace() {
  TIDEMARK_RETURN_IF_ERROR(stopped());
  if (pacer_ == nullptr || pacer_->Pause()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(stopped());
  return GiveWay();
}

Status Packer::GiveWay() const {
  return Status(StatusCode::kBusy, "the store " + store_->directory() +
                                       " is being verified or its space reclaimed by somebody: the "
                                       "background goes on afterwards");
}

std::unique_lock<std::mutex> Packer::Want(std::mutex& mutex) {
  {
    std::lock_guard lock(wanted_mutex_);
    ++wanted_;
    if (pacer_ != nullptr) pacer_->Interrupt();
  }
  std::unique_lock wanted(mutex);
  std::lock_guard lock(wanted_mutex_);
  --wanted_;
  return wanted;
}

std::unique_lock<std::mutex> Packer::KeepFiles() { return Want(files_mutex_); }

Status Packer::stopped() const {
  return stop_ ? Status(StatusCode::kBroken,
                        "the store " + store_->directory() + " is closed: reopen it")
               : OkStatus();
}

Result<std::vector<Packer::File>> Packer::Files() const {
  std::vector<File> files;
  Segments& segments = store_->segments();
  for (const Segments::Packed& packed : segments.ListPacked()) {
    files.push_back({.number = packed.header.number,
                     .first = packed.header.packed_from,
                     .end = {packed.header.previous, packed.header.previous_end},
                     .bytes = packed.size_bytes,
                     .last = LastTime(packed),
                     .last_lsn = Lsn(packed.log.last_lsn)});
  }
  // Of the log what is sealed and wholly in the index.
  TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, store_->index().Checkpoint());
  if (!checkpoint) return files;
  const auto headers = segments.Headers();
  for (auto it = headers.begin(); it != headers.end(); ++it) {
    const auto next = std::next(it);
    if (next == headers.end() || checkpoint->position.segment <= it->first ||
        next->second.previous != it->first) {
      break;
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto segment, segments.Get(it->first));
    files.push_back({.number = it->first,
                     .first = it->first,
                     .end = {it->first, next->second.previous_end},
                     .bytes = segment->size_bytes});
  }
  return files;
}

Status Packer::RemoveLeftOvers() {
  Segments& segments = store_->segments();
  std::vector<uint32_t> unnamed = segments.ListUnnamed();
  if (!unnamed.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rows, store_->index().ListPacked());
    std::erase_if(unnamed, [&](uint32_t number) {
      return std::any_of(rows.begin(), rows.end(),
                         [&](const PackedRow& row) { return row.number == number; });
    });
  }
  segments.PutAside(unnamed);
  return segments.RemoveUnused();
}

PackInput Packer::Input(const std::vector<File>& files, size_t begin, size_t count) const {
  PackInput input;
  input.ends_purges = ends_purges_;
  input.first = files[begin].first;
  for (size_t i = begin; i < begin + count; ++i) {
    input.numbers.push_back(files[i].number);
    input.end = files[i].end;
    input.bytes += files[i].bytes;
  }
  return input;
}

Result<bool> Packer::RunJob(PackInput input, ReclaimReport* report) {
  const size_t files = input.numbers.size();
  const uint64_t bytes = input.bytes;
  Status status;
  {
    PackJob job(store_, std::move(input));
    status = job.Run();
    if (status.ok() && job.splits_commit()) return false;
    if (status.ok()) {
      report->files += files;
      report->bytes_before += bytes;
      report->bytes_after += job.packed_bytes();
      return true;
    }
  }
  (void)RemoveLeftOvers();  // now, because room may be short; what fails is tried again
  return status;
}

Result<size_t> Packer::Pack(const std::vector<File>& files, size_t begin, size_t wanted,
                            size_t least, ReclaimReport* report) {
  for (size_t count = wanted; count >= least;) {
    const uint64_t bytes_after = report->bytes_after;
    const auto packed = RunJob(Input(files, begin, count), report);
    if (packed.ok() && *packed) {
      for (size_t i = begin; i < begin + count; ++i) {
        if (!format::IsPacked(files[i].number)) packed_bytes_ += files[i].bytes;
      }
      rewritten_bytes_ += report->bytes_after - bytes_after;
      return count;
    }
    if (packed.ok()) {
      // Segments from one on that has pages of a commit which is not in the index have to wait.
      --count;
      continue;
    }
    // Less at a time takes less room, and may end before what is damaged.
    if (!CostsItsFilesOnly(packed.status()) || count == 1 || count / 2 < least) {
      return packed.status();
    }
    count /= 2;
  }
  return size_t{0};
}

size_t Packer::CountForAJob(const std::vector<File>& files, size_t begin) const {
  size_t count = 1;
  for (uint64_t bytes = files[begin].bytes; begin + count < files.size(); ++count) {
    bytes += files[begin + count].bytes;
    if (bytes > job_bytes_) break;
  }
  return count;
}

Result<Packer::Paying> Packer::CountThatPay(const std::vector<File>& files, size_t begin,
                                            const LicenceRow* licence) const {
  size_t count = CountForAJob(files, begin);
  auto paying = CountThatPay(files, begin, count, licence);
  // Before what is damaged.
  while (paying.status().code() == StatusCode::kCorruption && count > 1) {
    count /= 2;
    paying = CountThatPay(files, begin, count, licence);
  }
  return paying;
}

Result<Packer::Paying> Packer::CountThatPay(const std::vector<File>& files, size_t begin,
                                            size_t count, const LicenceRow* licence) const {
  size_t packed = 0;  // how many of them are packed
  uint64_t packed_bytes = 0;
  uint64_t log_bytes = 0;
  for (size_t i = begin; i < begin + count; ++i) {
    const bool is_packed = format::IsPacked(files[i].number);
    packed += is_packed;
    (is_packed ? packed_bytes : log_bytes) += files[i].bytes;
  }
  const bool all_pay = packed < count && packed_bytes <= log_bytes;
  // Without any of the log packed ones gain nothing.
  if (all_pay && licence == nullptr) return Paying{.count = count, .least = packed + 1};
  const size_t end = begin + (all_pay ? count : packed);
  PackJob job(store_, Input(files, begin, end - begin));
  TIDEMARK_ASSIGN_OR_RETURN(const auto needed, job.Estimate(licence));
  Paying paying;
  uint64_t bytes = 0;
  uint64_t needed_bytes = 0;
  for (size_t i = begin; i < end; ++i) {
    bytes += files[i].bytes;
    const auto of_file = needed.find(files[i].number);
    needed_bytes += of_file == needed.end() ? 0 : of_file->second;
    if (all_pay || Pays(bytes, needed_bytes)) {
      paying = {.count = i + 1 - begin, .freed_bytes = bytes - std::min(bytes, needed_bytes)};
    }
  }
  return paying;
}

Result<std::unique_lock<std::mutex>> Packer::TakeFiles() {
  TIDEMARK_RETURN_IF_ERROR(stopped());
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  std::unique_lock lock(files_mutex_, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  return Status(StatusCode::kBusy, "the store " + store_->directory() +
                                       " is being verified: reclaim its space afterwards");
}

Status Packer::EstimateEach(
    const LicenceRow& licence,
    const std::function<Status(const File& last, uint64_t bytes, uint64_t freed_bytes)>& visit) {
  const std::unique_lock lock = Want(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  Status damage;
  // As RunLocked: the log from its begin, and of packed files each that pays.
  for (size_t begin = 0; begin < files.size();) {
    const auto paying = CountThatPay(files, begin, &licence);
    if (paying.status().code() != StatusCode::kCorruption) {
      TIDEMARK_RETURN_IF_ERROR(paying.status());
    } else if (damage.ok()) {
      damage = paying.status();
    }
    const bool pays = paying.ok() && paying->count > 0;
    if (!pays && !format::IsPacked(files[begin].number)) break;
    const size_t end = begin + (pays ? paying->count : 1);
    uint64_t bytes = 0;
    for (; begin < end; ++begin) bytes += files[begin].bytes;
    TIDEMARK_RETURN_IF_ERROR(visit(files[end - 1], bytes, pays ? paying->freed_bytes : 0));
  }
  return damage;
}

Result<uint64_t> Packer::Estimate(const LicenceRow& licence) {
  uint64_t freed = 0;
  const Status status = EstimateEach(licence, [&](const File&, uint64_t, uint64_t freed_bytes) {
    freed += freed_bytes;
    return OkStatus();
  });
  // What is damaged frees nothing.
  if (status.code() != StatusCode::kCorruption) TIDEMARK_RETURN_IF_ERROR(status);
  return freed;
}

// ---- sizes, for the budget ---------------------------------------------------------------------

Result<HistorySizes> Packer::EstimateSizes(const LicenceRow& licence) {
  HistorySizes sizes;
  sizes.first = BeginTime();
  TIDEMARK_RETURN_IF_ERROR(
      EstimateEach(licence, [&](const File& last, uint64_t bytes, uint64_t freed_bytes) -> Status {
        TIDEMARK_ASSIGN_OR_RETURN(const Timestamp end, EndTime(last));
        sizes.files.push_back({.last = end, .bytes = bytes - freed_bytes});
        return OkStatus();
      }));
  return sizes;
}

std::optional<HistorySizes> Packer::SizesSince(Lsn licence) const {
  if (complete_under_ != licence.value) return std::nullopt;
  return Sizes();
}

HistorySizes Packer::Sizes() const {
  HistorySizes sizes;
  sizes.first = BeginTime();
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    sizes.files.push_back({.last = LastTime(packed), .bytes = packed.size_bytes});
  }
  return sizes;
}

Status Packer::NoteHorizon() {
  TIDEMARK_ASSIGN_OR_RETURN(const Timestamp newest, store_->retention().NewestHorizon());
  // What had expired before the open may have been given back.
  if (horizon_.exchange(newest) == kNoHorizon) looked_until_ = newest;
  return OkStatus();
}

uint64_t Packer::ExpiredBytes() const {
  const Timestamp looked_until = looked_until_;
  const Timestamp horizon = horizon_;
  if (looked_until >= horizon) return 0;
  double bytes = 0;
  Timestamp begin = kNoHorizon;
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    const Timestamp end = LastTime(packed);
    const auto expired = std::min(end, horizon) - std::max(begin, looked_until);
    if (expired.count() > 0) {
      bytes += packed.size_bytes * static_cast<double>(expired.count()) /
               static_cast<double>((end - begin).count());
    }
    begin = end;
  }
  return static_cast<uint64_t>(bytes);
}

uint64_t Packer::HistoryBytes() const {
  uint64_t bytes = 0;
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    bytes += packed.size_bytes;
  }
  return bytes;
}

namespace {

// Of the first group of a segment; none if it cannot be read.
std::optional<Timestamp> FirstTime(Segments& segments, uint32_t number) {
  format::GroupHeader group{};
  const Status read = segments.Read({number, format::kFirstGroupOffset},
                                    std::as_writable_bytes(std::span(&group, 1)));
  if (!read.ok() || group.magic != format::kGroupMagic) return std::nullopt;
  return Timestamp(std::chrono::microseconds(static_cast<int64_t>(group.time)));
}

}  // namespace

Result<Timestamp> Packer::EndTime(const File& file) const {
  Segments& segments = store_->segments();
  for (const Segments::Packed& packed : segments.ListPacked()) {
    if (packed.header.number == file.number) return LastTime(packed);
  }
  const auto headers = segments.Headers();
  const auto next = headers.upper_bound(file.number);
  const auto time = next == headers.end() ? std::nullopt : FirstTime(segments, next->first);
  return time.value_or(store_->options().clock->Now());
}

// A packed segment begins with what is no commit: the first of all with the open of the new store.
Timestamp Packer::BeginTime() const {
  Segments& segments = store_->segments();
  const auto packed = segments.ListPacked();
  const auto headers = segments.Headers();
  const uint32_t number = !packed.empty()    ? packed.front().header.number
                          : !headers.empty() ? headers.begin()->first
                                             : 0;
  const auto time = number == 0 ? std::nullopt : FirstTime(segments, number);
  return time.value_or(store_->options().clock->Now());
}

}  // namespace tidemark::internal
