// Retention: how long the history of a store, of a namespace's objects or of one object is kept.

#ifndef TIDEMARK_ENGINE_RETENTION_H_
#define TIDEMARK_ENGINE_RETENTION_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/clock.h"
#include "engine/export.h"
#include "engine/object_id.h"

namespace tidemark {

class Object;

// "Everything for `window`, then the last commit of each hour until `hourly`, then the last one of
// each day until `daily`", all counted back from the present; hours and days are those of UTC.
// 0, or what is not beyond the one before it, is a stage that is left out.
struct RetentionPolicy {
  std::chrono::seconds window{std::chrono::hours{24 * 30}};
  std::chrono::seconds hourly{0};
  std::chrono::seconds daily{0};

  bool operator==(const RetentionPolicy&) const = default;
};

// What a policy is for. An object goes by its own, else by its namespace's, else by the store's.
class TIDEMARK_API RetentionScope {
 public:
  RetentionScope() = default;  // the store
  explicit RetentionScope(std::string_view namespace_name) : namespace_name_(namespace_name) {}
  explicit RetentionScope(const Object& object);

  const std::string& namespace_name() const { return namespace_name_; }  // empty: the store
  const std::optional<ObjectId>& object() const { return object_; }
  const std::string& object_name() const { return object_name_; }  // empty for one without a name
  std::string ToString() const;  // "the store", "namespace rooms", "object rooms/lobby"

 private:
  std::string namespace_name_;
  std::optional<ObjectId> object_;
  std::string object_name_;
  std::string display_name_;
};

// Where the policy that is in force comes from.
enum class PolicySource { kOptions, kStore, kNamespace, kObject };

// What holds the history of an object back from expiring.
struct HoldInfo {
  std::string reason;
  Timestamp since;
};

struct RetentionInfo {
  RetentionPolicy policy;  // in force: counts from the next licence on
  PolicySource source = PolicySource::kOptions;
  std::optional<HoldInfo> hold;  // of an object
  // The store's, which counts in all of it: Store::SetBudget.
  std::optional<uint64_t> budget_bytes;
  // What the licence in force has left: everything behind `horizon` and what was current then;
  // before it one an hour back to `hourly_horizon`, then one a day back to `daily_horizon`. Where a
  // stage is left out it equals the one before it. 1970 where nothing has ever expired.
  Timestamp horizon;
  Timestamp hourly_horizon;
  Timestamp daily_horizon;
};

// A clock that was seen to go wrong, or may have: nothing expires until it is confirmed.
struct ClockAlarm {
  Timestamp from;  // what the clock could be expected to say at most
  Timestamp to;    // what it said

  bool operator==(const ClockAlarm&) const = default;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_RETENTION_H_
