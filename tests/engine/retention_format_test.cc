// Records of policies, holds, licences and purges, as engine/format.h gives them, pinned byte for
// byte; and what is not as it says is refused.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/internal/purge_record.h"
#include "engine/internal/retention_record.h"
#include "tests/engine/record_samples.h"
#include "tests/support/golden_bytes.h"

namespace tidemark::internal {
namespace {

using std::chrono::seconds;
using testing::Encoded;
using testing::ExpectGolden;
using testing::ExpectNoOtherSizeDecodes;
using testing::RecordSample;
using testing::Sampled;
using testing::SampleId;
using testing::Unhex;

Timestamp Us(int64_t count) { return Timestamp(std::chrono::microseconds(count)); }

std::vector<RecordSample> Samples() {
  const auto decodes_rule = [](RuleKind kind) {
    return [kind](ConstBytes bytes) { return DecodeRule(kind, bytes).has_value(); };
  };
  const auto decodes_licence = [](ConstBytes bytes) { return DecodeLicence(bytes).has_value(); };
  return {
      {"policy: the store's",
       Encoded(
           EncodeRule,
           RuleRow{
               .key = RuleKey::OfStore(),
               .set = true,
               .floor = {.everything = Us(1000), .hourly = Us(744), .daily = Us(700)},
               .policy = {.window = seconds(300), .hourly = seconds(0), .daily = seconds(86400)}}),
       "01"
       "01"
       "e807"
       "8002"
       "2c"
       "ac02"
       "00"
       "80a305",
       decodes_rule(RuleKind::kPolicy)},
      {"policy: a namespace's is cleared",
       Encoded(EncodeRule, RuleRow{.key = RuleKey::OfNamespace(300), .floor = {}}),
       "02"
       "02"
       "ac02"
       "00"
       "00"
       "00",
       decodes_rule(RuleKind::kPolicy)},
      {"policy: an object's",
       Encoded(EncodeRule, RuleRow{.key = RuleKey::OfObject(RuleKind::kPolicy, SampleId()),
                                   .set = true,
                                   .policy = {.window = seconds(1)}}),
       "01"
       "03" SAMPLE_ID_HEX "00"
       "00"
       "00"
       "01"
       "00"
       "00",
       decodes_rule(RuleKind::kPolicy)},
      {"policy: the store's, with a budget",
       Encoded(EncodeRule, RuleRow{.key = RuleKey::OfStore(),
                                   .set = true,
                                   .policy = {.window = seconds(300)},
                                   .budget_bytes = 300}),
       "03"
       "01"
       "00"
       "00"
       "00"
       "ac02"
       "00"
       "00"
       "ac02",
       decodes_rule(RuleKind::kPolicy)},
      {"policy: the store's is cleared, with a budget",
       Encoded(EncodeRule,
               RuleRow{.key = RuleKey::OfStore(), .floor = Horizons::At(Us(5)), .budget_bytes = 7}),
       "04"
       "01"
       "05"
       "00"
       "00"
       "07",
       decodes_rule(RuleKind::kPolicy)},
      {"hold",
       Encoded(EncodeRule, RuleRow{.key = RuleKey::OfObject(RuleKind::kHold, SampleId()),
                                   .set = true,
                                   .floor = Horizons::At(Us(5)),
                                   .reason = "law"}),
       "01" SAMPLE_ID_HEX "05"
       "00"
       "00"
       "036c6177",
       decodes_rule(RuleKind::kHold)},
      {"hold: release",
       Encoded(EncodeRule, RuleRow{.key = RuleKey::OfObject(RuleKind::kHold, SampleId())}),
       "02" SAMPLE_ID_HEX "00"
       "00"
       "00",
       decodes_rule(RuleKind::kHold)},
      {"purge",
       Encoded(EncodePurge, PurgeRow{.object = SampleId(),
                                     .namespace_id = 300,
                                     .timelines = {TimelineId(5), TimelineId(6), TimelineId(306)}}),
       SAMPLE_ID_HEX "ac02"
                     "03"
                     "05"
                     "01"
                     "ac02",
       [](ConstBytes bytes) { return DecodePurge(bytes).has_value(); }},
      {"licence", Encoded(EncodeLicence, LicenceRow{.time = Us(1000), .by_default = Us(300)}),
       "01"
       "00"
       "e807"
       "ac02",
       decodes_licence},
      {"licence: with a budget's horizon, moved by it",
       Encoded(EncodeLicence,
               LicenceRow{.time = Us(1000), .by_default = Us(300), .budget = Us(600)}),
       "04"
       "00"
       "e807"
       "ac02"
       "d804"
       "00",
       decodes_licence},
      {"licence: pause, with a budget's horizon",
       Encoded(EncodeLicence, LicenceRow{.granted = Lsn(7),
                                         .time = Us(1000),
                                         .by_default = Us(300),
                                         .budget = Us(600),
                                         .budget_moved = Lsn(6),
                                         .alarm = ClockAlarm{.from = Us(2000), .to = Us(4000)}}),
       "05"
       "07"
       "e807"
       "ac02"
       "d804"
       "06"
       "d00f"
       "a01f",
       decodes_licence},
      {"licence: pause",
       Encoded(EncodeLicence, LicenceRow{.granted = Lsn(7),
                                         .time = Us(1000),
                                         .by_default = Us(300),
                                         .alarm = ClockAlarm{.from = Us(2000), .to = Us(4000)}}),
       "02"
       "07"
       "e807"
       "ac02"
       "d00f"
       "a01f",
       decodes_licence},
      {"licence: confirm",
       Encoded(EncodeLicence, LicenceRow{.granted = Lsn(7), .time = Us(1000), .confirms = true}),
       "03"
       "07"
       "e807"
       "00",
       decodes_licence},
  };
}

TEST(RetentionFormatTest, Bytes) {
  for (const RecordSample& sample : Samples()) {
    ExpectGolden(sample);
    ExpectNoOtherSizeDecodes(sample);
  }
}

// Goal: what goes into a record of retention comes out; and what no writer writes is refused.
TEST(RetentionFormatTest, Fields) {
  const auto bytes = [](const std::string& name) { return Sampled(Samples(), name).bytes; };
  const auto policy = DecodeRule(RuleKind::kPolicy, bytes("policy: the store's"));
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->key, RuleKey::OfStore());
  EXPECT_TRUE(policy->set);
  EXPECT_EQ(policy->floor, (Horizons{.everything = Us(1000), .hourly = Us(744), .daily = Us(700)}));
  EXPECT_EQ(policy->policy,
            (RetentionPolicy{.window = seconds(300), .hourly = {}, .daily = seconds(86400)}));
  const auto cleared = DecodeRule(RuleKind::kPolicy, bytes("policy: a namespace's is cleared"));
  ASSERT_TRUE(cleared);
  EXPECT_EQ(cleared->key, RuleKey::OfNamespace(300));
  EXPECT_FALSE(cleared->set);
  const auto hold = DecodeRule(RuleKind::kHold, bytes("hold"));
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold->key, RuleKey::OfObject(RuleKind::kHold, SampleId()));
  EXPECT_EQ(hold->floor, Horizons::At(Us(5)));
  EXPECT_EQ(hold->reason, "law");
  const auto pause = DecodeLicence(bytes("licence: pause"));
  ASSERT_TRUE(pause);
  EXPECT_EQ(*pause, (LicenceRow{.granted = Lsn(7),
                                .time = Us(1000),
                                .by_default = Us(300),
                                .alarm = ClockAlarm{.from = Us(2000), .to = Us(4000)}}));
  EXPECT_TRUE(DecodeLicence(bytes("licence: confirm"))->confirms);

  const auto budget = DecodeRule(RuleKind::kPolicy, bytes("policy: the store's, with a budget"));
  ASSERT_TRUE(budget);
  EXPECT_TRUE(budget->set);
  EXPECT_EQ(budget->budget_bytes, 300u);
  const auto only =
      DecodeRule(RuleKind::kPolicy, bytes("policy: the store's is cleared, with a budget"));
  ASSERT_TRUE(only);
  EXPECT_FALSE(only->set);
  EXPECT_EQ(only->budget_bytes, 7u);
  EXPECT_EQ(DecodeLicence(bytes("licence: pause, with a budget's horizon")),
            (LicenceRow{.granted = Lsn(7),
                        .time = Us(1000),
                        .by_default = Us(300),
                        .budget = Us(600),
                        .budget_moved = Lsn(6),
                        .alarm = ClockAlarm{.from = Us(2000), .to = Us(4000)}}));

  for (int value = 0; value < 256; ++value) {
    const auto with_first = [&](const std::string& name, size_t at) {
      Buffer other = bytes(name);
      other[at] = static_cast<std::byte>(value);
      return other;
    };
    // An operation that ends a rule has nothing behind the horizons.
    EXPECT_EQ(DecodeRule(RuleKind::kHold, with_first("hold", 0)).has_value(), value == 1);
    EXPECT_EQ(DecodeRule(RuleKind::kPolicy, with_first("policy: an object's", 1)).has_value(),
              value == 3)
        << value;
    EXPECT_EQ(DecodeLicence(with_first("licence: confirm", 0)).has_value(),
              value == 1 || value == 3);
    EXPECT_EQ(
        DecodeLicence(with_first("licence: with a budget's horizon, moved by it", 0)).has_value(),
        value == 2 || value == 4 || value == 6);
    // Of the store only.
    EXPECT_EQ(DecodeRule(RuleKind::kPolicy,
                         with_first("policy: the store's is cleared, with a budget", 1))
                  .has_value(),
              value == 1);
  }
  EXPECT_FALSE(DecodeRule(RuleKind::kHold, Unhex("03" SAMPLE_ID_HEX "000000"
                                                 "00"
                                                 "07")));
  EXPECT_FALSE(DecodeRule(RuleKind::kPolicy, Unhex("04 01 05 00 00 00")));  // 0 bytes are none
  EXPECT_FALSE(DecodeLicence(Unhex("04 00 e807 ac02 00 00")));              // nor is 1970 a horizon
  // A namespace has a number; horizons do not lie before 1970; a reason is short.
  EXPECT_FALSE(DecodeRule(RuleKind::kPolicy, Unhex("02 02 00 00 00 00")));
  EXPECT_FALSE(DecodeRule(RuleKind::kPolicy, Unhex("02 01 05 06 00")));
  EXPECT_FALSE(DecodeRule(RuleKind::kPolicy, Unhex("02 01 05 03 03")));
  EXPECT_TRUE(DecodeRule(RuleKind::kPolicy, Unhex("02 01 05 03 02")));
  EXPECT_FALSE(DecodeLicence(Unhex("01 00 ffffffffffffffffff01 00")));
  for (const size_t size : {size_t{0}, size_t{256}, size_t{257}}) {
    const RuleRow row{.key = RuleKey::OfObject(RuleKind::kHold, SampleId()),
                      .set = true,
                      .reason = std::string(size, 'r')};
    EXPECT_EQ(DecodeRule(RuleKind::kHold, Encoded(EncodeRule, row)).has_value(), size <= 256);
  }
}

}  // namespace
}  // namespace tidemark::internal
