// The alarms of an object: its hidden table, what is in memory of it, and the handler's run.
//
// The engine's own due time (Object::alarm) is the truth where it differs from the table: a restore
// or a fork that left alarms behind, or gave the object another one, says so there only. Reconcile,
// when the storage is opened, makes the table agree: empty, or with that one default alarm.
//
// What the host knows of an alarm's tries is a column that the table gets when it is first needed:
// an alarm that does not fail costs nothing. Setting the alarm anew forgets it.
//
// Deferred deletion: while the handler of an alarm runs, its row stays, and is not told; it is
// deleted when the handler has succeeded. A row that was changed meanwhile is another alarm.

#ifndef TIDEMARK_API_INTERNAL_ALARM_TABLE_H_
#define TIDEMARK_API_INTERNAL_ALARM_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/alarm.h"
#include "api/internal/connection.h"
#include "api/internal/transaction_state.h"

namespace tidemark::internal {

class AlarmTable {
 public:
  AlarmTable(Connection& connection, TransactionState& transaction);

  // True if the table has to be written anew; Reconcile does that, within a transaction.
  bool Differs();
  void Reconcile();

  std::optional<Timestamp> Get(std::string_view name);
  std::vector<AlarmInfo> List();
  // Within a call's transaction. False if there was nothing to do.
  bool WouldSet(std::string_view name, Timestamp time);
  void Set(std::string_view name, Timestamp time);
  bool WouldDelete(std::string_view name);
  void Delete(std::string_view name);
  // What was kept with a stored alarm; 0: nothing.
  int64_t Tries(std::string_view name);
  void SetTries(std::string_view name, int64_t tries);
  // After everything was deleted, within the transaction that goes on with an empty database.
  void Clear();
  void Restore(const std::vector<AlarmInfo>& alarms);

  // Before each COMMIT: the commit carries the earliest one.
  void BeforeCommit();

  bool running() const { return run_.has_value(); }
  // What is stored of an alarm, deferred deletion aside.
  std::optional<Timestamp> Stored(std::string_view name);
  void BeginRun(std::string_view name, std::optional<Timestamp> defers);
  // The alarm to be deleted, if that still stands; the run is over.
  std::optional<std::string> EndRun();

 private:
  struct Run {
    std::string name;
    std::optional<Timestamp> defers;  // the row that is deleted at its end
    bool kept = false;                // it was set to that very time anew
    uint64_t kept_at = 0;             // TransactionState::rollbacks() then
  };

  struct Row {
    Timestamp time;
    int64_t tries = 0;
  };
  using Rows = std::map<std::string, Row, std::less<>>;

  static std::optional<Timestamp> Earliest(const Rows& rows);
  void Load();
  bool IsDeferred(std::string_view name, Timestamp time);
  void Create();
  void Write(std::string_view name, std::optional<Timestamp> time);

  Connection& connection_;
  TransactionState& transaction_;
  OwnStatement exists_;
  OwnStatement create_;
  OwnStatement load_;
  OwnStatement put_;
  OwnStatement put_tries_;
  OwnStatement remove_;
  OwnStatement clear_;
  bool loaded_ = false;
  uint64_t loaded_at_ = 0;  // TransactionState::rollbacks() then
  bool exists_now_ = false;
  bool has_tries_ = false;  // the column
  bool touched_ = false;    // since the last commit
  Rows alarms_;
  std::optional<Run> run_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_ALARM_TABLE_H_
