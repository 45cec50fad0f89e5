// The index's keys and rows, byte for byte: what stands in STORE/index must be readable for ever.

#include "engine/internal/index_rows.h"
#include "engine/internal/commit_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/internal/index.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Hex;
using testing::Random;
using testing::TempDirectory;
using testing::TestSeed;

ObjectId TestId() {
  ObjectId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::byte>(0xa0 + i);
  return id;
}

constexpr char kTestIdHex[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";

Timestamp At(int64_t microseconds) { return Timestamp(std::chrono::microseconds(microseconds)); }

// "key=value" of each value of a table, in the table's order, read past the index with LMDB itself.
std::vector<std::string> Dump(const LmdbEnv& env, IndexTable table) {
  LmdbReadTransaction read(env);
  LmdbCursor& cursor = read.cursor(table);
  std::vector<std::string> rows;
  for (bool there = cursor.SeekAtOrAfter(std::vector<std::byte>(1)); there; there = cursor.Next()) {
    rows.push_back(Hex(cursor.key()) + "=" + Hex(cursor.value()));
  }
  EXPECT_OK(read.status());
  return rows;
}

// Goal: no row ever changes its bytes by accident: an index written today is read in ten years.
// Method: put one row of each kind, and compare what LMDB holds with bytes written down here.
TEST(IndexRowsTest, GoldenBytesOfEveryTable) {
  TempDirectory directory;
  const std::string path = directory / "index";
  {
    ASSERT_OK_AND_ASSIGN(auto index, Index::Open(path, {}));
    ASSERT_OK(index->Update([](IndexWriter& writer) -> Status {
      TIDEMARK_RETURN_IF_ERROR(writer.PutCheckpoint({.lsn = Lsn(0x0102),
                                                     .position = {.segment = 3, .offset = 0x1000},
                                                     .time = At(5),
                                                     .group_length = 0x0128,
                                                     .group_hash = 0x1122334455667788}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutNamespace({.id = 0x11, .name = "rooms"}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutObject({.id = TestId(),
                                                 .namespace_id = 0x11,
                                                 .timeline = TimelineId(0x22),
                                                 .created = Lsn(0x21),
                                                 .name = "lobby"}));
      const ObjectRow hall{.id = TestId(),
                           .namespace_id = 0x12,
                           .timeline = TimelineId(0x24),
                           .created = Lsn(0x23),
                           .name = "hall",
                           .alarm = At(0x0708)};
      TIDEMARK_RETURN_IF_ERROR(writer.PutObject(hall));
      TIDEMARK_RETURN_IF_ERROR(writer.MoveAlarm(hall, std::nullopt, At(1)));
      TIDEMARK_RETURN_IF_ERROR(writer.MoveAlarm(hall, At(1), hall.alarm));
      TIDEMARK_RETURN_IF_ERROR(writer.PutTimeline({.id = TimelineId(0x22),
                                                   .kind = TimelineKind::kRestore,
                                                   .namespace_id = 0x11,
                                                   .object = TestId(),
                                                   .parent = TimelineId(0x20),
                                                   .parent_lsn = Lsn(0x1f)}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutPacked({.number = 0x80000003, .first = 4, .last = 9}));
      const PageVersion versions[] = {{.lsn = Lsn(0x0100),
                                       .location = {.segment = 5, .offset = 0x3000},
                                       .length = 0x1ffff,
                                       .depth = 0,
                                       .chain_units = 255,
                                       .hash = 0x1122334455667788},
                                      {.lsn = Lsn(0x0203),
                                       .location = {.segment = 6, .offset = 0x4000},
                                       .length = 1,
                                       .depth = 127,
                                       .chain_units = 2,
                                       .hash = 0x99}};
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutPageVersions(TimelineId(0x22), PageNo(0x0a0b0c0d), versions));
      const CommitRow commits[] = {{.lsn = Lsn(0x0203), .location = {.segment = 6, .offset = 8}},
                                   {.lsn = Lsn(0x0283), .location = {.segment = 5, .offset = 72}}};
      TIDEMARK_RETURN_IF_ERROR(writer.PutCommits(TimelineId(0x22), commits));
      TIDEMARK_RETURN_IF_ERROR(writer.Move(
          MovedRun{TimelineId(0x22),
                   {.lsn = Lsn(0x0102), .location = {.segment = 6, .offset = 9}, .count = 512}}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutTime(At(-1), Lsn(1)));
      TIDEMARK_RETURN_IF_ERROR(writer.PutTime(At(0x0506), Lsn(2)));
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutEpoch({.epoch = 9, .first_lsn = Lsn(0x0300), .previous_end = Lsn(0x02ff)}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutRestore({.object = TestId(),
                                                  .lsn = Lsn(0x22),
                                                  .time = At(0x77),
                                                  .from_bookmark = "from",
                                                  .to_bookmark = "to"}));
      TIDEMARK_RETURN_IF_ERROR(writer.PutLabel({.object = TestId(),
                                                .name = "v1",
                                                .lsn = Lsn(0x0205),
                                                .time = At(0x88),
                                                .automatic = true,
                                                .timeline = TimelineId(0x22),
                                                .commit = Lsn(0x0203),
                                                .epoch = 9,
                                                .state_hash = 0x1122334455667788}));
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutRule({.key = RuleKey::OfObject(RuleKind::kHold, TestId()),
                          .set = true,
                          .floor = {.everything = At(3), .hourly = At(2), .daily = At(1)},
                          .lsn = Lsn(0x0206),
                          .time = At(0x99),
                          .policy = {.window = std::chrono::seconds(0x10),
                                     .hourly = std::chrono::seconds(0x20),
                                     .daily = std::chrono::seconds(0x30)},
                          .reason = "law"}));
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutLicence({.lsn = Lsn(0x0207),
                             .granted = Lsn(0x0206),
                             .time = At(0x88),
                             .by_default = At(0x77),
                             .alarm = ClockAlarm{.from = At(0x0a), .to = At(0x0b)},
                             .confirms = false}));
      return writer.PutDamage({.timeline = TimelineId(0x22),
                               .damage = {.lsn = Lsn(0x0204),
                                          .location = {.segment = 6, .offset = 0x4100},
                                          .time = At(0x77)},
                               .tag = 0x0102030405060708});
    }));
  }
  ASSERT_OK_AND_ASSIGN(auto env, LmdbEnv::Open(path, kIndexTables, {}));
  const std::string id = kTestIdHex;
  const std::string timeline = "0000000000000022";
  using Rows = std::vector<std::string>;
  EXPECT_EQ(Dump(*env, kMetaTable),  // "checkpoint", "version"
            (Rows{"636865636b706f696e74=0201000000000000"
                  "03000000"
                  "00100000"
                  "0500000000000000"
                  "28010000"
                  "8877665544332211",
                  "6c6963656e6365=0702000000000000"  // "licence"
                  "0602000000000000"
                  "8800000000000000"
                  "7700000000000000"
                  "01"
                  "0a00000000000000"
                  "0b00000000000000"
                  "00",
                  "76657273696f6e=08000000"}));
  EXPECT_EQ(Dump(*env, kNamespacesTable), (Rows{"726f6f6d73=001100000000000000"}));
  EXPECT_EQ(Dump(*env, kObjectsTable), (Rows{"0000000000000011" + id +
                                                 "=2200000000000000"
                                                 "2100000000000000"
                                                 "056c6f626279",
                                             "0000000000000012" + id +
                                                 "=2400000000000000"
                                                 "2300000000000000"
                                                 "0468616c6c"
                                                 "0807000000000000"}));
  EXPECT_EQ(Dump(*env, kAlarmsTable), (Rows{"8000000000000708" + id + "=1200000000000000"}));
  EXPECT_EQ(Dump(*env, kTimelinesTable), (Rows{timeline +
                                               "=02"
                                               "1100000000000000" +
                                               id +
                                               "2000000000000000"
                                               "1f00000000000000"}));
  EXPECT_EQ(Dump(*env, kPackedTable), (Rows{"80000003=04000000"
                                            "09000000"}));
  EXPECT_EQ(Dump(*env, kObjectTimelinesTable), (Rows{id + "=" + timeline}));
  EXPECT_EQ(Dump(*env, kPagesTable), (Rows{timeline + "0a0b0c0d=0000000000000100"
                                                      "ffff01ff"
                                                      "8877665544332211"
                                                      "05000000"
                                                      "00300000",
                                           timeline + "0a0b0c0d=0000000000000203"
                                                      "0100fe02"
                                                      "9900000000000000"
                                                      "06000000"
                                                      "00400000"}));
  EXPECT_EQ(Dump(*env, kCommitsTable), (Rows{timeline + "0000000000000203=02"
                                                        "000c10"
                                                        "80010180"
                                                        "01"}));
  EXPECT_EQ(Dump(*env, kRunsTable), (Rows{timeline + "=0000000000000102"
                                                     "06000000"
                                                     "09000000"
                                                     "00020000"}));
  EXPECT_EQ(Dump(*env, kTimesTable),
            (Rows{"7fffffffffffffff=0100000000000000", "8000000000000506=0200000000000000"}));
  EXPECT_EQ(Dump(*env, kEpochsTable), (Rows{"00000009=0003000000000000"
                                            "ff02000000000000"}));
  EXPECT_EQ(Dump(*env, kRestoresTable), (Rows{id + "0000000000000022=7700000000000000"
                                                   "02"
                                                   "0466726f6d"
                                                   "02746f"}));
  EXPECT_EQ(Dump(*env, kDamageTable), (Rows{timeline + "=0402000000000000"
                                                       "06000000"
                                                       "00410000"
                                                       "7700000000000000"
                                                       "0807060504030201"}));
  EXPECT_EQ(Dump(*env, kLabelsTable), (Rows{id + "7631=01"
                                                 "0502000000000000"
                                                 "8800000000000000"
                                                 "2200000000000000"
                                                 "0302000000000000"
                                                 "09000000"
                                                 "8877665544332211"}));
  EXPECT_EQ(Dump(*env, kRulesTable), (Rows{"020000000000000000" + id +
                                           "=01"
                                           "0602000000000000"
                                           "9900000000000000"
                                           "0300000000000000"
                                           "0200000000000000"
                                           "0100000000000000"
                                           "1000000000000000"
                                           "2000000000000000"
                                           "3000000000000000"
                                           "036c6177"}));
  EXPECT_EQ(Dump(*env, kChildrenTable), (Rows{"0000000000000020=000000000000001f" + timeline}));
}

// Goal: LMDB's order of keys is the order of the numbers they are made of. Method: compare the
// bytes of random pairs, near and far, as memcmp does.
TEST(IndexRowsTest, KeysSortAsTheirNumbers) {
  Random random(TestSeed());
  const auto less = [](ConstBytes a, ConstBytes b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  };
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t a = random.Next() >> random.Below(64);
    const uint64_t b = random.OneIn(2) ? a + random.Below(3) : random.Next() >> random.Below(64);
    const auto a32 = static_cast<uint32_t>(a);
    const auto b32 = static_cast<uint32_t>(b);
    const Timestamp a_time = At(static_cast<int64_t>(a) * (random.OneIn(2) ? 1 : -1));
    const Timestamp b_time = At(static_cast<int64_t>(b) * (random.OneIn(2) ? 1 : -1));
    SCOPED_TRACE(::testing::Message() << a << " and " << b);
    EXPECT_EQ(less(NumberKey(a), NumberKey(b)), a < b);
    EXPECT_EQ(less(NumberKey(a32), NumberKey(b32)), a32 < b32);
    EXPECT_EQ(less(TimeKey(a_time), TimeKey(b_time)), a_time < b_time);
    EXPECT_EQ(less(PageKey(TimelineId(a), PageNo(b32)), PageKey(TimelineId(a), PageNo(a32))),
              b32 < a32);
    EXPECT_EQ(less(PageKey(TimelineId(a), PageNo(b32)), PageKey(TimelineId(b), PageNo(a32))),
              a != b ? a < b : b32 < a32);
    EXPECT_EQ(less(AlarmKey(a_time, TestId()), AlarmKey(b_time, TestId())), a_time < b_time);
    EXPECT_EQ(LoadTimeKey(TimeKey(a_time)), a_time);
    EXPECT_EQ(less(RestoreKey(TestId(), Lsn(a)), RestoreKey(TestId(), Lsn(b))), a < b);
    EXPECT_EQ(less(ObjectKey(a, TestId()), ObjectKey(b, TestId())), a < b);
  }
}

// Goal: what goes in comes out. Method: random rows, every field at random widths.
TEST(IndexRowsTest, RowsComeBackEqual) {
  Random random(TestSeed());
  for (int i = 0; i < 10'000; ++i) {
    const auto number = [&random] { return random.Next() >> random.Below(64); };
    const auto number32 = [&random] { return static_cast<uint32_t>(random.Next()); };
    const PageVersion version{.lsn = Lsn(number()),
                              .location = {.segment = number32(), .offset = number32()},
                              .length = static_cast<uint32_t>(random.Below(1 << 17)),
                              .depth = static_cast<uint8_t>(random.Below(128)),
                              .chain_units = static_cast<uint8_t>(random.Below(256)),
                              .hash = random.Next()};
    std::vector<std::byte> bytes;
    AppendPageVersion(version, bytes);
    EXPECT_EQ(DecodePageVersion(bytes), version);

    const CommitRow commit{.lsn = Lsn(number() / 2), .location = version.location};
    const CommitRow commits[] = {
        commit, {.lsn = Lsn(commit.lsn.value + 1), .location = {number32(), number32()}}};
    bytes.clear();
    EncodeCommitList(commits, bytes);
    EXPECT_EQ(DecodeCommitList(CommitListKey(TimelineId(number()), commit.lsn), bytes),
              std::vector<CommitRow>(std::begin(commits), std::end(commits)));

    const CommitRunRow run{.lsn = commit.lsn, .location = version.location, .count = 7};
    bytes.clear();
    AppendCommitRunRow(run, bytes);
    EXPECT_EQ(DecodeCommitRunRow(bytes), run);

    const CheckpointRow checkpoint{.lsn = commit.lsn,
                                   .position = version.location,
                                   .time = At(static_cast<int64_t>(random.Next())),
                                   .group_length = number32(),
                                   .group_hash = number()};
    EXPECT_EQ(DecodeCheckpointRow(EncodeCheckpointRow(checkpoint)), checkpoint);

    const EpochRow epoch{
        .epoch = number32(), .first_lsn = Lsn(number()), .previous_end = Lsn(number())};
    EXPECT_EQ(DecodeEpochRow(NumberKey(epoch.epoch), EncodeEpochRow(epoch)), epoch);

    const DamageRow damage{
        .timeline = TimelineId(number()),
        .damage = {.lsn = Lsn(number()), .location = {number32(), number32()}, .time = At(5)},
        .tag = number()};
    EXPECT_EQ(DecodeDamageRow(NumberKey(damage.timeline.value), EncodeDamageRow(damage)), damage);

    const RestoreRow restore{.object = TestId(),
                             .lsn = Lsn(number()),
                             .time = checkpoint.time,
                             .kind = static_cast<TimelineKind>(random.Between(1, 7)),
                             .from_bookmark = std::string(random.Below(200), 'f'),
                             .to_bookmark = std::string(random.Below(200), 't')};
    EXPECT_EQ(DecodeRestoreRow(RestoreKey(restore.object, restore.lsn), EncodeRestoreRow(restore)),
              restore);

    const LabelRow label{.object = TestId(),
                         .name = std::string(random.Between(1, 64), 'n'),
                         .lsn = Lsn(number()),
                         .time = checkpoint.time,
                         .automatic = random.OneIn(2),
                         .timeline = TimelineId(number()),
                         .commit = Lsn(number()),
                         .epoch = number32(),
                         .state_hash = number()};
    EXPECT_EQ(DecodeLabelRow(LabelKey(label.object, label.name), EncodeLabelRow(label)), label);

    const bool own = random.OneIn(2);
    const RuleRow rule{
        .key =
            own ? RuleKey::OfObject(random.OneIn(2) ? RuleKind::kHold : RuleKind::kPolicy, TestId())
                : RuleKey::OfNamespace(number()),
        .set = random.OneIn(2),
        .floor = {.everything = At(3), .hourly = At(2), .daily = checkpoint.time},
        .lsn = Lsn(number()),
        .time = checkpoint.time,
        .policy = {.window = std::chrono::seconds(number32()),
                   .hourly = std::chrono::seconds(number32()),
                   .daily = std::chrono::seconds(number32())},
        .reason = std::string(random.Below(257), 'r'),
        .budget_bytes = random.OneIn(2) ? 0 : number()};
    EXPECT_EQ(DecodeRuleRow(EncodeRuleKey(rule.key), EncodeRuleRow(rule)), rule);

    LicenceRow licence{.lsn = Lsn(number()),
                       .granted = Lsn(number()),
                       .time = checkpoint.time,
                       .by_default = At(number32()),
                       .alarm = std::nullopt,
                       .confirms = random.OneIn(2)};
    if (random.OneIn(2)) {
      licence.budget = At(number32());
      licence.budget_moved = Lsn(number());
    }
    if (random.OneIn(2)) licence.alarm = ClockAlarm{.from = At(number32()), .to = At(4)};
    EXPECT_EQ(DecodeLicenceRow(EncodeLicenceRow(licence)), licence);

    const ChildRow child{.parent_lsn = Lsn(number()), .id = TimelineId(number())};
    EXPECT_EQ(DecodeChildRow(EncodeChildRow(child)), child);

    const TimelineRow timeline{.id = TimelineId(number()),
                               .kind = static_cast<TimelineKind>(random.Between(1, 7)),
                               .namespace_id = number(),
                               .object = TestId(),
                               .parent = TimelineId(number()),
                               .parent_lsn = Lsn(number())};
    EXPECT_EQ(DecodeTimelineRow(NumberKey(timeline.id.value), EncodeTimelineRow(timeline)),
              timeline);
  }
}

// Goal: a row of the wrong size, or with what no encoder writes, is refused. Method: cut and
// lengthen each kind's bytes, and break the fields that can be wrong.
TEST(IndexRowsTest, MalformedRowsAreRefused) {
  const auto refuses_other_sizes = [](std::vector<std::byte> bytes, auto decode) {
    EXPECT_TRUE(decode(bytes).has_value());
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode(ConstBytes(bytes).first(size)).has_value()) << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode(ConstBytes(bytes)).has_value());
  };
  const Key40 key40 = ObjectKey(1, TestId());
  const Key8 key8 = NumberKey(uint64_t{1});
  const Key4 key4 = NumberKey(1u);
  std::vector<std::byte> version;
  AppendPageVersion({.lsn = Lsn(1)}, version);
  refuses_other_sizes(version, DecodePageVersion);
  std::vector<std::byte> commit;
  const CommitRow commits[] = {{.lsn = Lsn(1), .location = {1, 8192}}, {.lsn = Lsn(3)}};
  EncodeCommitList(commits, commit);
  refuses_other_sizes(commit, [](ConstBytes b) {
    return DecodeCommitList(CommitListKey(TimelineId(1), Lsn(1)), b);
  });
  EXPECT_FALSE(DecodeCommitList(key8, commit).has_value());
  // Steps that no list has: of the first commit, and none at all; places beyond 32 bits.
  const Key16 key16 = CommitListKey(TimelineId(1), Lsn(5));
  const auto list_of = [](std::initializer_list<uint64_t> values) {
    std::vector<std::byte> bytes;
    for (const uint64_t value : values) AppendVarint(bytes, value);
    return bytes;
  };
  EXPECT_TRUE(DecodeCommitList(key16, list_of({2, 0, 2, 2, 1, 2, 2})).has_value());
  EXPECT_FALSE(DecodeCommitList(key16, list_of({2, 1, 2, 2, 1, 2, 2})).has_value());
  EXPECT_FALSE(DecodeCommitList(key16, list_of({2, 0, 2, 2, 0, 2, 2})).has_value());
  EXPECT_FALSE(DecodeCommitList(key16, list_of({2, 0, 2, 2, UINT64_MAX, 2, 2})).has_value());
  EXPECT_FALSE(DecodeCommitList(key16, list_of({1, 0, uint64_t{1} << 33, 2})).has_value());
  EXPECT_FALSE(DecodeCommitList(key16, list_of({1, 0, 1, 2})).has_value());
  std::vector<std::byte> run;
  AppendCommitRunRow({.lsn = Lsn(1)}, run);
  refuses_other_sizes(run, DecodeCommitRunRow);
  const auto name = EncodeNamespaceRow({.id = 1, .name = "n"});
  refuses_other_sizes({name.begin(), name.end()},
                      [](ConstBytes b) { return DecodeNamespaceRow(TextKey("n"), b); });
  refuses_other_sizes(EncodeCheckpointRow({}), DecodeCheckpointRow);
  refuses_other_sizes(EncodeObjectRow({.name = "name"}),
                      [&](ConstBytes b) { return DecodeObjectRow(key40, b); });
  ObjectRow with_alarm;
  with_alarm.name = "name";
  with_alarm.alarm = At(5);
  EXPECT_EQ(DecodeObjectRow(key40, EncodeObjectRow(with_alarm))->alarm, with_alarm.alarm);
  for (size_t cut = 1; cut < 8; ++cut) {
    auto row = EncodeObjectRow(with_alarm);
    row.resize(row.size() - cut);
    EXPECT_FALSE(DecodeObjectRow(key40, row).has_value()) << cut;
  }
  const AlarmRow alarm{.due = At(5), .id = TestId(), .namespace_id = 3};
  const Key40 alarm_key = AlarmKey(alarm.due, alarm.id);
  EXPECT_EQ(DecodeAlarmRow(alarm_key, EncodeAlarmRow(alarm)), alarm);
  refuses_other_sizes(EncodeAlarmRow(alarm),
                      [&](ConstBytes b) { return DecodeAlarmRow(alarm_key, b); });
  EXPECT_FALSE(DecodeAlarmRow(key8, EncodeAlarmRow(alarm)));
  refuses_other_sizes(EncodeTimelineRow({}),
                      [&](ConstBytes b) { return DecodeTimelineRow(key8, b); });
  refuses_other_sizes(EncodeEpochRow({}), [&](ConstBytes b) { return DecodeEpochRow(key4, b); });
  refuses_other_sizes(EncodeRestoreRow({.from_bookmark = "f", .to_bookmark = "t"}),
                      [&](ConstBytes b) { return DecodeRestoreRow(key40, b); });
  refuses_other_sizes(EncodeDamageRow({}), [&](ConstBytes b) { return DecodeDamageRow(key8, b); });

  const std::vector<std::byte> label_key = LabelKey(TestId(), "v1");
  refuses_other_sizes(EncodeLabelRow({}),
                      [&](ConstBytes b) { return DecodeLabelRow(label_key, b); });
  auto label = EncodeLabelRow({});
  label[0] = std::byte{2};
  EXPECT_FALSE(DecodeLabelRow(label_key, label));

  const std::vector<std::byte> rule_key = EncodeRuleKey(RuleKey::OfStore());
  refuses_other_sizes(EncodeRuleRow({}), [&](ConstBytes b) { return DecodeRuleRow(rule_key, b); });
  auto rule = EncodeRuleRow({});
  for (const uint8_t flags : {uint8_t{2}, uint8_t{4}}) {
    rule[0] = std::byte{flags};
    EXPECT_FALSE(DecodeRuleRow(rule_key, rule));
  }
  refuses_other_sizes(EncodeRuleRow({.budget_bytes = 5}),
                      [&](ConstBytes b) { return DecodeRuleRow(rule_key, b); });
  refuses_other_sizes(EncodeLicenceRow({.budget = At(5)}), DecodeLicenceRow);
  auto other_kind = rule_key;
  other_kind[0] = std::byte{3};
  EXPECT_FALSE(DecodeRuleRow(other_kind, EncodeRuleRow({})));
  refuses_other_sizes(EncodeLicenceRow({}), DecodeLicenceRow);
  for (const size_t at : {size_t{32}, size_t{49}}) {  // paused, confirms
    auto licence = EncodeLicenceRow({});
    licence[at] = std::byte{2};
    EXPECT_FALSE(DecodeLicenceRow(licence)) << at;
  }
  const Key16 child = EncodeChildRow({});
  refuses_other_sizes({child.begin(), child.end()}, DecodeChildRow);

  // Keys of another table's size.
  EXPECT_FALSE(DecodeRuleRow(key8, EncodeRuleRow({})));
  EXPECT_FALSE(DecodeLabelRow(LabelKey(TestId(), ""), EncodeLabelRow({})));
  EXPECT_FALSE(DecodeLabelRow(key8, EncodeLabelRow({})));
  EXPECT_FALSE(DecodeObjectRow(key8, EncodeObjectRow({})));
  EXPECT_FALSE(DecodeTimelineRow(key4, EncodeTimelineRow({})));
  EXPECT_FALSE(DecodeEpochRow(key8, EncodeEpochRow({})));
  EXPECT_FALSE(DecodeRestoreRow(key8, EncodeRestoreRow({})));
  EXPECT_FALSE(DecodeDamageRow(key4, EncodeDamageRow({})));
  // A kind of timeline that this version does not know.
  for (const int kind : {0, 8, 255}) {
    auto bytes = EncodeTimelineRow({});
    bytes[0] = static_cast<std::byte>(kind);
    EXPECT_FALSE(DecodeTimelineRow(key8, bytes)) << kind;
    bytes = EncodeRestoreRow({});
    bytes[8] = static_cast<std::byte>(kind);
    EXPECT_FALSE(DecodeRestoreRow(key40, bytes)) << kind;
  }
  // The last byte of a long name, under a short key.
  auto bytes = name;
  bytes[0] = std::byte{'x'};
  EXPECT_FALSE(DecodeNamespaceRow(TextKey("n"), bytes));
}

}  // namespace
}  // namespace tidemark::internal
