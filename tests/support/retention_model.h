// RetentionModel: which commits of each object must be kept, worked out licence by licence: every
// scope has horizons of its own, and a licence moves each of them on by the rule that is in force
// then. The engine has no such thing: it works them out when it is asked, from a row a rule.

#ifndef TIDEMARK_TESTS_SUPPORT_RETENTION_MODEL_H_
#define TIDEMARK_TESTS_SUPPORT_RETENTION_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/internal/budget.h"
#include "engine/internal/horizon.h"

namespace tidemark::testing {

class RetentionModel {
 public:
  struct Scope {
    std::optional<RetentionPolicy> policy;
    bool held = false;
    internal::Horizons horizons;
  };

  // Names are "rooms" for a namespace, "rooms/lobby" for an object, "" for the store.
  void SetPolicy(const std::string& name, const std::optional<RetentionPolicy>& policy) {
    Of(name).policy = policy;
  }
  void SetBudget(const std::optional<uint64_t>& bytes) { budget_bytes_ = bytes; }
  std::optional<uint64_t> budget_bytes() const { return budget_bytes_; }
  void SetHold(const std::string& name, bool held) { Of(name).held = held; }
  void Forget(const std::string& name) { scopes_.erase(name); }
  bool IsHeld(const std::string& name) const {
    const auto it = scopes_.find(name);
    return it != scopes_.end() && it->second.held;
  }

  // In force, and by whose name; none: by default.
  std::pair<std::string, std::optional<RetentionPolicy>> PolicyOf(const std::string& name) const {
    const auto it = scopes_.find(name);
    if (it != scopes_.end() && it->second.policy) return {name, it->second.policy};
    return name.empty() ? std::pair(std::string("-"), std::optional<RetentionPolicy>())
                        : PolicyOf(Around(name));
  }

  void Grant(Timestamp now, const RetentionPolicy& by_default) {
    time_ = std::max(time_, now);
    default_ = internal::Advance(default_, internal::HorizonsOf(by_default, time_));
    // What is around comes before what is in it.
    for (auto& [name, scope] : scopes_) {
      if (scope.held) continue;
      scope.horizons = internal::Advance(scope.horizons,
                                         scope.policy   ? internal::HorizonsOf(*scope.policy, time_)
                                         : name.empty() ? default_
                                                        : HorizonsOf(Around(name)));
    }
  }

  // What a licence does besides, if the budget's horizon has moved with it.
  void MoveBudget(Timestamp horizon) {
    if (horizon <= budget_horizon_) return;
    budget_horizon_ = horizon;
    default_ = internal::ByBudget(default_, horizon);
    for (auto& [name, scope] : scopes_) {
      if (!scope.held) scope.horizons = internal::ByBudget(scope.horizons, horizon);
    }
  }
  Timestamp budget_horizon() const { return budget_horizon_; }

  internal::Horizons HorizonsOf(const std::string& name) const {
    const auto it = scopes_.find(name);
    if (it != scopes_.end()) return it->second.horizons;
    return name.empty() ? default_ : HorizonsOf(Around(name));
  }

 private:
  static std::string Around(const std::string& name) {
    const size_t slash = name.find('/');
    return slash == std::string::npos ? "" : name.substr(0, slash);
  }

  Scope& Of(const std::string& name) {
    const auto it = scopes_.find(name);
    if (it != scopes_.end()) return it->second;
    const internal::Horizons now = HorizonsOf(name);
    Scope& scope = scopes_[name];
    scope.horizons = now;
    return scope;
  }

  std::map<std::string, Scope> scopes_;
  internal::Horizons default_;
  Timestamp time_;
  std::optional<uint64_t> budget_bytes_;
  Timestamp budget_horizon_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_RETENTION_MODEL_H_
