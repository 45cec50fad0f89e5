// The verifier's look at labels.

#include <string>
#include <utility>

#include "engine/internal/recovery.h"
#include "engine/internal/verifier.h"

namespace tidemark::internal {

// The index has one row a label. A record that sets one is in it, or a later record about the same
// label is, with the LSN that the row says; whether there is one, and whether it removes the label,
// is known only when it has been read.
void Verifier::CheckLabel(const ScannedGroup& group, const DirectoryEntry& entry,
                          const RecordView& record) {
  const Location place = group.PlaceOf(entry);
  const auto fields = DecodeLabel(record.fields);
  if (!fields) return Report(place, ObjectOf(entry), "the label's fields are malformed");
  auto key = std::pair(fields->object, std::string(fields->name));
  const auto known = store_->labels().Find(fields->object, fields->name);
  if (!known.ok()) return Report(place, ObjectOf(entry), known.status().message());
  if (fields->operation == format::LabelOperation::kRemove) {
    missing_labels_.erase(key);
    if (*known && (*known)->lsn < entry.lsn) {
      Report(place, ObjectOf(entry),
             "the index has the label " + key.second + ", which LSN " +
                 std::to_string(entry.lsn.value) + " removed: it must be rebuilt from the log");
    }
    return;
  }
  if (!*known || (*known)->lsn != entry.lsn) {
    missing_labels_[std::move(key)] = {.location = place, .object = ObjectOf(entry)};
    return;
  }
  missing_labels_.erase(key);
  Status status = CheckLabelled(*fields);
  const LabelRow& row = **known;
  if (status.ok() && (row.commit != fields->commit || row.timeline != fields->timeline ||
                      row.epoch != fields->epoch || row.state_hash != fields->state_hash ||
                      row.automatic != fields->automatic ||
                      (group.header_ok && row.time != RecordTime(group.header, record.place)))) {
    status = Status(StatusCode::kCorruption,
                    "the index has it otherwise: it must be rebuilt from the log");
  }
  if (!status.ok()) {
    Report(place, ObjectOf(entry), "label " + key.second + ": " + status.message());
  }
}

Status Verifier::CheckLabelled(const LabelFields& label) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimeline(label.timeline));
  CommitInfo commit;
  if (const auto recent = timeline->FindRecentCommit(label.commit)) {
    commit = recent->info;
  } else {
    TIDEMARK_ASSIGN_OR_RETURN(const auto row,
                              store_->index().FindCommit(label.timeline, label.commit));
    if (row) {
      TIDEMARK_ASSIGN_OR_RETURN(commit, store_->ReadCommit(*row, label.timeline, label.commit));
    }
  }
  TIDEMARK_RETURN_IF_ERROR(timeline->CheckTrusted(label.commit));
  if (commit.lsn == label.commit && commit.epoch == label.epoch &&
      commit.state_hash == label.state_hash) {
    return OkStatus();
  }
  if (label.automatic) {  // it does not keep its commit
    TIDEMARK_ASSIGN_OR_RETURN(const auto points, store_->retention().PointsOf(label.timeline));
    if (!points.Has(label.commit)) return OkStatus();
  }
  return Status(StatusCode::kCorruption, "the commit with LSN " +
                                             std::to_string(label.commit.value) +
                                             " is not the one that it names");
}

void Verifier::ReportMissingLabels() {
  if (store_->labels().last_change() > end_.lsn) return;  // may have removed them meanwhile
  for (const auto& [key, label] : missing_labels_) {
    Report(label.location, label.object,
           "the index does not know the label " + key.second + ": it must be rebuilt from the log");
  }
}

}  // namespace tidemark::internal
