// The packer's runs: by hand, in the background, and for a purge. See packer.h.

#include <algorithm>

#include "engine/check.h"
#include "engine/internal/packer.h"

namespace tidemark::internal {
namespace {

// The log is packed in the background when so great a part of the backlog waits.
constexpr uint64_t kLogPassesPerBacklog = 4;

// What goes wrong in a run over several jobs: what ends it, else the first that did not.
class Failure {
 public:
  bool GoesOn(const Status& status) {
    const bool ends = !status.ok() && !Packer::CostsItsFilesOnly(status);
    if (ends || status_.ok()) status_ = status;
    return !ends;
  }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

}  // namespace

Result<ReclaimReport> Packer::Run(ReclaimWhat what) {
  const std::unique_lock lock = Want(mutex_);
  return RunLocked(what);
}

Result<ReclaimReport> Packer::RunPaced(ReclaimWhat what, Pacer* pacer) {
  ReclaimReport report;
  TIDEMARK_RETURN_IF_ERROR(Paced(pacer, [&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(report, RunLocked(what));
    return OkStatus();
  }));
  return report;
}

Result<ReclaimReport> Packer::PackLogPaced(LogPart part, Pacer* pacer) {
  ReclaimReport report;
  TIDEMARK_RETURN_IF_ERROR(Paced(pacer, [&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(report, PackLogLocked(part));
    return OkStatus();
  }));
  return report;
}

Status Packer::RunPurge(const PurgeRun& run) {
  if (run.pacer != nullptr) return Paced(run.pacer, [&] { return RunPurgeLocked(run); });
  const std::unique_lock lock = Want(mutex_);
  return RunPurgeLocked(run);
}

bool Packer::LogWaits() const {
  return store_->segments().SealedBytes() >=
         store_->options().packing_backlog_bytes / kLogPassesPerBacklog;
}

Status Packer::Paced(Pacer* pacer, const std::function<Status()>& run) {
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
  TIDEMARK_RETURN_IF_ERROR(RemoveLeftOvers());
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
    TIDEMARK_RETURN_IF_ERROR(PackForPurge(run, &report));
    CHECK(has_ended());
  }
  return run.end(report);
}

// Those that an earlier run has packed for them, before it was interrupted: not the one with the
// record of a purge, which goes last.
std::vector<bool> Packer::FilesWithoutPurged(const std::vector<File>& files) const {
  const std::vector<PurgeRow> purges = store_->purges().List();
  std::vector<bool> clean(files.size());
  Lsn before;
  for (size_t i = 0; i < files.size() && format::IsPacked(files[i].number); ++i) {
    clean[i] = std::all_of(purges.begin(), purges.end(), [&](const PurgeRow& purge) {
      const bool has_record = purge.lsn > before && purge.lsn <= files[i].last_lsn;
      return purge.first_packed != 0 && files[i].number >= purge.first_packed && !has_record;
    });
    before = files[i].last_lsn;
  }
  return clean;
}

// In order, and not behind what fails: so a job knows that all before it is done.
Status Packer::PackForPurge(const PurgeRun& run, ReclaimReport* report) {
  TIDEMARK_RETURN_IF_ERROR(store_->SealLog());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  const std::vector<bool> clean = FilesWithoutPurged(files);
  uint64_t total = 0;
  for (size_t i = 0; i < files.size(); ++i) total += clean[i] ? 0 : files[i].bytes;
  for (size_t begin = 0; begin < files.size();) {
    if (clean[begin]) {
      ++begin;
      continue;
    }
    if (run.progress) run.progress(report->bytes_before, total);
    const auto first = clean.begin() + static_cast<ptrdiff_t>(begin);
    const auto next_clean = static_cast<size_t>(std::find(first, clean.end(), true) - first);
    const size_t wanted = std::min(CountForAJob(files, begin), next_clean);
    TIDEMARK_ASSIGN_OR_RETURN(const size_t packed, Pack(files, begin, wanted, 1, report));
    TIDEMARK_RETURN_IF_ERROR(store_->segments().RemoveUnused());
    if (packed == 0) {
      return Status(StatusCode::kBusy,
                    "a large transaction is open, of which the log holds a part that cannot be "
                    "written anew before its end");
    }
    begin += packed;
  }
  return OkStatus();
}

Result<ReclaimReport> Packer::RunLocked(ReclaimWhat what) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(RemoveLeftOvers());
  ReclaimReport report;
  const bool goes_on = pacer_ != nullptr && is_unfinished();
  if (!goes_on) began_under_ = store_->retention().licence().granted;
  while (true) {
    const uint64_t after = report.bytes_after;
    const uint64_t before = report.bytes_before;
    const Status status = GoThrough(what, &report);
    if (status.ok() && !is_unfinished()) {
      complete_under_ = began_under_.value;
      looked_until_ = std::max<Timestamp>(looked_until_, horizon_);
    }
    if (status.ok()) {
      store_->head_room().Take();
      return report;
    }
    // What was freed may be the room that was missing.
    const bool freed = report.bytes_before - before > report.bytes_after - after;
    if (status.code() != StatusCode::kFull || !(freed || store_->head_room().GiveUp())) {
      return status;
    }
  }
}

Status Packer::GoThrough(ReclaimWhat what, ReclaimReport* report) {
  Failure failure;
  const bool everything = what == ReclaimWhat::kEverything;
  // On a full disk what is sealed, and in the index, may be packed all the same.
  const bool goes_on = (!everything || failure.GoesOn(store_->SealLog())) &&
                       failure.GoesOn(store_->checkpointer().Run()) &&
                       failure.GoesOn(NoteHorizon());
  if (goes_on) (void)failure.GoesOn(everything ? PackAll(report) : PackWhatPays(report));
  return failure.status();
}

Result<ReclaimReport> Packer::PackLogLocked(LogPart part) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_lock, TakeFiles());
  TIDEMARK_RETURN_IF_ERROR(RemoveLeftOvers());
  ReclaimReport report;
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_RETURN_IF_ERROR(PackLog(&report));
  if (part == LogPart::kFull || store_->segments().SealedBytes() > 0) return report;
  // Commits are to find blocks that were written, as where a segment is full.
  TIDEMARK_RETURN_IF_ERROR(store_->segments().PrepareSpare(SpareBlocks::kWritten));
  TIDEMARK_RETURN_IF_ERROR(store_->SealLog());
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
      if (bytes > files[log].bytes || bytes + files[log].bytes > job_bytes_) break;
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
  const Timestamp horizon = horizon_;
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  const uint32_t from = pacer_ == nullptr ? 0 : resume_from_.load();
  resume_from_ = 0;
  bool looked = false;
  for (size_t begin = 0; begin < files.size() && format::IsPacked(files[begin].number);) {
    // Times never run backward: from here on nothing has expired since it was packed.
    if (begin > 0 && files[begin - 1].last > horizon) break;
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
    looked_until_ = std::max<Timestamp>(looked_until_, std::min(files[begin - 1].last, horizon));
  }
  return failure.status();
}

Result<size_t> Packer::PackFrom(const std::vector<File>& files, size_t begin,
                                ReclaimReport* report) {
  TIDEMARK_ASSIGN_OR_RETURN(const Paying paying, CountThatPay(files, begin, nullptr));
  return paying.count == 0 ? size_t{0} : Pack(files, begin, paying.count, paying.least, report);
}

}  // namespace tidemark::internal
