// Single rows of an object of 40 MB from a cache of 100 pages, so that nearly every read is one of
// a page: of data as it was loaded, as commits have left it, packed after twenty days, and as it
// was twenty days ago. Each takes turns with a stock file of the same rows; `to_file` is the ratio.
//
//   small_cache/loaded   one transaction, and nothing since
//   small_cache/changed  then 100,000 commits of a row each, of which nothing is packed yet
//   small_cache/packed   the same, and then twenty days and a packing of everything
//   small_cache/past     the same, read at a bookmark of that day; since then 100,000 commits more
//
// The operating system's cache is warm for both sides.

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "bench/interleaved.h"
#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int kDays = 20;
constexpr char kName[] = "forty-megabytes";

// A store with one object of each kind of past, and a stock file. Made when first used.
class Objects {
 public:
  explicit Objects(const Settings& settings)
      : settings_(settings),
        rows_(settings.Scaled(350'000, 350'000, 500)),
        changes_(settings.Scaled(100'000, 50'000, 40)) {}

  int64_t rows() const { return rows_; }

  Connection OpenFile() {
    if (file_ == nullptr) {
      file_ = std::make_unique<Bed>(settings_, Mode::kRollbackFull);
      Random random(31);
      file_->Open(kName).Preload(rows_, random);
    }
    return WithSmallCache(file_->Open(kName));
  }

  Connection OpenLoaded() {
    if (loaded_ == nullptr) loaded_ = MakeBed(0);
    return WithSmallCache(loaded_->Open(kName));
  }

  Connection OpenChanged() {
    if (changed_ == nullptr) changed_ = MakeBed(changes_);
    return WithSmallCache(changed_->Open(kName));
  }

  Connection OpenPacked() {
    if (packed_ == nullptr) {
      packed_ = MakeBed(changes_);
      clock_.Advance(std::chrono::hours(24 * kDays));
      Pack(*packed_);
    }
    return WithSmallCache(packed_->Open(kName));
  }

  Connection OpenPast() {
    if (past_ == nullptr) MakePast();
    DatabaseOptions options;
    options.at = bookmark_;
    options.read_only = true;
    return WithSmallCache(
        Connection(Require(Database::Open(*past_->store(), "bench", kName, options),
                           "opening " + std::string(kName) + " twenty days ago")));
  }

 private:
  std::unique_ptr<Bed> MakeBed(int64_t changes) {
    BedOptions options;
    options.store.clock = &clock_;
    options.store.retention_share = 0;  // packed when it is said, and not before
    options.store.scrub_interval = std::chrono::seconds(0);  // which would be due by this clock
    options.store.drill_interval = std::chrono::seconds(0);
    auto bed = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal, options);
    {
      Connection connection = bed->Open(kName);
      Random random(31);
      connection.Preload(rows_, random);
      Change(connection, changes);
    }
    bed->Reopen();
    return bed;
  }

  void MakePast() {
    past_ = MakeBed(changes_);
    auto object = Require(past_->store()->OpenObject("bench", kName, IfMissing::kFail),
                          "opening " + std::string(kName));
    bookmark_ = Require(object->CurrentBookmark(), "a bookmark");
    object.reset();
    {
      Connection connection = past_->Open(kName);
      for (int day = 0; day < kDays; ++day) {
        Change(connection, changes_ / kDays);
        clock_.Advance(std::chrono::hours(24));
      }
    }
    Pack(*past_);
  }

  void Change(Connection& connection, int64_t commits) {
    Random random(32);
    for (int64_t i = 0; i < commits; ++i) {
      connection.Upsert(random.Below(rows_), random.NextValue());
    }
  }

  static void Pack(Bed& bed) {
    bed.Sync();
    Require(bed.store()->Checkpoint(), "checkpoint");
    Require(bed.store()->Reclaim(ReclaimWhat::kEverything), "packing");
    bed.Reopen();
  }

  static Connection WithSmallCache(Connection connection) {
    connection.Exec("pragma cache_size=100");
    connection.ReadRow(0);
    return connection;
  }

  const Settings settings_;
  const int64_t rows_;
  const int64_t changes_;
  ManualClock clock_;
  std::unique_ptr<Bed> file_, loaded_, changed_, packed_, past_;
  Bookmark bookmark_{};
};

void SmallCache(benchmark::State& state, Objects& objects, Connection (Objects::*open)()) {
  Random random(33);
  Interleave(state, {.open_tidemark = [&] { return (objects.*open)(); },
                     .open_file = [&] { return objects.OpenFile(); },
                     .turn =
                         [&](Connection& connection) {
                           constexpr int64_t kReads = 500;
                           for (int64_t i = 0; i < kReads; ++i) {
                             connection.ReadRow(random.Below(objects.rows()));
                           }
                           return kReads;
                         }});
}

}  // namespace

void RegisterSmallCacheBenchmarks(const Settings& settings) {
  const auto objects = std::make_shared<Objects>(settings);
  const auto add = [&](const char* name, Connection (Objects::*open)()) {
    Register(std::string("small_cache/") + name, settings.Scaled(100, 50, 2),
             [=](benchmark::State& state) { SmallCache(state, *objects, open); });
  };
  add("loaded", &Objects::OpenLoaded);
  add("changed", &Objects::OpenChanged);
  add("packed", &Objects::OpenPacked);
  add("past", &Objects::OpenPast);
}

}  // namespace tidemark::bench
