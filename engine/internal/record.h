// Records of the log to and from bytes, as engine/format.h gives them.
//
// A record is written in two steps: its own fields are encoded by whoever makes it (Encode* below,
// without LSN, time and place), and the commit queue puts the common fields and the hash around
// them when it knows its place (AppendRecord).

#ifndef TIDEMARK_ENGINE_INTERNAL_RECORD_H_
#define TIDEMARK_ENGINE_INTERNAL_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/format.h"
#include "engine/internal/coding.h"
#include "engine/internal/index.h"
#include "engine/internal/page_codec.h"
#include "engine/lsn.h"
#include "engine/object_id.h"

namespace tidemark::internal {

using format::RecordKind;

// XXH3-64 with a seed.
uint64_t SeededHash(ConstBytes bytes, uint64_t seed);

// What a group's directory says of a record that creates a namespace. Of an object: ObjectTag().
uint64_t NamespaceTag(std::string_view name);

// The alarm as records can have it: in whole milliseconds, none later than it was; 1970 if it is
// earlier.
std::optional<Timestamp> RecordedAlarm(std::optional<Timestamp> alarm);
// In milliseconds; of one as records have it.
uint64_t AlarmNumber(Timestamp alarm);
Timestamp AlarmOf(uint64_t number);

struct BatchReference {
  Location location{};
  uint64_t record_hash = 0;
};

struct FrameFields {
  TimelineId timeline;
  uint32_t page_size = 0;
  uint32_t page_count = 0;
  uint64_t state_hash = 0;
  uint32_t version_count = 0;
  bool schema_changed = false;
  uint32_t batch_count = 0;
  uint64_t batch_versions = 0;
  uint64_t batch_bytes = 0;
  BatchReference last_batch{};
  std::optional<Timestamp> alarm{};
};

struct BatchEntry {
  PageNo page;
  uint32_t length = 0;
  uint8_t depth = 0;
  uint8_t chain_units = 0;
  uint64_t hash = 0;
};

struct BatchFields {
  uint32_t number = 1;
  BatchReference previous{};        // unless number is 1
  std::vector<BatchEntry> pages{};  // sorted by page
};

// What an entry takes at most.
inline constexpr size_t kBatchEntryBytes = 5 + 5 + 1 + 1 + 8;

struct OpenFields {
  uint32_t epoch = 0;
  Lsn previous_end;
  std::string library_version;
};

// Views of what was given or, when decoded, of the record's bytes.
struct NamespaceFields {
  std::string_view name;
  std::string_view unique_key;
};

struct ObjectFields {
  uint64_t namespace_id = 0;
  ObjectId id;
  std::string_view name;
};

struct TimelineFields {
  format::TimelineOperation operation = format::TimelineOperation::kRestore;
  ObjectId object;
  TimelineId ended;  // current until now
  TimelineId parent;
  Lsn parent_lsn;
  uint32_t page_size = 0;
  uint32_t page_count = 0;
  uint64_t state_hash = 0;
  std::string from;
  std::string to;
  std::optional<Timestamp> alarm{};
  Lsn session{};  // of a scheduled restore
};

// `name` is a view of what was given or, when decoded, of the record's bytes.
struct LabelFields {
  format::LabelOperation operation = format::LabelOperation::kSet;
  ObjectId object;
  std::string_view name;
  // Of a set.
  bool automatic = false;
  TimelineId timeline{};
  Lsn commit{};
  uint32_t epoch = 0;
  uint64_t state_hash = 0;
};

// The fields of a kind, appended to `out` (which usually is empty and reused).
void EncodeFrame(const FrameFields& fields, Buffer& out);
void EncodeBatch(const BatchFields& fields, Buffer& out);
void EncodeOpen(const OpenFields& fields, Buffer& out);
void EncodeNamespace(const NamespaceFields& fields, Buffer& out);
void EncodeObject(const ObjectFields& fields, Buffer& out);
void EncodeTimeline(const TimelineFields& fields, Buffer& out);
void EncodeLabel(const LabelFields& fields, Buffer& out);

// Empty if the bytes are not exactly such fields.
std::optional<FrameFields> DecodeFrame(ConstBytes fields);
std::optional<BatchFields> DecodeBatch(ConstBytes fields);
std::optional<OpenFields> DecodeOpen(ConstBytes fields);
std::optional<NamespaceFields> DecodeNamespace(ConstBytes fields);
std::optional<ObjectFields> DecodeObject(ConstBytes fields);
std::optional<TimelineFields> DecodeTimeline(ConstBytes fields);
std::optional<LabelFields> DecodeLabel(ConstBytes fields);

// What AppendRecord adds to a record at most, hash and common fields included.
inline constexpr size_t kRecordOverhead = 1 + 5 + 5 + 3 * kMaxVarintBytes + 8;

struct RecordPlace {
  uint64_t lsn = 0;
  uint64_t time_delta = 0;
  uint32_t group_offset = 0;
};

struct AppendedRecord {
  size_t payload_offset = 0;  // in `out`
  uint64_t hash = 0;
};

// Appends a whole record to `out`.
AppendedRecord AppendRecord(RecordKind kind, const RecordPlace& place, ConstBytes fields,
                            ConstBytes payload, uint64_t incarnation, Buffer& out);

// A record taken apart. `fields` and `payload` point into the bytes it was parsed from.
struct RecordView {
  RecordKind kind = RecordKind::kFrame;
  RecordPlace place;
  ConstBytes fields;
  uint64_t hash = 0;
  size_t payload_offset = 0;  // from the record's begin
  size_t payload_length = 0;
  size_t length = 0;  // of the whole record
};

enum class ParseOutcome {
  kOk,
  kShort,  // more bytes are needed: at least RecordView::length (payload excluded)
  kBad,    // not a record, or its hash is wrong
};

// Parses the record at the begin of `bytes`; the payload need not be there.
ParseOutcome ParseRecord(ConstBytes bytes, uint64_t incarnation, RecordView& out);

// A page version taken apart. `data` points into the bytes it was parsed from.
struct PageVersionView {
  PageNo page;
  format::PageForm form = format::PageForm::kRaw;
  uint64_t hash = 0;
  uint8_t depth = 0;
  uint8_t chain_units = 0;
  Lsn base_lsn;
  Location base;  // none: it stood in a block
  uint32_t base_length = 0;
  ConstBytes data;
  size_t length = 0;  // of the whole page version
};

// Parses the page version at the begin of `bytes`, which may go on behind it. Empty if malformed.
std::optional<PageVersionView> ParsePageVersion(ConstBytes bytes);

// What a page version takes before its data, at most; and one without a base.
inline constexpr size_t kPageVersionOverhead = 5 + 1 + 8 + 2 + kMaxVarintBytes + 5 + 5 + 5 + 5;
inline constexpr size_t kImageOverhead = 5 + 1 + 8 + 5;

// Appends a page version. `base` is null for a full image.
void AppendPageVersion(PageNo page, format::PageForm form, uint64_t hash, const PageVersion* base,
                       ConstBytes data, Buffer& out, PageVersion& version);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RECORD_H_
