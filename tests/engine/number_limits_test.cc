// The numbers of the log near the ends of their ranges: used up is an error, never a new beginning.

#include "engine/internal/group.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

struct Numbers {
  uint32_t segment = 1;
  uint64_t lsn = 1;
  uint32_t epoch = 1;
};

class NumberLimitsTest : public LogFixture {
 protected:
  // A log of one segment whose only record opened an epoch, after which the process died.
  void MakeLog(const Numbers& numbers) {
    constexpr uint64_t kIncarnation = 7;
    const Lsn lsn(numbers.lsn);
    ASSERT_OK(sim_.fs().CreateDirectory("store"));
    ASSERT_OK(sim_.fs().CreateDirectory("store/log"));
    ASSERT_OK_AND_ASSIGN(const auto file,
                         sim_.fs().Open("store/log/" + internal::SegmentName(numbers.segment),
                                        OpenMode::kCreateNew));
    const auto header =
        internal::MakeSegmentHeader(numbers.segment, 1, kIncarnation, internal::Location(), lsn);
    ASSERT_OK(file->WriteAt(0, internal::MakeHeaderBlocks(header)));
    internal::Buffer fields;
    internal::EncodeOpen({.epoch = numbers.epoch, .previous_end = Lsn(), .library_version = "0"},
                         fields);
    internal::GroupBuilder group;
    group.Open(kIncarnation, numbers.epoch, lsn, sim_.clock().Now());
    group.Add(format::RecordKind::kOpen, lsn, sim_.clock().Now(), TimelineId(), 0, fields, {});
    group.Close();
    group.Seal(Lsn(lsn.value - 1));
    ASSERT_OK(file->WriteAt(format::kFirstGroupOffset, group.bytes()));
    ASSERT_OK(file->Truncate(1u << 20));
    ASSERT_OK(file->Sync());
    ASSERT_OK(sim_.fs().SyncDirectory("store/log"));
    ASSERT_OK(sim_.fs().SyncDirectory("store"));
    ASSERT_OK(sim_.fs().SyncDirectory("."));
  }
};

// Goal: large numbers are numbers like others. Method: each one some steps before its end; commits,
// a crash, a close.
TEST_F(NumberLimitsTest, BeforeTheEnd) {
  ASSERT_NO_FATAL_FAILURE(MakeLog({.segment = format::kMaxSegmentNumber - 10,
                                   .lsn = format::kMaxLsn - 4 * format::kLostLsnGap,
                                   .epoch = UINT32_MAX - 3}));
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 1));
  ASSERT_OK(Put("a", 2));
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  EXPECT_TRUE(Holds("a", 2));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const Bookmark bookmark,
                       Bookmark::Parse(object->BookmarkOf(first).ToString()));
  ASSERT_OK(object->Restore(bookmark));
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
  EXPECT_EQ(sim_.store().Stats().epoch, UINT32_MAX - 1);
}

// Goal: see above. Method: a log at the end of each range.
TEST_F(NumberLimitsTest, Epochs) {
  ASSERT_NO_FATAL_FAILURE(MakeLog({.epoch = UINT32_MAX}));
  EXPECT_ERROR(sim_.Open(), StatusCode::kLimitExceeded, "opened 4294967295 times");
}

TEST_F(NumberLimitsTest, Lsns) {
  ASSERT_NO_FATAL_FAILURE(MakeLog({.lsn = format::kMaxLsn}));
  EXPECT_ERROR(sim_.Open(), StatusCode::kLimitExceeded, "last LSN");
}

// A session that begins before the last LSN does not write beyond it.
TEST_F(NumberLimitsTest, LsnsOfASession) {
  const uint64_t last = format::kMaxLsn - format::kLostLsnGap;
  ASSERT_NO_FATAL_FAILURE(MakeLog({.lsn = last - format::kLostLsnGap - 5}));
  ASSERT_OK(sim_.Open());
  Status status;
  uint64_t seed = 0;
  while (status.ok() && seed < 100) status = Put("a", ++seed).status();
  EXPECT_ERROR(status, StatusCode::kLimitExceeded, "last LSN");
  EXPECT_TRUE(Holds("a", seed - 1)) << "what was confirmed stays";
}

TEST_F(NumberLimitsTest, Segments) {
  ASSERT_NO_FATAL_FAILURE(MakeLog({.segment = format::kMaxSegmentNumber - 1}));
  ASSERT_OK(sim_.Open());  // in the last one
  ASSERT_OK(Put("a", 1));
  Status status;
  uint64_t seed = 1;
  while (status.ok() && seed < 1000) status = Put("a", ++seed).status();
  EXPECT_ERROR(status, StatusCode::kLimitExceeded, "last segment, 99999999");
  EXPECT_TRUE(Holds("a", seed - 1)) << "what was confirmed stays";
  sim_.Crash(PowerLoss::kNothing);
  EXPECT_ERROR(sim_.Open(), StatusCode::kLimitExceeded, "last segment, 99999999");
}

}  // namespace
}  // namespace tidemark::testing
