// Histories in packed segments: of large transactions, of pages that change a little for long, and
// while somebody reads.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

class PackedHistoryTest : public StoreFixture {
 protected:
  void ExpectWhole() {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) {
      ADD_FAILURE() << damage.object << ": " << damage.message << " (segment " << damage.segment
                    << ", offset " << damage.offset << ")";
    }
  }

  void Reopen(bool without_index) {
    ASSERT_OK(sim_.Close());
    if (without_index) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
  }

  // How many files of the log's own segments there are.
  size_t SegmentFiles() {
    size_t count = 0;
    const std::vector<std::string> names = sim_.fs().ListDirectory("store/log").value();
    for (const std::string& name : names) {
      count += name.ends_with(".seg");
    }
    return count;
  }

  uint64_t PackedBytes() {
    uint64_t bytes = 0;
    const std::vector<std::string> names = sim_.fs().ListDirectory("store/log").value();
    for (const std::string& name : names) {
      if (!name.ends_with(".pack")) continue;
      const auto file = sim_.fs().Open("store/log/" + name, OpenMode::kReadOnly);
      bytes += file.value()->SizeBytes().value();
    }
    return bytes;
  }
};

// Goal: a log of large transactions, of which one lies across the end of every segment, is packed
// as any other; one that is still writing keeps its segments, and nobody else's. Method:
// transactions larger than a segment, a few bytes changed in some of their pages, beside small
// ones; packed, made anew from the log, packed again.
TEST_F(PackedHistoryTest, LargeTransactions) {
  constexpr uint32_t kPages = 400;
  constexpr int kRounds = 6;
  const auto page_of = [](uint32_t number, int round) {
    PageBytes page =
        RandomPage(number + (number % 3 != 0 ? static_cast<uint64_t>(round) << 20 : 0));
    page[7] = static_cast<std::byte>(round);
    return page;
  };
  ASSERT_OK(sim_.Open());
  std::vector<Bookmark> rounds;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_OK_AND_ASSIGN(const auto large, Open("large"));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= kPages; ++number) pages[number] = page_of(number, round);
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(large, pages));
    rounds.push_back(large->BookmarkOf(commit));
    ASSERT_OK(Put("small", static_cast<uint64_t>(round)));
  }
  const auto check = [&] {
    ASSERT_OK_AND_ASSIGN(const auto large, Open("large", IfMissing::kFail));
    for (int round = 0; round < kRounds; ++round) {
      ASSERT_OK_AND_ASSIGN(const Snapshot then,
                           large->OpenSnapshot(rounds[static_cast<size_t>(round)]));
      ASSERT_OK(then.Verify());
      for (uint32_t number = 1; number <= kPages; number += 17) {
        ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(then, number));
        ASSERT_TRUE(page == page_of(number, round)) << number << " of round " << round;
      }
    }
    EXPECT_TRUE(Holds("small", kRounds - 1));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  };
  ASSERT_GT(SegmentFiles(), 6u);

  ASSERT_OK_AND_ASSIGN(const auto writing, Open("writing"));
  Transaction transaction(writing);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(transaction.ResetPageSize(kPageSize));
  for (uint32_t number = 1; number <= kPages; ++number) {
    ASSERT_OK(transaction.WritePage(PageNo(number), page_of(number, 99)));
  }
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport first, sim_.store().Reclaim());
  EXPECT_GT(first.files, 3u);
  ASSERT_NO_FATAL_FAILURE(check());
  ASSERT_OK(transaction.Commit());
  transaction.End();
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport second, sim_.store().Reclaim(ReclaimWhat::kEverything));
  EXPECT_GT(second.files, 1u);
  EXPECT_LE(SegmentFiles(), 2u);  // what is written to, and perhaps a spare
  ASSERT_NO_FATAL_FAILURE(check());
  for (const bool without_index : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(Reopen(without_index));
    ASSERT_NO_FATAL_FAILURE(check());
    EXPECT_TRUE(Reads(Open("writing", IfMissing::kFail).value(), 5, page_of(5, 99)));
  }
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_NO_FATAL_FAILURE(check());
}

// Goal: a page of which a little changes now and then does not stand whole in every packed segment,
// and comes back as of each of its commits, whatever is packed again, or expires. Method: twenty
// such pages beside an object that fills segments with what cannot be compressed.
TEST_F(PackedHistoryTest, BlocksBuildOnBlocks) {
  constexpr uint32_t kPages = 20;
  constexpr int kRounds = 10;
  const auto page_of = [](uint32_t number, int round) {
    PageBytes page = RandomPage(number);
    page[number] = static_cast<std::byte>(round);
    return page;
  };
  ASSERT_OK(sim_.Open());
  std::vector<Bookmark> rounds;
  uint64_t noise = 0;
  const auto check = [&](size_t first) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("little", IfMissing::kFail));
    for (size_t round = first; round < rounds.size(); ++round) {
      ASSERT_OK_AND_ASSIGN(const Snapshot then, object->OpenSnapshot(rounds[round]));
      ASSERT_OK(then.Verify());
      for (uint32_t number = 1; number <= kPages; ++number) {
        ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(then, number));
        ASSERT_TRUE(page == page_of(number, static_cast<int>(round))) << number << " " << round;
      }
    }
  };
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_OK_AND_ASSIGN(const auto little, Open("little"));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= kPages; ++number) pages[number] = page_of(number, round);
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(little, pages));
    rounds.push_back(little->BookmarkOf(commit));
    const uint64_t until = sim_.store().Stats().segment_count + 2;
    while (sim_.store().Stats().segment_count < until) {
      ASSERT_OK(Put("noise", noise++));
      sim_.clock().Advance(std::chrono::minutes(5));
    }
    ASSERT_OK(sim_.store().Reclaim());
    ASSERT_NO_FATAL_FAILURE(check(0));
  }
  // One image of each page, and one more where four blocks would be needed to read it.
  EXPECT_LT(PackedBytes(), noise * (kPageSize + 64) + kPages * kPageSize * 8);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  ASSERT_NO_FATAL_FAILURE(Reopen(true));
  ASSERT_NO_FATAL_FAILURE(check(0));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());

  // Now what came first goes: blocks lose what they were made on, and images take its place.
  sim_.clock().Advance(std::chrono::hours(24 * 30) - std::chrono::minutes(5 * (noise / 2)));
  ASSERT_OK(Put("noise", noise));
  ASSERT_OK(sim_.store().Prune());
  const uint64_t before = PackedBytes();
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  EXPECT_LT(PackedBytes(), before * 3 / 4);
  ASSERT_OK_AND_ASSIGN(const auto little, Open("little", IfMissing::kFail));
  EXPECT_EQ(little->OpenSnapshot(rounds[0]).status().code(), StatusCode::kExpired);
  ASSERT_NO_FATAL_FAILURE(check(kRounds * 3 / 4));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  ASSERT_NO_FATAL_FAILURE(Reopen(true));
  ASSERT_NO_FATAL_FAILURE(check(kRounds * 3 / 4));
}

// Goal: what a reader has fetched ahead stays good when what it was made on is packed away. Method:
// a snapshot reads pages in order until the next ones are at hand, patches on versions that expire
// then; only the snapshot keeps the patches' own version.
TEST_F(PackedHistoryTest, ReadAheadOutlivesAPacking) {
  constexpr uint32_t kPages = 30;
  const auto page_of = [](uint32_t number, int version) {
    PageBytes page = RandomPage(number);
    page[5] = static_cast<std::byte>(version);
    return page;
  };
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("read"));
  std::optional<Snapshot> held;
  for (int version = 1; version <= 3; ++version) {
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= kPages; ++number) pages[number] = page_of(number, version);
    ASSERT_OK(Commit(object, pages));
    ASSERT_OK(sim_.store().Sync());
    if (version == 2) held = object->OpenSnapshot().value();
  }
  for (uint32_t number = 1; number <= kPages / 2; ++number) {
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(*held, number));
    ASSERT_TRUE(page == page_of(number, 2));
  }
  sim_.clock().Advance(std::chrono::hours(24 * 60));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  for (uint32_t number = kPages / 2 + 1; number <= kPages; ++number) {
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(*held, number));
    ASSERT_TRUE(page == page_of(number, 2)) << number;
  }
}

}  // namespace
}  // namespace tidemark::testing
