// A segment is written over whatever an earlier life of its file left behind.

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "engine/format.h"
#include "engine/internal/segments.h"
#include "engine/transaction.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kPageSize = 4096;
const std::string kSecondSegment = "store/log/" + internal::SegmentName(2);

// A life of a store that is the same every time, byte for byte but for what is random in segments.
class Life {
 public:
  Life() : sim_(TestSeed()), random_(TestSeed()) {
    EXPECT_OK(sim_.Open());
    EXPECT_OK(sim_.store().PrepareSegment());
  }

  SimStore& sim() { return sim_; }

  // One durable commit of wholly new pages.
  void Commit(uint32_t pages) {
    const auto object = sim_.store().OpenObject("rooms", "a", IfMissing::kCreate);
    ASSERT_OK(object);
    Transaction transaction(*object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.ResetPageSize(kPageSize));
    std::vector<std::byte> page(kPageSize);
    for (uint32_t page_no = 1; page_no <= pages; ++page_no) {
      for (std::byte& byte : page) byte = static_cast<std::byte>(random_.Next());
      ASSERT_OK(transaction.WritePage(PageNo(page_no), page));
    }
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, transaction.Commit());
    ASSERT_OK(sim_.store().WaitDurable(commit.lsn));
    commits_.push_back(commit);
  }

  // Fills the first segment until a commit stands in the second.
  void Roll() {
    while (sim_.store().Stats().spare_segment_count == 1) ASSERT_NO_FATAL_FAILURE(Commit(10));
  }

  const std::vector<CommitInfo>& commits() const { return commits_; }

 private:
  SimStore sim_;
  Random random_;
  std::vector<CommitInfo> commits_;
};

// Where the groups of a segment end, going from one to the next by their lengths.
uint64_t EndOfGroups(const std::vector<std::byte>& segment, int count) {
  uint64_t at = format::kFirstGroupOffset;
  for (int i = 0; i < count; ++i) {
    format::GroupHeader header;
    std::memcpy(&header, segment.data() + at, sizeof(header));
    EXPECT_EQ(header.magic, format::kGroupMagic);
    at += header.length;
  }
  return at;
}

// Goal: stale records in recycled space never verify. Method: one life fills a segment with groups;
// its twin, which writes the same groups at the same places, finds those bytes in its spare, and
// loses power when it has written some of them. Right behind its last group stands the next one of
// the first life, with the next LSN and the right place: only the incarnation tells.
TEST(RecycledSpaceTest, StaleGroupsNeverVerify) {
  Life first;
  ASSERT_NO_FATAL_FAILURE(first.Roll());
  for (int i = 0; i < 6; ++i) ASSERT_NO_FATAL_FAILURE(first.Commit(1));
  const std::vector<std::byte> stale = first.sim().fs().Contents(kSecondSegment);

  Life twin;
  twin.sim().fs().Overwrite(kSecondSegment, format::kFirstGroupOffset,
                            std::span(stale).subspan(format::kFirstGroupOffset));
  ASSERT_NO_FATAL_FAILURE(twin.Roll());
  for (int i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(twin.Commit(1));
  ASSERT_EQ(twin.commits().back(), first.commits()[twin.commits().size() - 1]) << "not twins";
  const std::vector<std::byte> recycled = twin.sim().fs().Contents(kSecondSegment);
  const uint64_t end = EndOfGroups(recycled, 3);
  ASSERT_EQ(end, EndOfGroups(stale, 3));
  ASSERT_EQ(EndOfGroups(recycled, 7), EndOfGroups(stale, 7)) << "nothing stale behind the end";

  twin.sim().Crash(PowerLoss::kAll);
  ASSERT_OK(twin.sim().Open());
  ASSERT_OK_AND_ASSIGN(const auto object,
                       twin.sim().store().OpenObject("rooms", "a", IfMissing::kFail));
  EXPECT_EQ(object->head(), twin.commits().back());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, twin.sim().store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
}

}  // namespace
}  // namespace tidemark::testing
