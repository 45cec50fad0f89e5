// Retention's byte budget: what is set, and how far its horizon has to move. See budget.h.

#include <algorithm>
#include <utility>

#include "engine/internal/packer.h"
#include "engine/internal/retention.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

Result<uint64_t> Retention::BudgetBytes() const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto of_store, table_.Find(RuleKey::OfStore()));
  return of_store ? of_store->budget_bytes : 0;
}

Status Retention::SetBudget(std::optional<uint64_t> bytes) {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  // The policy that stays has to be known.
  TIDEMARK_RETURN_IF_ERROR(CheckRulesKnown());
  TIDEMARK_ASSIGN_OR_RETURN(const auto of_store, table_.Find(RuleKey::OfStore()));
  RuleRow row;
  row.policy = {.window = {}, .hourly = {}, .daily = {}};
  if (of_store) {
    row.set = of_store->set;
    row.policy = of_store->policy;
  }
  row.budget_bytes = bytes.value_or(0);
  TIDEMARK_ASSIGN_OR_RETURN(row.floor, Compute(InForce(), 0, nullptr));
  return LogRule(std::move(row), RecordKind::kPolicy, StoreTag());
}

BudgetLimits Retention::LimitsOfBudget() const {
  // Not with every microsecond a little further.
  using TenMinutes = std::chrono::duration<int64_t, std::ratio<600>>;
  const Timestamp newest = store_->options().clock->Now() - kBudgetKeeps;
  return {.from = table_.licence().budget, .newest = std::chrono::floor<TenMinutes>(newest)};
}

Result<std::vector<BudgetStop>> Retention::StopsOf(const HistorySizes& sizes) const {
  return StopsOf(sizes, LimitsOfBudget());
}

Result<std::vector<BudgetStop>> Retention::StopsOf(const HistorySizes& sizes,
                                                   BudgetLimits limits) const {
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, BudgetBytes());
  if (budget == 0) return std::vector<BudgetStop>();
  const LicenceRow licence = table_.licence();
  TIDEMARK_ASSIGN_OR_RETURN(const auto rules, table_.List());
  for (const RuleRow& rule : rules) {
    const auto look = [&](const Horizons& horizons) {
      if (horizons.daily == horizons.everything) return;
      limits.thinned_until = std::max(limits.thinned_until, horizons.everything);
    };
    look(rule.floor);
    // As if it had been in force at the last licence already: rather too much than too little.
    if (rule.set && rule.key.kind == RuleKind::kPolicy && licence.granted.valid()) {
      look(Advance(rule.floor, internal::HorizonsOf(rule.policy, licence.time)));
    }
  }
  return BudgetStops(sizes, limits);
}

Result<std::optional<BudgetMove>> Retention::FindBudgetMove() const {
  std::optional<BudgetMove> move;
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t budget, BudgetBytes());
  Packer& packer = store_->packer();
  if (budget == 0 || packer.HistoryBytes() + store_->segments().SealedBytes() <= budget) {
    return move;
  }
  const Lsn in_force = table_.licence().granted;
  BudgetLimits limits = LimitsOfBudget();
  // Each time round it goes at least one stop further, or ends.
  while (true) {
    const LicenceRow licence = NextLicence(move);
    limits.from = std::max(limits.from, licence.budget);
    // Somebody else has granted one, which may have been enough.
    if (table_.licence().granted != in_force) return std::optional<BudgetMove>();
    const auto sizes = packer.EstimateSizes(licence);
    // Whole history is not to go because damaged one is not given back.
    if (sizes.status().code() == StatusCode::kCorruption) return std::optional<BudgetMove>();
    TIDEMARK_RETURN_IF_ERROR(sizes.status());
    TIDEMARK_ASSIGN_OR_RETURN(const auto stops, StopsOf(*sizes, limits));
    const auto stop = ChooseStop(stops, sizes->TotalBytes(), budget);
    if (!stop) return move;
    move = BudgetMove{.after = in_force, .horizon = stops[*stop].horizon};
  }
}

}  // namespace tidemark::internal
