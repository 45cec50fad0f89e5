// The bytes of the index's keys and rows. Pure functions, no state.
//
//   big-endian:    all numbers in keys, and what a duplicate is sorted by
//   little-endian: all other fixed numbers; strings are a varint length and bytes (coding.h)
//
//   table            key                               value
//   meta             "version"                         u32 kIndexVersion
//   meta             "checkpoint"                      LSN 8, segment 4, offset 4, time 8
//   meta             "durable"                         LSN 8
//   meta             "licence"                         LSN 8, granted 8, time 8, by default 8,
//                                                      paused 1, from 8, to 8, confirms 1
//   meta             "purge ", object id 32            LSN 8, flags 1 (1: the log is clean), with
//                                                      flag 2: number of the first packed segment
//                                                      since 4; the record's fields
//   meta             "health"                          last scrub 8, damage 8, last drill 8, its
//                                                      outcome 1, oldest verified 8
//   meta             "compact"                         nothing: the file is to be compacted
//   namespaces       first 511 bytes of the name       byte 512 of the name or 0, id 8 (duplicates)
//   objects          namespace id 8, object id 32      timeline 8, created 8, name; if it has an
//                                                      alarm: due time 8
//   timelines        timeline id 8                     kind 1, namespace id 8, object id 32,
//                                                      parent 8, parent LSN 8
//   object_timelines object id 32                      timeline id 8 (duplicates)
//   pages            timeline id 8, page number 4      page version 28 (duplicates)
//   commits          timeline id 8, LSN 8              see commit_list.h
//   runs             timeline id 8                     LSN 8, segment 4, offset 4, count 4
//                                                      (duplicates)
//   times            time 8, sign bit flipped          LSN 8
//   epochs           epoch 4                           first LSN 8, previous end 8
//   restores         object id 32, LSN 8               time 8, kind 1, from, to: strings; of a
//                                                      scheduled one: session 8
//   damage           timeline id 8                     LSN 8, segment 4, offset 4, time 8, tag 8
//   labels           object id 32, name                automatic 1, LSN 8, time 8, timeline 8,
//                                                      commit's LSN 8, epoch 4, state hash 8
//   packed           number 4                          first 4, last 4
//   rules            kind 1, namespace id 8 (0: none), set 1, LSN 8, time 8, everything 8,
//                    object id 32 or nothing           hourly 8, daily 8, window 8, hourly 8,
//                                                      daily 8, reason
//   children         parent timeline id 8              parent LSN 8, timeline id 8 (duplicates)
//   alarms           due time 8, sign bit flipped;     namespace id 8
//                    object id 32
//   schedules        object id 32                      LSN 8, time 8, the record's fields
//
//   Page version   offset  size  field
//                       0     8  lsn          big-endian: duplicates sort by it
//                       8     4  shape        length (17 bits) | depth << 17 (7) | units << 24 (8)
//                      12     8  hash
//                      20     4  segment
//                      24     4  offset
//
// A namespace's name may be one byte longer than an LMDB key; names hold no 0.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_ROWS_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/lmdb_env.h"

namespace tidemark::internal {

inline constexpr uint32_t kIndexVersion = 8;

// The tables' numbers in LmdbEnv, and their names.
enum IndexTable : size_t {
  kMetaTable,
  kNamespacesTable,
  kObjectsTable,
  kTimelinesTable,
  kObjectTimelinesTable,
  kPagesTable,
  kCommitsTable,
  kTimesTable,
  kEpochsTable,
  kRestoresTable,
  kDamageTable,
  kLabelsTable,
  kPackedTable,
  kRulesTable,
  kChildrenTable,
  kRunsTable,
  kAlarmsTable,
  kSchedulesTable,
  kIndexTableCount,
};
extern const std::array<LmdbTable, kIndexTableCount> kIndexTables;

inline constexpr std::string_view kVersionKey = "version";
inline constexpr std::string_view kCheckpointKey = "checkpoint";
inline constexpr std::string_view kDurableKey = "durable";
inline constexpr std::string_view kHealthKey = "health";
inline constexpr std::string_view kLicenceKey = "licence";
inline constexpr std::string_view kPurgePrefix = "purge ";
inline constexpr std::string_view kCompactKey = "compact";

inline constexpr size_t kLsnBytes = 8;
inline constexpr size_t kPageVersionBytes = 28;
inline constexpr size_t kCommitRunRowBytes = 20;
inline constexpr size_t kNamespaceRowBytes = 9;
inline constexpr size_t kMaxKeyBytes = 511;  // LMDB's
inline constexpr size_t kRuleKeyBytes = 9;   // of a rule that is not an object's

using Key4 = std::array<std::byte, 4>;
using Key8 = std::array<std::byte, 8>;
using Key12 = std::array<std::byte, 12>;
using Key16 = std::array<std::byte, 16>;
using Key40 = std::array<std::byte, 40>;

Key4 NumberKey(uint32_t number);
Key8 NumberKey(uint64_t number);
Key8 TimeKey(Timestamp time);
Key12 PageKey(TimelineId timeline, PageNo page);
Key40 ObjectKey(uint64_t namespace_id, const ObjectId& id);
Key40 RestoreKey(const ObjectId& object, Lsn lsn);
Key40 AlarmKey(Timestamp due, const ObjectId& object);
std::vector<std::byte> EncodeRuleKey(const RuleKey& key);
std::vector<std::byte> PurgeKey(const ObjectId& object);
std::vector<std::byte> LabelKey(const ObjectId& object, std::string_view name);
ConstBytes TextKey(std::string_view text);

uint32_t LoadNumberKey4(ConstBytes key);  // CHECKs nothing: the caller knows the size
uint64_t LoadNumberKey8(ConstBytes key);
Timestamp LoadTimeKey(ConstBytes key);

// Encoders. The duplicates' append, so that rows of one key can stand side by side.
void AppendPageVersion(const PageVersion& version, std::vector<std::byte>& out);
void AppendCommitRunRow(const CommitRunRow& row, std::vector<std::byte>& out);
std::array<std::byte, kNamespaceRowBytes> EncodeNamespaceRow(const NamespaceRow& row);
std::vector<std::byte> EncodeCheckpointRow(const CheckpointRow& row);
std::vector<std::byte> EncodeObjectRow(const ObjectRow& row);
std::vector<std::byte> EncodeTimelineRow(const TimelineRow& row);
std::vector<std::byte> EncodeEpochRow(const EpochRow& row);
std::vector<std::byte> EncodeRestoreRow(const RestoreRow& row);
std::vector<std::byte> EncodeDamageRow(const DamageRow& row);
std::vector<std::byte> EncodeLabelRow(const LabelRow& row);
std::vector<std::byte> EncodePackedRow(const PackedRow& row);
std::vector<std::byte> EncodePurgeRow(const PurgeRow& row);
std::vector<std::byte> EncodeRuleRow(const RuleRow& row);
std::vector<std::byte> EncodeLicenceRow(const LicenceRow& row);
std::vector<std::byte> EncodeHealthRow(const StoreHealth& row);
std::vector<std::byte> EncodeAlarmRow(const AlarmRow& row);
std::vector<std::byte> EncodeScheduleRow(const ScheduleRow& row);
Key16 EncodeChildRow(const ChildRow& row);

// Decoders. Empty if key or value has the wrong size or holds what no encoder writes.
std::optional<PageVersion> DecodePageVersion(ConstBytes value);
std::optional<CommitRunRow> DecodeCommitRunRow(ConstBytes value);
std::optional<NamespaceRow> DecodeNamespaceRow(ConstBytes key, ConstBytes value);
std::optional<CheckpointRow> DecodeCheckpointRow(ConstBytes value);
std::optional<ObjectRow> DecodeObjectRow(ConstBytes key, ConstBytes value);
std::optional<TimelineRow> DecodeTimelineRow(ConstBytes key, ConstBytes value);
std::optional<EpochRow> DecodeEpochRow(ConstBytes key, ConstBytes value);
std::optional<RestoreRow> DecodeRestoreRow(ConstBytes key, ConstBytes value);
std::optional<DamageRow> DecodeDamageRow(ConstBytes key, ConstBytes value);
std::optional<LabelRow> DecodeLabelRow(ConstBytes key, ConstBytes value);
std::optional<PackedRow> DecodePackedRow(ConstBytes key, ConstBytes value);
std::optional<PurgeRow> DecodePurgeRow(ConstBytes key, ConstBytes value);
std::optional<RuleRow> DecodeRuleRow(ConstBytes key, ConstBytes value);
std::optional<LicenceRow> DecodeLicenceRow(ConstBytes value);
std::optional<StoreHealth> DecodeHealthRow(ConstBytes value);
std::optional<AlarmRow> DecodeAlarmRow(ConstBytes key, ConstBytes value);
std::optional<ScheduleRow> DecodeScheduleRow(ConstBytes key, ConstBytes value);
std::optional<ChildRow> DecodeChildRow(ConstBytes value);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_ROWS_H_
