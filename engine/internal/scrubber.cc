#include "engine/internal/scrubber.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/internal/packer.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/store_impl.h"
#include "engine/internal/verifier.h"

namespace tidemark::internal {
namespace {

using std::chrono::microseconds;

// How long the thread sleeps before it reads the clock again, and what failed rests. A clock that
// is moved by hand wakes nobody.
constexpr microseconds kSleep = std::chrono::minutes(1);
constexpr microseconds kSleepOnOtherClock{20'000};
constexpr microseconds kPauseAfterFailure = std::chrono::hours(1);
// Spend waits for so much at a time.
constexpr microseconds kSlice{50'000};
// Places that are kept of what a scrub found; the others are counted.
constexpr size_t kMostDamage = 100;
// Drilled commits that are kept, for when the oldest ones expire.
constexpr size_t kMostVerified = 32;
// One drill in so many takes the oldest state that there is.
constexpr uint64_t kOldest = 4;
constexpr int kAttempts = 8;

// It has gone since it was chosen: no drill, and no failure.
bool HasGone(const Status& status) {
  return status.code() == StatusCode::kExpired || status.code() == StatusCode::kNotFound;
}

}  // namespace

Scrubber::Scrubber(StoreImpl* store)
    : store_(store), opened_(store->options().clock->Now()), random_(RandomNumber()) {
  next_drill_ = store->options().clock->Monotonic() + store->options().drill_interval;
}

Status Scrubber::Load() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto kept, store_->index().Health());
  std::lock_guard lock(mutex_);
  if (kept) health_ = loaded_ = *kept;
  kept_verified_ = health_.oldest_verified;
  return OkStatus();
}

StoreHealth Scrubber::health() const {
  std::lock_guard lock(mutex_);
  return health_;
}

std::optional<StoreHealth> Scrubber::Changed() const {
  std::lock_guard lock(mutex_);
  return health_ == loaded_ ? std::nullopt : std::optional(health_);
}

Scrubber::Report Scrubber::report() const {
  std::lock_guard lock(mutex_);
  return report_;
}

// ---- the thread --------------------------------------------------------------------------------

void Scrubber::StartThread() {
  const StoreOptions& options = store_->options();
  if (options.scrub_interval.count() == 0 && options.drill_interval.count() == 0) return;
  thread_ = std::thread([this] { Loop(); });
}

void Scrubber::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scrubber::Loop() {
  const bool is_system = store_->options().clock == Clock::System();
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, is_system ? kSleep : kSleepOnOtherClock, [this] { return stop_; })) {
    lock.unlock();
    try {
      (void)Step();  // what it met is in the report
    } catch (const std::bad_alloc&) {
      // The next one comes.
    }
    lock.lock();
  }
}

Status Scrubber::Spend(uint64_t bytes, bool paced) {
  const uint64_t rate = store_->options().scrub_bytes_per_second;
  const bool waits =
      paced && rate > 0 && store_->options().background_work == BackgroundWork::kThreads;
  const auto owed = [&] {
    return microseconds(
        static_cast<int64_t>(1e6 * static_cast<double>(owed_bytes_) / static_cast<double>(rate)));
  };
  std::unique_lock lock(mutex_);
  owed_bytes_ += bytes;
  if (!waits) {
    owed_bytes_ = 0;
  } else if (const microseconds pause = owed(); pause >= kSlice) {
    wake_.wait_for(lock, pause, [this] { return stop_; });
    owed_bytes_ = 0;
  }
  return stop_ ? Status(StatusCode::kBroken, "the store is being closed") : OkStatus();
}

// ---- a step ------------------------------------------------------------------------------------

// By the machine's clock: weeks pass over several openings.
bool Scrubber::IsScrubDue() const {
  const StoreOptions& options = store_->options();
  std::lock_guard lock(mutex_);
  const Timestamp last = health_.last_scrub == Timestamp() ? opened_ : health_.last_scrub;
  return options.scrub_interval.count() > 0 && options.clock->Monotonic() >= next_scrub_ &&
         options.clock->Now() - last >= options.scrub_interval;
}

bool Scrubber::IsDrillDue() const {
  std::lock_guard lock(mutex_);
  return store_->options().drill_interval.count() > 0 &&
         store_->options().clock->Monotonic() >= next_drill_;
}

Status Scrubber::Step() {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  const Status drilled = StepDrill();
  std::lock_guard step(scrub_mutex_);
  if (!IsScrubDue()) return drilled;
  const Status scrubbed = Scrub();
  std::lock_guard lock(mutex_);
  report_.error = scrubbed;
  if (!scrubbed.ok()) next_scrub_ = store_->options().clock->Monotonic() + kPauseAfterFailure;
  return drilled.ok() ? scrubbed : drilled;
}

Status Scrubber::StepDrill() {
  std::lock_guard step(drill_mutex_);
  if (!IsDrillDue()) return OkStatus();
  DrillReport ignored;
  const Status drilled = RunDrill(true, &ignored);
  std::lock_guard lock(mutex_);
  report_.error = drilled;
  next_drill_ = store_->options().clock->Monotonic() + store_->options().drill_interval;
  return drilled;
}

// ---- scrubs ------------------------------------------------------------------------------------

Status Scrubber::Scrub() {
  std::vector<Damage> damage;
  uint64_t places = 0;
  const auto take = [&](const VerifyReport& report) {
    places += report.damage.size();
    for (const Damage& one : report.damage) {
      if (damage.size() < kMostDamage) damage.push_back(one);
    }
  };
  const auto paced = [this](uint64_t bytes) { return Spend(bytes, true); };
  const auto at_once = [this](uint64_t bytes) { return Spend(bytes, false); };

  Verifier all(store_);
  TIDEMARK_RETURN_IF_ERROR(all.Begin());
  for (const uint32_t number : all.Files()) {
    Verifier first(store_);
    TIDEMARK_RETURN_IF_ERROR(first.Begin());
    Status checked = first.CheckFile(number, paced);
    uint64_t bytes = first.report().bytes;
    if (!checked.ok() || !first.report().damage.empty()) {
      TIDEMARK_RETURN_IF_ERROR(Spend(0, false));  // was it stopped?
      const std::vector<uint32_t> left = first.Files();
      if (std::find(left.begin(), left.end(), number) == left.end()) continue;  // it was packed
      const auto files = store_->packer().KeepFiles();
      Verifier again(store_);
      TIDEMARK_RETURN_IF_ERROR(again.Begin());
      TIDEMARK_RETURN_IF_ERROR(again.CheckFile(number, at_once));
      take(again.report());
    }
    std::lock_guard lock(mutex_);
    report_.scrubbed_bytes += bytes;
  }
  Verifier objects(store_);
  TIDEMARK_RETURN_IF_ERROR(objects.Begin());
  TIDEMARK_RETURN_IF_ERROR(objects.CheckObjects(paced));
  if (!objects.report().damage.empty()) {
    const auto files = store_->packer().KeepFiles();
    Verifier again(store_);
    TIDEMARK_RETURN_IF_ERROR(again.Begin());
    TIDEMARK_RETURN_IF_ERROR(again.CheckObjects(at_once));
    take(again.report());
  }
  std::lock_guard lock(mutex_);
  ++report_.scrubs;
  report_.damage = std::move(damage);
  health_.last_scrub = store_->options().clock->Now();
  health_.scrub_damage = places;
  return OkStatus();
}

void Scrubber::NoteVerified(const VerifyReport& report) {
  std::lock_guard lock(mutex_);
  health_.last_scrub = store_->options().clock->Now();
  health_.scrub_damage = report.damage.size();
}

// ---- drills ------------------------------------------------------------------------------------

Result<DrillReport> Scrubber::Drill(uint64_t count, const Progress& progress) {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  std::lock_guard step(drill_mutex_);
  DrillReport report;
  for (uint64_t i = 0; i < count; ++i) {
    if (progress) progress(i, count);
    TIDEMARK_RETURN_IF_ERROR(RunDrill(false, &report));
  }
  return report;
}

Status Scrubber::RunDrill(bool paced, DrillReport* report) {
  ForgetExpired();
  TIDEMARK_ASSIGN_OR_RETURN(const auto state, PickObject());
  if (state == nullptr) return OkStatus();
  // No handle of its own: it would keep a purge away.
  const Object object(store_, state);
  auto commit = PickCommit(object);
  Status checked = commit.status();
  if (commit.ok()) {
    if (!*commit) return OkStatus();
    checked = CheckState(object, **commit, paced, &report->bytes);
  }
  if (HasGone(checked) || store_->purges().Has(state->id)) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(Spend(0, false));
  if (checked.code() == StatusCode::kOutOfMemory) return checked;
  Note(state, commit.ok() ? **commit : CommitInfo{}, checked, report);
  return OkStatus();
}

// Ids are hashes: the next one behind a random one is random, too.
Result<std::shared_ptr<ObjectState>> Scrubber::PickObject() {
  std::vector<std::shared_ptr<NamespaceState>> namespaces = store_->Namespaces();
  std::erase_if(namespaces, [](const auto& ns) { return ns->id == 0; });
  std::shuffle(namespaces.begin(), namespaces.end(), random_);
  for (const auto& ns : namespaces) {
    ObjectId after;
    for (std::byte& byte : after.bytes) byte = static_cast<std::byte>(random_());
    for (const std::optional<ObjectId>& from : {std::optional(after), std::optional<ObjectId>()}) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto rows, store_->index().ListObjects(ns->id, from, 1));
      if (rows.empty() || store_->purges().Has(rows[0].id)) continue;
      return store_->FindObject(ns, rows[0].id, rows[0].name, IfMissing::kDeleted);
    }
  }
  return std::shared_ptr<ObjectState>();
}

Result<std::optional<CommitInfo>> Scrubber::PickCommit(const Object& object) {
  const ObjectState& state = *object.state_;
  const CommitInfo head = object.head();
  if (head.kind == CommitKind::kNone) return std::optional<CommitInfo>();
  Lsn created;
  {
    std::lock_guard lock(state.mutex);
    created = state.created;
  }
  // The first one; or what was current at the horizon.
  if (random_() % kOldest == 0) {
    TIDEMARK_ASSIGN_OR_RETURN(const Timestamp horizon, store_->retention().HorizonOf(state));
    Lsn oldest;
    if (horizon == Timestamp()) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto first,
                                store_->index().FindNextCommit(TimelineId(created.value), created));
      oldest = first.value_or(head.lsn);
    } else {
      TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit then, store_->LocateCommitAtTime(state, horizon));
      oldest = then.info.kind == CommitKind::kNone ? head.lsn : then.info.lsn;
    }
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, store_->FindCommitAt(state, oldest));
    if (commit.kind != CommitKind::kNone && store_->retention().CheckKept(state, commit).ok()) {
      return std::optional(commit);
    }
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const uint64_t span = head.lsn.value - std::min(created.value, head.lsn.value) + 1;
    const Lsn lsn(head.lsn.value - random_() % span);
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, store_->FindCommitAt(state, lsn));
    if (commit.kind == CommitKind::kNone) continue;
    const Status kept = store_->retention().CheckKept(state, commit);
    if (kept.ok()) return std::optional(commit);
    if (!HasGone(kept)) return kept;
  }
  return std::optional(head);
}

Status Scrubber::CheckState(const Object& object, const CommitInfo& commit, bool paced,
                            uint64_t* bytes) {
  TIDEMARK_ASSIGN_OR_RETURN(const Snapshot snapshot, object.OpenSnapshot(commit));
  Buffer page(snapshot.page_size());
  uint64_t hash = 0;
  for (uint64_t number = 1; number <= snapshot.page_count(); ++number) {
    const PageNo page_no(static_cast<uint32_t>(number));
    TIDEMARK_RETURN_IF_ERROR(Spend(page.size(), paced));
    TIDEMARK_RETURN_IF_ERROR(snapshot.ReadStoredPage(page_no, page));
    hash ^= PageHash(page_no, page);
    *bytes += page.size();
  }
  if (hash == commit.state_hash) return OkStatus();
  return Status(
      StatusCode::kCorruption,
      "the state hash of " + object.BookmarkOf(commit).ToString() + " is not that of its pages");
}

void Scrubber::Note(const std::shared_ptr<ObjectState>& object, const CommitInfo& commit,
                    const Status& checked, DrillReport* report) {
  ++report->drills;
  std::string failure;
  if (checked.ok()) {
    verified_.push_back({object, commit});
    std::sort(verified_.begin(), verified_.end(),
              [](const Verified& a, const Verified& b) { return a.commit.time < b.commit.time; });
    if (verified_.size() > kMostVerified) verified_.pop_back();
  } else {
    ++report->failures;
    failure = "object " + object->DisplayName() +
              (commit.lsn.valid() ? " at LSN " + std::to_string(commit.lsn.value) : "") + ": " +
              checked.message();
    report->failure = failure;
  }
  std::lock_guard lock(mutex_);
  ++report_.drills;
  report_.failed_drills += !checked.ok();
  if (!checked.ok()) report_.failed_drill = failure;
  health_.last_drill = store_->options().clock->Now();
  health_.last_drill_ok = checked.ok();
  NoteOldestLocked();
}

void Scrubber::ForgetExpired() {
  std::erase_if(verified_, [this](const Verified& one) {
    return store_->purges().Has(one.object->id) ||
           !store_->retention().CheckKept(*one.object, one.commit).ok();
  });
  const auto horizons = store_->retention().HorizonsOfNamespace(0);
  if (horizons.ok() && kept_verified_ < horizons->everything) kept_verified_ = {};
  std::lock_guard lock(mutex_);
  NoteOldestLocked();
}

void Scrubber::NoteOldestLocked() {
  health_.oldest_verified = kept_verified_;
  if (verified_.empty()) return;
  const Timestamp oldest = verified_.front().commit.time;
  if (kept_verified_ == Timestamp() || oldest < kept_verified_) health_.oldest_verified = oldest;
}

}  // namespace tidemark::internal
