#include "engine/internal/retention_record.h"

#include <algorithm>

namespace tidemark::internal {
namespace {

// No clock gets there; what is behind it is no time.
constexpr uint64_t kMostMicroseconds = uint64_t{1} << 62;
constexpr uint64_t kMostSeconds = kMostMicroseconds / 1'000'000;

void AppendTime(Buffer& out, Timestamp time) {
  AppendVarint(out, static_cast<uint64_t>((std::max(time, kNoHorizon) - kNoHorizon).count()));
}

// A number above `most` is not one.
uint64_t ReadNumber(Reader& reader, uint64_t most, bool& ok) {
  const uint64_t number = reader.Varint();
  ok = ok && number <= most;
  return ok ? number : 0;
}

Timestamp ReadTime(Reader& reader, bool& ok) {
  return kNoHorizon + std::chrono::microseconds(ReadNumber(reader, kMostMicroseconds, ok));
}

std::chrono::seconds ReadSeconds(Reader& reader, bool& ok) {
  return std::chrono::seconds(ReadNumber(reader, kMostSeconds, ok));
}

void AppendHorizons(Buffer& out, const Horizons& horizons) {
  AppendTime(out, horizons.everything);
  AppendVarint(out, static_cast<uint64_t>((horizons.everything - horizons.hourly).count()));
  AppendVarint(out, static_cast<uint64_t>((horizons.hourly - horizons.daily).count()));
}

Horizons ReadHorizons(Reader& reader, bool& ok) {
  const auto back_from = [&](Timestamp time) {
    return time - std::chrono::microseconds(
                      ReadNumber(reader, static_cast<uint64_t>((time - kNoHorizon).count()), ok));
  };
  Horizons horizons;
  horizons.everything = ReadTime(reader, ok);
  horizons.hourly = back_from(horizons.everything);
  horizons.daily = back_from(horizons.hourly);
  return horizons;
}

void AppendId(Buffer& out, const ObjectId& id) { AppendBytes(out, id.bytes); }

ObjectId ReadId(Reader& reader) {
  ObjectId id;
  const ConstBytes bytes = reader.Span(id.bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());  // none if there are too few
  return id;
}

void AppendScope(Buffer& out, const RuleKey& key) {
  if (key.object) {
    AppendFixed(out, format::PolicyScope::kObject);
    AppendId(out, *key.object);
  } else if (key.namespace_id != 0) {
    AppendFixed(out, format::PolicyScope::kNamespace);
    AppendVarint(out, key.namespace_id);
  } else {
    AppendFixed(out, format::PolicyScope::kStore);
  }
}

bool ReadScope(Reader& reader, RuleKey& key) {
  switch (reader.Fixed<format::PolicyScope>()) {
    case format::PolicyScope::kStore: return true;
    case format::PolicyScope::kNamespace:
      key.namespace_id = reader.Varint();
      return key.namespace_id != 0;
    case format::PolicyScope::kObject: key.object = ReadId(reader); return true;
  }
  return false;
}

}  // namespace

uint64_t StoreTag() { return NamespaceTag(""); }

void EncodeRule(const RuleRow& row, Buffer& out) {
  using format::RuleOperation;
  const bool has_budget = row.budget_bytes != 0;
  AppendFixed(out, row.set ? (has_budget ? RuleOperation::kSetWithBudget : RuleOperation::kSet)
                           : (has_budget ? RuleOperation::kEndWithBudget : RuleOperation::kEnd));
  if (row.key.kind == RuleKind::kHold) {
    AppendId(out, *row.key.object);
  } else {
    AppendScope(out, row.key);
  }
  AppendHorizons(out, row.floor);
  if (row.set && row.key.kind == RuleKind::kHold) AppendString(out, row.reason);
  if (row.set && row.key.kind == RuleKind::kPolicy) {
    for (const auto span : {row.policy.window, row.policy.hourly, row.policy.daily}) {
      AppendVarint(out, static_cast<uint64_t>(span.count()));
    }
  }
  if (has_budget) AppendVarint(out, row.budget_bytes);
}

std::optional<RuleRow> DecodeRule(RuleKind kind, ConstBytes fields) {
  Reader reader(fields);
  RuleRow row;
  const auto operation = reader.Fixed<format::RuleOperation>();
  bool has_budget = false;
  switch (operation) {
    case format::RuleOperation::kSetWithBudget: has_budget = true; [[fallthrough]];
    case format::RuleOperation::kSet: row.set = true; break;
    case format::RuleOperation::kEndWithBudget: has_budget = true; break;
    case format::RuleOperation::kEnd: break;
    default: return std::nullopt;
  }
  row.key.kind = kind;
  bool ok = true;
  if (kind == RuleKind::kHold) {
    row.key.object = ReadId(reader);
  } else {
    ok = ReadScope(reader, row.key);
  }
  row.floor = ReadHorizons(reader, ok);
  if (row.set && kind == RuleKind::kHold) {
    row.reason = reader.String();
    ok = ok && row.reason.size() <= format::kMaxReasonBytes;
  } else if (row.set) {
    row.policy.window = ReadSeconds(reader, ok);
    row.policy.hourly = ReadSeconds(reader, ok);
    row.policy.daily = ReadSeconds(reader, ok);
  }
  if (has_budget) {
    row.budget_bytes = reader.Varint();
    ok = ok && row.budget_bytes != 0 && row.key == RuleKey::OfStore();
  }
  if (!ok || !reader.AtEnd()) return std::nullopt;
  return row;
}

void EncodeLicence(const LicenceRow& row, Buffer& out) {
  const auto operation = row.alarm      ? format::LicenceOperation::kPause
                         : row.confirms ? format::LicenceOperation::kConfirm
                                        : format::LicenceOperation::kGrant;
  const bool has_budget = row.budget > kNoHorizon;
  AppendFixed(out, static_cast<uint8_t>(static_cast<uint8_t>(operation) +
                                        (has_budget ? format::kLicenceHasBudget : 0)));
  AppendVarint(out, row.granted.value);
  AppendTime(out, row.time);
  AppendTime(out, row.by_default);
  if (has_budget) {
    AppendTime(out, row.budget);
    AppendVarint(out, row.budget_moved.value);
  }
  if (!row.alarm) return;
  AppendTime(out, row.alarm->from);
  AppendTime(out, row.alarm->to);
}

std::optional<LicenceRow> DecodeLicence(ConstBytes fields) {
  Reader reader(fields);
  LicenceRow row;
  bool ok = true;
  auto operation = reader.Fixed<uint8_t>();
  const bool has_budget = operation > format::kLicenceHasBudget;
  if (has_budget) operation -= format::kLicenceHasBudget;
  row.granted = Lsn(reader.Varint());
  row.time = ReadTime(reader, ok);
  row.by_default = ReadTime(reader, ok);
  if (has_budget) {
    row.budget = ReadTime(reader, ok);
    row.budget_moved = Lsn(reader.Varint());
    ok = ok && row.budget > kNoHorizon;
  }
  switch (static_cast<format::LicenceOperation>(operation)) {
    case format::LicenceOperation::kGrant: break;
    case format::LicenceOperation::kPause:
      row.alarm.emplace();
      row.alarm->from = ReadTime(reader, ok);
      row.alarm->to = ReadTime(reader, ok);
      break;
    case format::LicenceOperation::kConfirm: row.confirms = true; break;
    default: return std::nullopt;
  }
  if (!ok || !reader.AtEnd()) return std::nullopt;
  return row;
}

}  // namespace tidemark::internal
