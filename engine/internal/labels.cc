// StoreImpl's labels: finding them, making automatic ones, and their way into the log.

#include <array>
#include <cstdio>
#include <utility>

#include "engine/bookmark.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

// "20261121T040506Z", which sorts as the times do.
std::string CompactTime(Timestamp time) {
  std::string text = FormatTime(time).substr(0, 19);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

LabelRow RowOf(const ObjectId& object, std::string_view name, const CommitInfo& commit) {
  return {.object = object,
          .name = std::string(name),
          .lsn = Lsn(),
          .time = Timestamp(),
          .automatic = false,
          .timeline = commit.timeline,
          .commit = commit.lsn,
          .epoch = commit.epoch,
          .state_hash = commit.state_hash};
}

}  // namespace

Result<std::shared_ptr<ObjectState>> StoreImpl::FindObjectByTag(uint64_t tag) {
  for (const auto& object : DirtyObjects()) {
    if (ObjectTag(object->id) == tag) return object;
  }
  // The tag is the beginning of the id.
  ObjectId before;
  for (size_t i = 0; i < sizeof(tag); ++i) {
    before.bytes[i] = static_cast<std::byte>(tag >> (56 - 8 * i));
  }
  for (const auto& ns : Namespaces()) {
    if (ns->id == 0) continue;
    TIDEMARK_ASSIGN_OR_RETURN(const auto rows, index_->ListObjects(ns->id, before, 1));
    if (!rows.empty() && ObjectTag(rows.front().id) == tag && !purges_->Has(rows.front().id)) {
      return FindObject(ns, rows.front().id, rows.front().name, IfMissing::kCreate);
    }
  }
  return std::shared_ptr<ObjectState>();
}

Status StoreImpl::CheckLabel(const ObjectState& object, std::string_view name, Lsn lsn) const {
  const auto damage = LastLost(ObjectTag(object.id));
  if (!damage || damage->lsn < lsn) return OkStatus();
  return Status(StatusCode::kCorruption,
                "label " + std::string(name) + " of object " + object.DisplayName() +
                    ": a record of its labels, hold or policy, LSN " +
                    std::to_string(damage->lsn.value) + " (segment " +
                    std::to_string(damage->location.segment) + ", offset " +
                    std::to_string(damage->location.offset) +
                    "), is damaged, which may have set, moved or removed it; set it anew");
}

Result<std::optional<LabelRow>> StoreImpl::FindLabel(const ObjectState& object,
                                                     std::string_view name) const {
  TIDEMARK_ASSIGN_OR_RETURN(auto row, labels_->Find(object.id, name));
  TIDEMARK_RETURN_IF_ERROR(CheckLabel(object, name, row ? row->lsn : Lsn()));
  return row;
}

LabelTable::NewChange StoreImpl::MakeLabel(const ObjectState& object, std::string_view name,
                                           const CommitInfo& commit) {
  return LabelTable::NewChange({.row = RowOf(object.id, name, commit), .removed = false});
}

LabelTable::NewChange StoreImpl::MakeLabelRemoval(const ObjectState& object,
                                                  std::string_view name) {
  return LabelTable::NewChange({.row = RowOf(object.id, name, {}), .removed = true});
}

Result<AutomaticLabel> StoreImpl::MakeAutomaticLabel(const ObjectState& object,
                                                     std::string_view prefix,
                                                     const CommitInfo& commit) const {
  // One that names the commit came behind it.
  if (!object.last_label || *object.last_label > commit.lsn) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rows, labels_->List(object.id));
    for (const LabelRow& row : rows) {
      if (row.automatic && row.commit == commit.lsn && CheckLabel(object, row.name, row.lsn).ok()) {
        return AutomaticLabel{.name = row.name, .made = std::nullopt};
      }
    }
  }
  const Timestamp now = options_.clock->Now();
  const std::string plain = std::string(prefix) + "-" + CompactTime(now);
  std::string name = plain;
  // Where the second is taken, microseconds follow: that still sorts by time.
  int64_t micros = (now.time_since_epoch() % std::chrono::seconds(1)).count();
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto taken, labels_->Find(object.id, name));
    if (!taken) break;
    std::array<char, 32> suffix;
    std::snprintf(suffix.data(), suffix.size(), "-%06lld", static_cast<long long>(micros++));
    name = plain + suffix.data();
  }
  TIDEMARK_RETURN_IF_ERROR(ValidateLabelName(name));
  LabelRow row = RowOf(object.id, name, commit);
  row.automatic = true;
  return AutomaticLabel{.name = std::move(name),
                        .made = LabelTable::NewChange({.row = std::move(row), .removed = false})};
}

CommitQueue::Appended StoreImpl::AppendLabel(CommitQueue::Scope& scope, const ObjectState& object,
                                             const LabelTable::NewChange& change) {
  // The directory names the object, by its tag: should this record be damaged, its labels are not
  // to be trusted, and its pages are.
  return scope.Append(RecordKind::kLabel, TimelineId(scope.next_lsn().value), change.fields(), {},
                      ObjectTag(object.id));
}

void StoreImpl::AddLabel(ObjectState& object, LabelTable::NewChange change,
                         const CommitQueue::Appended& appended) noexcept {
  if (!change.row().automatic) labels_changed_.fetch_add(1, std::memory_order_relaxed);
  labels_->Add(std::move(change), appended.lsn, appended.time);
  references_made_.fetch_add(1);
  object.last_label = appended.lsn;
}

Result<Lsn> StoreImpl::LogLabel(ObjectState& object, LabelTable::NewChange change) {
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue_->Reserve(change.fields().size(), 1));
  CommitQueue::Scope scope(*queue_, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const CommitQueue::Appended appended = AppendLabel(scope, object, change);
  scope.Leave();
  AddLabel(object, std::move(change), appended);
  scope.Finish();
  return appended.lsn;
}

}  // namespace tidemark::internal
