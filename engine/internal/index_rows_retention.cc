// Rows of the index of policies, holds and the licence: see index_rows.h.

#include "engine/internal/coding.h"
#include "engine/internal/index_row_parts.h"
#include "engine/internal/index_rows.h"

namespace tidemark::internal {
namespace {

// Flags of rows of rules, and of the licence.
constexpr uint8_t kRuleIsSet = 1;
constexpr uint8_t kRuleHasBudget = 2;
constexpr uint8_t kLicenceConfirms = 1;
constexpr uint8_t kLicenceHasBudget = 2;

}  // namespace

std::vector<std::byte> EncodeRuleRow(const RuleRow& row) {
  std::vector<std::byte> out;
  out.reserve(96 + row.reason.size());
  AppendFixed(out, static_cast<uint8_t>((row.set ? kRuleIsSet : 0) |
                                        (row.budget_bytes != 0 ? kRuleHasBudget : 0)));
  AppendFixed(out, row.lsn.value);
  AppendTime(out, row.time);
  AppendTime(out, row.floor.everything);
  AppendTime(out, row.floor.hourly);
  AppendTime(out, row.floor.daily);
  AppendFixed(out, static_cast<int64_t>(row.policy.window.count()));
  AppendFixed(out, static_cast<int64_t>(row.policy.hourly.count()));
  AppendFixed(out, static_cast<int64_t>(row.policy.daily.count()));
  AppendString(out, row.reason);
  if (row.budget_bytes != 0) AppendFixed(out, row.budget_bytes);
  return out;
}

std::optional<RuleRow> DecodeRuleRow(ConstBytes key, ConstBytes value) {
  if (key.size() != kRuleKeyBytes && key.size() != kRuleKeyBytes + sizeof(ObjectId::bytes))
    return std::nullopt;
  Reader reader(value);
  RuleRow row;
  const auto kind = static_cast<uint8_t>(key[0]);
  if (kind != static_cast<uint8_t>(RuleKind::kPolicy) &&
      kind != static_cast<uint8_t>(RuleKind::kHold)) {
    return std::nullopt;
  }
  row.key.kind = static_cast<RuleKind>(kind);
  row.key.namespace_id = LoadBigEndian<uint64_t>(key.data() + 1);
  if (key.size() != kRuleKeyBytes) {
    Reader id(key.subspan(kRuleKeyBytes));
    row.key.object = ReadObjectId(id);
  }
  const auto flags = reader.Fixed<uint8_t>();
  row.set = (flags & kRuleIsSet) != 0;
  row.lsn = Lsn(reader.Fixed<uint64_t>());
  row.time = ReadTime(reader);
  row.floor.everything = ReadTime(reader);
  row.floor.hourly = ReadTime(reader);
  row.floor.daily = ReadTime(reader);
  row.policy.window = std::chrono::seconds(reader.Fixed<int64_t>());
  row.policy.hourly = std::chrono::seconds(reader.Fixed<int64_t>());
  row.policy.daily = std::chrono::seconds(reader.Fixed<int64_t>());
  row.reason = reader.String();
  if ((flags & kRuleHasBudget) != 0) row.budget_bytes = reader.Fixed<uint64_t>();
  if (!reader.AtEnd() || flags > (kRuleIsSet | kRuleHasBudget)) return std::nullopt;
  return row;
}

std::vector<std::byte> EncodeLicenceRow(const LicenceRow& row) {
  std::vector<std::byte> out;
  const ClockAlarm alarm = row.alarm.value_or(ClockAlarm());
  AppendFixed(out, row.lsn.value);
  AppendFixed(out, row.granted.value);
  AppendTime(out, row.time);
  AppendTime(out, row.by_default);
  AppendFixed(out, static_cast<uint8_t>(row.alarm.has_value()));
  AppendTime(out, alarm.from);
  AppendTime(out, alarm.to);
  const bool has_budget = row.budget != kNoHorizon;
  AppendFixed(out, static_cast<uint8_t>((row.confirms ? kLicenceConfirms : 0) |
                                        (has_budget ? kLicenceHasBudget : 0)));
  if (has_budget) {
    AppendTime(out, row.budget);
    AppendFixed(out, row.budget_moved.value);
  }
  return out;
}

std::optional<LicenceRow> DecodeLicenceRow(ConstBytes value) {
  Reader reader(value);
  LicenceRow row;
  row.lsn = Lsn(reader.Fixed<uint64_t>());
  row.granted = Lsn(reader.Fixed<uint64_t>());
  row.time = ReadTime(reader);
  row.by_default = ReadTime(reader);
  const auto paused = reader.Fixed<uint8_t>();
  ClockAlarm alarm;
  alarm.from = ReadTime(reader);
  alarm.to = ReadTime(reader);
  if (paused == 1) row.alarm = alarm;
  const auto flags = reader.Fixed<uint8_t>();
  row.confirms = (flags & kLicenceConfirms) != 0;
  if ((flags & kLicenceHasBudget) != 0) {
    row.budget = ReadTime(reader);
    row.budget_moved = Lsn(reader.Fixed<uint64_t>());
  }
  if (!reader.AtEnd() || paused > 1 || flags > (kLicenceConfirms | kLicenceHasBudget)) {
    return std::nullopt;
  }
  if ((flags & kLicenceHasBudget) != 0 && row.budget == kNoHorizon) return std::nullopt;
  return row;
}

}  // namespace tidemark::internal
