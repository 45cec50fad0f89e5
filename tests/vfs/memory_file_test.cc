// Private files in memory: they hold what a plain array of bytes would, and journals are watched.

#include "vfs/internal/memory_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/test_seed.h"
#include "vfs/internal/page_one.h"

namespace tidemark::internal {
namespace {

using ::tidemark::testing::Random;
using ::tidemark::testing::Scaled;
using ::tidemark::testing::TestSeed;

// Goal: reads give what was written, around the border between memory and the temporary file too;
// gaps and what was cut off read as zeros. Method: random work beside a plain array.
TEST(MemoryFileTest, EqualsAnArray) {
  Random random(TestSeed());
  constexpr int64_t kBorder = MemoryFile::kMemoryLimit;
  for (uint64_t round = 0; round < Scaled(20); ++round) {
    MemoryFile file;
    std::vector<char> model;
    for (int step = 0; step < 60; ++step) {
      const int64_t near = random.OneIn(2) ? 0 : kBorder - 5000;
      const auto offset = near + static_cast<int64_t>(random.Below(10000));
      const int amount = static_cast<int>(random.Between(1, 6000));
      const auto begin = static_cast<size_t>(offset);
      const size_t end = begin + static_cast<size_t>(amount);
      switch (random.Below(5)) {
        case 0: {
          ASSERT_EQ(file.Truncate(offset), SQLITE_OK);
          model.resize(std::min(model.size(), begin));
          break;
        }
        case 1:
        case 2: {
          std::vector<char> data(static_cast<size_t>(amount));
          for (char& byte : data) byte = static_cast<char>(random.Next());
          ASSERT_EQ(file.Write(data.data(), amount, offset), SQLITE_OK);
          model.resize(std::max(model.size(), end));
          std::copy(data.begin(), data.end(), model.begin() + offset);
          break;
        }
        default: {
          std::vector<char> expected(static_cast<size_t>(amount));
          for (size_t i = begin; i < std::min(end, model.size()); ++i)
            expected[i - begin] = model[i];
          std::vector<char> data(static_cast<size_t>(amount), 'x');
          const int code = file.Read(data.data(), amount, offset);
          ASSERT_EQ(code, end <= model.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
          ASSERT_EQ(data, expected) << "round " << round << " step " << step;
        }
      }
      ASSERT_EQ(file.size(), static_cast<int64_t>(model.size()));
    }
  }
}

class JournalTest : public ::testing::Test {
 protected:
  static constexpr int kPageSize = 1024;

  void Begin() {
    const std::string header(512, 'h');
    ASSERT_EQ(journal_.Write(header.data(), 512, 0), SQLITE_OK);
    end_ = 512;
  }
  // A record as SQLite writes one.
  void Record(uint32_t page_no, char fill) {
    std::byte number[4];
    StoreBigEndian32(number, page_no);
    const std::string page(kPageSize, fill);
    ASSERT_EQ(journal_.Write(number, 4, end_), SQLITE_OK);
    ASSERT_EQ(journal_.Write(page.data(), kPageSize, end_ + 4), SQLITE_OK);
    ASSERT_EQ(journal_.Write("sum.", 4, end_ + 4 + kPageSize), SQLITE_OK);
    end_ += kPageSize + 8;
  }
  std::string Before(uint32_t page_no) {
    const auto page = journal_.PageBefore(PageNo(page_no), kPageSize);
    return page.empty() ? "none" : std::string(1, static_cast<char>(page[0]));
  }

  JournalFile journal_;
  int64_t end_ = 0;
};

// Goal: the journal gives back the pages that were recorded since its header was written, and no
// others. Method: records out of order, then a new journal over the old one.
TEST_F(JournalTest, RemembersPages) {
  Begin();
  Record(9, 'a');
  Record(3, 'b');
  EXPECT_EQ(Before(9) + Before(3) + Before(4), "abnone");
  Record(1, 'c');
  EXPECT_EQ(Before(1) + Before(3), "cb");
  EXPECT_TRUE(journal_.PageBefore(PageNo(9), 512).empty()) << "another page size";
  Begin();
  EXPECT_EQ(Before(9), "none");
  EXPECT_EQ(journal_.size(), 512) << "the old journal's rest is gone";
  Record(9, 'd');
  EXPECT_EQ(Before(9), "d");
  ASSERT_EQ(journal_.Truncate(0), SQLITE_OK);
  EXPECT_EQ(Before(9), "none");
}

// Goal: a rollback is noticed when it begins and over when the journal is finalised, whichever way.
// Method: the reads that SQLite makes for it, and those it makes otherwise.
TEST_F(JournalTest, NoticesRollbacks) {
  char buffer[16];
  Begin();
  Record(1, 'a');
  journal_.Read(buffer, 1, 0);    // is there a journal?
  journal_.Read(buffer, 4, 512);  // a savepoint's record
  EXPECT_FALSE(journal_.rolling_back());
  journal_.Read(buffer, 4, 8);
  EXPECT_TRUE(journal_.rolling_back());
  ASSERT_EQ(journal_.Write(std::string(28, '\0').data(), 28, 0), SQLITE_OK);
  EXPECT_FALSE(journal_.rolling_back());
  Begin();
  journal_.Read(buffer, 4, 8);
  ASSERT_EQ(journal_.Truncate(0), SQLITE_OK);
  EXPECT_FALSE(journal_.rolling_back());
}

// Goal: the name of a super-journal, written as SQLite writes it, is not found again, and the pages
// before it are. Method: SQLite's layout of it, then the reads SQLite makes to find it.
TEST_F(JournalTest, HidesTheSuperJournal) {
  Begin();
  Record(5, 'a');
  const std::string tail =
      std::string("PGNOsuper-name") + std::string("\0\0\0\x0asum.magic..!", 16);
  ASSERT_EQ(journal_.Write(tail.data(), static_cast<int>(tail.size()), end_), SQLITE_OK);
  char length[4] = {'x', 'x', 'x', 'x'};
  ASSERT_EQ(journal_.Read(length, 4, journal_.size() - 16), SQLITE_OK);
  EXPECT_EQ(std::string(length, 4), std::string(4, '\0'));
  EXPECT_EQ(Before(5), "a");
}

}  // namespace
}  // namespace tidemark::internal
