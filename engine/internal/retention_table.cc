#include "engine/internal/retention_table.h"

#include <utility>

#include "engine/internal/retention_record.h"

namespace tidemark::internal {

RetentionTable::NewRule::NewRule(RuleRow row) {
  EncodeRule(row, fields_);
  Rules one;
  one.emplace(Key{.rule = row.key, .lsn = Lsn()}, std::move(row));
  node_ = one.extract(one.begin());
}

RetentionTable::NewLicence::NewLicence(const LicenceRow& row) {
  EncodeLicence(row, fields_);
  Licences one;
  one.emplace(Lsn(), row);
  node_ = one.extract(one.begin());
}

Status RetentionTable::Load() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto licence, index_->Licence());
  licence_ = licence.value_or(LicenceRow());
  has_rules_ = index_->RuleCount() > 0;
  return OkStatus();
}

void RetentionTable::Add(NewRule made, Lsn lsn, Timestamp time) noexcept {
  made.node_.key().lsn = lsn;
  made.node_.mapped().lsn = lsn;
  made.node_.mapped().time = time;
  std::lock_guard lock(mutex_);
  rules_.insert(std::move(made.node_));
  has_rules_.store(true, std::memory_order_release);
}

void RetentionTable::Add(NewLicence made, Lsn lsn) noexcept {
  made.node_.key() = lsn;
  LicenceRow& row = made.node_.mapped();
  row.lsn = lsn;
  if (!row.alarm && !row.confirms) row.granted = lsn;
  if (row.budget > kNoHorizon && !row.budget_moved.valid()) row.budget_moved = lsn;
  std::lock_guard lock(mutex_);
  licence_ = row;
  licences_.insert(std::move(made.node_));
}

Result<std::optional<RuleRow>> RetentionTable::Find(const RuleKey& key) const {
  if (!has_rules_.load(std::memory_order_acquire)) return std::optional<RuleRow>();
  {
    std::lock_guard lock(mutex_);
    auto it = rules_.upper_bound({.rule = key, .lsn = Lsn(UINT64_MAX)});
    if (it != rules_.begin() && (--it)->first.rule == key) return std::optional(it->second);
  }
  // What went from here meanwhile is in the index.
  return index_->FindRule(key);
}

Result<std::vector<RuleRow>> RetentionTable::List() const {
  std::map<RuleKey, RuleRow> last;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, row] : rules_) last[key.rule] = row;
  }
  TIDEMARK_ASSIGN_OR_RETURN(std::vector<RuleRow> rows, index_->ListRules());
  // A checkpoint in between may have put later ones than were copied.
  for (RuleRow& row : rows) {
    RuleRow& known = last[row.key];
    if (known.lsn <= row.lsn) known = std::move(row);
  }
  rows.clear();
  for (auto& [key, row] : last) rows.push_back(std::move(row));
  return rows;
}

LicenceRow RetentionTable::licence() const {
  std::lock_guard lock(mutex_);
  return licence_;
}

size_t RetentionTable::pending_count() const {
  std::lock_guard lock(mutex_);
  return rules_.size() + licences_.size();
}

RetentionTable::Collected RetentionTable::CollectPending(Lsn cut) const {
  std::lock_guard lock(mutex_);
  Collected collected;
  for (const auto& [key, row] : rules_) {
    if (key.lsn <= cut) collected.rules.push_back(row);
  }
  const auto end = licences_.upper_bound(cut);
  if (end != licences_.begin()) collected.licence = std::prev(end)->second;
  return collected;
}

void RetentionTable::DropPending(Lsn cut) {
  std::lock_guard lock(mutex_);
  std::erase_if(rules_, [cut](const auto& entry) { return entry.first.lsn <= cut; });
  licences_.erase(licences_.begin(), licences_.upper_bound(cut));
}

}  // namespace tidemark::internal
