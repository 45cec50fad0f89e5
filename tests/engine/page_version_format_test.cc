// Page versions, as engine/format.h gives them, pinned byte for byte; and what is not as it says is
// refused. The patches inside are in page_codec_test.cc; format_test.cc says where the hashes come
// from.

#include <gtest/gtest.h>

#include <string>

#include "engine/format.h"
#include "engine/internal/page_codec.h"
#include "engine/internal/record.h"
#include "tests/support/golden_bytes.h"

namespace tidemark::internal {
namespace {

using format::PageForm;
using testing::Golden;
using testing::GuardedBytes;
using testing::Hex;
using testing::Unhex;

// A page with every byte another than its neighbours.
Buffer TestPage() {
  Buffer page(512);
  for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(i * 7);
  return page;
}

// Refused at every prefix, without a look beyond it; bytes behind do not matter.
void ExpectExactlyOneVersion(const Buffer& bytes) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    const GuardedBytes cut(ConstBytes(bytes).first(size));
    EXPECT_FALSE(ParsePageVersion(cut.bytes()).has_value()) << size;
  }
  Buffer longer = bytes;
  longer.push_back(std::byte{0x77});
  const auto view = ParsePageVersion(longer);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->length, bytes.size());
}

// Goal: each form of a page version never changes its bytes, and decodes to its page. Method: one
// of each form. What zstd writes may change with its version, what it reads may not: there, a
// frame written down here is decoded.
TEST(PageVersionFormatTest, FullImages) {
  PageVersion version;
  Buffer zero;
  AppendPageVersion(PageNo(2), PageForm::kZero, ZeroPageHash(PageNo(2), 4096), nullptr, {}, zero,
                    version);
  EXPECT_EQ(Hex(zero), Golden("02 00 58d98974c384e2da 00"));  // page, form, hash, no data
  EXPECT_EQ(version.length, zero.size());
  EXPECT_EQ(version.depth, 0);
  ExpectExactlyOneVersion(zero);

  const Buffer page = TestPage();
  Buffer raw;
  AppendPageVersion(PageNo(300), PageForm::kRaw, PageHash(PageNo(300), page), nullptr, page, raw,
                    version);
  EXPECT_EQ(Hex(raw), Golden("ac02 01 83b8cecc0bca6c79 8004") + Hex(page));
  ExpectExactlyOneVersion(raw);
  EXPECT_EQ(Hex(ParsePageVersion(raw)->data), Hex(page));

  const Buffer same(512, std::byte{0xab});
  const Buffer zstd = Unhex("01 02 b07b6621df48efba 13 28b52ffd6000014d000010abab0100fb2ac002");
  ExpectExactlyOneVersion(zstd);
  const auto view = ParsePageVersion(zstd);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->form, PageForm::kZstd);
  Buffer decoded(512);
  ASSERT_TRUE(DecompressPage(view->data, decoded));
  EXPECT_EQ(decoded, same);
  EXPECT_EQ(PageHash(view->page, decoded), view->hash);

  Buffer frame;
  Buffer written;
  ASSERT_TRUE(CompressPage(same, frame));
  AppendPageVersion(PageNo(1), PageForm::kZstd, PageHash(PageNo(1), same), nullptr, frame, written,
                    version);
  EXPECT_EQ(Hex(written).substr(0, 20), Golden("01 02 b07b6621df48efba"));
  ExpectExactlyOneVersion(written);
}

TEST(PageVersionFormatTest, Ranges) {
  const Buffer page = TestPage();
  const Buffer patch = Unhex(
      "03 02 aabb"  // skip 3, replace 2
      "05 01 cc");  // skip 5, replace 1
  const PageVersion base{.lsn = Lsn(9),
                         .location = {3, 8300},
                         .length = 524,
                         .depth = 1,
                         .chain_units = 4,
                         .hash = PageHash(PageNo(300), page)};
  Buffer patched = page;
  ASSERT_TRUE(ApplyRanges(patch, patched));
  PageVersion version;
  Buffer bytes;
  AppendPageVersion(PageNo(300), PageForm::kRanges, PageHash(PageNo(300), patched), &base, patch,
                    bytes, version);
  EXPECT_EQ(Hex(bytes), Golden("ac02 03"           // page 300, ranges
                               "9d172ce1189016aa"  // hash of the patched page
                               "02 05"             // depth; 4 units and 1 begun
                               "09"                // base: LSN 9,
                               "03 ec40 8c04"      // segment 3, offset 8300, 524 bytes
                               "07"                // data_length
                               "03 02 aabb 05 01 cc"));
  EXPECT_EQ(version.depth, 2);
  EXPECT_EQ(version.chain_units, 5);
  ExpectExactlyOneVersion(bytes);
  const auto view = ParsePageVersion(bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->base_lsn, Lsn(9));
  EXPECT_EQ(view->base, base.location);
  EXPECT_EQ(view->base_length, 524u);
  EXPECT_EQ(view->chain_units, 5);

  PageVersion long_chain = base;
  long_chain.chain_units = 255;
  AppendPageVersion(PageNo(300), PageForm::kRanges, 0, &long_chain, patch, bytes, version);
  EXPECT_EQ(version.chain_units, 255);
}

TEST(PageVersionFormatTest, ZstdPatch) {
  Buffer base_page(512);
  for (size_t i = 0; i < base_page.size(); ++i) base_page[i] = static_cast<std::byte>(i * i >> 3);
  const PageVersion base{.lsn = Lsn(9),
                         .location = {3, 8300},
                         .length = 524,
                         .depth = 1,
                         .chain_units = 4,
                         .hash = PageHash(PageNo(300), base_page)};
  // The second half of the base, then its first half: two matches.
  Buffer moved = base_page;
  std::rotate(moved.begin(), moved.begin() + 256, moved.end());
  const Buffer frame = Unhex("28b52ffd600001 5d0000 000200fc8142817f805a40");
  Buffer decoded = base_page;
  ASSERT_TRUE(ApplyPatch(PageForm::kZstdPatch, frame, decoded));
  EXPECT_EQ(decoded, moved);
  PageVersion version;
  Buffer bytes;
  AppendPageVersion(PageNo(300), PageForm::kZstdPatch, PageHash(PageNo(300), moved), &base, frame,
                    bytes, version);
  EXPECT_EQ(Hex(bytes), Golden("ac02 04"           // page 300, zstd patch
                               "58366b9021844b63"  // hash of the patched page
                               "02 09"             // depth; 4 units, 1 begun, 4 for zstd
                               "09"                // base: LSN 9,
                               "03 ec40 8c04"      // segment 3, offset 8300, 524 bytes
                               "15") +
                            Hex(frame));
  EXPECT_EQ(version.chain_units, 9);
  ExpectExactlyOneVersion(bytes);
}

// Goal: what format.h does not allow in a page version is refused.
TEST(PageVersionFormatTest, OtherPageVersionsAreRefused) {
  const auto parses = [](const std::string& hex) {
    return ParsePageVersion(Unhex(hex)).has_value();
  };
  const std::string hash = "1122334455667788";
  EXPECT_TRUE(parses("02 00" + hash + "00"));
  EXPECT_FALSE(parses("00 00" + hash + "00"));          // page 0
  EXPECT_FALSE(parses("8200 00" + hash + "00"));        // page 2 in two bytes
  EXPECT_FALSE(parses("8080808010 00" + hash + "00"));  // a page beyond 32 bits
  EXPECT_FALSE(parses("02 00" + hash + "01 00"));       // zero, with data
  EXPECT_FALSE(parses("02 01" + hash + "ffffffffffffffffff01"));
  EXPECT_TRUE(parses("02 03" + hash + "7e 05 09 03 05 07 00"));
  EXPECT_TRUE(parses("02 03" + hash + "01 05 09 00 00 00 00"));   // on a block
  EXPECT_FALSE(parses("02 03" + hash + "7f 05 09 03 05 07 00"));  // depth 127
  EXPECT_FALSE(parses("02 03" + hash + "01 05 00 03 05 07 00"));  // a base without an LSN
  EXPECT_FALSE(parses("02 03" + hash + "00 05 09 03 05 07 00"));  // depth 0
  EXPECT_FALSE(parses("02 03" + hash + "01 05 09 03 05 00 00"));  // a base of no bytes
  EXPECT_TRUE(parses("02 04" + hash + "01 05 09 03 05 07 00"));
  EXPECT_FALSE(parses("02 04" + hash + "00 05 09 03 05 07 00"));  // a patch of depth 0
  for (unsigned form = 5; form < 256; ++form) {
    Buffer bytes = Unhex("02 03" + hash + "01 05 09 03 05 07 00");
    bytes[1] = static_cast<std::byte>(form);
    EXPECT_FALSE(ParsePageVersion(bytes).has_value()) << form;
  }
}

}  // namespace
}  // namespace tidemark::internal
