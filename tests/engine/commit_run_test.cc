// Runs of commits, and strips of them in memory: what goes in comes out; what is no run is refused.

#include <gtest/gtest.h>

#include <random>

#include "engine/internal/commit_run.h"
#include "engine/internal/commit_strip.h"
#include "engine/internal/record.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Golden;
using testing::Hex;
using testing::TestSeed;

CommitInfo Commit(uint64_t lsn, int64_t time) {
  CommitInfo commit;
  commit.lsn = Lsn(lsn);
  commit.timeline = TimelineId(0x22);
  commit.epoch = 3;
  commit.kind = CommitKind::kCommit;
  commit.time = Timestamp(std::chrono::microseconds(time));
  commit.page_size = 4096;
  commit.page_count = 100;
  commit.state_hash = 0x1122334455667788;
  commit.pages_changed = 2;
  commit.log_bytes = 60;
  return commit;
}

// Goal: the bytes of a run never change by accident.
TEST(CommitRunTest, GoldenBytes) {
  std::vector<CommitInfo> commits{Commit(300, 1000), Commit(303, 1005)};
  commits[1].page_count = 99;
  commits[1].schema_changed = true;
  commits[1].state_hash = 0x99;
  Buffer bytes;
  EncodeCommitRun(commits, bytes);
  EXPECT_EQ(Hex(bytes), Golden("22 02 00 13"
                               "d804 06"  // LSNs
                               "d00f 0a"  // times
                               "06 00"    // epochs
                               "18 00"    // page sizes
                               "c801 01"  // page counts
                               "00 02"    // flags
                               "04 00"    // page versions
                               "78 00"    // bytes
                               "8877665544332211 9900000000000000"));
  const auto decoded = DecodeCommitRun(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, commits);
}

// Goal: the same of one of whose commits some have alarms.
TEST(CommitRunTest, GoldenBytesWithAlarms) {
  std::vector<CommitInfo> commits{Commit(300, 1000), Commit(303, 1005)};
  commits[1].alarm = Timestamp(std::chrono::milliseconds(300));
  Buffer bytes;
  EncodeCommitRun(commits, bytes);
  EXPECT_EQ(Hex(bytes), Golden("22 02 00 16"
                               "d804 06 d00f 0a 06 00 18 00 c801 00"
                               "00 04"  // flags
                               "04 00 78 00"
                               "00 d804"  // alarms
                               "8877665544332211 8877665544332211"));
  const auto decoded = DecodeCommitRun(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, commits);
  // Alarms where no commit says that it has one.
  Buffer wrong = bytes;
  wrong[18] = std::byte{2};  // flags of the second one
  EXPECT_FALSE(DecodeCommitRun(wrong).has_value());
}

// `count` of them, with the largest numbers among them.
std::vector<CommitInfo> RandomCommits(size_t count, std::mt19937_64& random) {
  std::vector<CommitInfo> commits;
  uint64_t lsn = 1 + random() % 1000;
  const bool with_alarms = random() % 2 == 0;
  int64_t time = -1'000'000;
  while (commits.size() < count) {
    CommitInfo commit = Commit(lsn, time);
    if (commits.empty() || random() % 3 == 0) {
      commit.epoch = static_cast<uint32_t>(random() >> random() % 64);
      commit.page_size = random() % 9 == 0 ? 0 : 512u << random() % 8;
      commit.page_count = static_cast<uint32_t>(random() >> random() % 64);
      commit.pages_changed = static_cast<uint32_t>(random() >> random() % 64);
    } else {
      commit.page_size = commits.back().page_size;
      commit.epoch = commits.back().epoch;
    }
    commit.state_hash = random();
    commit.log_bytes = random() >> random() % 64;
    commit.schema_changed = random() % 5 == 0;
    if (random() % 3 == 0 && with_alarms) {
      commit.alarm = RecordedAlarm(Timestamp(
          std::chrono::microseconds(static_cast<int64_t>(random() >> (1 + random() % 63)))));
    }
    commits.push_back(commit);
    lsn += 1 + (random() >> (8 + random() % 56)) % (format::kMaxLsn / 1024);
    time += static_cast<int64_t>(random() % 1'000'000) - 1000;
  }
  return commits;
}

// Goal: every commit comes back, with what == does not compare, too. Method: random ones.
TEST(CommitRunTest, EveryCommitComesBack) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 200; ++round) {
    const size_t count = round == 0 ? kMostCommitsInRun : 1 + random() % kMostCommitsInRun;
    const std::vector<CommitInfo> commits = RandomCommits(count, random);
    Buffer bytes;
    EncodeCommitRun(commits, bytes);
    const auto decoded = DecodeCommitRun(bytes);
    ASSERT_TRUE(decoded.has_value());
    ASSERT_EQ(*decoded, commits);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ((*decoded)[i].pages_changed, commits[i].pages_changed);
      ASSERT_EQ((*decoded)[i].log_bytes, commits[i].log_bytes);
    }
  }
}

// Goal: the same of a strip, read while it is made and afterwards.
TEST(CommitStripTest, EveryCommitComesBack) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 200; ++round) {
    const std::vector<CommitInfo> commits = RandomCommits(1 + random() % 700, random);
    CommitStrip strip;
    const size_t middle = random() % commits.size();
    for (size_t added = 0; added < commits.size(); ++added) {
      strip.Add(commits[added]);
      EXPECT_EQ(strip.last_lsn(), commits[added].lsn);
      if (added != middle && added + 1 != commits.size()) continue;
      CommitStrip::Cursor cursor(strip);
      CommitInfo read;
      for (size_t i = 0; i <= added; ++i) {
        ASSERT_TRUE(cursor.Next(&read));
        ASSERT_EQ(read, commits[i]);
        ASSERT_EQ(read.pages_changed, commits[i].pages_changed);
        ASSERT_EQ(read.log_bytes, commits[i].log_bytes);
      }
      EXPECT_FALSE(cursor.Next(&read));
    }
  }
  CommitStrip none;
  CommitInfo read;
  EXPECT_FALSE(CommitStrip::Cursor(none).Next(&read));
}

// Goal: what is no run is refused, and never leads outside. Method: cut at each byte; change bytes.
TEST(CommitRunTest, OthersAreRefused) {
  std::vector<CommitInfo> commits;
  for (int i = 0; i < 100; ++i) commits.push_back(Commit(10 + static_cast<uint64_t>(i), i));
  Buffer bytes;
  EncodeCommitRun(commits, bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(DecodeCommitRun(ConstBytes(bytes).first(size)).has_value()) << size;
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(DecodeCommitRun(bytes).has_value());
  bytes.pop_back();
  // What no database has for a page size.
  for (const uint32_t page_size : {2u, 256u, 131072u}) {
    commits.back().page_size = page_size;
    Buffer odd;
    EncodeCommitRun(commits, odd);
    EXPECT_FALSE(DecodeCommitRun(odd).has_value()) << page_size;
  }
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 20000; ++round) {
    Buffer changed = bytes;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      changed[random() % changed.size()] = static_cast<std::byte>(random());
    }
    const auto decoded = DecodeCommitRun(changed);
    if (!decoded) continue;
    for (size_t i = 1; i < decoded->size(); ++i) {
      ASSERT_LT((*decoded)[i - 1].lsn, (*decoded)[i].lsn);
    }
  }
}

}  // namespace
}  // namespace tidemark::internal
