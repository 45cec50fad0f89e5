// Whether a store becomes slower as it grows.
//
//   idle/objects    a closed store of 1 million objects opened, in a process of its own, and a row
//   of
//                   one read: `open_s`, `rss_mb`, `descriptors`. `more_descriptors` is what it has
//                   beyond a store of one object
//   growth/objects  commits to 1000 active objects in turn, among 1000, 100,000 and 1 million that
//   the
//                   store has; `flat` is the slowest rate to that of the smallest store
//   growth/history  the same, of 1000 objects in a store with 1, 10 and 30 days of history, by a
//   manual
//                   clock, of 100,000 commits a day
//
// Stores are made once and kept for all rounds; those of one benchmark take turns. A quick run has
// a tenth of the objects and of the commits a day.

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/population.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A store of those that take turns. Each has a clock of its own: what one waits for, the others'
// history must not expire by.
struct Place {
  std::string label;
  std::unique_ptr<ManualClock> clock;  // none: the machine's
  std::unique_ptr<Bed> bed;
};

std::vector<Connection> OpenActive(Bed& bed, int64_t objects) {
  std::vector<Connection> connections;
  connections.reserve(static_cast<size_t>(objects));
  for (int64_t i = 0; i < objects; ++i) connections.push_back(bed.Open(IdleObjectName(i)));
  return connections;
}

// A full table in each, once.
void FillActive(Bed& bed, int64_t objects) {
  Random random(42);
  for (Connection& connection : OpenActive(bed, objects)) {
    connection.Exec("begin");
    for (int64_t key = 0; key < kKeys; ++key) connection.Upsert(key, random.NextValue());
    connection.Exec("commit");
  }
  bed.Sync();
}

void Commit(std::vector<Connection>& connections, int64_t commits, Random& random) {
  size_t turn = 0;
  for (int64_t i = 0; i < commits; ++i) {
    connections[turn].Upsert(random.Below(kKeys), random.NextValue());
    if (++turn == connections.size()) turn = 0;
  }
}

// An iteration is a turn of each place: `commits` to its active objects in turn, all durable at the
// end of it.
void CommitInTurns(benchmark::State& state, std::vector<Place>& places, int64_t active,
                   int64_t commits) {
  std::vector<std::vector<Connection>> connections;
  for (Place& place : places) connections.push_back(OpenActive(*place.bed, active));
  std::vector<std::vector<double>> rates(places.size());
  Random random(43);
  const auto turn = [&](size_t at) {
    const auto start = SteadyClock::now();
    Commit(connections[at], commits, random);
    places[at].bed->Sync();
    const std::chrono::duration<double> took = SteadyClock::now() - start;
    return static_cast<double>(commits) / took.count();
  };
  for (size_t at = 0; at < places.size(); ++at) turn(at);  // reads what it needs from disk
  size_t first = 0;
  for (auto _ : state) {
    for (size_t i = 0; i < places.size(); ++i) {
      const size_t at = (first + i) % places.size();
      rates[at].push_back(turn(at));
    }
    first = (first + 1) % places.size();
  }
  // Medians, so that a turn in which others had the processor does not count.
  const double smallest = Percentile(rates.front(), 0.5);
  double flat = 1;
  for (size_t at = 0; at < places.size(); ++at) {
    const double rate = Percentile(rates[at], 0.5);
    state.counters[places[at].label] = rate;
    flat = std::min(flat, rate / smallest);
  }
  state.counters["flat"] = flat;
}

class Stores {
 public:
  explicit Stores(const Settings& settings)
      : settings_(settings),
        active_(settings.Scaled(1000, 1000, 10)),
        counts_{active_, settings.Scaled(100'000, 10'000, 20),
                settings.Scaled(1'000'000, 100'000, 40)} {}

  int64_t active() const { return active_; }

  // The stores of growth/objects, the largest of which idle/objects uses, too.
  std::vector<Place>& ByObjects() {
    static constexpr std::array kLabels = {"1k_per_s", "100k_per_s", "1M_per_s"};
    if (by_objects_.empty()) {
      for (size_t i = 0; i < counts_.size(); ++i) {
        Place place;
        place.label = kLabels[i];
        place.bed = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal);
        by_objects_.push_back(std::move(place));
        AddIdleObjects(*by_objects_.back().bed, 0, counts_[i]);
        FillActive(*by_objects_.back().bed, active_);
      }
    }
    return by_objects_;
  }

  std::vector<Place>& ByHistory() {
    const int64_t a_day = settings_.Scaled(100'000, 10'000, 20);
    if (by_history_.empty()) {
      for (const int days : {1, 10, 30}) by_history_.push_back(MakeHistory(days, a_day));
    }
    return by_history_;
  }

  // Everything that a first opening has to make is made.
  Bed& Small() {
    if (small_ == nullptr) {
      small_ = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal);
      AddIdleObjects(*small_, 0, 1);
    }
    return *small_;
  }
  Bed& Largest() { return *ByObjects().back().bed; }
  int64_t largest_count() const { return counts_.back(); }

 private:
  Place MakeHistory(int days, int64_t commits_a_day) {
    Place place;
    place.label = std::to_string(days) + "_days_per_s";
    place.clock = std::make_unique<ManualClock>();
    BedOptions options;
    options.store.clock = place.clock.get();
    // By this clock a week's scrub and an hour's drill are always due: no store is busy with both.
    options.store.scrub_interval = std::chrono::seconds(0);
    options.store.drill_interval = std::chrono::seconds(0);
    place.bed = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal, options);
    AddIdleObjects(*place.bed, 0, active_);
    FillActive(*place.bed, active_);
    {
      std::vector<Connection> connections = OpenActive(*place.bed, active_);
      Random random(44);
      for (int day = 0; day < days; ++day) {
        Commit(connections, commits_a_day, random);
        place.clock->Advance(std::chrono::hours(24));
      }
    }
    place.bed->Sync();
    // All stores begin with their past packed, as it is after days.
    Require(place.bed->store()->Checkpoint(), "checkpoint");
    Require(place.bed->store()->Reclaim(ReclaimWhat::kWhatPays), "packing");
    return place;
  }

  const Settings settings_;
  const int64_t active_;
  const std::array<int64_t, 3> counts_;
  std::vector<Place> by_objects_;
  std::vector<Place> by_history_;
  std::unique_ptr<Bed> small_;
};

void Idle(benchmark::State& state, Stores& stores) {
  Bed& small = stores.Small();
  Bed& large = stores.Largest();
  small.Close();
  large.Close();
  for (auto _ : state) {
    const OpenedStore few = OpenInProcess(small.StorePath(), 0);
    const OpenedStore many = OpenInProcess(large.StorePath(), stores.largest_count() / 2);
    state.counters["open_s"] = many.open_s;
    state.counters["first_row_ms"] = many.first_row_ms;
    state.counters["rss_mb"] = many.rss_mb;
    state.counters["anonymous_mb"] = many.anonymous_mb;
    state.counters["descriptors"] = many.descriptors;
    state.counters["more_descriptors"] = many.descriptors - few.descriptors;
    state.counters["small_rss_mb"] = few.rss_mb;
  }
  small.Reopen();
  large.Reopen();
  const StoreStats stats = large.store()->Stats();
  state.counters["objects"] = static_cast<double>(stats.object_count);
  state.counters["disk_mb"] =
      static_cast<double>(stats.log_file_bytes + stats.index_file_bytes) / 1e6;
}

}  // namespace

void RegisterGrowthBenchmarks(const Settings& settings) {
  const auto stores = std::make_shared<Stores>(settings);
  const int64_t turns = settings.Scaled(15, 7, 1);
  const int64_t commits = settings.Scaled(10'000, 10'000, 20);
  Register("idle/objects", 1, [=](benchmark::State& state) { Idle(state, *stores); });
  Register("growth/objects", turns, [=](benchmark::State& state) {
    CommitInTurns(state, stores->ByObjects(), stores->active(), commits);
  });
  Register("growth/history", turns, [=](benchmark::State& state) {
    CommitInTurns(state, stores->ByHistory(), stores->active(), commits);
  });
}

}  // namespace tidemark::bench
