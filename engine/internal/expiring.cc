// Retention's answer to what another licence would let expire, and how soon one may.

#include <algorithm>
#include <utility>

#include "engine/internal/retention.h"
#include "engine/internal/store_impl.h"
#include "engine/object.h"

namespace tidemark::internal {

Status Retention::VisitExpiring(const LicenceRow& licence,
                                const std::shared_ptr<ObjectState>& object,
                                const std::function<bool(const CommitInfo&)>& visit) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons now, HorizonsOf(*object));
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons then, HorizonsAfter(licence, *object));
  if (now == then) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto oldest,
                            store_->LocateCommitAtTime(*object, then.everything));
  if (!oldest.info.lsn.valid()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(auto kept, ReachableAt(*object, then));
  Status status;
  const Status walked = Object(store_, object)
                            .History(
                                [&](const CommitInfo& commit) {
                                  const auto stays = kept.Has(commit);
                                  status = stays.status();
                                  return stays.ok() && (*stays || visit(commit));
                                },
                                [](const DamagedCommit&) { return true; }, oldest.info.lsn);
  TIDEMARK_RETURN_IF_ERROR(status);
  return walked;
}

Result<Timestamp> Retention::NewestHorizon() const {
  const LicenceRow licence = InForce();
  if (!licence.granted.valid()) return kNoHorizon;
  Timestamp newest = std::max(licence.by_default, licence.budget);
  TIDEMARK_ASSIGN_OR_RETURN(const auto rules, table_.List());
  for (const RuleRow& rule : rules) {
    newest = std::max(newest, rule.floor.everything);
    // As if it had been in force at the last licence already.
    if (!rule.set || rule.key.kind != RuleKind::kPolicy) continue;
    newest = std::max(newest, internal::HorizonsOf(rule.policy, licence.time).everything);
  }
  return newest;
}

Result<std::pair<std::chrono::seconds, std::chrono::seconds>> Retention::Windows() const {
  auto windows = std::pair(std::chrono::seconds::max(), std::chrono::seconds(0));
  const auto add = [&](const RetentionPolicy& policy) {
    windows.first = std::min(windows.first, policy.window);
    windows.second = std::max({windows.second, policy.window, policy.hourly, policy.daily});
  };
  TIDEMARK_ASSIGN_OR_RETURN(const auto rules, table_.List());
  bool by_default = true;
  for (const RuleRow& rule : rules) {
    if (rule.key.kind != RuleKind::kPolicy || !rule.set) continue;
    add(rule.policy);
    by_default &= rule.key != RuleKey::OfStore();
  }
  if (by_default) add({.window = store_->options().retention});
  return windows;
}

}  // namespace tidemark::internal
