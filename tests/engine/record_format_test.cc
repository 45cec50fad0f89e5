// Records, as engine/format.h gives them, pinned byte for byte; and what is not as it says is
// refused. Segments and groups are in format_test.cc, which also says where the hashes come from.

#include "engine/internal/record.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/internal/page_codec.h"
#include "tests/engine/record_samples.h"
#include "tests/support/golden_bytes.h"

namespace tidemark::internal {
namespace {

using format::LabelOperation;
using format::TimelineOperation;
using testing::Encoded;
using testing::ExpectGolden;
using testing::ExpectNoOtherSizeDecodes;
using testing::Golden;
using testing::GuardedBytes;
using testing::Hex;
using testing::RecordSample;
using testing::Sampled;
using testing::SampleId;
using testing::Unhex;

constexpr uint64_t kIncarnation = 0x1122334455667788;
constexpr uint64_t kStateHash = 0x8877665544332211;

// The fields of every kind in use that has some.
std::vector<RecordSample> Samples() {
  const FrameFields frame{.timeline = TimelineId(300),
                          .page_size = 4096,
                          .page_count = 200,
                          .state_hash = kStateHash,
                          .version_count = 2};
  FrameFields changes_schema = frame;
  changes_schema.schema_changed = true;
  FrameFields with_alarm = changes_schema;
  with_alarm.alarm = AlarmOf(1'000'000);
  FrameFields with_batches = frame;
  with_batches.page_size = 65536;
  with_batches.batch_count = 2;
  with_batches.batch_versions = 300;
  with_batches.batch_bytes = 129;
  with_batches.last_batch = {.location = {3, 8248}, .record_hash = 0x0102030405060708};
  const BatchFields first_batch{.number = 1,
                                .previous = {},
                                .pages = {{PageNo(1), 11, 0, 0, 0x0102030405060708},
                                          {PageNo(400), 300, 3, 5, 0x1112131415161718}}};
  BatchFields batch = first_batch;
  batch.number = 129;
  batch.previous = {.location = {4, 8192}, .record_hash = 0x2122232425262728};
  const OpenFields open{.epoch = 8, .previous_end = Lsn(1000), .library_version = "0.1.0"};
  const NamespaceFields name_space{.name = "Rooms", .unique_key = "key"};
  const ObjectFields object{.namespace_id = 200, .id = SampleId(), .name = "lobby"};
  const TimelineFields restore{.operation = TimelineOperation::kRestore,
                               .object = SampleId(),
                               .ended = TimelineId(6),
                               .parent = TimelineId(5),
                               .parent_lsn = Lsn(1000),
                               .page_size = 512,
                               .page_count = 9,
                               .state_hash = kStateHash,
                               .from = "ab",
                               .to = "c"};
  TimelineFields restore_with_alarm = restore;
  restore_with_alarm.alarm = AlarmOf(300);
  TimelineFields scheduled = restore;
  scheduled.operation = TimelineOperation::kScheduledRestore;
  scheduled.session = Lsn(300);
  TimelineFields scheduled_with_alarm = scheduled;
  scheduled_with_alarm.alarm = AlarmOf(129);
  TimelineFields rewrite = restore;
  rewrite.operation = TimelineOperation::kRewrite;
  rewrite.page_size = 0;
  rewrite.page_count = 0;
  rewrite.state_hash = 0;
  TimelineFields deletion = rewrite;
  deletion.operation = TimelineOperation::kDelete;
  deletion.to = "";
  TimelineFields fork = restore;
  fork.operation = TimelineOperation::kFork;
  fork.from = "";
  TimelineFields promote = restore;
  promote.operation = TimelineOperation::kPromote;
  TimelineFields undelete = restore;
  undelete.operation = TimelineOperation::kUndelete;
  const LabelFields label{.operation = LabelOperation::kSet,
                          .object = SampleId(),
                          .name = "v1",
                          .automatic = true,
                          .timeline = TimelineId(300),
                          .commit = Lsn(1000),
                          .epoch = 8,
                          .state_hash = kStateHash};
  LabelFields removal = label;
  removal.operation = LabelOperation::kRemove;
  const auto decodes = [](auto decode) {
    return [decode](ConstBytes bytes) { return decode(bytes).has_value(); };
  };
  return {
      {"frame", Encoded(EncodeFrame, frame),
       "ac02"              // timeline 300
       "00"                // flags
       "0c"                // page size 2^12
       "c801"              // 200 pages
       "1122334455667788"  // state hash
       "02",               // 2 versions
       decodes(DecodeFrame)},
      {"frame that changes the schema", Encoded(EncodeFrame, changes_schema),
       "ac02"
       "04"  // flags: changes the schema
       "0c c801 1122334455667788 02",
       decodes(DecodeFrame)},
      {"frame with an alarm", Encoded(EncodeFrame, with_alarm),
       "ac02"
       "06"  // flags: has an alarm, changes the schema
       "0c c801 1122334455667788 02"
       "c0843d",  // at 1,000,000 ms
       decodes(DecodeFrame)},
      {"frame with batches", Encoded(EncodeFrame, with_batches),
       "ac02"
       "01"  // flags: has batches
       "10"  // page size 2^16
       "c801 1122334455667788 02"
       "02"                 // 2 batches
       "ac02 8101"          // 300 versions, 129 bytes
       "03 b840"            // the last one: segment 3, offset 8248
       "0807060504030201",  // its record hash
       decodes(DecodeFrame)},
      {"batch", Encoded(EncodeBatch, batch),
       "8101"                               // number 129
       "04 8040"                            // the one before: segment 4, offset 8192
       "2827262524232221"                   // its record hash
       "02"                                 // 2 versions
       "01 0b 00 00 0807060504030201"       // page 1, 11 bytes, depth 0, no chain, hash
       "8f03 ac02 03 05 1817161514131211",  // page 400, 300 bytes, depth 3, 5 units, hash
       decodes(DecodeBatch)},
      {"open", Encoded(EncodeOpen, open),
       "08"             // epoch
       "e807"           // LSN of the last record before
       "05302e312e30",  // "0.1.0"
       decodes(DecodeOpen)},
      {"namespace", Encoded(EncodeNamespace, name_space),
       "05526f6f6d73"  // "Rooms"
       "036b6579",     // "key"
       decodes(DecodeNamespace)},
      {"object", Encoded(EncodeObject, object),
       "c801"           // namespace 200
       SAMPLE_ID_HEX    //
       "056c6f626279",  // "lobby"
       decodes(DecodeObject)},
      {"timeline: restore", Encoded(EncodeTimeline, restore),
       "01"                // operation
       SAMPLE_ID_HEX       //
       "06"                // the timeline that ends
       "05 e807"           // parent timeline and LSN
       "09"                // page size 2^9
       "09"                // 9 pages
       "1122334455667788"  // state hash
       "026162 0163",      // from and to
       decodes(DecodeTimeline)},
      {"timeline: restore with an alarm", Encoded(EncodeTimeline, restore_with_alarm),
       "81" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788 026162 0163"
       "ac02",  // at 300 ms
       decodes(DecodeTimeline)},
      {"timeline: scheduled restore", Encoded(EncodeTimeline, scheduled),
       "02" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788 026162 0163"
       "ac02",  // session 300
       decodes(DecodeTimeline)},
      {"timeline: scheduled restore with an alarm", Encoded(EncodeTimeline, scheduled_with_alarm),
       "82" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788 026162 0163"
       "8101 ac02",  // at 129 ms, session 300
       decodes(DecodeTimeline)},
      {"timeline: rewrite", Encoded(EncodeTimeline, rewrite),
       "08"                        // operation
       SAMPLE_ID_HEX "06 05 e807"  //
       "00 00"                     // no page size yet, no pages
       "0000000000000000 026162 0163",
       decodes(DecodeTimeline)},
      {"timeline: fork", Encoded(EncodeTimeline, fork),
       "03" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788"
       "00 0163",  // from nothing
       decodes(DecodeTimeline)},
      {"timeline: promote", Encoded(EncodeTimeline, promote),
       "04" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788 026162 0163", decodes(DecodeTimeline)},
      {"timeline: delete", Encoded(EncodeTimeline, deletion),
       "05" SAMPLE_ID_HEX "06 05 e807 00 00 0000000000000000"
       "026162 00",  // to nothing
       decodes(DecodeTimeline)},
      {"timeline: undelete", Encoded(EncodeTimeline, undelete),
       "06" SAMPLE_ID_HEX "06 05 e807 09 09 1122334455667788 026162 0163", decodes(DecodeTimeline)},
      {"label", Encoded(EncodeLabel, label),
       "01"                    // operation: set
       SAMPLE_ID_HEX "027631"  // "v1"
       "01"                    // flags: automatic
       "ac02 e807 08"          // timeline 300, LSN 1000, epoch 8
       "1122334455667788",     // state hash
       decodes(DecodeLabel)},
      {"label: removal", Encoded(EncodeLabel, removal), "02" SAMPLE_ID_HEX "027631",
       decodes(DecodeLabel)},
  };
}

// Goal: the fields of every kind never change their bytes, and decode to what they were.
TEST(RecordFormatTest, FieldsOfEveryKind) {
  for (const RecordSample& sample : Samples()) ExpectGolden(sample);
  const auto frame = DecodeFrame(Unhex(Sampled(Samples(), "frame with batches").golden));
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->page_size, 65536u);
  EXPECT_FALSE(frame->schema_changed);
  EXPECT_TRUE(
      DecodeFrame(Sampled(Samples(), "frame that changes the schema").bytes)->schema_changed);
  EXPECT_EQ(frame->batch_count, 2u);
  EXPECT_EQ(frame->batch_versions, 300u);
  EXPECT_EQ(frame->batch_bytes, 129u);
  EXPECT_EQ(frame->last_batch.location, (Location{3, 8248}));
  EXPECT_EQ(frame->last_batch.record_hash, 0x0102030405060708u);
  const auto batch = DecodeBatch(Unhex(Sampled(Samples(), "batch").golden));
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->number, 129u);
  EXPECT_EQ(batch->previous.location, (Location{4, 8192}));
  EXPECT_EQ(batch->previous.record_hash, 0x2122232425262728u);
  ASSERT_EQ(batch->pages.size(), 2u);
  EXPECT_EQ(batch->pages[1].page, PageNo(400));
  EXPECT_EQ(batch->pages[1].length, 300u);
  EXPECT_EQ(batch->pages[1].depth, 3u);
  EXPECT_EQ(batch->pages[1].chain_units, 5u);
  EXPECT_EQ(batch->pages[1].hash, 0x1112131415161718u);
  const auto timeline = DecodeTimeline(Unhex(Sampled(Samples(), "timeline: restore").golden));
  ASSERT_TRUE(timeline.has_value());
  EXPECT_EQ(timeline->object, SampleId());
  EXPECT_EQ(timeline->ended, TimelineId(6));
  EXPECT_EQ(timeline->parent_lsn, Lsn(1000));
  EXPECT_EQ(timeline->from, "ab");
  EXPECT_EQ(timeline->to, "c");
}

// Goal: what cannot be a name is none in a record either, where nobody asks the caller. Method: by
// the encoders, which take anything.
TEST(RecordFormatTest, Names) {
  const std::string wrong[] = {std::string("a\0b", 3), std::string(1025, 'n'), "\xff"};
  for (const std::string& name : wrong) {
    EXPECT_FALSE(DecodeNamespace(
        Encoded(EncodeNamespace, NamespaceFields{.name = name, .unique_key = "k"})));
    EXPECT_FALSE(DecodeObject(
        Encoded(EncodeObject, ObjectFields{.namespace_id = 1, .id = SampleId(), .name = name})));
    LabelFields label;
    label.name = name;
    EXPECT_FALSE(DecodeLabel(Encoded(EncodeLabel, label)));
  }
  for (const std::string& name : {std::string(), std::string("a/b"), std::string(513, 'n')}) {
    EXPECT_FALSE(DecodeNamespace(
        Encoded(EncodeNamespace, NamespaceFields{.name = name, .unique_key = "k"})));
    EXPECT_TRUE(DecodeObject(
        Encoded(EncodeObject, ObjectFields{.namespace_id = 1, .id = SampleId(), .name = name})));
  }
}

// Goal: an alarm comes back as it was written, and is none that a time cannot tell. Method: the
// ends of what there can be, and one beyond; kinds of timelines that have none.
TEST(RecordFormatTest, Alarms) {
  using std::chrono::microseconds;
  EXPECT_EQ(RecordedAlarm(std::nullopt), std::nullopt);
  EXPECT_EQ(RecordedAlarm(Timestamp(microseconds(-1))), Timestamp());
  EXPECT_EQ(RecordedAlarm(Timestamp(microseconds(1999))), Timestamp(microseconds(1000)));
  EXPECT_EQ(RecordedAlarm(Timestamp(microseconds(2000))), Timestamp(microseconds(2000)));
  const std::optional<Timestamp> last = RecordedAlarm(Timestamp::max());
  EXPECT_EQ(AlarmNumber(*last), format::kMaxAlarm);
  for (const Timestamp alarm : {Timestamp(), AlarmOf(1), *last}) {
    FrameFields frame;
    frame.timeline = TimelineId(1);
    frame.alarm = alarm;
    EXPECT_EQ(DecodeFrame(Encoded(EncodeFrame, frame))->alarm, alarm);
    TimelineFields timeline;
    timeline.operation = TimelineOperation::kFork;
    timeline.alarm = alarm;
    EXPECT_EQ(DecodeTimeline(Encoded(EncodeTimeline, timeline))->alarm, alarm);
    for (const auto operation : {TimelineOperation::kDelete, TimelineOperation::kRewrite}) {
      timeline.operation = operation;
      EXPECT_FALSE(DecodeTimeline(Encoded(EncodeTimeline, timeline)).has_value());
    }
  }
  Buffer frame = Unhex("05 02 0c c801 1122334455667788 02");
  const size_t fields = frame.size();
  AppendVarint(frame, format::kMaxAlarm);
  EXPECT_TRUE(DecodeFrame(frame).has_value());
  frame.resize(fields);
  AppendVarint(frame, format::kMaxAlarm + 1);
  EXPECT_FALSE(DecodeFrame(frame).has_value());
}

TEST(RecordFormatTest, FieldsOfALabel) {
  const Buffer bytes = Sampled(Samples(), "label").bytes;
  const auto label = DecodeLabel(bytes);
  ASSERT_TRUE(label.has_value());
  EXPECT_EQ(label->operation, LabelOperation::kSet);
  EXPECT_EQ(label->object, SampleId());
  EXPECT_EQ(label->name, "v1");
  EXPECT_TRUE(label->automatic);
  EXPECT_EQ(label->timeline, TimelineId(300));
  EXPECT_EQ(label->commit, Lsn(1000));
  EXPECT_EQ(label->epoch, 8u);
  EXPECT_EQ(label->state_hash, kStateHash);
  constexpr size_t kFlags = 1 + 32 + 3;
  for (unsigned value = 0; value < 256; ++value) {
    Buffer other = bytes;
    other[kFlags] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeLabel(other).has_value(), value <= 1) << value;
    other = bytes;
    other[0] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeLabel(other).has_value(), value == 1) << value;
    other = Sampled(Samples(), "label: removal").bytes;
    other[0] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeLabel(other).has_value(), value == 2) << value;
  }
  for (const size_t size : {0u, 1u, 64u, 65u}) {
    const std::string name(size, 'x');
    const LabelFields removal{.operation = LabelOperation::kRemove, .object = {}, .name = name};
    EXPECT_EQ(DecodeLabel(Encoded(EncodeLabel, removal)).has_value(), size >= 1 && size <= 64);
  }
}

// Goal: fields are exactly what format.h allows. Method: cut them everywhere, go on behind them,
// write a varint longer than it is, and set what is unknown or reserved.
TEST(RecordFormatTest, OtherFieldsAreRefused) {
  for (const RecordSample& sample : Samples()) ExpectNoOtherSizeDecodes(sample);

  const std::string tail = "c801 1122334455667788 02";
  EXPECT_TRUE(DecodeFrame(Unhex("05 00 00" + tail)).has_value());
  EXPECT_FALSE(DecodeFrame(Unhex("8500 00 00" + tail)).has_value());        // 5 in two bytes
  EXPECT_TRUE(DecodeFrame(Unhex("05 06 0c" + tail + "8101")).has_value());  // alarm, schema
  EXPECT_FALSE(DecodeFrame(Unhex("05 06 0c" + tail)).has_value());          // alarm missing
  for (unsigned bit = 3; bit < 8; ++bit) {
    Buffer frame = Unhex("05 00 0c" + tail);
    frame[1] = static_cast<std::byte>(1u << bit);
    EXPECT_FALSE(DecodeFrame(frame).has_value()) << "flag bit " << bit;
  }
  for (unsigned value = 0; value < 256; ++value) {
    Buffer frame = Unhex("05 00 0c" + tail);
    frame[2] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeFrame(frame).has_value(), value == 0 || (value >= 9 && value <= 16)) << value;
    Buffer timeline = Sampled(Samples(), "timeline: restore").bytes;
    timeline[0] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeTimeline(timeline).has_value(),
              value == 1 || (value >= 3 && value <= 6) || value == 8)
        << value;
  }
  // The number 0; no page; the same page twice; a page beyond 32 bits; a page of no bytes; more
  // pages than bytes.
  const std::string page = "010b 00 00 0807060504030201";
  EXPECT_TRUE(DecodeBatch(Unhex("01 01" + page)).has_value());
  EXPECT_FALSE(DecodeBatch(Unhex("00 01" + page)).has_value());
  EXPECT_FALSE(DecodeBatch(Unhex("01 00")).has_value());
  EXPECT_FALSE(DecodeBatch(Unhex("01 02" + page + "000b 00 00 0807060504030201")).has_value());
  EXPECT_FALSE(
      DecodeBatch(Unhex("01 02" + page + "ffffffff0f0b 00 00 0807060504030201")).has_value());
  EXPECT_FALSE(DecodeBatch(Unhex("01 01 0100 00 00 0807060504030201")).has_value());
  EXPECT_FALSE(DecodeBatch(Unhex("01 ffffffffffffffffff01" + page)).has_value());
  // A frame that has batches, and none.
  const std::string last = "03 b840 0807060504030201";
  EXPECT_TRUE(DecodeFrame(Unhex("0501 0c" + tail + "01 01 27" + last)).has_value());
  EXPECT_FALSE(DecodeFrame(Unhex("0501 0c" + tail + "00 01 27" + last)).has_value());
  EXPECT_FALSE(DecodeNamespace(Unhex("ffffffffffffffffff01 00")).has_value());
}

// Goal: a record never changes its bytes; any other than it was, of another life of the file, of a
// kind that is not in use, or cut, is refused. Method: the shortest record and one with a payload;
// every byte of the hashed part in every way, every prefix.
TEST(RecordFormatTest, Records) {
  Buffer close;
  const AppendedRecord appended =
      AppendRecord(RecordKind::kClose, {.lsn = 0, .time_delta = 0, .group_offset = 56}, {}, {},
                   kIncarnation, close);
  EXPECT_EQ(Hex(close), Golden("04 03 00 00 00 38 c6cce8caac3362e2"));
  EXPECT_EQ(appended.payload_offset, close.size());

  const Buffer fields = Unhex("aabbcc");
  const Buffer payload(300, std::byte{0x5a});
  Buffer record;
  AppendRecord(RecordKind::kBatch, {.lsn = 200, .time_delta = 300, .group_offset = 86}, fields,
               payload, kIncarnation, record);
  const size_t payload_offset = 1 + 1 + 2 + 5 + 3 + 8;
  RecordView view;
  ASSERT_EQ(ParseRecord(record, kIncarnation, view), ParseOutcome::kOk);
  EXPECT_EQ(view.kind, RecordKind::kBatch);
  EXPECT_EQ(view.place.lsn, 200u);
  EXPECT_EQ(view.place.time_delta, 300u);
  EXPECT_EQ(view.place.group_offset, 86u);
  EXPECT_EQ(Hex(view.fields), "aabbcc");
  EXPECT_EQ(view.payload_offset, payload_offset);
  EXPECT_EQ(view.payload_length, payload.size());
  EXPECT_EQ(view.length, record.size());
  EXPECT_EQ(ParseRecord(record, kIncarnation + 1, view), ParseOutcome::kBad);
  EXPECT_EQ(ParseRecord(close, kIncarnation + 1, view), ParseOutcome::kBad);

  for (size_t size = 0; size < record.size(); ++size) {
    const GuardedBytes cut(ConstBytes(record).first(size));
    const ParseOutcome outcome = ParseRecord(cut.bytes(), kIncarnation, view);
    if (size < payload_offset) {
      ASSERT_EQ(outcome, ParseOutcome::kShort) << size;
      ASSERT_GT(view.length, size);
    } else {
      ASSERT_EQ(outcome, ParseOutcome::kOk) << size;
    }
  }
  for (size_t i = 0; i < payload_offset; ++i) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Buffer damaged = record;
      damaged[i] ^= static_cast<std::byte>(flip);
      const GuardedBytes guarded(damaged);
      ASSERT_NE(ParseRecord(guarded.bytes(), kIncarnation, view), ParseOutcome::kOk) << i;
    }
  }
}

// Goal: a kind that is reserved or unknown is refused although its hash is right; so is a header
// without room for the common fields.
TEST(RecordFormatTest, OtherRecordsAreRefused) {
  for (unsigned kind = 0; kind < 256; ++kind) {
    Buffer record;
    AppendRecord(static_cast<RecordKind>(kind), {}, {}, {}, kIncarnation, record);
    RecordView view;
    EXPECT_EQ(ParseRecord(record, kIncarnation, view) == ParseOutcome::kOk,
              kind >= 1 && kind <= 17 && kind != 11)
        << kind;
  }
  // Header length 2: no group offset. LSN in two bytes that fits one. Lengths beyond 1 GiB.
  for (const char* const header : {"04 02 00 00 00", "04 04 00 8000 00 38"}) {
    Buffer record = Unhex(header);
    const uint64_t hash = SeededHash(record, kIncarnation);
    record.insert(record.end(), reinterpret_cast<const std::byte*>(&hash),
                  reinterpret_cast<const std::byte*>(&hash) + sizeof(hash));
    RecordView view;
    EXPECT_EQ(ParseRecord(record, kIncarnation, view), ParseOutcome::kBad) << header;
  }
  for (const char* const lengths : {"04 ffffffffffffffffff01 00", "04 03 ffffffffffffffffff01"}) {
    Buffer record = Unhex(lengths);
    record.resize(100);
    RecordView view;
    EXPECT_EQ(ParseRecord(record, kIncarnation, view), ParseOutcome::kBad) << lengths;
  }
}

}  // namespace
}  // namespace tidemark::internal
