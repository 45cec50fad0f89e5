// What the index knows of retention: a row a policy, a row a hold, one for the licence.

#ifndef TIDEMARK_ENGINE_INTERNAL_RETENTION_ROWS_H_
#define TIDEMARK_ENGINE_INTERNAL_RETENTION_ROWS_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/internal/horizon.h"
#include "engine/lsn.h"
#include "engine/object_id.h"
#include "engine/retention.h"

namespace tidemark::internal {

enum class RuleKind : uint8_t { kPolicy = 1, kHold = 2 };

// What a rule is for: an object; or a namespace, by its number; or the store.
struct RuleKey {
  RuleKind kind = RuleKind::kPolicy;
  uint64_t namespace_id = 0;
  std::optional<ObjectId> object{};
  auto operator<=>(const RuleKey&) const = default;

  static RuleKey OfStore() { return {}; }
  static RuleKey OfNamespace(uint64_t id) { return {RuleKind::kPolicy, id, std::nullopt}; }
  static RuleKey OfObject(RuleKind kind, const ObjectId& id) { return {kind, 0, id}; }
};

// A policy or a hold. It stays when it is ended: what expired under it does not come back.
struct RuleRow {
  RuleKey key{};
  bool set = false;  // else it was cleared, or released
  Horizons floor{};  // of its scope, when it was made or ended
  Lsn lsn{};         // of its record: counts from the next licence on
  Timestamp time{};  // of its record
  RetentionPolicy policy{};
  std::string reason{};       // of a hold
  uint64_t budget_bytes = 0;  // of the store's policy, or beside none; 0: there is no budget
  bool operator==(const RuleRow&) const = default;
};

// The last licence, and whether the clock is trusted.
struct LicenceRow {
  Lsn lsn{};                          // of the record that said all this
  Lsn granted{};                      // of the licence; none: nothing has ever expired
  Timestamp time = kNoHorizon;        // as of which it was granted
  Timestamp by_default = kNoHorizon;  // the horizon of what has no policy
  // The horizon that budgets have given to all that was not held, and the licence that last moved
  // it there: what was made or ended behind that is not concerned.
  Timestamp budget = kNoHorizon;
  Lsn budget_moved{};
  std::optional<ClockAlarm> alarm{};  // licences are paused
  bool confirms = false;              // the record ended a pause
  bool operator==(const LicenceRow&) const = default;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RETENTION_ROWS_H_
