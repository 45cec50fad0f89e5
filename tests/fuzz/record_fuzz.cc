// Records and page versions: whatever the bytes, they are refused or are what some writer writes.
//
// An input is a byte for the way and the bytes: a whole record, whose hash is made right; the
// fields of a kind; or page versions.

#include <optional>
#include <utility>

#include "engine/check.h"
#include "engine/internal/commit_run.h"
#include "engine/internal/purge_record.h"
#include "engine/internal/record.h"
#include "engine/internal/retention_record.h"
#include "tests/fuzz/fix_hashes.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;
using internal::RecordKind;

constexpr uint64_t kIncarnation = 7;

// What decodes is written again as the same bytes: there is one way to write anything.
template <typename Fields, typename Encode>
void CheckSame(const std::optional<Fields>& fields, const Encode& encode, ConstBytes bytes) {
  if (!fields) return;
  Buffer again;
  encode(*fields, again);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void DecodeFields(RecordKind kind, ConstBytes fields) {
  switch (kind) {
    case RecordKind::kFrame:
      return CheckSame(internal::DecodeFrame(fields), internal::EncodeFrame, fields);
    case RecordKind::kBatch:
      return CheckSame(internal::DecodeBatch(fields), internal::EncodeBatch, fields);
    case RecordKind::kOpen:
      return CheckSame(internal::DecodeOpen(fields), internal::EncodeOpen, fields);
    case RecordKind::kNamespace:
      return CheckSame(internal::DecodeNamespace(fields), internal::EncodeNamespace, fields);
    case RecordKind::kObject:
      return CheckSame(internal::DecodeObject(fields), internal::EncodeObject, fields);
    case RecordKind::kTimeline:
      return CheckSame(internal::DecodeTimeline(fields), internal::EncodeTimeline, fields);
    case RecordKind::kLabel:
      return CheckSame(internal::DecodeLabel(fields), internal::EncodeLabel, fields);
    case RecordKind::kSchedule:
      return CheckSame(internal::DecodeSchedule(fields), internal::EncodeSchedule, fields);
    case RecordKind::kHold:
      return CheckSame(internal::DecodeRule(internal::RuleKind::kHold, fields),
                       internal::EncodeRule, fields);
    case RecordKind::kPolicy:
      return CheckSame(internal::DecodeRule(internal::RuleKind::kPolicy, fields),
                       internal::EncodeRule, fields);
    case RecordKind::kLicence:
      internal::DecodeLicence(fields);  // what it says of the clock depends on its LSN
      return;
    case RecordKind::kPurge:
      return CheckSame(internal::DecodePurge(fields), internal::EncodePurge, fields);
    case RecordKind::kCommits:
      internal::DecodeCommitRun(fields);  // history_fuzz.cc says more
      return;
    case RecordKind::kClose:
    case RecordKind::kMigration:
    case RecordKind::kHistory:
    case RecordKind::kDictionary: return;
  }
}

void ParseVersions(ConstBytes bytes) {
  while (!bytes.empty()) {
    const auto version = internal::ParsePageVersion(bytes);
    if (!version) return;
    CHECK(version->length > 0);
    CHECK(version->length <= bytes.size());
    bytes = bytes.subspan(version->length);
  }
}

void ParseWhole(Buffer bytes) {
  internal::RecordView record;
  internal::ParseRecord(bytes, kIncarnation, record);
  if (FixRecord(bytes, kIncarnation) == 0) return;
  if (internal::ParseRecord(bytes, kIncarnation, record) != internal::ParseOutcome::kOk) return;
  CHECK(record.length <= bytes.size());
  DecodeFields(record.kind, record.fields);
  ParseVersions(ConstBytes(bytes).subspan(record.payload_offset, record.payload_length));
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tidemark::testing::FuzzInput;
  FuzzInput input(data, size);
  const uint8_t way = input.Byte();
  const auto bytes = input.Rest();
  if (way == 0) {
    tidemark::testing::ParseWhole(bytes);
  } else if (way < 32) {
    tidemark::testing::DecodeFields(static_cast<tidemark::format::RecordKind>(way), bytes);
  } else {
    tidemark::testing::ParseVersions(bytes);
  }
  return 0;
}
