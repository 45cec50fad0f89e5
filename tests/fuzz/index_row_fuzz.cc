// The rows of the index: keys and values of any bytes are refused, or are rows that are written and
// read again as the same.
//
// An input is a byte for the table, one for the length of the key, the key and the value.

#include <optional>

#include "engine/check.h"
#include "engine/internal/commit_list.h"
#include "engine/internal/index_rows.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

using internal::ConstBytes;

constexpr uint8_t kTables = 18;  // the cases below, and the commit lists

void ReadRow(uint8_t table, ConstBytes key, ConstBytes value) {
  using namespace internal;
  std::vector<std::byte> out;
  switch (table % kTables) {
    case 0:
      if (const auto row = DecodePageVersion(value)) {
        AppendPageVersion(*row, out);
        CHECK(DecodePageVersion(out) == row);
      }
      return;
    case 1:
      if (const auto row = DecodeCommitRunRow(value)) {
        AppendCommitRunRow(*row, out);
        CHECK(DecodeCommitRunRow(out) == row);
      }
      return;
    case 2:
      if (const auto row = DecodeNamespaceRow(key, value)) EncodeNamespaceRow(*row);
      return;
    case 3:
      if (const auto row = DecodeCheckpointRow(value)) {
        CHECK(DecodeCheckpointRow(EncodeCheckpointRow(*row)) == row);
      }
      return;
    case 4:
      if (const auto row = DecodeObjectRow(key, value)) {
        const auto again = EncodeObjectRow(*row);
        CHECK(std::ranges::equal(again, value));
      }
      return;
    case 5:
      if (const auto row = DecodeTimelineRow(key, value)) {
        CHECK(DecodeTimelineRow(key, EncodeTimelineRow(*row)) == row);
      }
      return;
    case 6:
      if (const auto row = DecodeEpochRow(key, value)) {
        CHECK(DecodeEpochRow(key, EncodeEpochRow(*row)) == row);
      }
      return;
    case 7:
      if (const auto row = DecodeRestoreRow(key, value)) {
        CHECK(DecodeRestoreRow(key, EncodeRestoreRow(*row)) == row);
      }
      return;
    case 8:
      if (const auto row = DecodeDamageRow(key, value)) {
        CHECK(DecodeDamageRow(key, EncodeDamageRow(*row)) == row);
      }
      return;
    case 9:
      if (const auto row = DecodeLabelRow(key, value)) {
        CHECK(DecodeLabelRow(key, EncodeLabelRow(*row)) == row);
      }
      return;
    case 10:
      if (const auto row = DecodePackedRow(key, value)) {
        CHECK(DecodePackedRow(key, EncodePackedRow(*row)) == row);
      }
      return;
    case 11:
      if (const auto row = DecodePurgeRow(key, value)) {
        CHECK(DecodePurgeRow(key, EncodePurgeRow(*row)) == row);
      }
      return;
    case 12:
      if (const auto row = DecodeRuleRow(key, value)) {
        CHECK(DecodeRuleRow(EncodeRuleKey(row->key), EncodeRuleRow(*row)) == row);
      }
      return;
    case 13:
      if (const auto row = DecodeLicenceRow(value)) {
        CHECK(DecodeLicenceRow(EncodeLicenceRow(*row)) == row);
      }
      return;
    case 14:
      if (const auto row = DecodeChildRow(value)) {
        CHECK(DecodeChildRow(EncodeChildRow(*row)) == row);
      }
      return;
    case 16:
      if (const auto row = DecodeAlarmRow(key, value)) {
        CHECK(DecodeAlarmRow(AlarmKey(row->due, row->id), EncodeAlarmRow(*row)) == row);
      }
      return;
    case 17:
      if (const auto row = DecodeScheduleRow(key, value)) {
        CHECK(DecodeScheduleRow(key, EncodeScheduleRow(*row)) == row);
      }
      return;
    default:
      if (const auto rows = DecodeCommitList(key, value)) {
        EncodeCommitList(*rows, out);
        CHECK(DecodeCommitList(key, out) == rows);
      }
  }
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::FuzzInput input(data, size);
  const uint8_t table = input.Byte();
  const auto key = input.Take(input.Short());
  // Of just their sizes, so that what reads beyond them is seen.
  const std::vector<std::byte> key_copy(key.begin(), key.end());
  tidemark::testing::ReadRow(table, key_copy, input.Rest());
  return 0;
}
