// Pages in the order of their slots: every page comes back, and what is none is refused.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/internal/slotted_page.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Golden;
using testing::Hex;
using testing::TestSeed;

void Put16(Buffer& page, size_t at, size_t value) {
  page[at] = static_cast<std::byte>(value >> 8);
  page[at + 1] = static_cast<std::byte>(value);
}

// An index's leaf: cells of `length(i)` bytes, put in at random places in the order of the slots.
template <typename Length>
Buffer IndexPage(size_t page_size, size_t slots, std::mt19937_64& random, const Length& length) {
  Buffer page(page_size);
  page[0] = std::byte{10};
  Put16(page, 3, slots);
  std::vector<size_t> order(slots);
  for (size_t i = 0; i < slots; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  size_t at = page_size;
  for (const size_t slot : order) {
    at -= length(slot);
    for (size_t i = 0; i < length(slot); ++i) {
      page[at + i] = static_cast<std::byte>(i < 4 ? slot >> 4 : random());
    }
    Put16(page, 8 + 2 * slot, at);
  }
  Put16(page, 5, at);
  return page;
}

// Goal: the bytes never change by accident. Method: a page with cells of two lengths against bytes
// written down here.
TEST(SlottedPageTest, GoldenBytes) {
  Buffer page(512);
  page[0] = std::byte{10};
  Put16(page, 3, 8);
  for (size_t slot = 0; slot < 8; ++slot) {
    const size_t at = slot < 7 ? 512 - 2 * (slot + 1) : 400;
    Put16(page, 8 + 2 * slot, at);
    page[at] = static_cast<std::byte>(0x10 + slot);
    page[at + 1] = static_cast<std::byte>(0x20 + 3 * slot);
  }
  page[30] = std::byte{0x99};
  Buffer out;
  ASSERT_TRUE(EncodeSlots(page, out));
  ASSERT_EQ(out.size(), page.size());
  EXPECT_EQ(Hex(ConstBytes(out).first(31)),
            Golden("0a0000 0008 0000 00"  // the header
                   "01ffffffffffffff"     // high bytes of the places' differences
                   "fefefefefefefe"
                   "9e"                  // low bytes
                   "000000000000 99"));  // free
  EXPECT_EQ(Hex(ConstBytes(out).subspan(400, 14)),
            Golden("10010101010101"     // seven cells of two bytes: the first of each
                   "20030303030303"));  // the second
  EXPECT_EQ(Hex(ConstBytes(out).subspan(414, 3)), Golden("17 35 00"));  // the last one, 98 bytes
  Buffer back(page.size());
  ASSERT_TRUE(DecodeSlots(out, back));
  EXPECT_EQ(back, page);
}

// Goal: every page that is taken comes back, and compresses better where cells are small and alike.
// Method: pages of all sizes with cells of one length, of many, with gaps; and ones that look
// almost so.
TEST(SlottedPageTest, EveryPageComesBack) {
  std::mt19937_64 random(TestSeed());
  int taken = 0;
  for (int round = 0; round < 400; ++round) {
    const size_t page_size = size_t{512} << random() % 8;
    const size_t most = std::min<size_t>((page_size - 12) / 14, 4000);
    const size_t slots = 1 + random() % most;
    const uint64_t spread = 1 + random() % 4;
    Buffer page =
        IndexPage(page_size, slots, random, [&](size_t slot) { return 8 + slot * 7 % spread; });
    // Cells freed in the middle, two in one place, one in the slots, a wrong count.
    const uint64_t flaw = random() % 8;
    if (flaw == 1) Put16(page, 3, slots - slots / 9);
    if (flaw == 2) Put16(page, 8, random() % page_size);
    if (flaw == 3) page[random() % page_size] = static_cast<std::byte>(random());
    if (flaw == 4) page[0] = static_cast<std::byte>(random() % 16);
    Buffer out{std::byte{7}};
    if (!EncodeSlots(page, out)) {
      ASSERT_EQ(out.size(), 1u);
      ASSERT_TRUE(flaw != 0 || slots * 64 < page_size);
      continue;
    }
    ++taken;
    ASSERT_EQ(out.size(), 1 + page_size);
    Buffer back(page_size);
    ASSERT_TRUE(DecodeSlots(ConstBytes(out).subspan(1), back));
    ASSERT_TRUE(back == page) << round;
  }
  EXPECT_GT(taken, 100);

  const Buffer page = IndexPage(4096, 300, random, [](size_t) { return size_t{10}; });
  Buffer slots;
  Buffer compressed;
  Buffer compressed_slots;
  ASSERT_TRUE(EncodeSlots(page, slots));
  ASSERT_TRUE(CompressPage(page, compressed));
  ASSERT_TRUE(CompressPage(slots, compressed_slots));
  EXPECT_LT(compressed_slots.size() * 10, compressed.size() * 9);
}

// Goal: whatever bytes are given, nothing outside is touched, and what is taken is a page. Method:
// encoded pages with bytes changed, and random ones, under the sanitizers; what decodes encodes to
// the same bytes, so that no two byte strings are one page.
TEST(SlottedPageTest, HostileBytes) {
  std::mt19937_64 random(TestSeed());
  const Buffer page = IndexPage(512, 30, random, [](size_t slot) { return 8 + slot % 2; });
  Buffer whole;
  ASSERT_TRUE(EncodeSlots(page, whole));
  int decoded = 0;
  for (int round = 0; round < 20000; ++round) {
    Buffer bytes = whole;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      bytes[random() % (random() % 2 == 0 ? 80 : 512)] = static_cast<std::byte>(random());
    }
    if (round % 16 == 0) {
      for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    }
    Buffer out(512);
    if (!DecodeSlots(bytes, out)) continue;
    ++decoded;
    Buffer again;
    ASSERT_TRUE(EncodeSlots(out, again));
    ASSERT_TRUE(again == bytes) << round;
  }
  EXPECT_GT(decoded, 1000);
  Buffer small(100);
  EXPECT_FALSE(DecodeSlots(whole, small));
  EXPECT_FALSE(DecodeSlots({}, {}));
}

}  // namespace
}  // namespace tidemark::internal
