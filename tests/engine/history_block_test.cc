// History blocks: what goes in comes out, whatever is asked for; what is no block is refused.

#include <gtest/gtest.h>

#include <random>

#include "engine/internal/coding.h"
#include "engine/internal/history_block.h"
#include "engine/internal/record.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Golden;
using testing::Hex;
using testing::TestSeed;

constexpr uint32_t kPageSize = 512;
constexpr PageNo kPage(7);

Buffer PageOf(uint8_t fill) { return Buffer(kPageSize, static_cast<std::byte>(fill)); }

// Goal: the bytes of a block never change by accident. Method: one with an image and a patch, and
// one that begins with a patch, against bytes written down here.
TEST(HistoryBlockTest, GoldenBytes) {
  Buffer page(kPageSize);
  std::mt19937 random(5);
  for (std::byte& b : page) b = static_cast<std::byte>(random());
  const std::string image = Hex(page);
  HistoryBlockBuilder builder;
  builder.Begin(kPage, kPageSize);
  ASSERT_TRUE(builder.Add(Lsn(300), page));
  page[3] ^= std::byte{1};
  ASSERT_TRUE(builder.Add(Lsn(302), page));
  Buffer bytes;
  PageVersion row;
  builder.End(bytes, row);
  const std::string hash = Hex(ConstBytes(bytes).subspan(3, 8));
  EXPECT_EQ(Hex(bytes), Golden("07 9004" + hash +  // page, length, hash of what follows
                               "02 ac02 00 00 09"  // two versions from LSN 300 on, no base, 512
                               "8140"              // an image of 512 bytes
                               "02 ca3f"           // two LSNs on, a patch of 3 bytes, 509 less
                               "00 00" +           // no dictionary, not compressed
                               image +             //
                               "0301" +
                               Hex(ConstBytes(page).subspan(3, 1))));
  EXPECT_EQ(row.lsn, Lsn(300));
  EXPECT_EQ(row.length, bytes.size());
  EXPECT_TRUE(row.is_block());
  EXPECT_EQ(row.chain_units, 0);

  Buffer on_base;
  const Buffer base = page;
  page[9] = std::byte{0x55};
  builder.BeginOn(kPage, Lsn(302), base, 2);
  ASSERT_TRUE(builder.Add(Lsn(310), page));
  builder.End(on_base, row);
  EXPECT_EQ(Hex(on_base), Golden("07 0d" + Hex(ConstBytes(on_base).subspan(2, 8)) +
                                 "01 b602 ae02 02 09"  // from LSN 310 on, on LSN 302, two blocks
                                 "32 00 00 090155"));
  EXPECT_EQ(row.chain_units, 2);
  const auto head = ParseHistoryBlockHead(on_base);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->page, kPage);
  EXPECT_EQ(head->page_size, kPageSize);
  EXPECT_EQ(head->row, row);
}

// Goal: every version of a page comes back from whatever block it went into. Method: random changes
// of pages of all sizes, small, large, all zeros, unchanged; read at every LSN and in between.
TEST(HistoryBlockTest, EveryVersionComesBack) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 60; ++round) {
    const uint32_t page_size = 512u << random() % 8;
    Buffer page(page_size);
    if (round % 3 != 0) {
      for (std::byte& b : page) b = static_cast<std::byte>(random() % (round % 2 ? 256 : 4));
    }
    struct Made {
      Lsn lsn;
      Buffer image;
    };
    HistoryBlockBuilder builder;
    const Buffer base = page;
    const bool on_base = round % 4 == 1;
    if (on_base) {
      builder.BeginOn(kPage, Lsn(9), base, 1);
    } else {
      builder.Begin(kPage, page_size);
    }
    std::vector<Made> made;
    for (uint64_t lsn = 10; made.size() < 700; lsn += 1 + random() % 3) {
      const uint64_t what = random() % 40;
      if (what == 0) {
        for (std::byte& b : page) b = static_cast<std::byte>(random());
      } else if (what == 1) {
        std::fill(page.begin(), page.end(), std::byte{0});
      } else if (what < 38) {
        for (uint64_t n = random() % 100, at = random() % page_size; n > 0; --n) {
          page[(at + n) % page_size] = static_cast<std::byte>(random());
        }
      }
      if (!builder.Add(Lsn(lsn), page)) break;
      made.push_back({Lsn(lsn), page});
    }
    ASSERT_FALSE(made.empty());
    Buffer bytes{std::byte{1}};  // it stands behind something
    PageVersion row;
    builder.End(bytes, row);
    ASSERT_EQ(row.location.offset, 1u);
    ASSERT_LT(row.length, 1u << 17);
    const ConstBytes block_bytes = ConstBytes(bytes).subspan(1);
    HistoryBlock block;
    ASSERT_TRUE(block.Parse(kPage, block_bytes, row.hash));
    ASSERT_FALSE(block.dictionary().has_value());
    ASSERT_TRUE(block.Decompress(nullptr));
    ASSERT_EQ(block.versions().size(), made.size());
    ASSERT_EQ(block.page_size(), page_size);
    EXPECT_EQ(block.CountUpTo(Lsn(9)), 0u);
    EXPECT_EQ(block.CountUpTo(Lsn(UINT64_MAX)), made.size());
    Buffer read = base;
    for (size_t i = 0; i < made.size(); ++i) {
      ASSERT_EQ(block.versions()[i].lsn, made[i].lsn);
      ASSERT_EQ(block.CountUpTo(made[i].lsn), i + 1);
      ASSERT_TRUE(block.Apply(i, read));
      ASSERT_TRUE(read == made[i].image) << i;
    }
    EXPECT_EQ(block.base_lsn().valid(), block.IsPatch(0));
  }
}

// Goal: damage is never taken for a block, nor a block of another page, nor one that the index does
// not mean. Method: flip each bit; cut at each byte; ask otherwise.
TEST(HistoryBlockTest, DamageIsSeen) {
  HistoryBlockBuilder builder;
  builder.Begin(kPage, kPageSize);
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(builder.Add(Lsn(1 + i), PageOf(i)));
  Buffer bytes;
  PageVersion row;
  builder.End(bytes, row);
  HistoryBlock block;
  ASSERT_TRUE(block.Parse(kPage, bytes, row.hash));
  EXPECT_FALSE(block.Parse(PageNo(8), bytes, row.hash));
  EXPECT_FALSE(block.Parse(kPage, bytes, row.hash + 1));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Buffer damaged = bytes;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    ASSERT_FALSE(block.Parse(kPage, damaged, row.hash)) << bit;
    ASSERT_FALSE(block.Parse(kPage, damaged, std::nullopt)) << bit;
    (void)ParseHistoryBlockHead(damaged);
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(block.Parse(kPage, ConstBytes(bytes).first(size), std::nullopt)) << size;
    (void)ParseHistoryBlockHead(ConstBytes(bytes).first(size));
  }
}

// Goal: bytes that somebody made up, with a hash that fits, never lead outside. Method: random
// bodies behind a true hash, and true bodies with bytes changed, under the sanitizers.
TEST(HistoryBlockTest, HostileBytes) {
  std::mt19937_64 random(TestSeed());
  HistoryBlockBuilder builder;
  builder.Begin(kPage, kPageSize);
  for (uint8_t i = 0; i < 9; ++i) ASSERT_TRUE(builder.Add(Lsn(1 + i), PageOf(i)));
  Buffer whole;
  PageVersion row;
  builder.End(whole, row);
  const size_t body_at = whole.size() - ParseHistoryBlockHead(whole)->row.length + 2 + 8;
  HistoryBlock block;
  Buffer page(kPageSize);
  for (int round = 0; round < 20000; ++round) {
    Buffer bytes = whole;
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      bytes[body_at + random() % (bytes.size() - body_at)] = static_cast<std::byte>(random());
    }
    Buffer hash;
    const uint64_t value = SeededHash(ConstBytes(bytes).subspan(body_at), kPage.value);
    AppendFixed(hash, value);
    std::copy(hash.begin(), hash.end(), bytes.begin() + static_cast<ptrdiff_t>(body_at) - 8);
    if (!block.Parse(kPage, bytes, std::nullopt) || block.dictionary()) continue;
    if (!block.Decompress(nullptr)) continue;
    page.resize(block.page_size());
    for (size_t i = 0; i < block.versions().size(); ++i) (void)block.Apply(i, page);
  }
}

}  // namespace
}  // namespace tidemark::internal
