#include "engine/internal/budget.h"

#include <algorithm>

namespace tidemark::internal {
namespace {

// A file is let go of in so many steps: one that is to be written anew must have lost about that
// much (Packer).
constexpr int kStopsInFile = 4;
constexpr uint64_t kStepsInBudget = 32;

}  // namespace

uint64_t HistorySizes::TotalBytes() const {
  uint64_t bytes = 0;
  for (const File& file : files) bytes += file.bytes;
  return bytes;
}

std::vector<BudgetStop> BudgetStops(const HistorySizes& sizes, const BudgetLimits& limits) {
  std::vector<BudgetStop> stops;
  uint64_t bytes = 0;
  Timestamp begin = sizes.first;
  for (const HistorySizes::File& file : sizes.files) {
    begin = std::min(begin, file.last);
    for (int step = 1; step <= kStopsInFile; ++step) {
      const Timestamp time =
          step == kStopsInFile ? file.last : begin + (file.last - begin) / kStopsInFile * step;
      if (time <= limits.from) continue;  // what is left of it stays
      bytes += file.bytes / kStopsInFile;
      Timestamp stop = std::min(time, limits.newest);
      if (stop < limits.thinned_until) stop = LastEndOfDay(stop);
      if (stop <= limits.from) continue;
      if (!stops.empty() && stops.back().horizon == stop) {
        stops.back().bytes = bytes;
      } else {
        stops.push_back({.horizon = stop, .bytes = bytes});
      }
    }
    begin = file.last;
  }
  return stops;
}

std::optional<size_t> ChooseStop(const std::vector<BudgetStop>& stops, uint64_t bytes,
                                 uint64_t budget_bytes) {
  if (bytes <= budget_bytes || stops.empty()) return std::nullopt;
  const uint64_t missing = std::max(bytes - budget_bytes, budget_bytes / kStepsInBudget);
  const auto it = std::find_if(stops.begin(), stops.end(),
                               [missing](const BudgetStop& stop) { return stop.bytes >= missing; });
  return it == stops.end() ? stops.size() - 1 : static_cast<size_t>(it - stops.begin());
}

Horizons ByBudget(const Horizons& horizons, Timestamp budget) {
  return {.everything = std::max(horizons.everything, budget),
          .hourly = std::max(horizons.hourly, budget),
          .daily = std::max(horizons.daily, budget)};
}

}  // namespace tidemark::internal
