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
// The log is packed in the background when so great a part of the backlog waits.
constexpr uint64_t kLogPassesPerBacklog = 4;

// There is no room for a job, or damage in its files: others can be done all the same.
bool CostsItsFilesOnly(const Status& status) {
  return status.code() == StatusCode::kFull || status.code() == StatusCode::kCorruption;
}

// What goes wrong in a run over several jobs: what ends it, else the first that did not.
class Failure {
 public:
  bool GoesOn(const Status& status) {
    const bool ends = !status.ok() && !CostsItsFilesOnly(status);
    if (ends || status_.ok()) status_ = status;
    return !ends;
  }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

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

Result<ReclaimReport> Packer::Run(ReclaimWhat what) {
  const std::unique_lock lock = Want(mutex_);
  return RunLocked(what);
}

Result<ReclaimReport> Packer::RunPaced(ReclaimWhat what, Pacer* pacer) {
  return Paced(pacer, [&] { return RunLocked(what); });
}

Result<ReclaimReport> Packer::PackLogPaced(Pacer* pacer) {
  return Paced(pacer, [this] { return PackLogLocked(); });
}

bool Packer::LogWaits() const {
  return store_->segments().SealedBytes() >=
         store_->options().packing_backlog_bytes / kLogPassesPerBacklog;
}

Result<ReclaimReport> Packer::Paced(Pacer* pacer,
                                    const std::function<Result<ReclaimReport>()>& run) {
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
  Failure failure;
  const bool everything = what == ReclaimWhat::kEverything;
  // On a full disk what is sealed, and in the index, may be packed all the same.
  const bool goes_on = (!everything || failure.GoesOn(store_->SealLog())) &&
                       failure.GoesOn(store_->checkpointer().Run());
  if (goes_on) (void)failure.GoesOn(everything ? PackAll(report) : PackWhatPays(report));
  return failure.status();
}

Result<ReclaimReport> Packer::PackLogLocked() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(RemoveLeftOvers());
  ReclaimReport report;
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_RETURN_IF_ERROR(PackLog(&report));
  return report;
}

// Damage, or a job for which there is no room, costs the files behind it in the log, no others.
Status Packer::PackAll(ReclaimReport* report) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  Failure failure;
  for (size_t begin = 0; begin < files.size();) {
    const auto packed = Pack(files, begin, CountForAJob(files, begin), 1, report);
    if (!failure.GoesOn(packed.status()) || !failure.GoesOn(store_->segments().RemoveUnused())) {
      break;
    }
    if (packed.ok() && *packed > 0) {
      begin += *packed;
    } else if (format::IsPacked(files[begin].number)) {
      ++begin;
    } else {
      break;  // the log is packed from its begin
    }
  }
  return failure.status();
}

Status Packer::PackLog(ReclaimReport* report) {
  uint32_t last = 0;  // what comes later, while this goes on, is for the next time
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
    const auto is_of_log = [](const File& file) { return !format::IsPacked(file.number); };
    const auto log =
        static_cast<size_t>(std::find_if(files.begin(), files.end(), is_of_log) - files.begin());
    if (log == files.size() || (last != 0 && files[log].number > last)) return OkStatus();
    if (last == 0) last = files.back().number;
    // With it those before it that are together not larger.
    size_t begin = log;
    for (uint64_t bytes = 0; begin > 0; --begin) {
      bytes += files[begin - 1].bytes;
      if (bytes > files[log].bytes || bytes + files[log].bytes > kJobBytes) break;
    }
    auto packed = PackFrom(files, begin, report);
    if (CostsItsFilesOnly(packed.status()) && begin < log) {
      packed = PackFrom(files, log, report);  // one of those before it may be the reason
    }
    TIDEMARK_RETURN_IF_ERROR(packed.status());
    TIDEMARK_RETURN_IF_ERROR(store_->segments().RemoveUnused());
    if (*packed == 0) return OkStatus();
  }
}

Status Packer::PackWhatPays(ReclaimReport* report) {
  Failure failure;
  if (!failure.GoesOn(PackLog(report))) return failure.status();
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  const uint32_t from = pacer_ == nullptr ? 0 : resume_from_.load();
  resume_from_ = 0;
  bool looked = false;
  for (size_t begin = 0; begin < files.size() && format::IsPacked(files[begin].number);) {
    if (files[begin].first < from) {
      ++begin;
      continue;
    }
    if (pacer_ != nullptr && looked && LogWaits()) {
      resume_from_ = files[begin].first;
      break;
    }
    looked = true;
    const auto packed = PackFrom(files, begin, report);
    if (!failure.GoesOn(packed.status()) || !failure.GoesOn(store_->segments().RemoveUnused())) {
      break;
    }
    begin += packed.ok() ? std::max<size_t>(*packed, 1) : 1;
  }
  return failure.status();
}

Result<size_t> Packer::PackFrom(const std::vector<File>& files, size_t begin,
                                ReclaimReport* report) {
  TIDEMARK_ASSIGN_OR_RETURN(const Paying paying, CountThatPay(files, begin, nullptr));
  return paying.count == 0 ? size_t{0} : Pack(files, begin, paying.count, paying.least, report);
}

}  // namespace tidemark::internal
