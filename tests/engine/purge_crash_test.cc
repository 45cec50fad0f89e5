// Purges that are interrupted: by a loss of power, by a disk that fails or is full.

#include <filesystem>

#include "engine/internal/packer.h"
#include "tests/engine/purge_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

class PurgeCrashTest : public StoreFixture {
 protected:
  static constexpr uint64_t kNever = UINT64_MAX / 2;

  // A store with a packed past, in which others have pages beside the person's.
  void Begin(SimStore& sim, Person& person) {
    sim.options().transaction_memory_bytes = 32u << 10;
    ASSERT_OK(sim.Open());
    for (uint64_t part = 1; part <= 2; ++part) {
      ASSERT_OK(person.Live(sim.store()));
      for (const char* const name : {"lobby", "hall"}) {
        ASSERT_OK_AND_ASSIGN(const auto object,
                             sim.store().OpenObject("rooms", name, IfMissing::kCreate));
        for (uint32_t i = 0; i < 5; ++i) {
          ASSERT_OK(Commit(object, {{1, RandomPage(part)}, {i + 2, RandomPage(part * 10 + i)}}));
        }
        ASSERT_OK_AND_ASSIGN(bookmarks_[name + std::to_string(part)], object->CurrentBookmark());
      }
      if (part == 1) {
        ASSERT_OK(sim.Reclaim(ReclaimWhat::kEverything));
      }
    }
    ASSERT_OK(sim.store().Sync());
  }

  // All others are what they were, and nothing is damaged.
  void ExpectOthers(SimStore& sim) {
    for (const auto& [name, bookmark] : bookmarks_) {
      ASSERT_OK_AND_ASSIGN(
          const auto object,
          sim.store().OpenObject("rooms", name.substr(0, name.size() - 1), IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot(bookmark));
      ASSERT_OK(snapshot.Verify());
      const uint64_t part = name.back() == '1' ? 1 : 2;
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, 6));
      ASSERT_TRUE(page == RandomPage(part * 10 + 4));
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
    for (const Damage& damage : report.damage) {
      ADD_FAILURE() << damage.object << ": " << damage.message;
    }
    ASSERT_EQ(sim.store().Stats().damaged_object_count, 0u);
  }

  // The object is all there, or is refused, or gone.
  enum class Found { kThere, kBegun, kGone };
  static Found Look(SimStore& sim, Person& person) {
    const auto object = person.Open(sim.store(), IfMissing::kFail);
    if (object.status().code() == StatusCode::kBusy) return Found::kBegun;
    if (object.status().code() == StatusCode::kNotFound) return Found::kGone;
    EXPECT_OK(object);
    if (object.ok()) {
      EXPECT_OK((*object)->OpenSnapshot()->Verify());
    }
    return Found::kThere;
  }

  std::map<std::string, Bookmark> bookmarks_;
};

// Goal: whenever the power fails in a purge the object is there as before, or it is gone for
// everybody; then calling purge again, or the background, ends it; nothing of it is left, and all
// else is whole, whatever index is found. Method: the power fails one operation later each time.
TEST_F(PurgeCrashTest, AtEveryOperation) {
  Person person(TestSeed());
  SimStore first(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(first, person));
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  std::map<Found, int> seen;
  for (const PowerLoss loss : {PowerLoss::kNothing, PowerLoss::kAll, PowerLoss::kSeeded}) {
    bool crashed = true;
    for (uint64_t at = 1; crashed && !HasFailure(); ++at) {
      SCOPED_TRACE(::testing::Message()
                   << "crash at " << at << ", loss " << static_cast<int>(loss));
      SimStore sim(TestSeed() * 1000 + at, machine);
      sim.options().transaction_memory_bytes = 32u << 10;
      ASSERT_OK(sim.Open());
      sim.fs().CrashAt(at);
      const Status status = sim.Purge("people", person.name());
      crashed = sim.fs().crashed();
      if (crashed) {
        EXPECT_FALSE(status.ok());
        sim.Crash(loss);
        ASSERT_OK(sim.Open());
      } else {
        ASSERT_OK(status);
      }
      sim.fs().CrashAt(kNever);
      const Found found = Look(sim, person);
      ++seen[found];
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
      if (found == Found::kBegun && at % 2 == 0) {
        sim.clock().Advance(std::chrono::minutes(2));
        ASSERT_OK(sim.RunRetention());
      } else if (found != Found::kGone) {
        ASSERT_OK(sim.Purge("people", person.name()));
      }
      EXPECT_EQ(Look(sim, person), Found::kGone);
      EXPECT_TRUE(IsGone(person, sim));
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
      ASSERT_OK(sim.Close());
      if (at % 4 == 0) std::filesystem::remove_all(sim.options().index_directory);
      ASSERT_OK(sim.Open());
      EXPECT_EQ(Look(sim, person), Found::kGone);
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
    }
  }
  EXPECT_GT(seen[Found::kThere], 0);
  EXPECT_GT(seen[Found::kBegun], 3);
  EXPECT_GT(seen[Found::kGone], 0);
}

// Goal: a purge that goes on does not write anew what it wrote before. Method: each file is a job;
// the power fails at some operations; what the next call packs is counted.
TEST_F(PurgeCrashTest, GoesOnWhereItWas) {
  Person person(TestSeed());
  SimStore first(TestSeed());
  const auto each_file_alone = [](SimStore& sim) {
    internal::StorePeer::Impl(sim.store()).packer().set_job_bytes(1);
  };
  ASSERT_NO_FATAL_FAILURE(Begin(first, person));
  for (int part = 0; part < 4; ++part) {
    each_file_alone(first);
    ASSERT_OK(first.Reclaim(ReclaimWhat::kEverything));
    ASSERT_OK(person.Live(first.store()));
  }
  const uint64_t packed = first.store().Stats().packed_segment_count;
  ASSERT_GE(packed, 4u);
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  uint64_t fewest = packed;
  uint64_t most = 0;
  bool crashed = true;
  for (uint64_t at = 1; crashed && !HasFailure(); at += 3) {
    SCOPED_TRACE(::testing::Message() << "crash at " << at);
    SimStore sim(TestSeed() * 1000 + at, machine);
    ASSERT_OK(sim.Open());
    each_file_alone(sim);
    sim.fs().CrashAt(at);
    (void)sim.Purge("people", person.name());
    crashed = sim.fs().crashed();
    if (!crashed) break;
    sim.Crash(PowerLoss::kNothing);
    ASSERT_OK(sim.Open());
    each_file_alone(sim);
    sim.fs().CrashAt(kNever);
    if (Look(sim, person) == Found::kGone) continue;
    ASSERT_OK_AND_ASSIGN(const PurgeReport report, sim.store().Purge("people", person.name()));
    fewest = std::min(fewest, report.log.files);
    most = std::max(most, report.log.files);
    EXPECT_TRUE(IsGone(person, sim));
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
  }
  EXPECT_GE(most, packed);
  EXPECT_LE(fewest, 2u) << "the file with the record of the purge, and what the log has since";
}

// Goal: with an index that is lost in the middle, what is left of the log does not bring the object
// back, nor look damaged. Method: as above, the index removed each time.
TEST_F(PurgeCrashTest, WithoutTheIndex) {
  Person person(TestSeed());
  SimStore first(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(first, person));
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  int begun = 0;
  bool crashed = true;
  for (uint64_t at = 1; crashed && !HasFailure(); ++at) {
    SCOPED_TRACE(::testing::Message() << "crash at " << at);
    SimStore sim(TestSeed() * 1000 + at, machine);
    ASSERT_OK(sim.Open());
    sim.fs().CrashAt(at);
    (void)sim.Purge("people", person.name());
    crashed = sim.fs().crashed();
    sim.Crash(PowerLoss::kNothing);
    std::filesystem::remove_all(sim.options().index_directory);
    ASSERT_OK(sim.Open());
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
    const Found found = Look(sim, person);
    begun += found == Found::kBegun;
    // Packed in between, by which the purge's record is in a packed segment; and made anew once
    // more, before it goes on.
    if (at % 3 == 1) {
      ASSERT_OK(sim.Reclaim(ReclaimWhat::kEverything));
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
    }
    if (at % 3 != 2) {
      ASSERT_OK(sim.Close());
      std::filesystem::remove_all(sim.options().index_directory);
      ASSERT_OK(sim.Open());
      EXPECT_EQ(Look(sim, person), found);
    }
    if (found != Found::kGone) {
      ASSERT_OK(sim.Purge("people", person.name()));
    }
    EXPECT_TRUE(IsGone(person, sim));
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
  }
  EXPECT_GT(begun, 3);
}

// Goal: a purge that fails says how far it is, loses nothing of others, and goes on when it is
// asked again. Method: each write fails once, as with a full disk, and each sync.
TEST_F(PurgeCrashTest, FullDisksAndFailures) {
  Person person(TestSeed());
  SimStore first(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(first, person));
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  for (const char* const what : {"full", "write", "sync"}) {
    const bool is_full = what == std::string("full");
    bool hit = true;
    int went_on = 0;
    int made_do = 0;  // where room is short packing makes do with less
    for (uint64_t nth = 1; hit && !HasFailure(); ++nth) {
      SCOPED_TRACE(::testing::Message() << what << " " << nth);
      SimStore sim(TestSeed() * 1000 + nth, machine);
      ASSERT_OK(sim.Open());
      if (is_full) sim.fs().FailWrite(nth, StatusCode::kFull);
      if (what == std::string("write")) sim.fs().FailWrite(nth, StatusCode::kIoError);
      if (what == std::string("sync")) sim.fs().FailSync(nth);
      const Status status = sim.Purge("people", person.name());
      hit = sim.fs().FailWrite(0, StatusCode::kIoError) + sim.fs().FailSync(0) > 0;
      const bool failed = !status.ok();
      made_do += hit && !failed;
      if (failed && !sim.store().Sync().ok()) {  // the log's own writes: it is broken
        sim.Crash(PowerLoss::kNothing);
        ASSERT_OK(sim.Open());
      } else if (failed) {
        EXPECT_NE(status.message().find("gone for good"), std::string::npos) << status.ToString();
        EXPECT_EQ(Look(sim, person), Found::kBegun);
        ++went_on;
      }
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
      if (failed) {
        ASSERT_OK(sim.Purge("people", person.name()));
      }
      EXPECT_EQ(Look(sim, person), Found::kGone);
      EXPECT_TRUE(IsGone(person, sim));
      ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
    }
    EXPECT_GT(is_full ? made_do : went_on, 2) << what;
    if (!is_full) {
      EXPECT_EQ(made_do, 0) << what;
    }
  }
}

// Goal: what cannot be read in a purge keeps it from its end, once, and from nothing else. Method:
// reads fail, each once; one in some where TIDEMARK_TEST_SCALE is small.
TEST_F(PurgeCrashTest, ReadsFail) {
  Person person(TestSeed());
  SimStore first(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(first, person));
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  const uint64_t stride = ScaledStride(5);
  std::map<Found, int> seen;
  bool hit = true;
  for (uint64_t nth = 1 + TestSeed() % stride; hit && !HasFailure(); nth += stride) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", read " << nth);
    SimStore sim(TestSeed() * 1000 + nth, machine);
    ASSERT_OK(sim.Open());
    sim.fs().FailReads(nth, false);
    const Status status = sim.Purge("people", person.name());
    hit = sim.fs().FailReads(0, false) > 0;
    EXPECT_TRUE(hit || status.ok()) << status.ToString();
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kIoError) << status.ToString();
    }
    const Found found = Look(sim, person);
    EXPECT_EQ(found == Found::kGone, status.ok());
    ++seen[found];
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
    if (!status.ok()) {
      ASSERT_OK(sim.Purge("people", person.name()));
    }
    EXPECT_EQ(Look(sim, person), Found::kGone);
    EXPECT_TRUE(IsGone(person, sim));
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
  }
  EXPECT_GT(seen[Found::kBegun], Scaled(5) >= 5 ? 3 : 0);  // few reads fail in a short run
}

// Goal: a disk on which the new files have no room. Method: nothing may grow; then it may.
TEST_F(PurgeCrashTest, NoRoom) {
  Person person(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(sim_, person));
  ASSERT_OK(sim_.store().PrepareSegment());
  sim_.fs().SetCapacity(0);
  EXPECT_ERROR(sim_.Purge("people", person.name()), StatusCode::kFull, "purge it again");
  EXPECT_EQ(Look(sim_, person), Found::kBegun);
  ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim_));
  sim_.fs().SetCapacity(UINT64_MAX);
  ASSERT_OK(sim_.Purge("people", person.name()));
  EXPECT_TRUE(IsGone(person, sim_));
  ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim_));
}

// Goal: what a torn tail, a spare or the room behind the log's end has of it goes, too. Method: the
// power fails while it is written to, at many operations; what is there afterwards is purged.
TEST_F(PurgeCrashTest, TornTails) {
  Person before(TestSeed());
  SimStore first(TestSeed());
  ASSERT_NO_FATAL_FAILURE(Begin(first, before));
  ASSERT_OK(first.Close());
  const SimStore::Machine machine = first.Save();
  for (uint64_t at = 1; at < 60 && !HasFailure(); ++at) {
    SCOPED_TRACE(::testing::Message() << "crash at " << at);
    Person person = before;
    SimStore sim(TestSeed() * 1000 + at, machine);
    sim.options().transaction_memory_bytes = 32u << 10;
    ASSERT_OK(sim.Open());
    sim.fs().CrashAt(at);
    while (!sim.fs().crashed()) (void)person.Write(sim.store(), 20);
    sim.Crash(at % 2 == 0 ? PowerLoss::kSeeded : PowerLoss::kNothing);
    ASSERT_OK(sim.Open());
    if (at % 3 == 0) {
      ASSERT_OK(sim.Close());
      ASSERT_OK(sim.Open());
    }
    sim.fs().CrashAt(kNever);
    ASSERT_OK(sim.Purge("people", person.name()));
    EXPECT_TRUE(IsGone(person, sim));
    ASSERT_NO_FATAL_FAILURE(ExpectOthers(sim));
  }
}

}  // namespace
}  // namespace tidemark::testing
