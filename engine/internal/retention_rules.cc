// Retention's policies and holds: how they are made and ended, and what they say. See retention.h.

#include <utility>

#include "engine/internal/retention.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

Status Retention::LogRule(RuleRow row, RecordKind kind, uint64_t tag) {
  CommitQueue& queue = store_->queue();
  RetentionTable::NewRule made(std::move(row));
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue.Reserve(made.fields().size(), 1));
  CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const CommitQueue::Appended appended =
      scope.Append(kind, TimelineId(scope.next_lsn().value), made.fields(), {}, tag);
  scope.Leave();
  table_.Add(std::move(made), appended.lsn, appended.time);
  scope.Finish();
  store_->retention_worker().LookSoon();
  return queue.WaitDurable(appended.lsn);
}

Status Retention::SetPolicy(uint64_t namespace_id, const ObjectState* object, uint64_t tag,
                            const std::optional<RetentionPolicy>& policy) {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  RuleRow row;
  if (object != nullptr) {
    if (store_->purges().Has(object->id)) return object->BeingPurged();
    row.key = RuleKey::OfObject(RuleKind::kPolicy, object->id);
  } else if (namespace_id != 0) {
    row.key = RuleKey::OfNamespace(namespace_id);
  }
  row.set = policy.has_value();
  row.policy = policy.value_or(RetentionPolicy{.window = {}, .hourly = {}, .daily = {}});
  // A budget stays, unless the record that is damaged may have changed it.
  if (row.key == RuleKey::OfStore() && CheckRulesKnown().ok()) {
    TIDEMARK_ASSIGN_OR_RETURN(row.budget_bytes, BudgetBytes());
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      row.floor, Compute(InForce(), namespace_id, object == nullptr ? nullptr : &object->id));
  return LogRule(std::move(row), RecordKind::kPolicy, tag);
}

Status Retention::SetHold(const ObjectState& object, std::string_view reason) {
  return PutHold(object, reason, true);
}

Status Retention::CheckNotHeld(const ObjectState& object) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto hold,
                            table_.Find(RuleKey::OfObject(RuleKind::kHold, object.id)));
  if (!hold || !hold->set) return OkStatus();
  return Status(StatusCode::kExists,
                "object " + object.DisplayName() + " is held since " + FormatTime(hold->time) +
                    (hold->reason.empty() ? "" : " (" + hold->reason + ")") +
                    ": release the hold first, as with `tidemark hold --release`");
}

Status Retention::ReleaseHold(const ObjectState& object) { return PutHold(object, "", false); }

Status Retention::PutHold(const ObjectState& object, std::string_view reason, bool set) {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  RuleRow row;
  row.key = RuleKey::OfObject(RuleKind::kHold, object.id);
  TIDEMARK_ASSIGN_OR_RETURN(const auto there, table_.Find(row.key));
  TIDEMARK_ASSIGN_OR_RETURN(const auto lost, LostRule(object));
  if (!set && !lost && !(there && there->set)) {
    return Status(StatusCode::kNotFound, "object " + object.DisplayName() + " is not held");
  }
  row.set = set;
  row.reason = std::string(reason);
  row.policy = {.window = {}, .hourly = {}, .daily = {}};
  TIDEMARK_ASSIGN_OR_RETURN(row.floor, Compute(InForce(), object.ns->id, &object.id));
  return LogRule(std::move(row), RecordKind::kHold, ObjectTag(object.id));
}

Result<RetentionInfo> Retention::Info(uint64_t namespace_id, const ObjectId* object) const {
  RetentionInfo info;
  info.policy = {.window = store_->options().retention};
  const auto look = [&](const RuleKey& key, PolicySource source) -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rule, table_.Find(key));
    if (!rule || !rule->set) return OkStatus();
    info.policy = rule->policy;
    info.source = source;
    return OkStatus();
  };
  TIDEMARK_RETURN_IF_ERROR(look(RuleKey::OfStore(), PolicySource::kStore));
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, BudgetBytes());
  if (budget != 0) info.budget_bytes = budget;
  if (namespace_id != 0) {
    TIDEMARK_RETURN_IF_ERROR(look(RuleKey::OfNamespace(namespace_id), PolicySource::kNamespace));
  }
  if (object != nullptr) {
    TIDEMARK_RETURN_IF_ERROR(
        look(RuleKey::OfObject(RuleKind::kPolicy, *object), PolicySource::kObject));
    TIDEMARK_ASSIGN_OR_RETURN(const auto hold,
                              table_.Find(RuleKey::OfObject(RuleKind::kHold, *object)));
    if (hold && hold->set) info.hold = HoldInfo{.reason = hold->reason, .since = hold->time};
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, Compute(InForce(), namespace_id, object));
  info.horizon = horizons.everything;
  info.hourly_horizon = horizons.hourly;
  info.daily_horizon = horizons.daily;
  return info;
}

Result<RetentionInfo> Retention::InfoOf(const ObjectState& object) const {
  return Info(object.ns->id, &object.id);
}

Result<RetentionInfo> Retention::InfoOfNamespace(uint64_t namespace_id) const {
  return Info(namespace_id, nullptr);
}

}  // namespace tidemark::internal
