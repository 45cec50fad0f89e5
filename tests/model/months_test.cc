// A store that lives for months of simulated time, its background at work all along.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/model/life.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::minutes;

constexpr StoreModel::Limits kLimits{.pages = 100, .window = days(20)};

class LifeOfMonths : public Life {
 public:
  explicit LifeOfMonths(uint64_t seed)
      : Life(seed, kLimits), start_(sim_.clock().Now()), seed_(seed) {}

  int64_t days_lived() { return (sim_.clock().Now() - start_) / days(1); }
  uint64_t audits() const { return audits_; }
  uint64_t pauses() const { return pauses_; }
  uint64_t rebuilds() const { return rebuilds_; }

 protected:
  Status Step() override {
    sim_.clock().Advance(minutes(random_.Below(180)));
    // Seldom everything: what the store would not do by itself shows in the space it takes.
    reclaims_ = random_.OneIn(10) ? ReclaimWhat::kEverything : ReclaimWhat::kWhatPays;
    TIDEMARK_RETURN_IF_ERROR(Life::Step());
    for (uint64_t i = random_.Below(4); i > 0; --i) {
      TIDEMARK_RETURN_IF_ERROR(model_.Transact(sim_.store(), 30));
    }
    if (random_.OneIn(20)) TIDEMARK_RETURN_IF_ERROR(model_.ChangeRetention(sim_.store()));
    if (random_.OneIn(3)) {
      TIDEMARK_RETURN_IF_ERROR(
          model_.RunRetention(sim_.store(), [this] { return sim_.RunRetention(); }));
    }
    if (sim_.fs().crashed()) return OkStatus();
    for (int look = 0; look < 3; ++look) model_.LookBack(sim_.store());
    model_.CheckHeld();
    if (::testing::Test::HasFailure()) return OkStatus();
    if (random_.OneIn(100)) return Rebuild();
    if (random_.OneIn(200)) return LieClosed();
    ++steps_;
    if (steps_ % 250 == 125) return TightenBudget();
    return steps_ % 250 == 0 ? Audit() : OkStatus();
  }

 private:
  // The index made anew from the log answers as the one before.
  Status Rebuild() {
    sim_.fs().CrashAt(kNever);
    model_.DropHeld();
    TIDEMARK_RETURN_IF_ERROR(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    TIDEMARK_RETURN_IF_ERROR(sim_.Open());
    model_.Check(sim_.store(), StoreModel::After::kReopen);
    ++rebuilds_;
    return OkStatus();
  }

  // Closed for so long that nothing expires before somebody says that the clock is right.
  Status LieClosed() {
    sim_.fs().CrashAt(kNever);
    model_.DropHeld();
    TIDEMARK_RETURN_IF_ERROR(sim_.Close());
    sim_.clock().Advance(days(random_.Between(9, 20)));
    TIDEMARK_RETURN_IF_ERROR(sim_.Open());
    EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "--confirm-clock");
    model_.Check(sim_.store(), StoreModel::After::kReopen);
    TIDEMARK_RETURN_IF_ERROR(sim_.store().ConfirmClock());
    ++pauses_;
    return OkStatus();
  }

  // A budget that nothing meets, when something that the last one has not let go of is packed, and
  // older than a budget keeps: a licence lets it go, whatever chance has done before.
  Status TightenBudget() {
    sim_.fs().CrashAt(kNever);
    TIDEMARK_RETURN_IF_ERROR(model_.SetBudget(sim_.store(), 1));
    TIDEMARK_RETURN_IF_ERROR(sim_.Reclaim(ReclaimWhat::kEverything));
    sim_.clock().Advance(days(2));  // a budget may go by whole days
    const uint64_t moves = counts().budget_moves;
    TIDEMARK_RETURN_IF_ERROR(model_.Prune(sim_.store()));
    EXPECT_EQ(counts().budget_moves, moves + 1);
    return model_.SetBudget(sim_.store(), std::nullopt);
  }

  // All of the history, in three copies of the store: as it is, with its index made anew, and with
  // everything packed again. That takes what must be kept, so it tells whether the store takes too
  // much: more than 1.3 times that, as far as the packer's estimates go, and the files that it may
  // have beside: the segment that is written, the next one, and some that no licence has come
  // since.
  Status Audit() {
    sim_.fs().CrashAt(kNever);
    TIDEMARK_RETURN_IF_ERROR(model_.Sync(sim_.store()));
    TIDEMARK_RETURN_IF_ERROR(sim_.Reclaim(ReclaimWhat::kWhatPays));
    const StoreStats stats = sim_.store().Stats();
    model_.DropHeld();
    TIDEMARK_RETURN_IF_ERROR(sim_.Close());
    const SimStore::Machine machine = sim_.Save();
    TIDEMARK_RETURN_IF_ERROR(sim_.Open());
    ++audits_;

    StoreModel model = model_;
    SimStore copy(seed_, machine);
    TIDEMARK_RETURN_IF_ERROR(copy.Open());
    model.CheckHistory(copy.store());
    TIDEMARK_RETURN_IF_ERROR(copy.Close());
    std::filesystem::remove_all(copy.options().index_directory);
    TIDEMARK_RETURN_IF_ERROR(copy.Open());
    model.Check(copy.store(), StoreModel::After::kReopen);
    model.CheckHistory(copy.store());
    TIDEMARK_RETURN_IF_ERROR(copy.Close());
    TIDEMARK_RETURN_IF_ERROR(copy.Open());
    const uint64_t index_bytes = copy.store().Stats().index_bytes;
    TIDEMARK_RETURN_IF_ERROR(copy.Reclaim(ReclaimWhat::kEverything));
    model.CheckHistory(copy.store());
    uint64_t needed = 0;
    TIDEMARK_ASSIGN_OR_RETURN(const auto files, copy.fs().ListDirectory("store/log"));
    for (const std::string& name : files) {
      if (name.ends_with(".pack")) needed += copy.fs().Contents("store/log/" + name).size();
    }
    EXPECT_LE(stats.log_file_bytes, needed * 13 / 10 + 3 * sim_.options().segment_size_bytes)
        << needed << " bytes are needed";
    EXPECT_LE(stats.index_bytes, index_bytes * 2 + (256u << 10));
    return copy.Close();
  }

  const Timestamp start_;
  const uint64_t seed_;
  uint64_t steps_ = 0;
  uint64_t audits_ = 0;
  uint64_t pauses_ = 0;
  uint64_t rebuilds_ = 0;
};

// Goal: over months of commits, forks, restores, deletions, labels, policies, holds, licences,
// packings, open snapshots, power losses and indexes made anew, every look into the past shows what
// was there, or that it has expired, and the store does not grow beyond what it must keep. Method:
// a life with an hour and a half a step; looks at random bookmarks, times and labels at each of
// them; now and then the whole history. Five times as long where TIDEMARK_TEST_SCALE is 10 or more.
TEST(ModelTest, LivesOfMonths) {
  uint64_t crashes = 0;
  for (uint64_t i = 0; i < Scaled(1) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + 700000 + i;
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    LifeOfMonths life(seed);
    life.Live(Scaled(1) < 10 ? 1200 : 6000);
    if (HasFailure()) return;
    const StoreModel::Counts& counts = life.counts();
    EXPECT_GT(life.days_lived(), 60);
    EXPECT_GT(life.audits(), 3u);
    EXPECT_GT(life.pauses() + life.rebuilds(), 5u);
    crashes += life.crashes();
    EXPECT_GT(counts.background_licences, 10u);
    EXPECT_GT(counts.budget_moves, 2u);  // as often it was made sure of
    EXPECT_GT(counts.expired, 100u);
    EXPECT_GT(counts.looks_by_time, 100u);
    EXPECT_GT(counts.looks_by_bookmark, 100u);
  }
  EXPECT_GT(crashes, 0u);
}

}  // namespace
}  // namespace tidemark::testing
