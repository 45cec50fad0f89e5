// The verifier's look at alarms, see verifier.h.

#include <string>

#include "engine/internal/verifier.h"

namespace tidemark::internal {
namespace {

constexpr size_t kRowsAtATime = 1000;
constexpr uint64_t kRowBytes = 48;  // of a row of the table

}  // namespace

Status Verifier::CheckAlarm(const ObjectState& object) {
  const auto report = [&](const char* message) {
    Report({}, object.DisplayName(), std::string(message) + ": it must be rebuilt from the log");
  };
  TIDEMARK_ASSIGN_OR_RETURN(const bool listed,
                            store_->index().HasItsAlarm(object.ns->id, object.id));
  if (!listed) report("the index does not list its alarm");
  // Only while nothing of it is on the way into the index, before and after.
  const auto settled = [&]() -> std::optional<CommitInfo> {
    std::lock_guard lock(object.mutex);
    if (object.dirty || object.timeline == nullptr) return std::nullopt;
    return object.head;
  };
  const auto before = settled();
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->index().FindObject(object.ns->id, object.id));
  const auto after = settled();
  if (row && before && after && before->lsn == after->lsn && row->alarm != before->alarm) {
    report("the index has another alarm than its latest commit");
  }
  return OkStatus();
}

Status Verifier::CheckAlarms(const Visited& visited) {
  std::optional<AlarmRow> after;
  do {
    std::optional<AlarmRow> next;
    TIDEMARK_ASSIGN_OR_RETURN(const auto stray,
                              store_->index().ListStrayAlarms(after, kRowsAtATime, &next));
    for (const AlarmRow& row : stray) {
      const auto object = store_->AdoptObject(row.namespace_id, row.id, "");
      Report({}, object.ok() ? (*object)->DisplayName() : row.id.ToString(),
             "the index lists an alarm that it does not have, at " + FormatTime(row.due) +
                 ": it must be rebuilt from the log");
    }
    TIDEMARK_RETURN_IF_ERROR(visited(kRowsAtATime * kRowBytes));
    after = next;
  } while (after);
  return OkStatus();
}

}  // namespace tidemark::internal
