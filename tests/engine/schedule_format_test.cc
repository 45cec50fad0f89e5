// Records of restores that wait, as engine/format.h gives them, pinned byte for byte; and what is
// not as it says is refused.

#include <gtest/gtest.h>

#include <vector>

#include "engine/internal/index_rows.h"
#include "engine/internal/schedule_record.h"
#include "tests/engine/record_samples.h"
#include "tests/support/golden_bytes.h"

namespace tidemark::internal {
namespace {

using testing::Encoded;
using testing::ExpectGolden;
using testing::ExpectNoOtherSizeDecodes;
using testing::RecordSample;
using testing::SampleId;

ScheduleRow Sample() {
  ScheduleRow row;
  row.object = SampleId();
  row.namespace_id = 200;
  row.set = true;
  row.session = Lsn(300);
  row.source_namespace = 201;
  row.source = SampleId();
  row.timeline = TimelineId(6);
  row.commit = Lsn(1000);
  row.epoch = 8;
  row.state_hash = 0x8877665544332211;
  return row;
}

std::vector<RecordSample> Samples() {
  const auto decodes = [](ConstBytes bytes) { return DecodeSchedule(bytes).has_value(); };
  ScheduleRow first = Sample();
  first.session = Lsn();
  ScheduleRow keeping = Sample();
  keeping.options = {.alarms = Alarms::kKeep};
  ScheduleRow with_alarm = Sample();
  with_alarm.options = {.alarm = Timestamp(std::chrono::milliseconds(300))};
  ScheduleRow cancelled;
  cancelled.object = SampleId();
  cancelled.namespace_id = 200;
  return {
      {"set", Encoded(EncodeSchedule, Sample()),
       "01 c801" SAMPLE_ID_HEX  // operation, namespace 200, object
       "ac02"                   // session 300
       "c901" SAMPLE_ID_HEX     // of namespace 201
       "06 e807 08"             // timeline 6, LSN 1000, epoch 8
       "1122334455667788",      // state hash
       decodes},
      {"set: the session's first", Encoded(EncodeSchedule, first),
       "01 c801" SAMPLE_ID_HEX "00 c901" SAMPLE_ID_HEX "06 e807 08 1122334455667788", decodes},
      {"set: its alarm stays", Encoded(EncodeSchedule, keeping),
       "03 c801" SAMPLE_ID_HEX "ac02 c901" SAMPLE_ID_HEX "06 e807 08 1122334455667788 02", decodes},
      {"set: and has this alarm", Encoded(EncodeSchedule, with_alarm),
       "03 c801" SAMPLE_ID_HEX "ac02 c901" SAMPLE_ID_HEX "06 e807 08 1122334455667788 04 ac02",
       decodes},
      {"cancel", Encoded(EncodeSchedule, cancelled), "02 c801" SAMPLE_ID_HEX, decodes},
  };
}

TEST(ScheduleFormatTest, Records) {
  for (const RecordSample& sample : Samples()) {
    ExpectGolden(sample);
    ExpectNoOtherSizeDecodes(sample);
  }
  EXPECT_EQ(DecodeSchedule(Encoded(EncodeSchedule, Sample())), Sample());
  // Whose commit it is decides what need not be said, and so must not be.
  for (const bool own : {true, false}) {
    for (const Alarms alarms : {Alarms::kRestore, Alarms::kKeep, Alarms::kClear}) {
      ScheduleRow row = Sample();
      if (!own) row.source.bytes[0] ^= std::byte{0xff};
      row.options = {.alarms = alarms};
      const bool said = alarms != (own ? Alarms::kRestore : Alarms::kClear);
      const auto decoded = DecodeSchedule(Encoded(EncodeSchedule, row));
      EXPECT_EQ(decoded, said ? std::optional(row) : std::nullopt);
    }
  }
}

// Goal: what leads nowhere is refused. Method: each field that must be there, without it.
TEST(ScheduleFormatTest, OtherFieldsAreRefused) {
  const auto refused = [](auto change) {
    ScheduleRow row = Sample();
    change(row);
    return !DecodeSchedule(Encoded(EncodeSchedule, row)).has_value();
  };
  EXPECT_FALSE(refused([](ScheduleRow&) {}));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.namespace_id = 0; }));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.source_namespace = 0; }));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.timeline = TimelineId(); }));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.commit = Lsn(); }));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.commit = Lsn(format::kMaxLsn + 1); }));
  EXPECT_TRUE(refused([](ScheduleRow& row) { row.session = Lsn(format::kMaxLsn + 1); }));
  Buffer bytes = Encoded(EncodeSchedule, Sample());
  for (unsigned operation = 0; operation < 256; ++operation) {
    bytes[0] = static_cast<std::byte>(operation);
    EXPECT_EQ(DecodeSchedule(bytes).has_value(), operation == 1) << operation;
  }
  ScheduleRow row = Sample();
  row.options = {.alarms = Alarms::kKeep};
  bytes = Encoded(EncodeSchedule, row);
  for (unsigned choice = 0; choice < 256; ++choice) {
    bytes.back() = static_cast<std::byte>(choice);
    EXPECT_EQ(DecodeSchedule(bytes).has_value(), choice == 2 || choice == 3) << choice;
  }
}

// Goal: the index's row is the record's fields behind its LSN and time, under the object's key.
TEST(ScheduleFormatTest, RowsOfTheIndex) {
  ScheduleRow row = Sample();
  row.lsn = Lsn(0x0102);
  row.time = Timestamp(std::chrono::microseconds(0x0304));
  const std::vector<std::byte> bytes = EncodeScheduleRow(row);
  EXPECT_EQ(testing::Hex(ConstBytes(bytes).first(16)),
            testing::Golden("0201000000000000 0403000000000000"));
  EXPECT_EQ(DecodeScheduleRow(row.object.bytes, bytes), row);
  EXPECT_FALSE(DecodeScheduleRow(NumberKey(uint64_t{1}), bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeScheduleRow(row.object.bytes, ConstBytes(bytes).first(size)).has_value());
  }
  row.set = false;  // what does not wait has no row
  EXPECT_FALSE(DecodeScheduleRow(row.object.bytes, EncodeScheduleRow(row)).has_value());
  const RestoreRow restore{.object = SampleId(),
                           .lsn = Lsn(5),
                           .time = Timestamp(),
                           .kind = TimelineKind::kRestore,
                           .from_bookmark = "a",
                           .to_bookmark = "b",
                           .session = Lsn(4)};
  EXPECT_EQ(DecodeRestoreRow(RestoreKey(restore.object, restore.lsn), EncodeRestoreRow(restore)),
            restore);
}

}  // namespace
}  // namespace tidemark::internal
