// Retention: the one authority that lets history expire.
//
//   Grant -> a durable licence record -> in force: refused from here on, and free to be deleted
//
// The horizon of an object is a function of the log: of the last licence, and of the policies and
// holds before it, each of which has the horizon that it found. So there is a row a policy or hold,
// not an object, and no horizon ever moves back, whatever is done to policies, holds and clocks. A
// new rule counts from the next licence on.
//
//   H(scope) = the rule's floor                             if no licence came since, or it is held
//              Advance(floor, licence time - its windows)   if it has a policy
//              Advance(floor, H(the scope around it))       if it has none (any more)
//
// The budget's horizon (budget.h) is one for the whole store, and the licence says it itself: H is
// never before it. An object that was held when a licence moved it there has it with the next one
// that moves it, if it has a policy of its own, else by the scope around it.
//
// The clock guard: no licence is granted, until somebody confirms the clock, when it went more than
// a day beyond what the monotonic clock says, or when more than kMostAsleep passed between the last
// record and an open. That is a record, too, so that it outlives the process.
//
// Threads: any. `mutex_` is held across I/O: by whoever grants a licence, or makes or ends a policy
// or hold, from the look at the horizon until the record is in the tables. Outermost of all locks
// but ObjectState::label_mutex, which nobody holds who comes here.

#ifndef TIDEMARK_ENGINE_INTERNAL_RETENTION_H_
#define TIDEMARK_ENGINE_INTERNAL_RETENTION_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/internal/budget.h"
#include "engine/internal/horizon.h"
#include "engine/internal/kept_points.h"
#include "engine/internal/object_state.h"
#include "engine/internal/pin.h"
#include "engine/internal/retention_table.h"

namespace tidemark::internal {

class StoreImpl;
class Retention;

// Which commits of an object have not expired, asked for from new to old.
class Reachable {
 public:
  Reachable(const Retention* retention, const ObjectState& object, const Horizons& horizons,
            std::vector<Lsn> labelled)
      : retention_(retention),
        object_(object),
        horizons_(horizons),
        walk_(horizons),
        labelled_(std::move(labelled)) {}

  Result<bool> Has(const CommitInfo& commit);
  // Only labels keep what is older.
  bool done() const { return walk_.done(); }
  // The next one may be the latest at or before this LSN; none: there is none.
  Lsn AtOrBefore(Lsn lsn) const;

 private:
  const Retention* const retention_;
  const ObjectState& object_;
  const Horizons horizons_;
  KeptWalk walk_;
  const std::vector<Lsn> labelled_;  // in order
  bool first_ = true;
};

class Retention {
 public:
  // More than the longest time that a store may lie closed without its clock being doubted.
  static constexpr std::chrono::hours kMostAsleep{24 * 8};
  static constexpr std::chrono::hours kMostStep{24};

  explicit Retention(StoreImpl* store);

  RetentionTable& table() { return table_; }

  // ---- what has expired ----

  // The licensed horizons of an object. Errors: those of reading the index.
  Result<Horizons> HorizonsOf(const ObjectState& object) const;
  Result<Timestamp> HorizonOf(const ObjectState& object) const;
  // Of a namespace, or of what is in none: the store's.
  Result<Horizons> HorizonsOfNamespace(uint64_t namespace_id) const;
  // Those that another licence would give, such as the one that could be granted now; with `move`
  // of the budget's horizon, if it counts.
  Result<Horizons> HorizonsAfter(const LicenceRow& licence, const ObjectState& object) const;
  LicenceRow NextLicence(const std::optional<BudgetMove>& move = std::nullopt) const;
  // Calls `visit` for the commits of the object that the licence would let go of, from new to old,
  // until it returns false. Damaged ones are none of them. Errors: those of reading.
  Status VisitExpiring(const LicenceRow& licence, const std::shared_ptr<ObjectState>& object,
                       const std::function<bool(const CommitInfo&)>& visit) const;
  // The newest that the licence in force gives to anything; or a newer one. What came behind it has
  // not expired, whosever it is. Errors: those of reading.
  Result<Timestamp> NewestHorizon() const;
  // The shortest window and the longest span of all policies, the one of what has none included.
  Result<std::pair<std::chrono::seconds, std::chrono::seconds>> Windows() const;

  // Has the commit not expired? It is one of the object, as the index has it. Errors: kExpired,
  // naming the horizon and the next commit that is kept; those of reading.
  Status CheckKept(const ObjectState& object, const CommitInfo& commit) const;
  // kExpired, for what is not kept by `horizons`; `next` is the next one that is.
  Status Expired(const ObjectState& object, const Horizons& horizons, const CommitInfo& next,
                 const std::string& what) const;
  // For a walk through the history of an object, which must outlive what is returned.
  Result<Reachable> ReachableOf(const ObjectState& object) const;
  Result<Reachable> ReachableAt(const ObjectState& object, const Horizons& horizons) const;
  // What was current at the end of its stage: the commit itself, if that is kept.
  Result<CommitInfo> LastOfItsStage(const ObjectState& object, const Horizons& horizons,
                                    const CommitInfo& commit) const;
  // Errors: kCorruption if a damaged record may have had a policy or hold of the object, under
  // which commits may have gone: what it was at a time cannot be told.
  Status CheckTimesKnown(const ObjectState& object) const;
  // CheckKept, pinned first: it stays until the pin is let go of.
  Status PinKept(const CommitInfo& commit, Pin* pin) const;

  // What must be kept of a timeline under the licence in force, or under `licence`: what its
  // object's commits need that have not expired, that labels name, and that snapshots are open of;
  // and what the timelines need that began on it. Nothing if its record is gone. Errors:
  // kCorruption (the record of a licence or of a policy or hold may be lost: nothing may be
  // deleted), those of reading.
  Result<KeptPoints> PointsOf(TimelineId timeline, const LicenceRow* licence = nullptr) const;

  // ---- licences ----

  // Grants one as of the present, durably, and puts it into force. Blocks. Errors: kPaused (the
  // clock is in doubt; names what to do), kBroken, those of writing.
  Status Licence(const std::optional<BudgetMove>& move = std::nullopt);
  // Could one be granted? Writes nothing. Errors: as Licence.
  Status CheckLicence() const;
  // The licence in force; granted none: there is none.
  LicenceRow licence() const { return table_.licence(); }
  // Ends a pause; the clock as it is now is the right one. Durable. Nothing happens without a
  // pause.
  Status ConfirmClock();
  // If the clock has made a step, that is a record, too, from here on; for a close. Blocks.
  Status NoteClock();
  // At an open, once: when the last record before was written; none in a new store. The record that
  // is returned goes into the log and the table with the open record.
  std::optional<RetentionTable::NewLicence> Start(std::optional<Timestamp> last_record);

  // ---- the budget: retention_budget.cc ----

  // 0: there is none.
  Result<uint64_t> BudgetBytes() const;
  // The stops that there are for it now. None while there is no budget.
  Result<std::vector<BudgetStop>> StopsOf(const HistorySizes& sizes) const;
  // By how much the next licence has to move its horizon so that history fits, about, as the packer
  // estimates it: reads all files, again and again, if they are larger than the budget. Not at all
  // if some are damaged. Errors: the others of Packer::EstimateSizes.
  Result<std::optional<BudgetMove>> FindBudgetMove() const;
  // None clears it. Durable when it returns.
  Status SetBudget(std::optional<uint64_t> bytes);

  // ---- policies and holds; durable when they return ----

  // No policy or hold is made or ended while it is held.
  std::unique_lock<std::mutex> KeepRules() { return std::unique_lock(mutex_); }
  // Errors: kExists if the object is held.
  Status CheckNotHeld(const ObjectState& object) const;

  // Of the store if the namespace is 0, of a namespace if there is no object. None clears it. `tag`
  // is what the directory says of the record.
  Status SetPolicy(uint64_t namespace_id, const ObjectState* object, uint64_t tag,
                   const std::optional<RetentionPolicy>& policy);
  Status SetHold(const ObjectState& object, std::string_view reason);
  // Errors: kNotFound if it is not held.
  Status ReleaseHold(const ObjectState& object);
  Result<RetentionInfo> InfoOf(const ObjectState& object) const;
  Result<RetentionInfo> InfoOfNamespace(uint64_t namespace_id) const;  // 0: the store

 private:
  enum class InForceWhen { kAppended, kDurable };

  // The last licence, or what a lost one may have been.
  LicenceRow InForce() const;
  void Extend(LicenceRow* licence, Timestamp now) const;
  // But for what is thinned out.
  BudgetLimits LimitsOfBudget() const;
  Result<std::vector<BudgetStop>> StopsOf(const HistorySizes& sizes, BudgetLimits limits) const;
  Result<Horizons> Compute(const LicenceRow& licence, uint64_t namespace_id,
                           const ObjectId* object) const;
  Result<RetentionInfo> Info(uint64_t namespace_id, const ObjectId* object) const;
  // A damaged record, before the last licence, that may have had a policy or hold in force.
  Result<std::optional<TimelineDamage>> LostRule(const ObjectState& object) const;
  // The same for the store. Errors: kCorruption.
  Status CheckRulesKnown() const;

  // How far the clock is ahead of what it should be, if that is too much; else it is trusted.
  std::optional<ClockAlarm> Step() const;
  void Trust();
  Status InDoubt(const ClockAlarm& alarm) const;
  Status NoteClockLocked();
  Result<Lsn> Append(const LicenceRow& row, InForceWhen when);
  Status LogRule(RuleRow row, RecordKind kind, uint64_t tag);
  Status PutHold(const ObjectState& object, std::string_view reason, bool set);

  // What OwnPointsOf has to know of the objects whose timelines it is asked for. Read once in a
  // PointsOf: there may be as many timelines as an object had restores, and as many labels. What
  // comes into being later is a new reference, for which PointsOf looks again; and horizons that
  // have moved on since only let go of more.
  struct OfObject;
  struct Objects {
    const LicenceRow* licence = nullptr;  // as if it had been granted; null: the one in force
    std::map<ObjectId, OfObject> known;
  };
  Result<const OfObject*> FindObject(const Timeline& timeline, Objects* objects) const;
  // Of one timeline, without those that others need. All() where it cannot be told.
  Result<KeptPoints> OwnPointsOf(TimelineId timeline, Objects* objects) const;
  // Has the timeline points, or one that began on it?
  Result<bool> IsNeeded(TimelineId timeline, Objects* objects) const;
  Status AddThinned(const Horizons& horizons, const ObjectState& object, const Timeline& timeline,
                    Lsn newest, KeptPoints* points) const;

  StoreImpl* const store_;
  RetentionTable table_;
  Timestamp opened_at_;

  mutable std::mutex mutex_;
  // When the clock was last found right.
  Timestamp trusted_;
  std::chrono::microseconds trusted_monotonic_{0};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RETENTION_H_
