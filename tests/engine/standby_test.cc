// Standbys: whatever happens on either side, what can be promoted is a state that the source had
// confirmed, and whole.

#include "engine/standby.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/internal/standby_manifest.h"
#include "engine/memory_file_system.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using internal::StandbyManifest;

constexpr char kStandby[] = "standby";

// What the source was at each of its commits.
struct Ledger {
  struct State {
    uint64_t hash = 0;
    Bookmark bookmark;
  };
  std::map<std::string, std::map<Lsn, State>> states;  // of each object
  void Note(const Object& object, const CommitInfo& commit) {
    states[object.name()][commit.lsn] = {
        .hash = commit.kind == CommitKind::kDelete ? 0 : commit.state_hash,
        .bookmark = object.BookmarkOf(commit)};
  }
};

class StandbyTest : public ::testing::Test {
 protected:
  StandbyTest() { UseMachine(TestSeed()); }

  // A new one, with nothing on it.
  void UseMachine(uint64_t seed) {
    sim_ = std::make_unique<SimStore>(seed);
    sim_->options().segment_size_bytes = 1 << 20;
    ledger_ = {};
  }
  Store& store() { return sim_->store(); }
  Result<std::shared_ptr<Object>> Open(const std::string& name) {
    return store().OpenObject("rooms", name, IfMissing::kCreate);
  }
  // One commit of page 1, durable.
  Result<CommitInfo> Put(const std::string& name, uint64_t seed) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Commit(object, {{1, RandomPage(seed)}}));
    ledger_.Note(*object, commit);
    TIDEMARK_RETURN_IF_ERROR(store().Sync());
    return commit;
  }

  // Something of all that the log can hold; the clock goes on, so that history expires.
  Status Step(Random& random) {
    sim_->clock().Advance(std::chrono::minutes(20));
    const std::string name = "object-" + std::to_string(random.Next() % 4);
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    switch (random.Next() % 16) {
      case 0: return sim_->Checkpoint();
      case 1:
        return sim_->Reclaim(random.Next() % 2 == 0 ? ReclaimWhat::kEverything
                                                    : ReclaimWhat::kWhatPays);
      case 2: return store().Prune();
      case 3:
        if (!object->exists()) return OkStatus();
        return object->SetLabel("label", object->head().time, IfLabelExists::kMove);
      case 4: {
        if (!object->exists()) return OkStatus();
        auto deleted = object->Delete();
        if (deleted.ok()) ledger_.Note(*object, deleted->result);
        return deleted.status();
      }
      case 5: {
        if (!object->exists()) return OkStatus();
        auto restored = object->Restore(object->head().time);
        if (restored.ok()) ledger_.Note(*object, restored->result);
        return restored.status();
      }
      case 6: return store().Sync();
      default: {
        std::map<uint32_t, PageBytes> pages;
        for (int i = 0; i < 12; ++i) {
          pages[static_cast<uint32_t>(1 + random.Next() % 20)] = RandomPage(random.Next());
        }
        auto made = Commit(object, pages);
        if (made.ok()) ledger_.Note(*object, *made);
        return made.status();
      }
    }
  }

  Status Begin() {
    TIDEMARK_RETURN_IF_ERROR(sim_->Open());
    // So that licences take something.
    return store().SetRetention(RetentionScope(), {.window = std::chrono::hours(24)});
  }

  // Promotes the standby of a machine, on a twin of that machine, and holds it against the ledger.
  // Returns up to where it is; none if there is nothing to promote.
  static std::optional<Lsn> CheckPromoted(const SimFileSystem::Image& image, const Ledger& ledger,
                                          const StoreOptions& source_options) {
    SimFileSystem fs(TestSeed(), image);
    fs.Restart(PowerLoss::kSeeded);
    const auto manifest = StandbyManifest::Read(fs, kStandby);
    EXPECT_OK(manifest);
    if (!manifest.ok() || !*manifest) return std::nullopt;
    const Lsn lsn = (*manifest)->lsn;
    EXPECT_OK(Standby::Promote(kStandby, &fs));
    EXPECT_ERROR(Standby::Promote(kStandby, &fs), StatusCode::kExists, "a store of its own");
    const TempDirectory index;
    StoreOptions options = source_options;
    options.file_system = &fs;
    options.index_directory = index.path();
    options.create_if_missing = false;
    auto store = Store::Open(kStandby, options);
    EXPECT_OK(store);
    if (!store.ok()) return lsn;
    CheckStates(**store, lsn, ledger);
    const auto verified = (*store)->Verify();
    EXPECT_OK(verified);
    if (verified.ok()) {
      for (const Damage& damage : verified->damage) {
        ADD_FAILURE() << damage.object << ": " << damage.message;
      }
    }
    EXPECT_OK((*store)->Close());
    return lsn;
  }

  // Each object is what it was at `lsn`, and so are its commits before.
  static void CheckStates(Store& store, Lsn lsn, const Ledger& ledger) {
    for (const auto& entry : ledger.states) {
      const std::string& name = entry.first;
      const std::map<Lsn, Ledger::State>& states = entry.second;
      SCOPED_TRACE(name + " at LSN " + std::to_string(lsn.value));
      const auto behind = states.upper_bound(lsn);
      const auto object = store.OpenObject("rooms", name, IfMissing::kDeleted);
      if (behind == states.begin()) {
        EXPECT_EQ(object.status().code(), StatusCode::kNotFound);
        continue;
      }
      ASSERT_OK(object);
      const auto expected = std::prev(behind);
      EXPECT_EQ((*object)->head().lsn, expected->first);
      EXPECT_EQ((*object)->head().state_hash, expected->second.hash);
      // Nothing has gone but by a licence that is there, too.
      for (auto state = states.begin(); state != behind; ++state) {
        const auto found = (*object)->Resolve(state->second.bookmark);
        EXPECT_TRUE(found.ok() || found.status().code() == StatusCode::kExpired)
            << found.status().ToString();
        if (!found.ok()) continue;
        const auto snapshot = (*object)->OpenSnapshot(*found);
        EXPECT_OK(snapshot);
        EXPECT_TRUE(!snapshot.ok() || snapshot->Verify().ok());
      }
      ASSERT_OK((*object)->History([&](const CommitInfo& commit) {
        const auto there = states.find(commit.lsn);
        EXPECT_TRUE(there != states.end()) << commit.lsn.value;
        return there != states.end();
      }));
    }
  }

  std::unique_ptr<SimStore> sim_;
  Ledger ledger_;
};

// Goal: at every moment what can be promoted is what the source was at an LSN that it had
// confirmed, with packing, licences, labels and large segments rolling on. Method: random steps;
// now and then the standby advances, with and without the owner's word; after each the machine's
// twin promotes.
TEST_F(StandbyTest, EveryStateIsOneOfTheSource) {
  Random random(TestSeed());
  ASSERT_OK(Begin());
  ASSERT_OK_AND_ASSIGN(auto standby, Standby::Open("store", kStandby, &sim_->fs()));
  Lsn last;
  uint64_t advanced = 0;
  for (int step = 0; step < 400; ++step) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", step " << step);
    ASSERT_OK(Step(random));
    if (random.Next() % 4 != 0) continue;
    const Lsn durable = store().durable_lsn();
    ASSERT_OK_AND_ASSIGN(const StandbyStatus status,
                         standby->Advance(random.Next() % 2 == 0 ? durable : Lsn()));
    EXPECT_LE(status.lsn, durable);
    EXPECT_GE(status.lsn, last);
    advanced += status.lsn > last ? 1 : 0;
    last = status.lsn;
    if (random.Next() % 4 != 0) continue;
    const auto promoted = CheckPromoted(sim_->fs().Save(), ledger_, sim_->options());
    EXPECT_EQ(promoted.value_or(Lsn()), last);
    if (random.Next() % 4 == 0) {  // another process follows
      standby.reset();
      ASSERT_OK_AND_ASSIGN(standby, Standby::Open("store", kStandby, &sim_->fs()));
    }
  }
  EXPECT_GT(advanced, 20u);
  // With the owner's word there is no lag; and none behind a store that was closed.
  ASSERT_OK(store().Sync());
  ASSERT_OK_AND_ASSIGN(StandbyStatus status, standby->Advance(store().durable_lsn()));
  EXPECT_EQ(status.lsn, store().durable_lsn());
  EXPECT_EQ(status.lag_records(), 0u);
  EXPECT_EQ(status.lag_bytes, 0u);
  ASSERT_OK(Step(random));
  ASSERT_OK(sim_->Close());
  ASSERT_OK_AND_ASSIGN(status, standby->Advance());
  EXPECT_EQ(status.lag_records(), 0u);
  EXPECT_EQ(CheckPromoted(sim_->fs().Save(), ledger_, sim_->options()), status.lsn);
}

// Goal: packed segments from which history has gone are taken on with the licence, not before it.
// Method: the licence is the last group of an idle source, so nothing in the log proves it.
TEST_F(StandbyTest, WhatExpiredGoesWithItsLicence) {
  ASSERT_OK(Begin());
  ASSERT_OK_AND_ASSIGN(auto standby, Standby::Open("store", kStandby, &sim_->fs()));
  std::map<uint32_t, PageBytes> pages;
  for (uint64_t i = 0; i < 60; ++i) {  // some segments
    sim_->clock().Advance(std::chrono::hours(1));
    ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
    for (uint32_t page = 1; page <= 20; ++page) pages[page] = RandomPage(i * 100 + page);
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object, pages));
    ledger_.Note(*object, commit);
    ASSERT_OK(store().Sync());
  }
  ASSERT_OK_AND_ASSIGN(const StandbyStatus before, standby->Advance());
  ASSERT_OK(store().Prune());
  ASSERT_OK(sim_->Reclaim(ReclaimWhat::kWhatPays));
  ASSERT_GT(store().Stats().packed_segment_count, 0u);
  ASSERT_OK_AND_ASSIGN(StandbyStatus status, standby->Advance());
  EXPECT_GE(status.lsn, before.lsn);
  EXPECT_LT(status.lsn, store().durable_lsn());
  EXPECT_EQ(CheckPromoted(sim_->fs().Save(), ledger_, sim_->options()), status.lsn);
  // A new standby can only wait.
  ASSERT_OK_AND_ASSIGN(auto late, Standby::Open("store", "late", &sim_->fs()));
  ASSERT_OK_AND_ASSIGN(status, late->Advance());
  EXPECT_TRUE(status.waits);
  EXPECT_EQ(status.lsn, Lsn());
  // The next commit proves it.
  ASSERT_OK(Put("lobby", 7));
  ASSERT_OK_AND_ASSIGN(status, late->Advance());
  EXPECT_FALSE(status.waits);
  ASSERT_OK_AND_ASSIGN(status, standby->Advance());
  EXPECT_EQ(CheckPromoted(sim_->fs().Save(), ledger_, sim_->options()), status.lsn);
  EXPECT_LT(status.bytes, before.bytes);
}

// Goal: without the owner's word an idle source's last group is not taken: it might be lost yet.
TEST_F(StandbyTest, WhatIsNotProvenIsNotTaken) {
  ASSERT_OK(sim_->Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("lobby", 1));
  ASSERT_OK_AND_ASSIGN(const CommitInfo second, Put("lobby", 2));
  ASSERT_OK_AND_ASSIGN(auto standby, Standby::Open("store", kStandby, &sim_->fs()));
  ASSERT_OK_AND_ASSIGN(StandbyStatus status, standby->Advance());
  EXPECT_EQ(status.lsn, first.lsn);
  EXPECT_EQ(status.source_lsn, second.lsn);
  EXPECT_EQ(status.lag_records(), 1u);
  EXPECT_GT(status.lag_bytes, kPageSize);
  bool source_lost = true;
  ASSERT_OK_AND_ASSIGN(status, Standby::Look(kStandby, &source_lost, &sim_->fs()));
  EXPECT_FALSE(source_lost);
  EXPECT_EQ(status.lag_records(), 1u);
  ASSERT_OK_AND_ASSIGN(status, standby->Advance(second.lsn));
  EXPECT_EQ(status.lsn, second.lsn);
  EXPECT_EQ(status.lag_records(), 0u);
}

// Goal: after a power loss of the whole machine at any operation, the standby has at least what it
// had said, at most what the source has confirmed, can be promoted, and goes on. Method: the power
// fails a little later each time, in steps of the source and in copies alike.
TEST_F(StandbyTest, ThePowerFailsAnywhere) {
  Random places(TestSeed());
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    const uint64_t seed = TestSeed() * 100 + static_cast<uint64_t>(round);
    UseMachine(seed);
    Random random(seed);
    ASSERT_OK(Begin());
    sim_->fs().CrashAt(1 + places.Next() % 400);
    Lsn said;
    {
      auto standby = Standby::Open("store", kStandby, &sim_->fs());
      while (standby.ok() && !sim_->fs().crashed()) {
        if (!Step(random).ok()) break;
        const auto status = (*standby)->Advance(store().durable_lsn());
        if (status.ok()) said = status->lsn;
      }
    }
    sim_->Crash(PowerLoss::kSeeded);
    const auto image = sim_->fs().Save();
    const Lsn promoted = CheckPromoted(image, ledger_, sim_->options()).value_or(Lsn());
    EXPECT_GE(promoted, said);
    ASSERT_OK(sim_->Open());
    EXPECT_LE(promoted, store().durable_lsn());
    ASSERT_OK_AND_ASSIGN(auto again, Standby::Open("store", kStandby, &sim_->fs()));
    ASSERT_OK_AND_ASSIGN(const StandbyStatus status, again->Advance(store().durable_lsn()));
    EXPECT_EQ(status.lag_records(), 0u);
    ASSERT_OK(sim_->Close());
  }
}

// Goal: a promotion that the power interrupts is done or not begun, and the next call does it.
TEST_F(StandbyTest, APromotionIsInterrupted) {
  ASSERT_OK(sim_->Open());
  for (uint64_t i = 0; i < 30; ++i) {
    ASSERT_OK(Put("lobby", i));
  }
  const Lsn durable = store().durable_lsn();
  {
    ASSERT_OK_AND_ASSIGN(auto standby, Standby::Open("store", kStandby, &sim_->fs()));
    ASSERT_OK_AND_ASSIGN(const StandbyStatus status, standby->Advance(durable));
    EXPECT_EQ(status.lsn, durable);
    EXPECT_ERROR(Standby::Promote(kStandby, &sim_->fs()), StatusCode::kInUse, "");
  }
  const auto image = sim_->fs().Save();
  bool whole = false;
  for (uint64_t crash_at = 1; !whole; ++crash_at) {
    SCOPED_TRACE(crash_at);
    SimFileSystem fs(TestSeed() + crash_at, image);
    fs.CrashAt(crash_at);
    whole = Standby::Promote(kStandby, &fs).ok();
    fs.Crash();
    fs.Restart(PowerLoss::kSeeded);
    const Status again = Standby::Promote(kStandby, &fs);
    EXPECT_TRUE(again.ok() || again.code() == StatusCode::kExists) << again.ToString();
    EXPECT_TRUE(fs.Exists("standby/log").value());
    EXPECT_FALSE(fs.Exists("standby/STANDBY").value());
    const TempDirectory index;
    StoreOptions options = sim_->options();
    options.file_system = &fs;
    options.index_directory = index.path();
    ASSERT_OK_AND_ASSIGN(const auto promoted, Store::Open(kStandby, options));
    CheckStates(*promoted, durable, ledger_);
    ASSERT_OK(promoted->Close());
  }
}

// Goal: what was promoted, is another store's, or is followed already is not followed; and a source
// that is not what was followed is found out.
TEST_F(StandbyTest, WrongOnesAreRefused) {
  ASSERT_OK(sim_->Open());
  SimFileSystem& fs = sim_->fs();
  ASSERT_OK(Put("lobby", 1));
  EXPECT_ERROR(Standby::Open("nowhere", kStandby, &fs), StatusCode::kNotFound, "nowhere");
  EXPECT_FALSE(fs.Exists(kStandby).value());
  EXPECT_ERROR(Standby::Open("store", "store", &fs), StatusCode::kExists, "store of its own");
  EXPECT_ERROR(Standby::Promote("nowhere", &fs), StatusCode::kNotFound, "no standby");
  EXPECT_ERROR(Standby::Promote("store", &fs), StatusCode::kExists, "store of its own");
  bool source_lost = false;
  EXPECT_ERROR(Standby::Look("store", &source_lost, &fs), StatusCode::kNotFound, "no standby");
  ASSERT_OK(fs.CreateDirectory("full"));
  ASSERT_OK(fs.Open("full/letters", OpenMode::kCreateNew));
  EXPECT_ERROR(Standby::Open("store", "full", &fs), StatusCode::kExists, "letters");

  // The source as it is now, gone on by itself.
  const auto before = fs.Save();
  ASSERT_OK(Put("lobby", 2));
  ASSERT_OK(Put("lobby", 3));
  ASSERT_OK_AND_ASSIGN(auto standby, Standby::Open("store", kStandby, &fs));
  ASSERT_OK(standby->Advance(store().durable_lsn()));
  EXPECT_ERROR(Standby::Open("store", kStandby, &fs), StatusCode::kInUse, "");
  SimFileSystem other(TestSeed(), before);
  other.Restart(PowerLoss::kNothing);
  const TempDirectory index;
  StoreOptions options = sim_->options();
  options.file_system = &other;
  options.index_directory = index.path();
  {
    ASSERT_OK_AND_ASSIGN(const auto twin, Store::Open("store", options));
    for (uint64_t i = 10; i < 20; ++i) {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           twin->OpenObject("rooms", "lobby", IfMissing::kCreate));
      ASSERT_OK(Commit(object, {{1, RandomPage(i)}}));
      ASSERT_OK(twin->Sync());
    }
    ASSERT_OK(twin->Close());
  }
  for (const char* file : {"store/log/00000001.seg", "store/log/00000002.seg"}) {
    if (!other.Exists(file).value()) continue;
    const std::vector<std::byte> bytes = other.Contents(file);
    const bool is_there = fs.Exists(file).value();
    ASSERT_OK_AND_ASSIGN(const auto copy,
                         fs.Open(file, is_there ? OpenMode::kReadWrite : OpenMode::kCreateNew));
    ASSERT_OK(copy->Truncate(0));
    ASSERT_OK(copy->WriteAt(0, bytes));
  }
  EXPECT_ERROR(standby->Advance(), StatusCode::kForeign, "not what this standby followed");
  // It is as it was.
  standby.reset();
  const auto promoted = CheckPromoted(fs.Save(), ledger_, sim_->options());
  EXPECT_GE(promoted.value_or(Lsn()).value, 4u);

  ASSERT_OK(Standby::Promote(kStandby, &fs));
  EXPECT_ERROR(Standby::Open("store", kStandby, &fs), StatusCode::kExists, "store of its own");
}

// Goal: in memory, where an application's own tests may have it, it is the same.
TEST_F(StandbyTest, WorksInMemory) {
  ASSERT_OK_AND_ASSIGN(const auto files, MemoryFileSystem::Create());
  ManualClock clock;
  StoreOptions options = files->Options(&clock);
  options.background_work = BackgroundWork::kManual;
  ASSERT_OK_AND_ASSIGN(const auto source, Store::Open("data", options));
  ASSERT_OK_AND_ASSIGN(const auto object, source->OpenObject("rooms", "lobby", IfMissing::kCreate));
  ASSERT_OK(Commit(object, {{1, RandomPage(1)}}));
  ASSERT_OK(source->Sync());
  {
    ASSERT_OK_AND_ASSIGN(const auto standby, Standby::Open("data", kStandby, options.file_system));
    ASSERT_OK(standby->Advance(source->durable_lsn()));
  }
  ASSERT_OK(Standby::Promote(kStandby, options.file_system));
  const TempDirectory index;
  options.index_directory = index.path();
  ASSERT_OK_AND_ASSIGN(const auto promoted, Store::Open(kStandby, options));
  ASSERT_OK_AND_ASSIGN(const auto copy, promoted->OpenObject("rooms", "lobby", IfMissing::kFail));
  EXPECT_TRUE(Reads(copy, 1, RandomPage(1)));
  ASSERT_OK(promoted->Close());
  ASSERT_OK(source->Close());
}

}  // namespace
}  // namespace tidemark::testing
