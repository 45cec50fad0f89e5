#include "engine/internal/page_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "engine/internal/coding.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Random;
using testing::TestSeed;

Buffer RandomPage(Random& random, size_t size) {
  Buffer page(size);
  for (std::byte& byte : page) byte = static_cast<std::byte>(random.Next());
  return page;
}

Buffer BytesOf(std::initializer_list<int> values) {
  Buffer bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// Goal: the encoding is pinned. Method: two changes at known places of a small page.
TEST(PageCodecTest, GoldenPatch) {
  Buffer base(512);
  Buffer page = base;
  page[3] = std::byte{0xaa};
  page[5] = std::byte{0xbb};  // one equal byte between: one range
  page[300] = std::byte{0xcc};
  Buffer patch = BytesOf({0x77});  // what stands in `out` stays
  ASSERT_TRUE(EncodeRanges(base, page, 100, patch));
  //                                      skip 3, 3 bytes      skip 294 (0xa6 0x02), 1 byte
  EXPECT_EQ(patch, BytesOf({0x77, 3, 3, 0xaa, 0, 0xbb, 0xa6, 0x02, 1, 0xcc}));
}

// Goal: the hash is pinned, depends on every byte, and on the page's number.
TEST(PageCodecTest, GoldenHash) {
  Buffer page(512);
  EXPECT_EQ(PageHash(PageNo(1), page), ZeroPageHash(PageNo(1), 512));
  EXPECT_EQ(PageHash(PageNo(1), page), 0x8a3b11577f6f69db);
  for (size_t i = 0; i < page.size(); ++i) {
    page[i] = std::byte{1};
    EXPECT_NE(PageHash(PageNo(1), page), ZeroPageHash(PageNo(1), 512));
    page[i] = std::byte{0};
  }
  EXPECT_NE(ZeroPageHash(PageNo(1), 512), ZeroPageHash(PageNo(2), 512));
  EXPECT_NE(ZeroPageHash(PageNo(1), 512), ZeroPageHash(PageNo(1), 1024));
  EXPECT_EQ(ZeroPageHash(PageNo(9), 65536), PageHash(PageNo(9), Buffer(65536)));
}

// Goal: base + patch is the page, for any two pages, and never longer than allowed. Method: random
// pages of every size, changed in clusters, in runs, at the borders, wholly, not at all.
TEST(PageCodecTest, PatchRoundTrip) {
  Random random(TestSeed());
  for (int i = 0; i < 20000; ++i) {
    const size_t size = size_t{512} << random.Below(i % 100 == 0 ? 8 : 4);
    const Buffer base = RandomPage(random, size);
    Buffer page = base;
    const uint64_t changes = random.Below(8);
    for (uint64_t c = 0; c < changes; ++c) {
      const size_t at = random.OneIn(4) ? 0 : random.Below(size);
      const size_t length = std::min<size_t>(random.OneIn(3) ? 1 : random.Below(200), size - at);
      for (size_t k = 0; k < length; ++k) {
        // Often unchanged bytes inside the run, so that ranges of every gap meet.
        if (!random.OneIn(5)) page[at + k] = static_cast<std::byte>(random.Next());
      }
    }
    if (random.OneIn(10)) page.back() ^= std::byte{1};
    const size_t max_bytes = random.OneIn(2) ? size : random.Below(400);
    Buffer out = BytesOf({1, 2, 3});
    const bool encoded = EncodeRanges(base, page, max_bytes, out);
    ASSERT_TRUE(std::equal(out.begin(), out.begin() + 3, BytesOf({1, 2, 3}).begin()));
    if (!encoded) {
      EXPECT_EQ(out.size(), 3u);
      EXPECT_NE(base, page);
      continue;
    }
    EXPECT_LE(out.size() - 3, max_bytes);
    EXPECT_EQ(out.size() == 3, base == page);
    Buffer result = base;
    ASSERT_TRUE(ApplyRanges(ConstBytes(out).subspan(3), result));
    ASSERT_EQ(result, page) << "round " << i;
  }
}

// Goal: a change of one value costs little more than the value. Method: 100 random bytes in a page;
// the budget is what DESIGN promises: no full image, a handful of bytes of overhead.
TEST(PageCodecTest, PatchesAreSmall) {
  Random random(TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const Buffer base = RandomPage(random, 4096);
    Buffer page = base;
    const Buffer value = RandomPage(random, 100);
    std::copy(value.begin(), value.end(),
              page.begin() + static_cast<ptrdiff_t>(random.Below(3996)));
    Buffer out;
    ASSERT_TRUE(EncodeRanges(base, page, 1400, out));
    EXPECT_LE(out.size(), 104u);
  }
}

// Goal: bad bytes are refused, never followed out of the page. Method: each rule broken once.
TEST(PageCodecTest, MalformedPatches) {
  const auto apply = [](const Buffer& patch) {
    Buffer page(512);
    return ApplyRanges(patch, page);
  };
  EXPECT_TRUE(apply({}));
  EXPECT_TRUE(apply(BytesOf({0, 1, 7})));
  Buffer to_the_end = BytesOf({0xff, 0x03, 1, 7});  // skip 511, 1 byte
  EXPECT_TRUE(apply(to_the_end));
  to_the_end[0] = std::byte{0x80};
  to_the_end[1] = std::byte{0x04};  // skip 512
  EXPECT_FALSE(apply(to_the_end));
  EXPECT_FALSE(apply(BytesOf({0})));              // no length
  EXPECT_FALSE(apply(BytesOf({0, 2, 7})));        // a byte short
  EXPECT_FALSE(apply(BytesOf({0, 0})));           // an empty range
  EXPECT_FALSE(apply(BytesOf({0x80, 0, 1, 7})));  // not the shortest varint
  EXPECT_FALSE(apply(BytesOf({0x81})));           // a varint cut short
  // skip and length near 2^64: their sums overflow.
  for (const uint64_t huge : {UINT64_MAX, UINT64_MAX - 511, uint64_t{1} << 63}) {
    Buffer patch;
    AppendVarint(patch, huge);
    AppendVarint(patch, 1);
    patch.push_back(std::byte{7});
    EXPECT_FALSE(apply(patch));
    patch.clear();
    AppendVarint(patch, 1);
    AppendVarint(patch, huge);
    patch.push_back(std::byte{7});
    EXPECT_FALSE(apply(patch));
  }
}

// Goal: whatever the bytes, nothing outside the page is touched. Method: random and mutated patches
// on a page of exactly its size on the heap; address sanitizer watches, guards catch it without.
TEST(PageCodecTest, HostilePatches) {
  Random random(TestSeed());
  for (int i = 0; i < 50000; ++i) {
    Buffer patch;
    if (random.OneIn(2)) {
      const Buffer base = RandomPage(random, 512);
      Buffer page = base;
      for (int k = 0; k < 20; ++k) page[random.Below(512)] ^= std::byte{0x55};
      ASSERT_TRUE(EncodeRanges(base, page, 512, patch));
      patch[random.Below(patch.size())] = static_cast<std::byte>(random.Next());
      patch.resize(random.Below(patch.size()) + 1);
    } else {
      patch = RandomPage(random, random.Below(40));
    }
    Buffer guarded(512 + 16, std::byte{0x5a});
    (void)ApplyRanges(patch, Bytes(guarded).subspan(8, 512));
    for (size_t g = 0; g < 8; ++g) {
      ASSERT_EQ(guarded[g], std::byte{0x5a});
      ASSERT_EQ(guarded[520 + g], std::byte{0x5a});
    }
  }
}

// Goal: a page that compresses comes back; one that does not is left alone.
TEST(PageCodecTest, CompressionRoundTrip) {
  Random random(TestSeed());
  constexpr std::string_view kText = "insert into room values (lobby, visitors, 42); ";
  for (size_t size = 512; size <= 65536; size *= 2) {
    Buffer page(size);
    for (size_t i = 0; i < size; ++i) {
      page[i] = static_cast<std::byte>(
          random.OneIn(50) ? random.Next() & 0xff : static_cast<uint64_t>(kText[i % kText.size()]));
    }
    Buffer out = BytesOf({9});
    ASSERT_TRUE(CompressPage(page, out));
    EXPECT_LE(out.size() - 1, size - size / 8);
    Buffer result(size);
    ASSERT_TRUE(DecompressPage(ConstBytes(out).subspan(1), result));
    EXPECT_EQ(result, page);

    Buffer untouched = BytesOf({9});
    EXPECT_FALSE(CompressPage(RandomPage(random, size), untouched));
    EXPECT_EQ(untouched, BytesOf({9}));
  }
}

// Goal: what is not exactly one frame of exactly one page is refused. Method: wrong sizes, two
// frames, a cut, an appended byte, and random damage, which may decode (the page's hash finds that)
// but never harms.
TEST(PageCodecTest, MalformedFrames) {
  Random random(TestSeed());
  const Buffer page(4096, std::byte{'x'});
  Buffer frame;
  ASSERT_TRUE(CompressPage(page, frame));
  Buffer out(4096);
  EXPECT_TRUE(DecompressPage(frame, out));
  Buffer half(2048);
  EXPECT_FALSE(DecompressPage(frame, half));
  Buffer twice(8192);
  EXPECT_FALSE(DecompressPage(frame, twice));
  Buffer two = frame;
  two.insert(two.end(), frame.begin(), frame.end());
  EXPECT_FALSE(DecompressPage(two, out));
  EXPECT_FALSE(DecompressPage(two, twice));
  Buffer longer = frame;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(DecompressPage(longer, out));
  EXPECT_FALSE(DecompressPage({}, out));
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(DecompressPage(ConstBytes(frame).first(size), out));
  }
  for (int i = 0; i < 20000; ++i) {
    Buffer damaged = frame;
    damaged[random.Below(damaged.size())] ^= static_cast<std::byte>(1 << random.Below(8));
    if (!DecompressPage(damaged, out)) std::fill(out.begin(), out.end(), std::byte{0});
  }
}

// A page whose rows moved by `distance`, as when one before them grew.
Buffer Moved(const Buffer& page, size_t distance) {
  Buffer moved = page;
  std::rotate(moved.begin() + 100, moved.end() - static_cast<ptrdiff_t>(distance), moved.end());
  return moved;
}

// Goal: rows that moved cost little, and come back exactly, whatever the page's size. Method:
// incompressible pages, of which byte ranges would take all.
TEST(PageCodecTest, ZstdPatchRoundTrip) {
  Random random(TestSeed());
  for (size_t size = 512; size <= 65536; size *= 2) {
    for (int i = 0; i < 100; ++i) {
      const Buffer base = RandomPage(random, size);
      Buffer page = Moved(base, 1 + random.Below(64));
      page[random.Below(size)] ^= std::byte{1};
      Buffer ranges;
      EXPECT_FALSE(EncodeRanges(base, page, size / 3, ranges));
      Buffer patch = BytesOf({7});
      ASSERT_TRUE(CompressPatch(base, page, size / 3, patch)) << "size " << size;
      EXPECT_EQ(patch[0], std::byte{7});
      const ConstBytes frame = ConstBytes(patch).subspan(1);
      EXPECT_LE(frame.size(), size / 3);
      if (size == 4096) {
        EXPECT_LE(frame.size(), 200u);
      }
      Buffer result = base;
      ASSERT_TRUE(ApplyPatch(format::PageForm::kZstdPatch, frame, result));
      ASSERT_EQ(result, page);
    }
    Buffer untouched = BytesOf({7});
    EXPECT_FALSE(
        CompressPatch(RandomPage(random, size), RandomPage(random, size), size / 3, untouched));
    EXPECT_EQ(untouched, BytesOf({7}));
  }
}

// Goal: a base that zstd would take for a dictionary of its own making is neither patched nor
// decoded by it: what it makes of one depends on the library's version.
TEST(PageCodecTest, ABaseThatLooksLikeADictionary) {
  Random random(TestSeed());
  Buffer base = RandomPage(random, 4096);
  const Buffer page = Moved(base, 8);
  Buffer patch;
  ASSERT_TRUE(CompressPatch(base, page, 1365, patch));
  StoreFixed(base.data(), uint32_t{0xec30a437});
  Buffer out(4096);
  EXPECT_FALSE(DecompressPatch(patch, base, out));
  Buffer none;
  EXPECT_FALSE(CompressPatch(base, page, 1365, none));
  EXPECT_TRUE(none.empty());
}

// Goal: damaged zstd patches, and patches on the wrong base, are refused or decode to a page that
// its hash tells apart, and touch nothing else.
TEST(PageCodecTest, HostileZstdPatches) {
  Random random(TestSeed());
  const Buffer base = RandomPage(random, 4096);
  const Buffer page = Moved(base, 20);
  Buffer patch;
  ASSERT_TRUE(CompressPatch(base, page, 1365, patch));
  Buffer out(4096);
  for (size_t size = 0; size < patch.size(); ++size) {
    EXPECT_FALSE(DecompressPatch(ConstBytes(patch).first(size), base, out));
  }
  Buffer longer = patch;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(DecompressPatch(longer, base, out));
  EXPECT_FALSE(DecompressPatch(patch, ConstBytes(base).first(100), Bytes(out).first(2048)));
  for (int i = 0; i < 20000; ++i) {
    Buffer damaged = patch;
    damaged[random.Below(damaged.size())] ^= static_cast<std::byte>(1 << random.Below(8));
    Buffer guarded(4096 + 16, std::byte{0x5a});
    if (DecompressPatch(damaged, base, Bytes(guarded).subspan(8, 4096)) &&
        !std::equal(page.begin(), page.end(), guarded.begin() + 8)) {
      EXPECT_NE(PageHash(PageNo(1), Bytes(guarded).subspan(8, 4096)), PageHash(PageNo(1), page));
    }
    for (size_t g = 0; g < 8; ++g) {
      ASSERT_EQ(guarded[g], std::byte{0x5a});
      ASSERT_EQ(guarded[4104 + g], std::byte{0x5a});
    }
  }
  Buffer other = RandomPage(random, 4096);
  EXPECT_FALSE(DecompressPatch(patch, other, out) && out == page);
}

}  // namespace
}  // namespace tidemark::internal
