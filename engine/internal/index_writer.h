// The index's tables as one LMDB transaction changes them: IndexWriter's one implementation.
//
// Rows of page versions are sparse. Whoever reads a patch reads the chain that it is made on, so a
// row leads to all of its chain, and one in 32 is enough: at most 31 patches more, or
// 8 KiB of them, are read for a version without a row. An image always has one, and so have the
// last version of a page, and a version that stands behind the patch on it (in a large transaction,
// which wrote its pages before it committed): packing can take the patch and leave the version.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_WRITER_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_WRITER_H_

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/internal/coding.h"
#include "engine/internal/index.h"
#include "engine/internal/index_rows.h"
#include "engine/internal/lmdb_env.h"

namespace tidemark::internal {

class LmdbIndexWriter final : public IndexWriter {
 public:
  explicit LmdbIndexWriter(LmdbWriteTransaction& transaction) : transaction_(transaction) {}

  Status PutCheckpoint(const CheckpointRow& row) override {
    return transaction_.Put(kMetaTable, TextKey(kCheckpointKey), EncodeCheckpointRow(row));
  }

  Status PutDurable(Lsn lsn) override {
    rows_.clear();
    AppendFixed(rows_, lsn.value);
    return transaction_.Put(kMetaTable, TextKey(kDurableKey), rows_);
  }

  Status PutNamespace(const NamespaceRow& row) override {
    const auto value = EncodeNamespaceRow(row);
    return transaction_.PutDuplicates(kNamespacesTable, TextKey(row.name), value, value.size(), 1);
  }

  Status PutObject(const ObjectRow& row) override {
    return transaction_.Put(kObjectsTable, ObjectKey(row.namespace_id, row.id),
                            EncodeObjectRow(row));
  }

  Status MoveAlarm(const ObjectRow& row, std::optional<Timestamp> from,
                   std::optional<Timestamp> to) override {
    if (from) TIDEMARK_RETURN_IF_ERROR(transaction_.Remove(kAlarmsTable, AlarmKey(*from, row.id)));
    if (!to) return OkStatus();
    const AlarmRow alarm{.due = *to, .id = row.id, .namespace_id = row.namespace_id};
    return transaction_.Put(kAlarmsTable, AlarmKey(alarm.due, alarm.id), EncodeAlarmRow(alarm));
  }

  Status PutTimeline(const TimelineRow& row) override {
    const Key8 id = NumberKey(row.id.value);
    TIDEMARK_RETURN_IF_ERROR(transaction_.Put(kTimelinesTable, id, EncodeTimelineRow(row)));
    if (row.parent.valid()) {
      const Key16 child = EncodeChildRow({.parent_lsn = row.parent_lsn, .id = row.id});
      TIDEMARK_RETURN_IF_ERROR(transaction_.PutDuplicates(
          kChildrenTable, NumberKey(row.parent.value), child, child.size(), child.size()));
    }
    return transaction_.PutDuplicates(kObjectTimelinesTable, row.object.bytes, id, id.size(),
                                      id.size());
  }

  Status PutPageVersions(TimelineId timeline, PageNo page,
                         std::span<const PageVersion> versions) override {
    if (versions.empty()) return OkStatus();
    const Key12 key = PageKey(timeline, page);
    std::optional<PageVersion> last;
    if (LmdbCursor& rows = transaction_.cursor(kPagesTable); rows.Seek(key) && rows.LastDuplicate())
      last = DecodePageVersion(rows.value());
    // What recovery puts again stays as it is.
    const bool is_behind = !last || last->lsn < versions.front().lsn;
    if (last && is_behind && NeedsNoRow(*last, versions.front())) {
      TIDEMARK_RETURN_IF_ERROR(
          transaction_.RemoveDuplicate(kPagesTable, key, NumberKey(last->lsn.value)));
    }
    rows_.clear();
    for (size_t i = 0; i < versions.size(); ++i) {
      if (is_behind && i + 1 < versions.size() && NeedsNoRow(versions[i], versions[i + 1])) {
        continue;
      }
      AppendPageVersion(versions[i], rows_);
    }
    return transaction_.PutDuplicates(kPagesTable, key, rows_, kPageVersionBytes, kLsnBytes);
  }

  Status PutPageVersionAhead(TimelineId timeline, PageNo page,
                             const PageVersion& version) override {
    rows_.clear();
    AppendPageVersion(version, rows_);
    return transaction_.PutDuplicates(kPagesTable, PageKey(timeline, page), rows_,
                                      kPageVersionBytes, kLsnBytes);
  }

  Status PutCommits(TimelineId timeline, std::span<const CommitRow> rows) override;

  Status PutTime(Timestamp time, Lsn lsn) override {
    rows_.clear();
    AppendFixed(rows_, lsn.value);
    return transaction_.Put(kTimesTable, TimeKey(time), rows_);
  }

  Status PutEpoch(const EpochRow& row) override {
    return transaction_.Put(kEpochsTable, NumberKey(row.epoch), EncodeEpochRow(row));
  }

  Status PutRestore(const RestoreRow& row) override {
    return transaction_.Put(kRestoresTable, RestoreKey(row.object, row.lsn), EncodeRestoreRow(row));
  }

  Status PutDamage(const DamageRow& row) override {
    return transaction_.Put(kDamageTable, NumberKey(row.timeline.value), EncodeDamageRow(row));
  }

  Status PutLabel(const LabelRow& row) override {
    return transaction_.Put(kLabelsTable, LabelKey(row.object, row.name), EncodeLabelRow(row));
  }

  Status RemoveLabel(const ObjectId& object, std::string_view name) override {
    return transaction_.Remove(kLabelsTable, LabelKey(object, name));
  }

  Status PutSchedule(const ScheduleRow& row) override {
    return transaction_.Put(kSchedulesTable, row.object.bytes, EncodeScheduleRow(row));
  }

  Status RemoveSchedule(const ObjectId& object) override {
    return transaction_.Remove(kSchedulesTable, object.bytes);
  }

  Status PutPacked(const PackedRow& row) override {
    return transaction_.Put(kPackedTable, NumberKey(row.number), EncodePackedRow(row));
  }

  Status RemovePacked(uint32_t number) override {
    return transaction_.Remove(kPackedTable, NumberKey(number));
  }

  Status Move(const MovedVersion& moved) override {
    rows_.clear();
    AppendPageVersion(moved.version, rows_);
    return Move(kPagesTable, PageKey(moved.timeline, moved.page),
                moved.version.location.segment != 0);
  }

  Status Move(const MovedRun& moved) override {
    rows_.clear();
    AppendCommitRunRow(moved.row, rows_);
    return Move(kRunsTable, NumberKey(moved.timeline.value), moved.row.location.segment != 0);
  }

  Status PutPurge(const PurgeRow& row) override {
    return transaction_.Put(kMetaTable, PurgeKey(row.object), EncodePurgeRow(row));
  }

  Status RemovePurge(const ObjectId& object) override {
    return transaction_.Remove(kMetaTable, PurgeKey(object));
  }

  Status PutCompactionDue() override {
    return transaction_.Put(kMetaTable, TextKey(kCompactKey), {});
  }

  Status RemoveObject(uint64_t namespace_id, const ObjectId& object) override {
    if (LmdbCursor& rows = transaction_.cursor(kObjectsTable);
        rows.Seek(ObjectKey(namespace_id, object))) {
      const auto row = DecodeObjectRow(rows.key(), rows.value());
      if (row && row->alarm) TIDEMARK_RETURN_IF_ERROR(MoveAlarm(*row, row->alarm, std::nullopt));
    }
    TIDEMARK_RETURN_IF_ERROR(transaction_.Remove(kObjectsTable, ObjectKey(namespace_id, object)));
    TIDEMARK_RETURN_IF_ERROR(transaction_.Remove(kObjectTimelinesTable, object.bytes));
    TIDEMARK_RETURN_IF_ERROR(RemoveSchedule(object));
    for (const RuleKind kind : {RuleKind::kPolicy, RuleKind::kHold}) {
      TIDEMARK_RETURN_IF_ERROR(
          transaction_.Remove(kRulesTable, EncodeRuleKey(RuleKey::OfObject(kind, object))));
    }
    for (const IndexTable table : {kRestoresTable, kLabelsTable}) {
      uint64_t most = UINT64_MAX;
      TIDEMARK_RETURN_IF_ERROR(transaction_.RemovePrefix(table, object.bytes, &most));
    }
    return OkStatus();
  }

  Status RemoveTimeline(const TimelineRow& row) override {
    const Key8 id = NumberKey(row.id.value);
    if (row.parent.valid()) {
      const Key16 child = EncodeChildRow({.parent_lsn = row.parent_lsn, .id = row.id});
      TIDEMARK_RETURN_IF_ERROR(
          transaction_.RemoveDuplicate(kChildrenTable, NumberKey(row.parent.value), child));
    }
    for (const IndexTable table : {kTimelinesTable, kChildrenTable, kRunsTable, kDamageTable}) {
      TIDEMARK_RETURN_IF_ERROR(transaction_.Remove(table, id));
    }
    uint64_t most = UINT64_MAX;
    return transaction_.RemovePrefix(kCommitsTable, id, &most);
  }

  Status RemoveDamage(TimelineId timeline) override {
    return transaction_.Remove(kDamageTable, NumberKey(timeline.value));
  }

  Status RemovePages(TimelineId timeline, uint64_t* most) override {
    return transaction_.RemovePrefix(kPagesTable, NumberKey(timeline.value), most);
  }

  Status PutRule(const RuleRow& row) override {
    return transaction_.Put(kRulesTable, EncodeRuleKey(row.key), EncodeRuleRow(row));
  }

  Status PutHealth(const StoreHealth& row) override {
    return transaction_.Put(kMetaTable, TextKey(kHealthKey), EncodeHealthRow(row));
  }

  Status PutLicence(const LicenceRow& row) override {
    return transaction_.Put(kMetaTable, TextKey(kLicenceKey), EncodeLicenceRow(row));
  }

 private:
  // Is `next` a patch on `version`, and another row near enough?
  static bool NeedsNoRow(const PageVersion& version, const PageVersion& next) {
    constexpr int kDepthOfRow = 32;
    constexpr int kUnitsOfRow = 32;  // of 256 bytes
    return !next.is_block() && !version.is_block() && next.depth == version.depth + 1 &&
           version.location < next.location && version.depth % kDepthOfRow != 0 &&
           version.chain_units / kUnitsOfRow == next.chain_units / kUnitsOfRow;
  }

  // The row in `rows_`, which replaces the one of its LSN, or removes it.
  Status Move(IndexTable table, ConstBytes key, bool stays) {
    return stays ? transaction_.PutDuplicates(table, key, rows_, rows_.size(), kLsnBytes)
                 : transaction_.RemoveDuplicate(table, key, ConstBytes(rows_).first(kLsnBytes));
  }

  LmdbWriteTransaction& transaction_;
  std::vector<std::byte> rows_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_WRITER_H_
