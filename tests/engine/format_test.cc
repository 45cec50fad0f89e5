// Segment headers and groups, as engine/format.h gives them, pinned byte for byte: what is written
// today must be readable for ever. Hashes too: these were computed with xxHash itself, from bytes
// put together by hand, and not by the functions under test.

#include "engine/format.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "engine/bookmark.h"
#include "engine/internal/group.h"
#include "engine/internal/record.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "tests/engine/record_samples.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/status_matchers.h"

namespace tidemark::internal {
namespace {

using testing::Encoded;
using testing::Golden;
using testing::GuardedBytes;
using testing::Hex;

constexpr uint64_t kIncarnation = 0x1122334455667788;
constexpr uint64_t kStateHash = 0x8877665544332211;

// 2023-11-14 22:13:20 UTC and a little more.
Timestamp At(int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(1'700'000'000'000'000 + microseconds));
}

// Goal: a segment's header, its places and its name never change. Method: one with another value
// in each field; then damage each byte in each way.
TEST(FormatTest, SegmentHeader) {
  const format::SegmentHeader header =
      MakeSegmentHeader(3, 0x0123456789abcdef, kIncarnation, Location{2, 0x345678}, Lsn(1000));
  EXPECT_EQ(Hex(std::as_bytes(std::span(&header, 1))),
            Golden("544944454d41524b"     // magic "TIDEMARK"
                   "07000000"             // version
                   "03000000"             // number
                   "efcdab8967452301"     // store_id
                   "8877665544332211"     // incarnation
                   "02000000"             // previous
                   "78563400"             // previous_end
                   "e803000000000000"     // first_lsn
                   "00000000"             // packed_from
                   "00000000"             // reserved
                   "c30017bd21157526"));  // hash, not seeded
  EXPECT_EQ(SegmentName(1), "00000001.seg");
  EXPECT_EQ(SegmentName(12345678), "12345678.seg");
  EXPECT_EQ(SegmentName(0x80000002), "00000002.pack");
  EXPECT_EQ(ParseSegmentName("00000002.pack"), 0x80000002);
  EXPECT_EQ(ParseSegmentName("00000002.seg"), 2u);
  for (const char* name : {"00000002.packs", "0000002.pack", "00000000.seg", "0000000x.seg"}) {
    EXPECT_FALSE(ParseSegmentName(name)) << name;
  }
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
  newer.version = format::kFormatVersion + 1;
  newer.hash = SeededHash(std::as_bytes(std::span(&newer, 1)).first(56), 0);
  EXPECT_EQ(CheckSegmentHeader(newer, 3).code(), StatusCode::kUnsupportedVersion);
  format::SegmentHeader older = header;
  older.version = format::kFormatVersion - 1;
  older.hash = SeededHash(std::as_bytes(std::span(&older, 1)).first(56), 0);
  EXPECT_EQ(CheckSegmentHeader(older, 3).code(), StatusCode::kUnsupportedVersion);
  format::SegmentHeader unknown = header;
  unknown.reserved = 1;
  unknown.hash = SeededHash(std::as_bytes(std::span(&unknown, 1)).first(56), 0);
  EXPECT_EQ(CheckSegmentHeader(unknown, 3).code(), StatusCode::kUnsupportedVersion);
}

// One group with the record of a namespace, and one of a batch and its frame.
Buffer OneRecordGroup() {
  GroupBuilder group;
  group.Open(kIncarnation, 7, Lsn(1000), At(0));
  const Buffer fields = Encoded(EncodeNamespace, NamespaceFields{"Rooms", "key"});
  group.Add(RecordKind::kNamespace, Lsn(1000), At(0), TimelineId(1000), NamespaceTag("Rooms"),
            fields, {});
  group.Close();
  group.Seal(Lsn(999));
  return Buffer(group.bytes().begin(), group.bytes().end());
}

Buffer TwoRecordGroup() {
  GroupBuilder group;
  group.Open(kIncarnation, 7, Lsn(1000), At(0));
  const uint64_t hash = ZeroPageHash(PageNo(2), 4096);
  const BatchFields batch{.number = 1, .previous = {}, .pages = {{PageNo(2), 11, 0, 0, hash}}};
  Buffer version;
  PageVersion unused;
  AppendPageVersion(PageNo(2), format::PageForm::kZero, hash, nullptr, {}, version, unused);
  const auto added = group.Add(RecordKind::kBatch, Lsn(1000), At(0), TimelineId(), 0,
                               Encoded(EncodeBatch, batch), version);
  EXPECT_EQ(added.offset, 56u);
  EXPECT_EQ(added.payload_offset, 85u);
  EXPECT_EQ(added.length, 40u);
  const FrameFields frame{.timeline = TimelineId(5),
                          .page_size = 4096,
                          .page_count = 2,
                          .state_hash = kStateHash,
                          .version_count = 0,
                          .batch_count = 1,
                          .batch_versions = 1,
                          .batch_bytes = added.length,
                          .last_batch = {.location = {3, 8248}, .record_hash = added.hash}};
  group.Add(RecordKind::kFrame, Lsn(1003), At(300), TimelineId(5), 0, Encoded(EncodeFrame, frame),
            {});
  group.Close();
  group.Seal(Lsn(999));
  return Buffer(group.bytes().begin(), group.bytes().end());
}

// An object's creation, its restore, and a label.
Buffer ObjectGroup() {
  ObjectId id;
  id.bytes.fill(std::byte{0xa5});
  GroupBuilder group;
  group.Open(kIncarnation, 7, Lsn(1000), At(0));
  group.Add(RecordKind::kObject, Lsn(1000), At(0), TimelineId(1000), ObjectTag(id),
            Encoded(EncodeObject, ObjectFields{.namespace_id = 9, .id = id, .name = "a"}), {});
  TimelineFields restore;
  restore.object = id;
  restore.ended = TimelineId(1000);
  restore.parent = TimelineId(1000);
  group.Add(RecordKind::kTimeline, Lsn(1001), At(0), TimelineId(1000), 0,
            Encoded(EncodeTimeline, restore), {});
  group.Add(RecordKind::kLabel, Lsn(1002), At(0), TimelineId(1002), ObjectTag(id),
            Encoded(EncodeLabel, LabelFields{.object = id, .name = "v1"}), {});
  group.Close();
  group.Seal(Lsn(999));
  return Buffer(group.bytes().begin(), group.bytes().end());
}

// Goal: a group never changes its bytes. Method: both groups, whole.
TEST(FormatTest, GroupOfOneRecord) {
  EXPECT_EQ(Hex(OneRecordGroup()),
            Golden("51bfdb93dae7d93f"       // hash of [8, 56), seeded
                   "47525031"               // magic "GRP1"
                   "70000000"               // length 112
                   "216b589750d82771"       // body_hash of [56, 112), seeded
                   "e803000000000000"       // first_lsn 1000
                   "e703000000000000"       // durable_lsn 999
                   "00401e18240a0600"       // time
                   "07000000"               // epoch
                   "01000000"               // record_count
                   "05 0e 00"               // namespace, header 14, payload 0 bytes
                   "e807 00 38"             // LSN 1000, time + 0, 56 bytes into the group
                   "05526f6f6d73 036b6579"  // "Rooms", "key"
                   "2887767fd6ba10e1"       // record hash
                   "0000"                   // zeros
                   "e807 e807 38"           // directory: LSN 1000, creates that, offset 56
                   "2fc1465385aa1638"       // tag: hash of the name
                   "0d000000"               // directory_length
                   "70000000"               // length
                   "20186968ef6e62ce"));    // hash of directory and the two lengths
}

TEST(FormatTest, GroupOfTwoRecords) {
  EXPECT_EQ(Hex(TwoRecordGroup()),
            Golden("4f0a2b5022d57e02 47525031 a8000000 d2c93c3d52d22e3d"
                   "e803000000000000 e703000000000000 00401e18240a0600 07000000 02000000"
                   "02 12 0b"                   // batch, header 18, payload 11 bytes
                   "e807 00 38"                 // LSN 1000, time + 0, offset 56
                   "01 01"                      // the first batch, 1 version
                   "02 0b 00 00"                // page 2, 11 bytes, no chain
                   "58d98974c384e2da"           // its hash
                   "c08b6b5196f7731f"           // record hash: not of the payload
                   "02 00 58d98974c384e2da 00"  // page 2, zero, its hash, no data
                   "01 20 00"                   // frame, header 32, payload 0 bytes
                   "eb07 ac02 60"               // LSN 1003, time + 300, offset 96
                   "05 01 0c 02"                // timeline, has batches, page size 2^12, 2 pages
                   "1122334455667788 00"        // state hash, no versions of its own
                   "01 01 28"                   // 1 batch, 1 version, 40 bytes
                   "03 b840"                    // segment 3, offset 8248
                   "c08b6b5196f7731f"           // its record hash
                   "a478158a7fe36b68"           // record hash
                   "000000000000"               // zeros
                   "e807 00 38"                 // directory: LSN 1000, no timeline, offset 56
                   "03 05 28"                   // LSN + 3, timeline 5, offset + 40
                   "07000000 a8000000 8d266d8f9d210690"));
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
  EXPECT_EQ((*directory)[1].offset, 96u);

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

// Goal: a directory is that of a group only if it has each LSN once, none left out, however its
// ends and their number add up. Method: three records, told in each way.
TEST(FormatTest, DirectoriesTellEachLsnOnce) {
  format::GroupHeader header{};
  header.first_lsn = 10;
  header.record_count = 3;
  const auto is_directory = [&](uint64_t first, uint64_t second, uint64_t third) {
    std::vector<DirectoryEntry> directory(3);
    directory[0].lsn = Lsn(first);
    directory[1].lsn = Lsn(second);
    directory[2].lsn = Lsn(third);
    return IsDirectoryOf(directory, header);
  };
  EXPECT_TRUE(is_directory(10, 11, 12));
  EXPECT_FALSE(is_directory(10, 10, 12));
  EXPECT_FALSE(is_directory(10, 12, 12));
  EXPECT_FALSE(is_directory(10, 13, 12));
  EXPECT_FALSE(is_directory(11, 12, 13));
  EXPECT_FALSE(IsDirectoryOf({}, header));
}

// Goal: a group whose directory is damaged still tells whose records it has. Method: make the
// directory from the records of a group of each kind; and from groups with one damaged.
TEST(FormatTest, ADirectoryIsMadeFromRecords) {
  for (const Buffer& group : {OneRecordGroup(), TwoRecordGroup(), ObjectGroup()}) {
    format::GroupHeader header;
    std::memcpy(&header, group.data(), sizeof(header));
    const auto written = ParseDirectory(group, kIncarnation);
    const auto made = DirectoryFromRecords(group, header, kIncarnation);
    ASSERT_TRUE(written.has_value());
    EXPECT_EQ(made, written);
    Buffer damaged = group;
    damaged[sizeof(format::GroupHeader) + 4] ^= std::byte{1};
    EXPECT_FALSE(DirectoryFromRecords(damaged, header, kIncarnation).has_value());
    header.record_count += 1;
    EXPECT_FALSE(DirectoryFromRecords(group, header, kIncarnation).has_value());
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
