#include "engine/internal/packer.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

// A file may take so many tenths of what is needed of it.
constexpr uint64_t kMostWasteTenths = 13;
// What one job takes in, unless a large commit makes it more.
constexpr uint64_t kJobBytes = 64u << 20;

// There is no room for a job, or damage in its files: others can be done all the same.
bool CostsItsFilesOnly(const Status& status) {
  return status.code() == StatusCode::kFull || status.code() == StatusCode::kCorruption;
}

bool Pays(uint64_t bytes, uint64_t needed) { return bytes * 10 > needed * kMostWasteTenths; }

}  // namespace

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
                     .bytes = packed.size_bytes});
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

PackInput Packer::Input(const std::vector<File>& files, size_t begin, size_t count) {
  PackInput input;
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
                            ReclaimReport* report) {
  size_t count = wanted;
  while (count > 0) {
    const auto packed = RunJob(Input(files, begin, count), report);
    if (packed.ok() && *packed) return count;
    if (packed.ok()) {
      // Segments from one on that has pages of a commit which is not in the index have to wait.
      --count;
      continue;
    }
    // Less at a time takes less room, and may end before what is damaged. Packed files alone are no
    // part of a job that does not pay without those of the log.
    const bool smaller = CostsItsFilesOnly(packed.status()) && count > 1 &&
                         format::IsPacked(files[begin + count / 2 - 1].number) ==
                             format::IsPacked(files[begin + count - 1].number);
    if (!smaller) return packed.status();
    count /= 2;
  }
  return size_t{0};
}

size_t Packer::CountForAJob(const std::vector<File>& files, size_t begin) {
  size_t count = 1;
  for (uint64_t bytes = files[begin].bytes; begin + count < files.size(); ++count) {
    bytes += files[begin + count].bytes;
    if (bytes > kJobBytes) break;
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
  if (all_pay && licence == nullptr) return Paying{.count = count, .freed_bytes = 0};
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

Result<ReclaimReport> Packer::Run(ReclaimWhat what) {
  const std::unique_lock lock = Want(mutex_);
  return RunLocked(what);
}

Result<ReclaimReport> Packer::RunPaced(ReclaimWhat what, Pacer* pacer) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return GiveWay();
  {
    std::lock_guard wanted(wanted_mutex_);
    if (wanted_ > 0) return GiveWay();
    pacer_ = pacer;
    pacer_->Begin();
  }
  const auto end = [this](Pacer*) {
    std::lock_guard wanted(wanted_mutex_);
    pacer_ = nullptr;
  };
  const std::unique_ptr<Pacer, decltype(end)> paced(pacer, end);
  return RunLocked(what);
}

Result<std::unique_lock<std::mutex>> Packer::TakeFiles() {
  TIDEMARK_RETURN_IF_ERROR(stopped());
  std::unique_lock lock(files_mutex_, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  return Status(StatusCode::kBusy, "the store " + store_->directory() +
                                       " is being verified: reclaim its space afterwards");
}

Result<uint64_t> Packer::Estimate(const LicenceRow& licence) {
  const std::unique_lock lock = Want(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  uint64_t freed = 0;
  // As RunLocked: the log from its begin, and of packed files each that pays.
  for (size_t begin = 0; begin < files.size();) {
    const auto paying = CountThatPay(files, begin, &licence);
    if (paying.status().code() != StatusCode::kCorruption) {
      TIDEMARK_RETURN_IF_ERROR(paying.status());
    }
    const size_t count = paying.ok() ? paying->count : 0;
    if (count == 0 && !format::IsPacked(files[begin].number)) break;
    if (count > 0) freed += paying->freed_bytes;
    begin += std::max<size_t>(count, 1);
  }
  return freed;
}

Result<ReclaimReport> Packer::RunLocked(ReclaimWhat what) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(RemoveLeftOvers());
  ReclaimReport report;
  while (true) {
    const uint64_t after = report.bytes_after;
    const uint64_t before = report.bytes_before;
    const Status status = GoThrough(what, &report);
    if (status.ok()) return report;
    // What was freed may be the room that was missing.
    const bool freed = report.bytes_before - before > report.bytes_after - after;
    if (status.code() != StatusCode::kFull || !freed) return status;
  }
}

Status Packer::GoThrough(ReclaimWhat what, ReclaimReport* report) {
  Status failed;  // what ends it, else the first that did not
  const auto goes_on = [&failed](const Status& status) {
    const bool ends = !status.ok() && !CostsItsFilesOnly(status);
    if (ends || failed.ok()) failed = status;
    return !ends;
  };
  // On a full disk what is sealed, and in the index, may be packed all the same.
  if (what == ReclaimWhat::kEverything && !goes_on(store_->SealLog())) return failed;
  if (!goes_on(store_->checkpointer().Run())) return failed;
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  for (size_t begin = 0; begin < files.size();) {
    // Damage, or a job for which there is no room, costs the files behind it in the log, no others.
    const auto packed = PackFrom(files, begin, what, report);
    if (!goes_on(packed.status()) || !goes_on(store_->segments().RemoveUnused())) return failed;
    if (packed.ok() && *packed > 0) {
      begin += *packed;
    } else if (format::IsPacked(files[begin].number)) {
      ++begin;
    } else {
      break;  // the log is packed from its begin
    }
  }
  return failed;
}

Result<size_t> Packer::PackFrom(const std::vector<File>& files, size_t begin, ReclaimWhat what,
                                ReclaimReport* report) {
  if (what == ReclaimWhat::kEverything) {
    return Pack(files, begin, CountForAJob(files, begin), report);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Paying paying, CountThatPay(files, begin, nullptr));
  if (paying.count == 0) return size_t{0};
  const auto packed = Pack(files, begin, paying.count, report);
  if (!CostsItsFilesOnly(packed.status())) return packed;
  // Of what is packed already enough may have expired, by itself.
  const auto first_of_log =
      std::find_if(files.begin() + static_cast<ptrdiff_t>(begin), files.end(),
                   [](const File& file) { return !format::IsPacked(file.number); });
  const std::vector<File> already(files.begin(), first_of_log);
  if (begin >= already.size() || already.size() >= begin + paying.count) return packed;
  TIDEMARK_ASSIGN_OR_RETURN(const Paying less, CountThatPay(already, begin, nullptr));
  if (less.count == 0) return packed;
  return Pack(files, begin, less.count, report);
}

}  // namespace tidemark::internal
