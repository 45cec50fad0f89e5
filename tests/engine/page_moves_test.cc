// Patches with moves: rows that moved inside their page.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

#include "engine/internal/coding.h"
#include "engine/internal/page_codec.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Random;
using testing::Scaled;
using testing::TestSeed;

size_t Below(Random& random, size_t bound) {
  return static_cast<size_t>(random.Below(static_cast<uint64_t>(bound)));
}

Buffer RandomPage(Random& random, size_t size) {
  Buffer page(size);
  for (std::byte& byte : page) byte = static_cast<std::byte>(random.Next());
  return page;
}

// Goal: the encoding is pinned. Method: bytes put between others of a small page.
TEST(PageMovesTest, GoldenPatch) {
  Random random(1);
  const Buffer base = RandomPage(random, 512);
  Buffer page = base;
  page.insert(page.begin() + 100, {base[100] ^ std::byte{1}, std::byte{0x55}});
  page.resize(512);
  Buffer patch{std::byte{0x77}};  // what stands in `out` stays
  ASSERT_TRUE(EncodeMoves(base, page, 100, patch));
  //            skip 100, 2 bytes, skip 0, 410 bytes from 2 bytes before
  Buffer expected{std::byte{0x77}, std::byte{100}, std::byte{4}, page[100], page[101]};
  for (const int byte : {0, 0xb5, 0x06, 5}) expected.push_back(static_cast<std::byte>(byte));
  EXPECT_EQ(patch, expected);
}

// Goal: base + patch is the page, for any two pages, and never longer than allowed. Method: pieces
// of random pages put elsewhere, taken out, put in, changed.
TEST(PageMovesTest, RoundTrip) {
  Random random(TestSeed());
  for (uint64_t round = 0; round < Scaled(3000); ++round) {
    const size_t size = size_t{512} << Below(random, 8);
    const Buffer base = RandomPage(random, size);
    Buffer page = base;
    for (size_t changes = Below(random, 6); changes > 0; --changes) {
      const size_t length = 1 + Below(random, std::min<size_t>(size / 2, 300));
      const auto from = static_cast<ptrdiff_t>(Below(random, size - length));
      const auto to = static_cast<ptrdiff_t>(Below(random, size - length));
      const auto end = from + static_cast<ptrdiff_t>(length);
      switch (random.Below(4)) {
        case 0: std::copy(base.begin() + from, base.begin() + end, page.begin() + to); break;
        case 1: page.erase(page.begin() + from, page.begin() + end); break;
        case 2: {
          const Buffer made = RandomPage(random, length);
          page.insert(page.begin() + to, made.begin(), made.end());
          break;
        }
        default: page[static_cast<size_t>(from)] ^= std::byte{9};
      }
      page.resize(size);
    }
    const size_t most = round % 7 == 0 ? Below(random, 40) : size;
    Buffer patch;
    if (!EncodeMoves(base, page, most, patch)) {
      ASSERT_TRUE(patch.empty());
      continue;
    }
    ASSERT_LE(patch.size(), most);
    Buffer read = base;
    ASSERT_TRUE(ApplyMoves(patch, read));
    ASSERT_TRUE(read == page) << round;
  }
}

// Goal: a row put between others of a page costs little more than itself. Method: what SQLite does:
// two bytes in the middle of the cell pointers, a cell where the free space ends.
TEST(PageMovesTest, ARowBetweenOthers) {
  Random random(TestSeed());
  Buffer base(4096);
  for (size_t at = 8; at < 600; ++at) base[at] = static_cast<std::byte>(random.Next());
  Buffer page = base;
  page.insert(page.begin() + 200, {std::byte{1}, std::byte{2}});
  page.erase(page.begin() + 2000, page.begin() + 2002);
  for (size_t at = 2000; at < 2010; ++at) page[at] = static_cast<std::byte>(random.Next() | 1);
  Buffer ranges;
  ASSERT_TRUE(EncodeRanges(base, page, 4096, ranges));
  Buffer moves;
  ASSERT_TRUE(EncodeMoves(base, page, 4096, moves));
  EXPECT_GT(ranges.size(), 350u);
  EXPECT_LT(moves.size(), 40u);
}

// Goal: what moved is found wherever it stands, however much is new before it. Method: new bytes
// between others, which move by any number of bytes; pages of the smallest and the largest size.
TEST(PageMovesTest, BehindWhatIsNew) {
  Random random(TestSeed());
  for (const size_t size : {size_t{512}, size_t{4096}, size_t{65536}}) {
    for (size_t added = 1; added < size / 4; added += 1 + added / 3) {
      const Buffer base = RandomPage(random, size);
      const Buffer made = RandomPage(random, added);
      Buffer page = base;
      page.insert(page.begin() + static_cast<ptrdiff_t>(size / 8), made.begin(), made.end());
      page.resize(size);
      Buffer patch;
      ASSERT_TRUE(EncodeMoves(base, page, size, patch));
      EXPECT_LE(patch.size(), added + 24 + 8 * size / 1024) << "of a page of " << size;
    }
  }
}

// Goal: bytes that somebody made up are refused or applied inside the page, never outside. Method:
// random patches and changed ones, under the sanitizers.
TEST(PageMovesTest, HostilePatches) {
  Random random(TestSeed());
  const Buffer base = RandomPage(random, 512);
  Buffer moved = base;
  std::rotate(moved.begin(), moved.begin() + 77, moved.end());
  Buffer patch;
  ASSERT_TRUE(EncodeMoves(base, moved, 512, patch));
  for (uint64_t round = 0; round < Scaled(50'000); ++round) {
    Buffer hostile = round % 2 == 0 ? patch : RandomPage(random, 1 + Below(random, 40));
    hostile[Below(random, hostile.size())] = static_cast<std::byte>(random.Next());
    Buffer page = base;
    (void)ApplyMoves(hostile, page);
    ASSERT_EQ(page.size(), base.size());
  }
  const auto refused = [&](std::initializer_list<int> bytes) {
    Buffer hostile;
    for (const int byte : bytes) hostile.push_back(static_cast<std::byte>(byte));
    Buffer page = base;
    return !ApplyMoves(hostile, page);
  };
  EXPECT_TRUE(refused({0, 0}));                 // no bytes
  EXPECT_TRUE(refused({0, 1, 0}));              // a copy of none
  EXPECT_TRUE(refused({0, 4, 1}));              // fewer bytes than it says
  EXPECT_TRUE(refused({4, 3, 11}));             // from before the page
  EXPECT_FALSE(refused({5, 3, 11}));            // from its begin
  EXPECT_TRUE(refused({0, 5, 0xfe, 0x07}));     // two bytes from the last one
  EXPECT_FALSE(refused({0, 3, 0xfe, 0x07}));    // one
  EXPECT_TRUE(refused({0xff, 0x03, 4, 1, 2}));  // beyond the end
  EXPECT_TRUE(refused({0x81, 0x04, 2, 1}));     // skips more than there is
}

}  // namespace
}  // namespace tidemark::internal
