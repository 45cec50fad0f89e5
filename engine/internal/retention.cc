#include "engine/internal/retention.h"

#include <algorithm>
#include <utility>

#include "engine/bookmark.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

std::string PlaceOf(const TimelineDamage& damage) {
  return "LSN " + std::to_string(damage.lsn.value) + " (segment " +
         std::to_string(damage.location.segment) + ", offset " +
         std::to_string(damage.location.offset) + ")";
}

// What a scope has, given what is around it.
Horizons Apply(const LicenceRow& licence, const std::optional<RuleRow>& rule, Horizons around) {
  if (!rule) return around;
  if (licence.granted <= rule->lsn) return rule->floor;
  return Advance(rule->floor, rule->set ? HorizonsOf(rule->policy, licence.time) : around);
}

Lsn LsnOf(const std::optional<RuleRow>& rule) { return rule ? rule->lsn : Lsn(); }

}  // namespace

Retention::Retention(StoreImpl* store) : store_(store), table_(&store->index()) {}

// ---- horizons ----------------------------------------------------------------------------------

LicenceRow Retention::InForce() const {
  LicenceRow licence = table_.licence();
  // One whose record is lost may have let expire what was there when the store was opened.
  const auto lost = store_->LastLost(StoreTag());
  if (lost && lost->lsn > licence.lsn) {
    licence.granted = lost->lsn;
    Extend(&licence, opened_at_);
    const auto of_store = table_.Find(RuleKey::OfStore());
    const bool had_budget = !of_store.ok() || (*of_store && (*of_store)->budget_bytes != 0);
    if (had_budget || licence.budget > kNoHorizon) {
      licence.budget = std::max(licence.budget, opened_at_ - kBudgetKeeps);
      licence.budget_moved = lost->lsn;
    }
  }
  return licence;
}

void Retention::Extend(LicenceRow* licence, Timestamp now) const {
  licence->time = std::max(licence->time, now);
  const RetentionPolicy by_default{.window = store_->options().retention};
  licence->by_default =
      std::max(licence->by_default, internal::HorizonsOf(by_default, licence->time).everything);
}

LicenceRow Retention::NextLicence(const std::optional<BudgetMove>& move) const {
  LicenceRow licence = table_.licence();
  if (move && move->after == licence.granted && move->horizon > licence.budget) {
    licence.budget = move->horizon;
    licence.budget_moved = Lsn(UINT64_MAX);
  }
  Extend(&licence, store_->options().clock->Now());
  licence.alarm.reset();
  licence.confirms = false;
  licence.granted = Lsn(UINT64_MAX);
  return licence;
}

Result<Horizons> Retention::Compute(const LicenceRow& licence, uint64_t namespace_id,
                                    const ObjectId* object) const {
  if (!licence.granted.valid()) return Horizons();
  TIDEMARK_ASSIGN_OR_RETURN(const auto of_store, table_.Find(RuleKey::OfStore()));
  // What has no hold has no horizon before the budget's.
  Horizons horizons =
      ByBudget(Apply(licence, of_store, Horizons::At(licence.by_default)), licence.budget);
  if (namespace_id != 0) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rule, table_.Find(RuleKey::OfNamespace(namespace_id)));
    horizons = ByBudget(Apply(licence, rule, horizons), licence.budget);
  }
  if (object == nullptr) return horizons;
  TIDEMARK_ASSIGN_OR_RETURN(const auto policy,
                            table_.Find(RuleKey::OfObject(RuleKind::kPolicy, *object)));
  TIDEMARK_ASSIGN_OR_RETURN(const auto hold,
                            table_.Find(RuleKey::OfObject(RuleKind::kHold, *object)));
  if (!hold) return ByBudget(Apply(licence, policy, horizons), licence.budget);
  const RuleRow& newest = policy && policy->lsn > hold->lsn ? *policy : *hold;
  if (hold->set || licence.granted <= newest.lsn) return newest.floor;
  const Horizons by_rules = Advance(
      newest.floor,
      policy && policy->set ? internal::HorizonsOf(policy->policy, licence.time) : horizons);
  return licence.budget_moved > newest.lsn ? ByBudget(by_rules, licence.budget) : by_rules;
}

Result<Horizons> Retention::HorizonsOf(const ObjectState& object) const {
  return Compute(InForce(), object.ns->id, &object.id);
}

Result<Timestamp> Retention::HorizonOf(const ObjectState& object) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, HorizonsOf(object));
  return horizons.everything;
}

Result<Horizons> Retention::HorizonsOfNamespace(uint64_t namespace_id) const {
  return Compute(InForce(), namespace_id, nullptr);
}

Result<Horizons> Retention::HorizonsAfter(const LicenceRow& licence,
                                          const ObjectState& object) const {
  return Compute(licence, object.ns->id, &object.id);
}

Result<std::optional<TimelineDamage>> Retention::LostRule(const ObjectState& object) const {
  const Lsn granted = table_.licence().granted;
  const auto may_be = [&](const std::optional<TimelineDamage>& lost, Lsn known) {
    return lost && lost->lsn > known && granted > lost->lsn;
  };
  if (const auto lost = store_->LastLost(ObjectTag(object.id))) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto policy,
                              table_.Find(RuleKey::OfObject(RuleKind::kPolicy, object.id)));
    TIDEMARK_ASSIGN_OR_RETURN(const auto hold,
                              table_.Find(RuleKey::OfObject(RuleKind::kHold, object.id)));
    if (may_be(lost, std::min(LsnOf(policy), LsnOf(hold)))) return lost;
  }
  if (const auto lost = store_->LastLost(NamespaceTag(object.ns->name))) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto policy, table_.Find(RuleKey::OfNamespace(object.ns->id)));
    if (may_be(lost, LsnOf(policy))) return lost;
  }
  return std::optional<TimelineDamage>();
}

Status Retention::CheckTimesKnown(const ObjectState& object) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto lost, LostRule(object));
  if (!lost) return OkStatus();
  return Status(StatusCode::kCorruption,
                "what object " + object.DisplayName() +
                    " was at a time is not known: the record of a label, policy or hold, " +
                    PlaceOf(*lost) +
                    ", is damaged, and what expired under it; give a bookmark or a label, and set "
                    "policy and hold anew");
}

Status Retention::CheckRulesKnown() const {
  const auto lost = store_->LastLost(StoreTag());
  if (!lost) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto policy, table_.Find(RuleKey::OfStore()));
  if (LsnOf(policy) > lost->lsn) return OkStatus();
  return Status(StatusCode::kCorruption,
                "how long the store " + store_->directory() +
                    " keeps history is not known: the record of a licence or policy, " +
                    PlaceOf(*lost) +
                    ", is damaged; nothing expires until the store's policy is set anew, as with "
                    "`tidemark retention`, and its budget if it had one");
}

// ---- what has expired --------------------------------------------------------------------------

Status Retention::CheckKept(const ObjectState& object, const CommitInfo& commit) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, HorizonsOf(object));
  if (commit.time > horizons.everything || horizons.everything == kNoHorizon) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo last, LastOfItsStage(object, horizons, commit));
  if (last.lsn == commit.lsn) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto labels, store_->labels().List(object.id));
  for (const LabelRow& label : labels) {
    if (!label.automatic && label.commit == commit.lsn) return OkStatus();
  }
  return Expired(object, horizons, last,
                 "the commit of " + FormatTime(commit.time) + " has expired: it was replaced");
}

Status Retention::Expired(const ObjectState& object, const Horizons& horizons,
                          const CommitInfo& next, const std::string& what) const {
  std::string message = what + " before the horizon of object " + object.DisplayName() + ", " +
                        FormatTime(horizons.everything);
  if (horizons.daily < horizons.everything) {
    message += " (before that one commit an hour or a day is kept, back to " +
               FormatTime(horizons.daily) + ")";
  }
  if (next.lsn.valid()) {
    const Bookmark bookmark{.epoch = next.epoch,
                            .lsn = next.lsn,
                            .object_tag = ObjectTag(object.id),
                            .state_hash = next.state_hash};
    message +=
        "; the next one that is kept is of " + FormatTime(next.time) + ": " + bookmark.ToString();
  }
  return Status(StatusCode::kExpired, std::move(message));
}

Result<CommitInfo> Retention::LastOfItsStage(const ObjectState& object, const Horizons& horizons,
                                             const CommitInfo& commit) const {
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit last,
                            store_->LocateCommitAtTime(object, LastOfStage(horizons, commit.time)));
  return last.info;
}

Result<bool> Reachable::Has(const CommitInfo& commit) {
  const bool first = std::exchange(first_, false);
  bool kept = walk_.Keeps(commit.time);
  if (first && commit.time <= horizons_.everything && horizons_.everything != kNoHorizon) {
    // What came behind it was not asked for.
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo last,
                              retention_->LastOfItsStage(object_, horizons_, commit));
    kept = last.lsn == commit.lsn;
  }
  return kept || std::binary_search(labelled_.begin(), labelled_.end(), commit.lsn);
}

Lsn Reachable::AtOrBefore(Lsn lsn) const {
  if (!done()) return lsn;
  const auto it = std::upper_bound(labelled_.begin(), labelled_.end(), lsn);
  return it == labelled_.begin() ? Lsn() : *std::prev(it);
}

Result<Reachable> Retention::ReachableAt(const ObjectState& object,
                                         const Horizons& horizons) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto labels, store_->labels().List(object.id));
  std::vector<Lsn> labelled;
  for (const LabelRow& label : labels) {
    if (!label.automatic) labelled.push_back(label.commit);
  }
  std::sort(labelled.begin(), labelled.end());
  return Reachable(this, object, horizons, std::move(labelled));
}

Result<Reachable> Retention::ReachableOf(const ObjectState& object) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, HorizonsOf(object));
  return ReachableAt(object, horizons);
}

Status Retention::PinKept(const CommitInfo& commit, Pin* pin) const {
  pin->Take(commit.timeline, commit.lsn);
  return CheckKept(pin->object(), commit);
}

// ---- the clock ---------------------------------------------------------------------------------

std::optional<RetentionTable::NewLicence> Retention::Start(std::optional<Timestamp> last_record) {
  const Clock& clock = *store_->options().clock;
  trusted_monotonic_ = clock.Monotonic();
  opened_at_ = trusted_ = clock.Now();
  LicenceRow licence = table_.licence();
  if (!last_record || licence.alarm || opened_at_ - *last_record <= kMostAsleep) {
    return std::nullopt;
  }
  licence.alarm = ClockAlarm{.from = *last_record, .to = opened_at_};
  licence.confirms = false;
  return RetentionTable::NewLicence(licence);
}

std::optional<ClockAlarm> Retention::Step() const {
  const Clock& clock = *store_->options().clock;
  // In this order, and the other one where it is trusted: time passes between the two, too.
  const Timestamp now = clock.Now();
  const Timestamp expected = trusted_ + (clock.Monotonic() - trusted_monotonic_);
  if (now <= expected + kMostStep) return std::nullopt;
  return ClockAlarm{.from = expected, .to = now};
}

void Retention::Trust() {
  const Clock& clock = *store_->options().clock;
  const std::chrono::microseconds monotonic = clock.Monotonic();
  // One that was set back may be put right again.
  trusted_ = std::max(clock.Now(), trusted_ + (monotonic - trusted_monotonic_));
  trusted_monotonic_ = monotonic;
}

Status Retention::InDoubt(const ClockAlarm& alarm) const {
  return Status(StatusCode::kPaused,
                "the clock of store " + store_->directory() + " is in doubt: it said " +
                    FormatTime(alarm.to) + " where about " + FormatTime(alarm.from) +
                    " was to be expected; nothing expires until somebody confirms that it is "
                    "right: `tidemark retention STORE --confirm-clock`");
}

Result<Lsn> Retention::Append(const LicenceRow& row, InForceWhen when) {
  RetentionTable::NewLicence made(row);
  CommitQueue& queue = store_->queue();
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue.Reserve(made.fields().size(), 1));
  CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const Lsn lsn = scope
                      .Append(RecordKind::kLicence, TimelineId(scope.next_lsn().value),
                              made.fields(), {}, StoreTag())
                      .lsn;
  scope.Leave();
  if (when == InForceWhen::kDurable) TIDEMARK_RETURN_IF_ERROR(queue.WaitDurable(lsn));
  table_.Add(std::move(made), lsn);
  scope.Finish();
  return lsn;
}

Status Retention::Licence(const std::optional<BudgetMove>& move) {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(CheckRulesKnown());
  TIDEMARK_RETURN_IF_ERROR(NoteClockLocked());
  if (const auto alarm = table_.licence().alarm) {
    return InDoubt(*alarm);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, BudgetBytes());
  const Timestamp before = table_.licence().budget;
  LicenceRow licence = NextLicence(budget == 0 ? std::nullopt : move);
  licence.granted = Lsn();
  if (licence.budget > before) licence.budget_moved = Lsn();
  return Append(licence, InForceWhen::kDurable).status();
}

Status Retention::CheckLicence() const {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(CheckRulesKnown());
  if (const auto alarm = table_.licence().alarm) return InDoubt(*alarm);
  const auto step = Step();
  return step ? InDoubt(*step) : OkStatus();
}

Status Retention::NoteClock() {
  std::lock_guard lock(mutex_);
  return NoteClockLocked();
}

Status Retention::NoteClockLocked() {
  LicenceRow licence = table_.licence();
  if (licence.alarm) return OkStatus();
  licence.alarm = Step();
  if (!licence.alarm) {
    Trust();
    return OkStatus();
  }
  licence.confirms = false;
  TIDEMARK_ASSIGN_OR_RETURN(const Lsn lsn, Append(licence, InForceWhen::kAppended));
  return store_->queue().WaitDurable(lsn);
}

Status Retention::ConfirmClock() {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(NoteClockLocked());
  LicenceRow licence = table_.licence();
  if (!licence.alarm) return OkStatus();
  licence.alarm.reset();
  licence.confirms = true;
  TIDEMARK_ASSIGN_OR_RETURN(const Lsn lsn, Append(licence, InForceWhen::kAppended));
  TIDEMARK_RETURN_IF_ERROR(store_->queue().WaitDurable(lsn));
  trusted_monotonic_ = store_->options().clock->Monotonic();
  trusted_ = store_->options().clock->Now();
  store_->retention_worker().LookSoon();
  return OkStatus();
}

}  // namespace tidemark::internal
