#include "engine/internal/packer.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "engine/check.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

// A file may take so many tenths of what is needed of it.
constexpr uint64_t kMostWasteTenths = 13;
// What one job takes in, unless a large commit makes it more.
constexpr uint64_t kJobBytes = 64u << 20;

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

Result<size_t> Packer::Pack(const std::vector<File>& files, size_t begin, size_t wanted,
                            ReclaimReport* report) {
  // Segments from one on that has pages of a commit which is not in the index have to wait.
  for (size_t count = wanted; count > 0; --count) {
    PackInput input = Input(files, begin, count);
    const uint64_t bytes = input.bytes;
    PackJob job(store_, std::move(input));
    TIDEMARK_RETURN_IF_ERROR(job.Run());
    if (job.splits_commit()) continue;
    report->files += count;
    report->bytes_before += bytes;
    report->bytes_after += job.packed_bytes();
    return count;
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
  const size_t count = CountForAJob(files, begin);
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
  ReclaimReport report;
  TIDEMARK_RETURN_IF_ERROR(Paced(
      [&]() -> Status {
        TIDEMARK_ASSIGN_OR_RETURN(report, RunLocked(what));
        return OkStatus();
      },
      pacer));
  return report;
}

Status Packer::RunPurge(const PurgeRun& run) {
  if (run.pacer != nullptr) return Paced([&] { return RunPurgeLocked(run); }, run.pacer);
  const std::unique_lock lock = Want(mutex_);
  return RunPurgeLocked(run);
}

Status Packer::Paced(const std::function<Status()>& run, Pacer* pacer) {
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
  return run();
}

Status Packer::RunPurgeLocked(const PurgeRun& run) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(run.begin());
  ReclaimReport report;
  const auto has_ended = [this] {
    const auto purges = store_->purges().List();
    return std::all_of(purges.begin(), purges.end(),
                       [](const PurgeRow& purge) { return purge.log_is_clean; });
  };
  if (!has_ended()) {
    const auto end = [this](const bool*) { ends_purges_ = false; };
    const std::unique_ptr<bool, decltype(end)> ends(&ends_purges_, end);
    ends_purges_ = true;
    TIDEMARK_RETURN_IF_ERROR(PackAll(run, &report));
    CHECK(has_ended());
  }
  return run.end(report);
}

// In order, and not behind what fails: so a job knows that all before it is done.
Status Packer::PackAll(const PurgeRun& run, ReclaimReport* report) {
  TIDEMARK_RETURN_IF_ERROR(store_->SealLog());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  uint64_t total = 0;
  for (const File& file : files) total += file.bytes;
  for (size_t begin = 0; begin < files.size();) {
    if (run.progress) run.progress(report->bytes_before, total);
    TIDEMARK_ASSIGN_OR_RETURN(const size_t packed,
                              Pack(files, begin, CountForAJob(files, begin), report));
    if (packed == 0) {
      return Status(StatusCode::kBusy,
                    "a large transaction is open, of which the log holds a part that cannot be "
                    "written anew before its end");
    }
    begin += packed;
  }
  return OkStatus();
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
  ReclaimReport report;
  if (what == ReclaimWhat::kEverything) TIDEMARK_RETURN_IF_ERROR(store_->SealLog());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  Status damage;  // the first that was met: it costs the files behind it in the log, no others
  for (size_t begin = 0; begin < files.size();) {
    const auto packed = PackFrom(files, begin, what, &report);
    if (packed.status().code() == StatusCode::kCorruption) {
      if (damage.ok()) damage = packed.status();
    } else {
      TIDEMARK_RETURN_IF_ERROR(packed.status());
    }
    if (packed.ok() && *packed > 0) {
      begin += *packed;
    } else if (format::IsPacked(files[begin].number)) {
      ++begin;
    } else {
      break;  // the log is packed from its begin
    }
  }
  TIDEMARK_RETURN_IF_ERROR(damage);
  return report;
}

Result<size_t> Packer::PackFrom(const std::vector<File>& files, size_t begin, ReclaimWhat what,
                                ReclaimReport* report) {
  size_t count = CountForAJob(files, begin);
  if (what == ReclaimWhat::kWhatPays) {
    TIDEMARK_ASSIGN_OR_RETURN(const Paying paying, CountThatPay(files, begin, nullptr));
    count = paying.count;
  }
  return count == 0 ? size_t{0} : Pack(files, begin, count, report);
}

}  // namespace tidemark::internal
