// The verifier's look at rows that one record makes: commits, what was created, the restore
// journal, epochs.

#include <algorithm>
#include <optional>
#include <string>

#include "engine/internal/recovery.h"
#include "engine/internal/timeline_record.h"
#include "engine/internal/verifier.h"

namespace tidemark::internal {
namespace {

constexpr char kRebuild[] = ": it must be rebuilt from the log";

}  // namespace

void Verifier::CheckCommitRow(const Timeline& timeline, const DirectoryEntry& entry,
                              Location place) {
  // Looked at before the index: it goes from here only when it is there.
  const auto recent = timeline.FindRecentCommit(entry.lsn);
  if (recent && recent->info.lsn == entry.lsn) return;
  if (!timeline.CheckTrusted(entry.lsn).ok()) return;  // behind damage; none is put there
  const auto row = store_->index().FindCommit(timeline.id(), entry.lsn);
  if (!row.ok()) return Report(place, ObjectOf(timeline.id()), row.status().message());
  if (*row && (*row)->lsn == entry.lsn && (*row)->location == place) return;
  Report(place, ObjectOf(timeline.id()),
         "the index does not know where the commit with LSN " + std::to_string(entry.lsn.value) +
             " stands" + kRebuild);
}

// A timeline's row says whose it is; so must the object's be.
void Verifier::CheckOwner(const TimelineRow& row, Location place) {
  const auto namespaces = store_->Namespaces();
  const bool known = std::ranges::any_of(
      namespaces, [&](const auto& ns) { return ns->id == row.namespace_id && ns->id != 0; });
  if (!known) {
    Report(place, row.object.ToString(),
           "the index has timeline " + std::to_string(row.id.value) +
               " in a namespace that there is not" + kRebuild);
  }
}

void Verifier::CheckCreation(const DirectoryEntry& entry, const RecordView& record,
                             Location place) {
  if (record.kind == RecordKind::kNamespace) {
    const auto fields = DecodeNamespace(record.fields);
    if (!fields) return Report(place, "", "the namespace's fields are malformed");
    const auto namespaces = store_->Namespaces();
    const bool known = std::ranges::any_of(namespaces, [&](const auto& ns) {
      return ns->id == entry.lsn.value && ns->name == fields->name;
    });
    if (known) return;
    return Report(place, "",
                  "the index does not know the namespace " + std::string(fields->name) + kRebuild);
  }
  const auto fields = DecodeObject(record.fields);
  const auto report = [&](const std::string& message) { Report(place, ObjectOf(entry), message); };
  if (!fields) return report("the object's fields are malformed");
  const TimelineId id(entry.lsn.value);
  // A fork begins with the timeline of another record, and need not have this one. Where another
  // object's is lost, so are all of its commits, which are looked for.
  const auto timeline = store_->FindTimeline(id);
  const TimelineRow expected{.id = id,
                             .kind = TimelineKind::kCreate,
                             .namespace_id = fields->namespace_id,
                             .object = fields->id};
  if (timeline.ok() && !((*timeline)->row() == expected)) {
    report("the index has its first timeline otherwise than the log" + std::string(kRebuild));
  }
  const auto object = store_->index().FindObject(fields->namespace_id, fields->id);
  if (!object.ok()) return report(object.status().message());
  if (!*object) return;  // it may not have come there yet; its pages are looked for
  if ((*object)->created != entry.lsn || (*object)->name != fields->name) {
    report("the index has the object's name or creation otherwise than the log" +
           std::string(kRebuild));
  }
}

void Verifier::CheckJournal(const TimelineFields& fields, const DirectoryEntry& entry,
                            Timestamp time, Location place) {
  const auto report = [&](const std::string& message) {
    Report(place, ObjectOf(entry.timeline), message);
  };
  RestoreRow expected = MakeRestoreRow(fields);
  expected.lsn = entry.lsn;
  expected.time = time;
  auto row = store_->index().FindRestore(fields.object, entry.lsn);
  if (row.ok() && !*row) {  // on its way there
    const auto rows = store_->RestoresOf(fields.object);
    if (!rows.ok()) return report(rows.status().message());
    for (const RestoreRow& pending : *rows) {
      if (pending.lsn == entry.lsn) row = std::optional(pending);
    }
  }
  if (!row.ok()) return report(row.status().message());
  if (*row == expected) return;
  report("the index has the restore at LSN " + std::to_string(entry.lsn.value) +
         " otherwise than the log" + kRebuild);
}

void Verifier::CheckEpoch(const DirectoryEntry& entry, const RecordView& record, Location place) {
  const auto fields = DecodeOpen(record.fields);
  if (!fields) return Report(place, "", "the open record's fields are malformed");
  // Sealing the log tells the epoch again, in the middle of it.
  if (fields->epoch <= last_epoch_) return;
  last_epoch_ = fields->epoch;
  const auto row = store_->FindEpoch(fields->epoch);
  const bool may_be_seal = fields->previous_end.value + 1 == entry.lsn.value;
  if (!in_order_ && may_be_seal && row.ok() && *row && (*row)->first_lsn < entry.lsn) return;
  if (!row.ok()) return Report(place, "", row.status().message());
  if (*row && (*row)->first_lsn == entry.lsn && (*row)->previous_end == fields->previous_end) {
    return;
  }
  Report(place, "",
         "the index has the epoch " + std::to_string(fields->epoch) + " begin otherwise than the" +
             " log" + kRebuild);
}

}  // namespace tidemark::internal
