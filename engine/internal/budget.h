// The byte budget: how far the horizon has to move so that packed history fits into so many bytes,
// as pure functions of sizes and times.
//
//   files, in the order of the log:   [ oldest ][        ][    ][  newest  ]
//   stops, four in each:              ' ' ' ' ' ' ' ' '   ' ' '  ' |
//                                     ^ the horizon until now      ^ an hour before the present
//
// What stands before a stop is at most what moving the horizon there gives back: of each object
// something stays, and labels and holds keep more. So the first stop before which the missing bytes
// stand lets go of nothing that could have stayed; where it was not enough the next one comes when
// packing has shown what it gave back. Steps are a 32nd of the budget at least: they come to an
// end.
//
// A budget's horizon is one for the whole store, and is the same for all stages of a rule. Where
// anything has been thinned out it may only stop at the end of a day (horizon.h).

#ifndef TIDEMARK_ENGINE_INTERNAL_BUDGET_H_
#define TIDEMARK_ENGINE_INTERNAL_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/internal/horizon.h"
#include "engine/lsn.h"

namespace tidemark::internal {

// What is younger is no budget's to take.
inline constexpr std::chrono::hours kBudgetKeeps{1};

// What files of history take, in the order of the log.
struct HistorySizes {
  struct File {
    Timestamp last;  // the time of its last record, or a little later
    uint64_t bytes = 0;
  };
  Timestamp first;  // the time of the first record of the first file, or later
  std::vector<File> files;

  uint64_t TotalBytes() const;
};

// Where a budget's horizon may stop, and how many bytes stand between it and where it was.
struct BudgetStop {
  Timestamp horizon;
  uint64_t bytes = 0;
  bool operator==(const BudgetStop&) const = default;
};

struct BudgetLimits {
  Timestamp from;    // the horizon until now
  Timestamp newest;  // it may not go beyond this
  // Before this there may be objects of which one commit an hour or a day is left.
  Timestamp thinned_until = kNoHorizon;
};

// The stops behind `from`, in order.
std::vector<BudgetStop> BudgetStops(const HistorySizes& sizes, const BudgetLimits& limits);

// The first stop that can be enough, or the last one; none if what there is fits, or there is none.
std::optional<size_t> ChooseStop(const std::vector<BudgetStop>& stops, uint64_t bytes,
                                 uint64_t budget_bytes);

// How a licence is to move the budget's horizon. It counts if no other licence came in between.
struct BudgetMove {
  Lsn after;  // the licence in force when it was found out
  Timestamp horizon;
};

// What a scope, or an object that is not held, has by a budget's horizon, beside its rules.
Horizons ByBudget(const Horizons& horizons, Timestamp budget);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_BUDGET_H_
