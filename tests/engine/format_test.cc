// Segment headers and groups, as engine/format.h gives them, pinned byte for byte: what is written
// today must be readable for ever. Hashes too: these were computed with xxHash itself, from bytes
// put together by hand, and not by the functions under test.

#include "engine/format.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "engine/internal/group.h"
#include "engine/internal/record.h"
#include "engine/internal/segments.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/status_matchers.h"

namespace tidemark::internal {
namespace {

using testing::Golden;
using testing::GuardedBytes;
using testing::Hex;

constexpr uint64_t kIncarnation = 0x1122334455667788;
constexpr uint64_t kStateHash = 0x8877665544332211;

// 2023-11-14 22:13:20 UTC and a little more.
Timestamp At(int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(1'700'000'000'000'000 + microseconds));
}

template <typename Encode, typename Fields>
Buffer Encoded(Encode encode, const Fields& fields) {
  Buffer out;
  encode(fields, out);
  return out;
}

// Goal: a segment's header, its places and its name never change. Method: one with another value
// in each field; then damage each byte in each way.
TEST(FormatTest, SegmentHeader) {
  const format::SegmentHeader header =
      MakeSegmentHeader(3, 0x0123456789abcdef, kIncarnation, Location{2, 0x345678}, Lsn(1000));
  EXPECT_EQ(Hex(std::as_bytes(std::span(&header, 1))),
            Golden("544944454d41524b"     // magic "TIDEMARK"
                   "01000000"             // version
                   "03000000"             // number
                   "efcdab8967452301"     // store_id
                   "8877665544332211"     // incarnation
                   "02000000"             // previous
                   "78563400"             // previous_end
                   "e803000000000000"     // first_lsn
                   "0000000000000000"     // reserved
                   "ab9114d0ae48061f"));  // hash, not seeded
  EXPECT_EQ(SegmentName(1), "00000001.seg");
  EXPECT_EQ(SegmentName(12345678), "12345678.seg");
  EXPECT_EQ(format::kSecondHeaderOffset, 4096u);
  EXPECT_EQ(format::kFirstGroupOffset, 8192u);

  EXPECT_OK(CheckSegmentHeader(header, 3));
  EXPECT_EQ(CheckSegmentHeader(header, 4).code(), StatusCode::kCorruption);
  for (size_t i = 0; i < sizeof(header); ++i) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      format::SegmentHeader damaged = header;
      std::as_writable_bytes(std::span(&damaged, 1))[i] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(CheckSegmentHeader(damaged, 3).code(), StatusCode::kCorruption) << i;
    }
  }
  format::SegmentHeader newer = header;
  newer.version = 2;
  newer.hash = SeededHash(std::as_bytes(std::span(&newer, 1)).first(56), 0);
  EXPECT_EQ(CheckSegmentHeader(newer, 3).code(), StatusCode::kUnsupportedVersion);
}

// One group with the record of a namespace, and one of a batch and its frame.
Buffer OneRecordGroup() {
  GroupBuilder group;
  group.Open(kIncarnation, 7, Lsn(1000), At(0));
  const Buffer fields = Encoded(EncodeNamespace, NamespaceFields{"Rooms", "key"});
  group.Add(RecordKind::kNamespace, Lsn(1000), At(0), TimelineId(), fields, {});
  group.Close();
  group.Seal(Lsn(999));
  return Buffer(group.bytes().begin(), group.bytes().end());
}

Buffer TwoRecordGroup() {
  GroupBuilder group;
  group.Open(kIncarnation, 7, Lsn(1000), At(0));
  const BatchFields batch{
      .timeline = TimelineId(5), .first_batch = Lsn(), .pages = {{PageNo(2), 11}}};
  Buffer version;
  PageVersion unused;
  AppendPageVersion(PageNo(2), format::PageForm::kZero, ZeroPageHash(PageNo(2), 4096), nullptr, {},
                    version, unused);
  const auto added = group.Add(RecordKind::kBatch, Lsn(1000), At(0), TimelineId(5),
                               Encoded(EncodeBatch, batch), version);
  EXPECT_EQ(added.offset, 56u);
  EXPECT_EQ(added.payload_offset, 75u);
  EXPECT_EQ(added.length, 30u);
  const FrameFields frame{.timeline = TimelineId(5),
                          .page_size = 4096,
                          .page_count = 2,
                          .state_hash = kStateHash,
                          .version_count = 0,
                          .batches = {{.location = {3, 8248}, .record_hash = added.hash}}};
  group.Add(RecordKind::kFrame, Lsn(1003), At(300), TimelineId(5), Encoded(EncodeFrame, frame), {});
  group.Close();
  group.Seal(Lsn(999));
  return Buffer(group.bytes().begin(), group.bytes().end());
}

// Goal: a group never changes its bytes. Method: both groups, whole.
TEST(FormatTest, GroupOfOneRecord) {
  EXPECT_EQ(Hex(OneRecordGroup()),
            Golden("c87b2b9b4eb0f82a"       // hash of [8, 56), seeded
                   "47525031"               // magic "GRP1"
                   "68000000"               // length 104
                   "edf3e922b0785dc4"       // body_hash of [56, 104), seeded
                   "e803000000000000"       // first_lsn 1000
                   "e703000000000000"       // durable_lsn 999
                   "00401e18240a0600"       // time
                   "07000000"               // epoch
                   "01000000"               // record_count
                   "05 0d 00"               // namespace, header 13, payload 0 bytes
                   "00 00 38"               // LSN + 0, time + 0, 56 bytes into the group
                   "05526f6f6d73 036b6579"  // "Rooms", "key"
                   "56fb90febb9611ad"       // record hash
                   "00000000"               // zeros
                   "e807 00 38"             // directory: LSN 1000, no timeline, offset 56
                   "04000000"               // directory_length
                   "68000000"               // length
                   "fb2f610c06e86d87"));    // hash of directory and the two lengths
}

TEST(FormatTest, GroupOfTwoRecords) {
  EXPECT_EQ(Hex(TwoRecordGroup()),
            Golden("fcc5ff9078d89507 47525031 98000000 e85e5ce5adae2e05"
                   "e803000000000000 e703000000000000 00401e18240a0600 07000000 02000000"
                   "02 08 0b"                   // batch, header 8, payload 11 bytes
                   "00 00 38"                   // LSN + 0, time + 0, offset 56
                   "05 00 01"                   // timeline 5, the first batch, 1 version
                   "02 0b"                      // page 2, 11 bytes
                   "0134aae2da81450b"           // record hash: not of the payload
                   "02 00 58d98974c384e2da 00"  // page 2, zero, its hash, no data
                   "01 1d 00"                   // frame, header 29, payload 0 bytes
                   "03 ac02 56"                 // LSN + 3, time + 300, offset 86
                   "05 01 0c 02"                // timeline, has batches, page size 2^12, 2 pages
                   "1122334455667788 00"        // state hash, no versions of its own
                   "01 03 b840"                 // 1 batch: segment 3, offset 8248
                   "0134aae2da81450b"           // its record hash
                   "77792d3d5b48cd26"           // record hash
                   "000000"                     // zeros
                   "e807 05 38"                 // directory: LSN 1000, timeline 5, offset 56
                   "03 05 1e"                   // LSN + 3, timeline 5, offset + 30
                   "07000000 98000000 7552d59596b48a22"));
}

// Goal: no damage of one byte to a sealed group goes unseen, and damage to a record leaves its
// directory usable, for the blame. Method: every byte, in every way.
TEST(FormatTest, EveryFlippedByteOfAGroupIsSeen) {
  const Buffer group = TwoRecordGroup();
  const auto header_fits = [](ConstBytes bytes, uint64_t incarnation) {
    format::GroupHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    return IsGroupHeader(header, incarnation);
  };
  ASSERT_TRUE(header_fits(group, kIncarnation));
  ASSERT_TRUE(IsGroupIntact(group, kIncarnation));
  const auto directory = ParseDirectory(group, kIncarnation);
  ASSERT_TRUE(directory.has_value());
  ASSERT_EQ(directory->size(), 2u);
  EXPECT_EQ((*directory)[0].lsn, Lsn(1000));
  EXPECT_EQ((*directory)[1].lsn, Lsn(1003));
  EXPECT_EQ((*directory)[1].timeline, TimelineId(5));
  EXPECT_EQ((*directory)[1].offset, 86u);

  EXPECT_FALSE(header_fits(group, kIncarnation + 1));
  EXPECT_FALSE(IsGroupIntact(group, kIncarnation + 1));
  EXPECT_FALSE(ParseDirectory(group, kIncarnation + 1).has_value());

  const size_t directory_begin = group.size() - sizeof(format::GroupFooter) - 7;
  for (size_t i = 0; i < group.size(); ++i) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Buffer damaged = group;
      damaged[i] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(header_fits(damaged, kIncarnation), i >= sizeof(format::GroupHeader)) << i;
      if (i >= sizeof(format::GroupHeader)) {
        ASSERT_FALSE(IsGroupIntact(damaged, kIncarnation)) << i;
      }
      ASSERT_EQ(ParseDirectory(damaged, kIncarnation).has_value(), i < directory_begin) << i;
    }
  }
}

// Goal: what is cut off is neither intact nor read beyond. Method: every shorter group, its begin
// and its end, with memory that cannot be read behind it.
TEST(FormatTest, CutGroupsAreRefused) {
  const Buffer group = TwoRecordGroup();
  const size_t directory_and_footer = sizeof(format::GroupFooter) + 7;
  for (size_t size = 0; size < group.size(); ++size) {
    const GuardedBytes head(ConstBytes(group).first(size));
    EXPECT_FALSE(IsGroupIntact(head.bytes(), kIncarnation)) << size;
    EXPECT_FALSE(ParseDirectory(head.bytes(), kIncarnation).has_value()) << size;
    const GuardedBytes tail(ConstBytes(group).last(size));
    EXPECT_EQ(ParseDirectory(tail.bytes(), kIncarnation).has_value(), size >= directory_and_footer);
  }
}

}  // namespace
}  // namespace tidemark::internal
