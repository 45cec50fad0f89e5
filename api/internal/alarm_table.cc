#include "api/internal/alarm_table.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidemark::internal {
namespace {

using std::chrono::milliseconds;

int64_t Milliseconds(Timestamp time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

AlarmTable::AlarmTable(Connection& connection, TransactionState& transaction)
    : connection_(connection),
      transaction_(transaction),
      exists_(connection, "SELECT 1 FROM sqlite_schema WHERE type='table' AND name='_cf_ALARM'"),
      create_(connection,
              "CREATE TABLE IF NOT EXISTS _cf_ALARM(name TEXT PRIMARY KEY, "
              "time_ms INTEGER NOT NULL) WITHOUT ROWID"),
      load_(connection, "SELECT * FROM _cf_ALARM"),
      put_(connection, "INSERT OR REPLACE INTO _cf_ALARM(name, time_ms) VALUES(?1,?2)"),
      put_tries_(connection, "UPDATE _cf_ALARM SET tries=?2 WHERE name=?1"),
      remove_(connection, "DELETE FROM _cf_ALARM WHERE name=?1"),
      clear_(connection, "DELETE FROM _cf_ALARM") {}

std::optional<Timestamp> AlarmTable::Earliest(const Rows& rows) {
  std::optional<Timestamp> earliest;
  for (const auto& [name, row] : rows) {
    if (!earliest || row.time < *earliest) earliest = row.time;
  }
  return earliest;
}

void AlarmTable::Load() {
  if (loaded_ && loaded_at_ == transaction_.rollbacks()) return;
  alarms_.clear();
  has_tries_ = false;
  {
    OwnStatement::Use use(exists_);
    exists_now_ = use.Step();
  }
  if (exists_now_) {
    OwnStatement::Use use(load_);
    while (use.Step()) {
      const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(use.handle(), 0));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(use.handle(), 0));
      Row row{.time = Timestamp(milliseconds(sqlite3_column_int64(use.handle(), 1)))};
      if (sqlite3_column_count(use.handle()) > 2) row.tries = sqlite3_column_int64(use.handle(), 2);
      alarms_.emplace(std::string(name, size), row);
    }
    has_tries_ = sqlite3_column_count(use.handle()) > 2;
  }
  loaded_ = true;
  loaded_at_ = transaction_.rollbacks();
}

bool AlarmTable::IsDeferred(std::string_view name, Timestamp time) {
  if (!run_ || run_->name != name || run_->defers != time) return false;
  return !run_->kept || run_->kept_at != transaction_.rollbacks();
}

std::optional<Timestamp> AlarmTable::Stored(std::string_view name) {
  Load();
  const auto found = alarms_.find(name);
  if (found == alarms_.end()) return std::nullopt;
  return found->second.time;
}

std::optional<Timestamp> AlarmTable::Get(std::string_view name) {
  const std::optional<Timestamp> stored = Stored(name);
  return stored && IsDeferred(name, *stored) ? std::nullopt : stored;
}

std::vector<AlarmInfo> AlarmTable::List() {
  Load();
  std::vector<AlarmInfo> list;
  for (const auto& [name, row] : alarms_) {
    if (!IsDeferred(name, row.time)) list.push_back({.name = name, .time = row.time});
  }
  return list;
}

bool AlarmTable::WouldSet(std::string_view name, Timestamp time) { return Get(name) != time; }

void AlarmTable::Set(std::string_view name, Timestamp time) {
  Load();
  Write(name, time);
  if (run_ && run_->name == name && run_->defers == time) {
    run_->kept = true;
    run_->kept_at = transaction_.rollbacks();
  }
}

bool AlarmTable::WouldDelete(std::string_view name) { return Stored(name).has_value(); }

void AlarmTable::Delete(std::string_view name) {
  Load();
  Write(name, std::nullopt);
}

void AlarmTable::Create() {
  if (!exists_now_) create_.Run();
  exists_now_ = true;
}

void AlarmTable::Write(std::string_view name, std::optional<Timestamp> time) {
  touched_ = true;
  loaded_ = false;  // until it is done: what is in memory must not be ahead of the table
  Create();
  if (time) {
    alarms_.insert_or_assign(std::string(name), Row{.time = *time});
  } else if (const auto found = alarms_.find(name); found != alarms_.end()) {
    alarms_.erase(found);
  }
  OwnStatement::Use use(time ? put_ : remove_);
  sqlite3_bind_text64(use.handle(), 1, name.data(), name.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (time) sqlite3_bind_int64(use.handle(), 2, Milliseconds(*time));
  use.Step();
  loaded_ = true;
}

int64_t AlarmTable::Tries(std::string_view name) {
  Load();
  const auto found = alarms_.find(name);
  return found == alarms_.end() ? 0 : found->second.tries;
}

void AlarmTable::SetTries(std::string_view name, int64_t tries) {
  Load();
  loaded_ = false;  // until it is done
  if (!has_tries_) connection_.RunOwn("ALTER TABLE _cf_ALARM ADD COLUMN tries INTEGER");
  has_tries_ = true;
  OwnStatement::Use use(put_tries_);
  sqlite3_bind_text64(use.handle(), 1, name.data(), name.size(), SQLITE_STATIC, SQLITE_UTF8);
  sqlite3_bind_int64(use.handle(), 2, tries);
  use.Step();
  if (const auto found = alarms_.find(name); found != alarms_.end()) found->second.tries = tries;
  loaded_ = true;
}

bool AlarmTable::Differs() {
  Load();
  return connection_.object().alarm() != Earliest(alarms_);
}

void AlarmTable::Reconcile() {
  const std::optional<Timestamp> due = connection_.object().alarm();
  Create();
  clear_.Run();
  alarms_.clear();
  touched_ = true;
  if (due) Write(kDefaultAlarm, due);
}

void AlarmTable::Clear() {
  touched_ = true;
  loaded_ = true;
  loaded_at_ = transaction_.rollbacks();
  exists_now_ = false;
  has_tries_ = false;
  alarms_.clear();
}

void AlarmTable::Restore(const std::vector<AlarmInfo>& alarms) {
  Clear();
  for (const AlarmInfo& alarm : alarms) Write(alarm.name, alarm.time);
}

void AlarmTable::BeforeCommit() {
  if (!touched_) return;
  Load();
  const std::optional<Timestamp> earliest = Earliest(alarms_);
  if (earliest != connection_.object().alarm()) {
    ThrowIfError(connection_.database().SetAlarm(earliest));
  }
  touched_ = false;
}

void AlarmTable::BeginRun(std::string_view name, std::optional<Timestamp> defers) {
  run_.emplace(Run{.name = std::string(name), .defers = defers});
}

std::optional<std::string> AlarmTable::EndRun() {
  if (!run_) return std::nullopt;
  const std::optional<Timestamp> stored = Stored(run_->name);
  const bool deferred = stored && IsDeferred(run_->name, *stored);
  std::optional<Run> run = std::exchange(run_, std::nullopt);
  if (!deferred) return std::nullopt;
  return std::move(run->name);
}

}  // namespace tidemark::internal
