// The verifier's look at policies, holds and licences: the index has the last one of each.

#include <string>

#include "engine/internal/retention_record.h"
#include "engine/internal/verifier.h"

namespace tidemark::internal {

void Verifier::CheckRetention(const DirectoryEntry& entry, const RecordView& record,
                              Location place) {
  const RetentionTable& table = store_->retention().table();
  const auto report = [&](const std::string& message) { Report(place, ObjectOf(entry), message); };
  Lsn known;
  if (record.kind == RecordKind::kLicence) {
    if (!DecodeLicence(record.fields)) return report("the licence's fields are malformed");
    known = table.licence().lsn;
  } else if (record.kind == RecordKind::kPolicy || record.kind == RecordKind::kHold) {
    const bool is_hold = record.kind == RecordKind::kHold;
    const auto rule = DecodeRule(is_hold ? RuleKind::kHold : RuleKind::kPolicy, record.fields);
    if (!rule) return report("the fields of a policy or hold are malformed");
    const auto row = table.Find(rule->key);
    if (!row.ok()) return report(row.status().message());
    if (*row) known = (*row)->lsn;
  } else {
    return;
  }
  if (known >= entry.lsn) return;
  report("the index does not know the policy, hold or licence with LSN " +
         std::to_string(entry.lsn.value) + ": it must be rebuilt from the log");
}

}  // namespace tidemark::internal
