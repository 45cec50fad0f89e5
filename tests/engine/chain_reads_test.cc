// Pages that are read often as chains of patches: an image at the next commit, blocks where there
// is none; and who reads, changes and commits pays nothing for it.

#include "engine/internal/chain_reads.h"

#include <gtest/gtest.h>

#include "engine/internal/retention_worker.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using internal::ChainReadRule;
using internal::ChainReads;
using std::chrono::minutes;

constexpr TimelineId kTimeline(7);
constexpr PageNo kPage(3);

// Goal: a page's links add up to an image, a commit takes its part out, an image all of it.
TEST(ChainReadsTest, Counts) {
  ChainReads reads;
  reads.set_rule({.links_for_image = 100, .chains_for_commit = 4});
  reads.NotePatch(kTimeline, kPage, 60);  // nothing to take
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(reads.IsImageDue(kTimeline, kPage)) << i;
    reads.NoteRead(kTimeline, kPage, 10);
  }
  EXPECT_TRUE(reads.IsImageDue(kTimeline, kPage));
  EXPECT_FALSE(reads.IsImageDue(TimelineId(8), kPage));
  EXPECT_FALSE(reads.IsImageDue(kTimeline, PageNo(4)));
  reads.NotePatch(kTimeline, kPage, 3);  // 12 of 100
  EXPECT_FALSE(reads.IsImageDue(kTimeline, kPage));
  reads.NoteRead(kTimeline, kPage, 12);
  EXPECT_TRUE(reads.IsImageDue(kTimeline, kPage));
  reads.NoteImage(kTimeline, kPage);
  reads.NoteRead(kTimeline, kPage, 99);
  EXPECT_FALSE(reads.IsImageDue(kTimeline, kPage));
  EXPECT_EQ(reads.links(), 0u);
  reads.NoteLinks(5);
  EXPECT_EQ(reads.links(), 5u);
}

// Goal: a count does not overflow into anything.
TEST(ChainReadsTest, MostReads) {
  ChainReads reads;
  for (int i = 0; i < 300'000; ++i) reads.NoteRead(kTimeline, kPage, 126);
  EXPECT_TRUE(reads.IsImageDue(kTimeline, kPage));
  reads.NoteImage(kTimeline, kPage);
  EXPECT_FALSE(reads.IsImageDue(kTimeline, kPage));
}

// Goal: of more pages than it holds those that are read most are found, and none that is not.
// Method: a thousand pages that are read ten times as often as a hundred thousand others.
TEST(ChainReadsTest, MorePagesThanItHolds) {
  ChainReads reads;
  constexpr uint32_t kHot = 1000;
  constexpr uint32_t kCold = 100'000;
  Random random(TestSeed());
  for (int i = 0; i < 2'000'000; ++i) {
    const bool hot = random.OneIn(2);
    const auto page = static_cast<uint32_t>(random.Below(hot ? kHot : kCold));
    reads.NoteRead(kTimeline, PageNo(1 + page + (hot ? 0 : kHot)), 10);
  }
  uint32_t found = 0;
  for (uint32_t page = 1; page <= kHot; ++page) found += reads.IsImageDue(kTimeline, PageNo(page));
  EXPECT_GT(found, kHot * 9 / 10);
  found = 0;
  for (uint32_t page = 1; page <= kCold; ++page) {
    found += reads.IsImageDue(kTimeline, PageNo(kHot + page));
  }
  EXPECT_EQ(found, 0u);  // each was read ten times
}

class OftenReadTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  // `count` commits of page 1, each of which replaces some bytes of it. Before each the page is
  // read so many times.
  void Write(int count, int reads = 0) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("often"));
    for (int i = 0; i < count; ++i) {
      for (int read = 0; read < reads; ++read) ASSERT_OK(ReadPage(object, 1));
      const auto at = page_.begin() + static_cast<ptrdiff_t>(random_.Below(4000));
      for (auto byte = at; byte != at + 50; ++byte) *byte = static_cast<std::byte>(random_.Next());
      ASSERT_OK_AND_ASSIGN(last_, Commit(object, {{1, page_}}));
      ASSERT_OK(sim_.store().Sync());
    }
  }
  void ReadOften(int count) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("often", IfMissing::kFail));
    for (int i = 0; i < count; ++i) {
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(object, 1));
      ASSERT_TRUE(page == page_);
    }
  }
  // Page 1 of another object, whole each time: the log gets longer.
  void FillLog(int count) {
    for (int i = 0; i < count; ++i) ASSERT_OK(Put("filler", ++seed_));
  }
  bool last_is_image() const { return last_.log_bytes > kPageSize; }

  internal::StoreImpl& Impl() { return internal::StorePeer::Impl(sim_.store()); }
  uint64_t ReadPasses() { return Impl().retention_worker().report().read_passes; }
  uint32_t InUse() { return Impl().queue().durable_position().segment; }
  void ExpectWhole() {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  }

  Random random_{TestSeed() + 1000};  // other bytes than those of the first page
  PageBytes page_ = RandomPage(1);
  CommitInfo last_;
  uint64_t seed_ = 100;
};

// Goal: a page that is read often gets an image with its next commit, once; its past stays.
TEST_F(OftenReadTest, GetsAnImageWithTheNextCommit) {
  Write(20);
  const CommitInfo before = last_;
  const PageBytes page_before = page_;
  Write(1);
  EXPECT_FALSE(last_is_image());
  ReadOften(4096 / 20 + 1);
  Write(1);
  EXPECT_TRUE(last_is_image());
  Write(1);
  EXPECT_FALSE(last_is_image());
  ReadOften(1);
  ASSERT_OK_AND_ASSIGN(const auto object, Open("often"));
  ASSERT_OK_AND_ASSIGN(const Snapshot past, object->OpenSnapshot(before));
  ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(past, 1));
  EXPECT_TRUE(page == page_before);
  EXPECT_OK(past.Verify());
  ExpectWhole();
}

// Goal: who reads the page before each commit, twice, leaves nothing more in the log than who does
// not, and neither do those who read the past.
TEST_F(OftenReadTest, NoImageForWhoReadsAndWrites) {
  Write(1);
  for (int i = 1; i < 500; ++i) {
    Write(1, 2);
    EXPECT_EQ(last_is_image(), i % 97 == 0) << i;  // max_chain_length, and the first one
  }
  const CommitInfo past = last_;
  Write(1);
  ASSERT_OK_AND_ASSIGN(const auto object, Open("often"));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot(past));
    ASSERT_OK(ReadPage(snapshot, 1));
  }
  Write(1);
  EXPECT_FALSE(last_is_image());
}

// Goal: an object that nobody writes any more is read from blocks, once it has been read for long
// enough, however little of the segment is full; then nothing more is done. Method: steps of the
// background, of which none comes to it by another way.
TEST_F(OftenReadTest, IsPackedBeforeTheSegmentIsFull) {
  Write(60);
  FillLog(5);
  ASSERT_OK(sim_.store().RunRetention());
  const uint32_t in_use = InUse();
  Impl().chain_reads().set_rule({.links_for_log_kib = 1, .links_for_segment_kib = 1});
  // Each reads a chain of 59; the price is 1024 for the segment, 34 or so for the log, and the
  // commits of before.
  ReadOften(10);
  ASSERT_OK(sim_.store().RunRetention());
  EXPECT_EQ(ReadPasses(), 0u);
  ReadOften(400);
  ASSERT_OK(sim_.store().RunRetention());
  EXPECT_EQ(ReadPasses(), 1u);
  EXPECT_GT(InUse(), in_use);
  EXPECT_GT(sim_.store().Stats().packed_bytes, 0u);
  const uint64_t links = Impl().chain_reads().links();
  ReadOften(1000);
  EXPECT_EQ(Impl().chain_reads().links(), links) << "still read from the log";
  ExpectWhole();

  // What comes now is a chain on a block; it is too little to be packed, as often as it is read.
  Write(2);
  ReadOften(5000);
  const uint64_t operations = sim_.fs().operations();
  for (int i = 0; i < 3; ++i) {
    sim_.clock().Advance(minutes(20));
    ASSERT_OK(sim_.store().RunRetention());
  }
  EXPECT_EQ(ReadPasses(), 1u);
  EXPECT_EQ(sim_.fs().operations(), operations);
  ExpectWhole();
}

// Goal: the power may fail at any moment of that. Method: at each operation of it, one later each
// time, until it gets through; what is there then is held against every commit.
TEST_F(OftenReadTest, PowerFailsWhileItIsPacked) {
  std::vector<std::pair<CommitInfo, PageBytes>> history;
  for (int i = 0; i < 60; ++i) {
    Write(1);
    history.emplace_back(last_, page_);
  }
  FillLog(5);
  ASSERT_OK(sim_.store().RunRetention());
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  bool done = false;
  for (uint64_t at = 1; !done && !HasFailure(); ++at) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", operation " << at);
    ASSERT_LT(at, 1000u);
    SimStore sim(TestSeed() + at, machine);
    ASSERT_OK(sim.Open());
    internal::StoreImpl& impl = internal::StorePeer::Impl(sim.store());
    impl.chain_reads().set_rule({.links_for_log_kib = 1, .links_for_segment_kib = 1});
    {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           sim.store().OpenObject("rooms", "often", IfMissing::kFail));
      for (int i = 0; i < 400; ++i) ASSERT_OK(ReadPage(object, 1));
    }
    sim.fs().CrashAt(at);
    const Status status = sim.RunRetention();
    done = !sim.fs().crashed();
    if (done) {
      ASSERT_OK(status);
      EXPECT_EQ(impl.retention_worker().report().read_passes, 1u);
      EXPECT_GT(sim.store().Stats().packed_bytes, 0u);
      EXPECT_GT(at, 20u);
    }
    sim.Crash(static_cast<PowerLoss>(at % 3));
    ASSERT_OK(sim.Open());
    ASSERT_OK_AND_ASSIGN(const auto object,
                         sim.store().OpenObject("rooms", "often", IfMissing::kFail));
    for (const auto& [commit, page] : history) {
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot(commit));
      ASSERT_OK_AND_ASSIGN(const PageBytes found, ReadPage(snapshot, 1));
      ASSERT_TRUE(found == page) << commit.lsn.value;
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  }
}

// Goal: as many reads as commits can make by themselves pack nothing.
TEST_F(OftenReadTest, CommitsPayForReads) {
  Impl().chain_reads().set_rule({.links_for_log_kib = 0, .links_for_segment_kib = 1});
  FillLog(5);
  Write(1);
  for (int i = 0; i < 40; ++i) {
    Write(10, 2);
    sim_.clock().Advance(minutes(20));
    ASSERT_OK(sim_.store().RunRetention());
  }
  EXPECT_EQ(ReadPasses(), 0u);
}

// Goal: while a part of the log cannot be packed, reads do not make segments of what stands behind
// it: not one a time. Method: a byte of a sealed segment is changed.
TEST_F(OftenReadTest, NothingIsSealedBehindDamage) {
  Write(60);
  FillLog(5);
  ASSERT_OK(Impl().SealLog());
  ASSERT_OK(sim_.store().Checkpoint());
  const std::string path = "store/log/00000001.seg";
  auto bytes = sim_.fs().Contents(path);
  bytes[bytes.size() / 2] ^= std::byte{1};
  ASSERT_OK_AND_ASSIGN(const auto file, sim_.fs().Open(path, OpenMode::kReadWrite));
  ASSERT_OK(file->WriteAt(0, bytes));
  ASSERT_OK(file->Sync());
  FillLog(5);
  Write(5);
  const uint32_t in_use = InUse();
  Impl().chain_reads().set_rule({.links_for_log_kib = 1, .links_for_segment_kib = 1});
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("often"));
    for (int read = 0; read < 2000; ++read) (void)ReadPage(object, 1);
    sim_.clock().Advance(minutes(100));
    EXPECT_ERROR(sim_.store().RunRetention(), StatusCode::kCorruption, "");
  }
  EXPECT_GT(ReadPasses(), 0u);
  EXPECT_EQ(InUse(), in_use);
}

}  // namespace
}  // namespace tidemark::testing
