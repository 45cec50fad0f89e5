#include "engine/internal/index.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "engine/file_system.h"
#include "engine/format.h"
#include "engine/internal/coding.h"
#include "engine/internal/index_file.h"
#include "engine/internal/index_impl.h"
#include "engine/internal/index_rows.h"
#include "engine/internal/index_writer.h"
#include "engine/internal/lmdb_env.h"
#include "engine/internal/written_mark.h"

namespace tidemark::internal {
namespace {

std::optional<Lsn> DecodeLsn(ConstBytes value) {
  if (value.size() != kLsnBytes) return std::nullopt;
  return Lsn(LoadFixed<uint64_t>(value.data()));
}

}  // namespace

Index::Index(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Index::~Index() = default;

namespace {

// A file that is mostly free is written anew when it is opened: LMDB never gives pages back.
constexpr uint64_t kSmallIndexBytes = 1u << 20;

bool IsMostlyFree(const LmdbEnv& env) {
  const uint64_t bytes = env.FileBytes();
  if (bytes < kSmallIndexBytes) return false;
  LmdbReadTransaction read(env);
  const uint64_t used = read.UsedBytes();
  return read.status().ok() && used < bytes / 2;
}

// Whatever fails leaves the file that was there. A crash leaves one of the two, and no mark.
Result<std::unique_ptr<LmdbEnv>> Compacted(std::unique_ptr<LmdbEnv> env,
                                           const std::string& directory, const LmdbOptions& options,
                                           WrittenMark& mark) {
  const std::string made = directory + "/data.mdb.new";
  FileSystem& files = *FileSystem::Posix();
  if (!IsMostlyFree(*env) || !env->CopyCompact(made).ok()) return env;
  env.reset();
  TIDEMARK_RETURN_IF_ERROR(mark.Forget());
  TIDEMARK_RETURN_IF_ERROR(files.Rename(made, directory + "/data.mdb"));
  return LmdbEnv::Open(directory, kIndexTables, options);  // syncs the name
}

}  // namespace

Result<std::unique_ptr<Index>> Index::Open(const std::string& directory,
                                           const IndexOptions& options) {
  WrittenMark mark(directory);
  TIDEMARK_ASSIGN_OR_RETURN(const auto closed_after, mark.Check());
  const std::string file = directory + "/data.mdb";
  TIDEMARK_RETURN_IF_ERROR(options.check_pages ? CheckIndexPages(file) : CheckIndexMeta(file));
  const auto check = [&](uint64_t last_transaction) {
    return closed_after && *closed_after != last_transaction ? mark.Copied() : OkStatus();
  };
  LmdbOptions lmdb{.initial_map_bytes = options.initial_map_bytes,
                   .max_map_bytes = options.max_map_bytes,
                   .check = check};
  TIDEMARK_ASSIGN_OR_RETURN(auto env, LmdbEnv::Open(directory, kIndexTables, lmdb));
  lmdb.check = nullptr;
  TIDEMARK_ASSIGN_OR_RETURN(env, Compacted(std::move(env), directory, lmdb, mark));
  TIDEMARK_RETURN_IF_ERROR(mark.SetOpen());
  auto impl = std::make_unique<Impl>(directory, std::move(env));
  TIDEMARK_RETURN_IF_ERROR(impl->CheckVersion());
  std::unique_ptr<Index> index(new Index(std::move(impl)));
  // What an interrupted purge, or a compaction, has left. Without room it has to wait.
  const std::string made = directory + "/data.mdb.new";
  if (const Status gone = FileSystem::Posix()->Remove(made); gone.code() != StatusCode::kNotFound) {
    TIDEMARK_RETURN_IF_ERROR(gone);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto due, index->impl_->ListPrefix<bool>(
                                                kMetaTable, TextKey(kCompactKey),
                                                [](auto, auto) { return std::optional(true); }));
  const Status compacted = due.empty() ? OkStatus() : index->Compact();
  if (compacted.code() != StatusCode::kFull) TIDEMARK_RETURN_IF_ERROR(compacted);
  return index;
}

Status Index::Compact() {
  const Status compacted = impl_->env().Compact([this] { return impl_->ForgetMark(); });
  TIDEMARK_RETURN_IF_ERROR(impl_->Write([&compacted](LmdbWriteTransaction& transaction) {
    if (!compacted.ok()) return OkStatus();
    return transaction.Remove(kMetaTable, TextKey(kCompactKey));
  }));
  return compacted;
}

Status Index::Update(const std::function<Status(IndexWriter&)>& change) {
  return impl_->Write([&change](LmdbWriteTransaction& transaction) {
    LmdbIndexWriter writer(transaction);
    return change(writer);
  });
}

Status Index::EndUpdates() {
  const uint64_t last = impl_->env().LastTransaction();
  // None: Compact could not open the file again, so nothing is known of it.
  return last == 0 ? impl_->mark().Forget() : impl_->mark().SetClosed(last);
}

Result<std::optional<CheckpointRow>> Index::Checkpoint() const {
  return impl_->Find(
      kMetaTable, [](LmdbCursor& cursor) { return cursor.Seek(TextKey(kCheckpointKey)); },
      [](ConstBytes, ConstBytes value) { return DecodeCheckpointRow(value); });
}

Result<std::optional<Lsn>> Index::Durable() const {
  return impl_->Find(
      kMetaTable, [](LmdbCursor& cursor) { return cursor.Seek(TextKey(kDurableKey)); },
      [](ConstBytes, ConstBytes value) { return DecodeLsn(value); });
}

Result<std::optional<NamespaceRow>> Index::FindNamespace(std::string_view name) const {
  if (name.empty() || name.size() > kMaxKeyBytes + 1) return std::optional<NamespaceRow>();
  const std::byte rest[1] = {name.size() > kMaxKeyBytes ? static_cast<std::byte>(name.back())
                                                        : std::byte{0}};
  return impl_->Find(
      kNamespacesTable,
      [&](LmdbCursor& cursor) {
        return cursor.SeekDuplicateAtOrAfter(TextKey(name), rest) &&
               BeginsWith(cursor.value(), rest);
      },
      [name](ConstBytes, ConstBytes value) { return DecodeNamespaceRow(TextKey(name), value); });
}

Result<std::vector<NamespaceRow>> Index::ListNamespaces() const {
  return impl_->ListPrefix<NamespaceRow>(kNamespacesTable, {}, DecodeNamespaceRow);
}

Result<std::optional<ObjectRow>> Index::FindObject(uint64_t namespace_id,
                                                   const ObjectId& id) const {
  return impl_->Find(
      kObjectsTable, [&](LmdbCursor& cursor) { return cursor.Seek(ObjectKey(namespace_id, id)); },
      DecodeObjectRow);
}

Result<std::vector<ObjectRow>> Index::ListObjects(uint64_t namespace_id,
                                                  const std::optional<ObjectId>& after,
                                                  size_t limit) const {
  const Key8 prefix = NumberKey(namespace_id);
  const Key40 from = ObjectKey(namespace_id, after.value_or(ObjectId()));
  const auto there = [&prefix](LmdbCursor& cursor) { return BeginsWith(cursor.key(), prefix); };
  const auto next = [&](LmdbCursor& cursor) { return cursor.Next() && there(cursor); };
  const auto seek = [&](LmdbCursor& cursor) {
    if (!cursor.SeekAtOrAfter(from) || !there(cursor)) return false;
    return after && std::ranges::equal(cursor.key(), from) ? next(cursor) : true;
  };
  return impl_->List<ObjectRow>(kObjectsTable, seek, next, DecodeObjectRow, limit);
}

Result<std::optional<TimelineRow>> Index::FindTimeline(TimelineId id) const {
  return impl_->Find(
      kTimelinesTable, [id](LmdbCursor& cursor) { return cursor.Seek(NumberKey(id.value)); },
      DecodeTimelineRow);
}

Result<std::optional<TimelineId>> Index::FindTimelineAt(const ObjectId& object, Lsn lsn) const {
  return impl_->Find(
      kObjectTimelinesTable,
      [&](LmdbCursor& cursor) { return SeekLatest(cursor, object.bytes, lsn); },
      [](ConstBytes, ConstBytes value) -> std::optional<TimelineId> {
        if (value.size() != sizeof(Key8)) return std::nullopt;
        return TimelineId(LoadNumberKey8(value));
      });
}

Result<std::optional<Lsn>> Index::FirstLsnAfter(Timestamp time) const {
  if (time == Timestamp::max()) return std::optional<Lsn>();
  return impl_->Find(
      kTimesTable,
      [time](LmdbCursor& cursor) {
        return cursor.SeekAtOrAfter(TimeKey(time + std::chrono::microseconds(1)));
      },
      [](ConstBytes, ConstBytes value) { return DecodeLsn(value); });
}

Result<std::optional<EpochRow>> Index::FindEpoch(uint32_t epoch) const {
  return impl_->Find(
      kEpochsTable, [epoch](LmdbCursor& cursor) { return cursor.Seek(NumberKey(epoch)); },
      DecodeEpochRow);
}

Result<std::optional<EpochRow>> Index::FindEpochOf(Lsn lsn) const {
  // Epochs and their first LSNs grow together: a binary search over the epochs' numbers. `low` is
  // at or before the one wanted, `high` after it.
  LmdbReadTransaction read(impl_->env());
  LmdbCursor& cursor = read.cursor(kEpochsTable);
  std::optional<EpochRow> found;
  uint64_t low = 0;
  uint64_t high = uint64_t{UINT32_MAX} + 1;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    std::optional<EpochRow> row;
    if (cursor.SeekAtOrAfter(NumberKey(static_cast<uint32_t>(middle)))) {
      row = DecodeEpochRow(cursor.key(), cursor.value());
      if (!row) return impl_->Damaged(kEpochsTable);
    }
    if (row && row->first_lsn <= lsn) {
      low = row->epoch;
      found = row;
    } else {
      high = middle;
    }
  }
  TIDEMARK_RETURN_IF_ERROR(read.status());
  return found;
}

Result<std::vector<RestoreRow>> Index::ListRestores(const ObjectId& object) const {
  return impl_->ListPrefix<RestoreRow>(kRestoresTable, object.bytes, DecodeRestoreRow);
}

Result<std::optional<RestoreRow>> Index::FindRestore(const ObjectId& object, Lsn lsn) const {
  return impl_->Find(
      kRestoresTable, [&](LmdbCursor& cursor) { return cursor.Seek(RestoreKey(object, lsn)); },
      DecodeRestoreRow);
}

Result<std::vector<DamageRow>> Index::ListDamage() const {
  return impl_->ListPrefix<DamageRow>(kDamageTable, {}, DecodeDamageRow);
}

Result<std::optional<LabelRow>> Index::FindLabel(const ObjectId& object,
                                                 std::string_view name) const {
  if (name.size() > format::kMaxLabelBytes) return std::optional<LabelRow>();
  return impl_->Find(
      kLabelsTable, [&](LmdbCursor& cursor) { return cursor.Seek(LabelKey(object, name)); },
      DecodeLabelRow);
}

Result<std::vector<LabelRow>> Index::ListLabels(const ObjectId& object) const {
  return impl_->ListPrefix<LabelRow>(kLabelsTable, object.bytes, DecodeLabelRow);
}

Result<std::vector<PackedRow>> Index::ListPacked() const {
  return impl_->ListPrefix<PackedRow>(kPackedTable, {}, DecodePackedRow);
}

Result<std::vector<PurgeRow>> Index::ListPurges() const {
  return impl_->ListPrefix<PurgeRow>(kMetaTable, TextKey(kPurgePrefix), DecodePurgeRow);
}

Result<std::optional<RuleRow>> Index::FindRule(const RuleKey& key) const {
  const std::vector<std::byte> bytes = EncodeRuleKey(key);
  return impl_->Find(
      kRulesTable, [&](LmdbCursor& cursor) { return cursor.Seek(bytes); }, DecodeRuleRow);
}

Result<std::vector<RuleRow>> Index::ListRules() const {
  return impl_->ListPrefix<RuleRow>(kRulesTable, {}, DecodeRuleRow);
}

Result<std::optional<LicenceRow>> Index::Licence() const {
  return impl_->Find(
      kMetaTable, [](LmdbCursor& cursor) { return cursor.Seek(TextKey(kLicenceKey)); },
      [](ConstBytes, ConstBytes value) { return DecodeLicenceRow(value); });
}

Result<std::optional<StoreHealth>> Index::Health() const {
  return impl_->Find(
      kMetaTable, [](LmdbCursor& cursor) { return cursor.Seek(TextKey(kHealthKey)); },
      [](ConstBytes, ConstBytes value) { return DecodeHealthRow(value); });
}

Result<std::vector<ChildRow>> Index::ListChildren(TimelineId parent, const ChildRow& first,
                                                  size_t limit) const {
  const Key8 key = NumberKey(parent.value);
  const Key16 from = EncodeChildRow(first);
  return impl_->List<ChildRow>(
      kChildrenTable, [&](LmdbCursor& cursor) { return cursor.SeekDuplicateAtOrAfter(key, from); },
      [](LmdbCursor& cursor) { return cursor.NextDuplicate(); },
      [](ConstBytes, ConstBytes value) { return DecodeChildRow(value); }, limit);
}

uint64_t Index::RuleCount() const { return impl_->Count(kRulesTable); }
uint64_t Index::ObjectCount() const { return impl_->Count(kObjectsTable); }
uint64_t Index::NamespaceCount() const { return impl_->Count(kNamespacesTable); }

uint64_t Index::UsedBytes() const {
  LmdbReadTransaction read(impl_->env());
  return read.UsedBytes();
}

uint64_t Index::LastChange() const { return LmdbReadTransaction(impl_->env()).Number(); }
uint64_t Index::FileBytes() const { return impl_->env().FileBytes(); }

}  // namespace tidemark::internal
