#include "engine/internal/retention_worker.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/internal/packer.h"
#include "engine/internal/purger.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

// Between looks, and between attempts of what failed.
constexpr microseconds kLeastPause = minutes(1);
constexpr microseconds kLongestPause = hours(24);
constexpr int kLooksPerWindow = 32;
// After a log pass that found nothing that may be packed.
constexpr microseconds kPauseWithoutLog = std::chrono::seconds(1);
// A pass that took so long is followed by a pause so many times as long.
constexpr int kPauseAfterPass = 8;
// A part of packed history that has expired and that no pass has looked at: at this one all of the
// time is taken, and at half of it no pause is waited for.
constexpr double kMostExpired = 0.1;

// So much of a segment is left alone, however often it is read, and after each read pass all of it
// for so long: each makes a segment of full size, and a file.
constexpr uint32_t kLeastPartOfSegment = 64;
constexpr microseconds kPauseAfterReads = minutes(10);

// How long the thread sleeps before it reads the clock again: a machine may have slept, too. A
// clock that is moved by hand wakes nobody.
constexpr microseconds kSleep = minutes(1);
constexpr microseconds kSleepOnOtherClock{20'000};

constexpr size_t kObjectsAtATime = 1000;

// Who drives it by hand is not to wait.
double ShareOf(const StoreOptions& options) {
  return options.background_work == BackgroundWork::kManual ? 1 : options.retention_share;
}

}  // namespace

RetentionWorker::RetentionWorker(StoreImpl* store)
    : store_(store),
      enabled_(store->options().retention_share > 0),
      pacer_(Clock::System(), ShareOf(store->options()), [this] { return Share(); }) {
  look_.due = pass_.due = Now() + kLeastPause;
  log_pass_.due = read_pass_.due = Now();
}

// More and more from half the backlog on, of the log or of what has expired.
double RetentionWorker::Share() const {
  const double least = ShareOf(store_->options());
  const auto most = static_cast<double>(store_->options().packing_backlog_bytes);
  const auto waiting = static_cast<double>(store_->segments().SealedBytes());
  const double backlog = std::max(waiting / most, ExpiredPart() / kMostExpired);
  return backlog >= 1 ? 1 : least + (1 - least) * std::max(0.0, 2 * backlog - 1);
}

double RetentionWorker::ExpiredPart() const {
  const uint64_t expired = store_->packer().ExpiredBytes();
  if (expired == 0) return 0;
  return static_cast<double>(expired) / static_cast<double>(store_->packer().HistoryBytes());
}

microseconds RetentionWorker::Now() const { return store_->options().clock->Monotonic(); }

// ---- the thread --------------------------------------------------------------------------------

void RetentionWorker::StartThread() {
  if (enabled_) thread_ = std::thread([this] { Loop(); });
}

void RetentionWorker::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  pacer_.Stop();
  if (thread_.joinable()) thread_.join();
}

void RetentionWorker::Loop() {
  const bool is_system = store_->options().clock == Clock::System();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, is_system ? kSleep : kSleepOnOtherClock,
                   [this] { return stop_ || log_waits_; });
    if (stop_) return;
    log_waits_ = false;
    lock.unlock();
    try {
      (void)Step();  // what it met is in the report
    } catch (const std::bad_alloc&) {
      // As in Attempt, and not even room for its status: the next one comes.
    }
    lock.lock();
  }
}

void RetentionWorker::LookSoon() {
  std::lock_guard lock(mutex_);
  look_soon_ = true;
}

void RetentionWorker::AfterCheckpoint() {
  if (!IsLogPassDue()) return;
  {
    std::lock_guard lock(mutex_);
    log_waits_ = true;
  }
  wake_.notify_all();
}

RetentionWorker::Report RetentionWorker::report() const {
  std::lock_guard lock(mutex_);
  Report report = report_;
  for (const Task* task : {&look_, &log_pass_, &read_pass_, &pass_}) {
    if (report.error.ok()) report.error = task->status;
  }
  return report;
}

// ---- a step ------------------------------------------------------------------------------------

Status RetentionWorker::Step() {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (!enabled_) return OkStatus();
  std::lock_guard step(step_mutex_);
  Status status;
  if (IsLookDue()) status = Attempt(&look_, &Report::looks, &RetentionWorker::Look);
  if (IsLogPassDue()) {
    const Status packed = Attempt(&log_pass_, &Report::log_passes, &RetentionWorker::LogPass);
    if (status.ok()) status = packed;
  }
  if (IsReadPassDue()) {
    const Status packed = Attempt(&read_pass_, &Report::read_passes, &RetentionWorker::ReadPass);
    if (status.ok()) status = packed;
  }
  if (IsPassDue()) {
    const Status passed = Attempt(&pass_, &Report::passes, &RetentionWorker::Pass);
    if (status.ok()) status = passed;
  }
  return status;
}

bool RetentionWorker::IsLookDue() {
  const microseconds now = Now();
  const bool settled = store_->queue().last_lsn() == settled_;
  std::lock_guard lock(mutex_);
  if (stop_) return false;
  if (look_soon_ && now >= looked_ + kLeastPause) look_.due = std::min(look_.due, now);
  return now >= look_.due && !settled;
}

bool RetentionWorker::IsPassDue() const {
  const Seen current = Current();
  const bool hurries = 2 * ExpiredPart() >= kMostExpired;
  std::lock_guard lock(mutex_);
  return !stop_ && (Now() >= pass_.due || (hurries && pass_.failures == 0)) &&
         (pass_.failures > 0 || seen_ != current || !store_->purges().empty());
}

Status RetentionWorker::Attempt(Task* task, uint64_t Report::*count,
                                Status (RetentionWorker::*work)(Microseconds*)) {
  if (task == &look_) {
    std::lock_guard lock(mutex_);
    look_soon_ = false;
  }
  Status status;
  Microseconds pause{0};
  try {
    status = (this->*work)(&pause);
  } catch (const std::bad_alloc&) {
    status = Status::OutOfMemory();
  }
  const Microseconds now = Now();
  std::lock_guard lock(mutex_);
  ++(report_.*count);
  if (task == &look_) looked_ = now;
  if (status.ok()) {
    task->failures = 0;
  } else {
    pause = std::min(kLeastPause * (1 << std::min(task->failures++, 12)), kLongestPause);
  }
  task->due = now + pause;
  task->status = status;
  return status;
}

// ---- licences ----------------------------------------------------------------------------------

Status RetentionWorker::Look(Microseconds* pause) {
  pacer_.Begin();
  Retention& retention = store_->retention();
  TIDEMARK_RETURN_IF_ERROR(retention.CheckLicence());
  TIDEMARK_ASSIGN_OR_RETURN(const CheckpointRow cut, store_->queue().CutForCheckpoint());
  TIDEMARK_ASSIGN_OR_RETURN(const auto windows, retention.Windows());
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, retention.BudgetBytes());
  if (budget != 0 && store_->packer().is_unfinished() && Now() < waits_until_ &&
      store_->packer().HistoryBytes() > budget) {
    *pause = kLeastPause;
    return OkStatus();
  }
  const LicenceRow licence = retention.NextLicence();
  TIDEMARK_ASSIGN_OR_RETURN(const bool expires, LetsExpire(licence));
  TIDEMARK_ASSIGN_OR_RETURN(const ForBudget for_budget, LookForBudget(expires));
  if (expires || for_budget.move) {
    TIDEMARK_RETURN_IF_ERROR(retention.Licence(for_budget.move));
    TIDEMARK_RETURN_IF_ERROR(store_->packer().NoteHorizon());
  } else if (licence.time - cut.time > windows.second + hours(24) && !for_budget.ages) {
    // Days and hours that are thinned out end up to a day later.
    settled_ = cut.lsn;
  }
  *pause = std::clamp<microseconds>(windows.first / kLooksPerWindow, kLeastPause, kLongestPause);
  if (for_budget.ages) *pause = std::min<microseconds>(*pause, kBudgetKeeps);
  waits_until_ = Now() + kLongestPause;
  std::lock_guard lock(mutex_);
  report_.licences += expires || for_budget.move;
  report_.budget_is_unmet = for_budget.is_exceeded && !for_budget.move;
  return OkStatus();
}

Result<RetentionWorker::ForBudget> RetentionWorker::LookForBudget(bool expires) {
  ForBudget found;
  Retention& retention = store_->retention();
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, retention.BudgetBytes());
  if (budget == 0) return found;
  const Lsn in_force = retention.licence().granted;
  const auto sizes = store_->packer().SizesSince(in_force);
  if (!sizes || sizes->TotalBytes() <= budget) return found;  // or the next pass will tell
  found.is_exceeded = true;
  found.ages = sizes->files.back().last > store_->options().clock->Now() - kBudgetKeeps;
  TIDEMARK_ASSIGN_OR_RETURN(const auto stops, retention.StopsOf(*sizes));
  const auto first = ChooseStop(stops, sizes->TotalBytes(), budget);
  if (!first) return found;
  const auto moves_to = [&](size_t stop) {
    return BudgetMove{.after = in_force, .horizon = stops[stop].horizon};
  };
  if (!expires) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool any,
                              LetsExpire(retention.NextLicence(moves_to(stops.size() - 1))));
    if (!any) return found;
  }
  for (size_t stop = *first; stop < stops.size(); ++stop) {
    bool lets_go = expires;
    if (!lets_go) {
      TIDEMARK_ASSIGN_OR_RETURN(lets_go, LetsExpire(retention.NextLicence(moves_to(stop))));
    }
    if (!lets_go) continue;
    found.move = moves_to(stop);
    break;
  }
  return found;
}

Result<bool> RetentionWorker::LetsExpire(const LicenceRow& licence,
                                         const std::shared_ptr<ObjectState>& object) {
  if (!pacer_.Pause()) return store_->packer().stopped();  // which it was before
  bool found = false;
  const Status visited = store_->retention().VisitExpiring(licence, object, [&](const CommitInfo&) {
    found = true;
    return false;
  });
  // What is damaged expires with the next licence that another object gives a reason for.
  if (visited.code() != StatusCode::kCorruption) TIDEMARK_RETURN_IF_ERROR(visited);
  if (found) last_expired_.emplace(object->ns->id, object->id);
  return found;
}

Result<bool> RetentionWorker::LetsExpire(const LicenceRow& licence) {
  const auto ask = [&](const Result<std::shared_ptr<ObjectState>>& object) -> Result<bool> {
    if (object.status().code() == StatusCode::kCorruption) return false;
    TIDEMARK_RETURN_IF_ERROR(object.status());
    return LetsExpire(licence, *object);
  };
  if (last_expired_ && !store_->purges().Has(last_expired_->second)) {
    TIDEMARK_ASSIGN_OR_RETURN(
        const bool again,
        ask(store_->AdoptObject(last_expired_->first, last_expired_->second, "")));
    if (again) return true;
  }
  for (const auto& object : store_->DirtyObjects()) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool found, LetsExpire(licence, object));
    if (found) return true;
  }
  for (const auto& ns : store_->Namespaces()) {
    if (ns->id == 0) continue;
    std::optional<ObjectId> after;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto rows,
                                store_->index().ListObjects(ns->id, after, kObjectsAtATime));
      for (const ObjectRow& row : rows) {
        if (store_->purges().Has(row.id)) continue;
        TIDEMARK_ASSIGN_OR_RETURN(
            const bool found, ask(store_->FindObject(ns, row.id, row.name, IfMissing::kCreate)));
        if (found) return true;
      }
      if (rows.size() < kObjectsAtATime) break;
      after = rows.back().id;
    }
  }
  return false;
}

// ---- packing -----------------------------------------------------------------------------------

RetentionWorker::Seen RetentionWorker::Current() const {
  return {.licence = store_->retention().licence().granted,
          .segment = store_->queue().durable_position().segment,
          .labels = store_->labels_changed()};
}

void RetentionWorker::Count(const ReclaimReport& reclaimed) {
  std::lock_guard lock(mutex_);
  report_.reclaimed_bytes +=
      reclaimed.bytes_before - std::min(reclaimed.bytes_before, reclaimed.bytes_after);
}

bool RetentionWorker::IsLogPassDue() const {
  if (!enabled_ || !store_->packer().LogWaits()) return false;
  std::lock_guard lock(mutex_);
  return !stop_ && Now() >= log_pass_.due;
}

Status RetentionWorker::LogPass(Microseconds* pause) {
  TIDEMARK_ASSIGN_OR_RETURN(const ReclaimReport reclaimed,
                            store_->packer().PackLogPaced(Packer::LogPart::kFull, &pacer_));
  Count(reclaimed);
  // What waits has to go on waiting: for the end of a large commit, or the next segment's first
  // group.
  if (reclaimed.files == 0) *pause = kPauseWithoutLog;
  return OkStatus();
}

bool RetentionWorker::IsReadPassDue() {
  const ChainReadRule& rule = store_->chain_reads().rule();
  const uint64_t links = store_->chain_reads().links();
  const uint64_t commits = store_->commits.load(std::memory_order_relaxed);
  const uint64_t paid = (commits - std::exchange(commits_seen_, commits)) * rule.chains_for_commit *
                        store_->options().max_chain_length;
  links_unpaid_ += links - std::exchange(links_seen_, links);
  links_unpaid_ -= std::min(links_unpaid_, paid);

  const uint32_t full_size = store_->options().segment_size_bytes;
  const uint32_t used = store_->queue().durable_position().offset;
  const uint64_t log_bytes = store_->segments().SealedBytes() + used;
  const uint64_t price =
      (log_bytes >> 10) * rule.links_for_log_kib + (full_size >> 10) * rule.links_for_segment_kib;
  if (used < full_size / kLeastPartOfSegment || links_unpaid_ < price) return false;
  std::lock_guard lock(mutex_);
  return !stop_ && Now() >= read_pass_.due;
}

Status RetentionWorker::ReadPass(Microseconds* pause) {
  TIDEMARK_ASSIGN_OR_RETURN(const ReclaimReport reclaimed,
                            store_->packer().PackLogPaced(Packer::LogPart::kAll, &pacer_));
  Count(reclaimed);
  links_unpaid_ = 0;
  *pause = kPauseAfterReads;
  return OkStatus();
}

Status RetentionWorker::Pass(Microseconds* pause) {
  const Seen current = Current();
  // One that is under way has the packer: this fails then.
  if (!store_->purges().empty()) TIDEMARK_RETURN_IF_ERROR(store_->purger().Continue(&pacer_));
  const Segments& segments = store_->segments();
  microseconds took{0};
  if (segments.Headers().size() > 1 || !segments.ListPacked().empty()) {
    const microseconds begin = Now();
    TIDEMARK_ASSIGN_OR_RETURN(const ReclaimReport reclaimed,
                              store_->packer().RunPaced(ReclaimWhat::kWhatPays, &pacer_));
    took = Now() - begin;
    Count(reclaimed);
  }
  if (store_->packer().is_unfinished()) return OkStatus();
  seen_ = current;
  const Lsn in_force = store_->retention().licence().granted;
  if (const auto sizes = store_->packer().SizesSince(in_force)) {
    TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, store_->retention().BudgetBytes());
    TIDEMARK_ASSIGN_OR_RETURN(const auto stops, store_->retention().StopsOf(*sizes));
    if (ChooseStop(stops, sizes->TotalBytes(), budget)) {
      settled_ = Lsn();
      LookSoon();
    }
  }
  *pause = std::clamp<microseconds>(took * kPauseAfterPass, kLeastPause, kLongestPause);
  return OkStatus();
}

}  // namespace tidemark::internal
