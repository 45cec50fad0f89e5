#include "api/storage_transaction.h"

#include <utility>

#include "api/internal/storage_state.h"
#include "api/storage.h"

namespace tidemark {

StorageTransaction::StorageTransaction(std::shared_ptr<internal::StorageState> state,
                                       ObjectStorage* storage, bool savepoint)
    : state_(std::move(state)), storage_(storage), savepoint_(savepoint) {
  internal::TransactionState& transaction = state_->transaction;
  if (!savepoint) {
    level_ = transaction.BeginExplicit();
    return;
  }
  owns_turn_ =
      !transaction.open() && state_->connection.options().commit_mode == CommitMode::kEachCall;
  level_ = transaction.Savepoint();
}

StorageTransaction::StorageTransaction(StorageTransaction&& other) noexcept
    : state_(std::move(other.state_)),
      storage_(other.storage_),
      savepoint_(other.savepoint_),
      owns_turn_(other.owns_turn_),
      level_(other.level_),
      phase_(std::exchange(other.phase_, Phase::kRolledBack)) {}

StorageTransaction::~StorageTransaction() {
  // After a critical error SQLite has rolled everything back already.
  if (phase_ != Phase::kOpen || state_->connection.broken() != nullptr) return;
  try {
    Rollback();
  } catch (...) {
    state_->connection.BreakByException();  // whoever comes next is told
  }
}

void StorageTransaction::RequireOpen() const {
  if (phase_ == Phase::kRolledBack) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "a call on a rolled back transaction: begin another one"));
  }
  if (phase_ == Phase::kCommitted) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "a call on a transaction that was already committed: begin another one"));
  }
}

void StorageTransaction::CommitIfOpen() {
  if (phase_ == Phase::kOpen) Commit();
}

void StorageTransaction::Commit() {
  RequireOpen();
  if (const Error* error = state_->connection.broken()) {
    throw Error(
        Status(error->code(), std::string("cannot commit the transaction because of an earlier SQL "
                                          "critical error: ") +
                                  error->what()),
        error->sqlite_code());
  }
  if (savepoint_) {
    state_->transaction.Release(level_);
  } else {
    state_->transaction.EndExplicit(level_);
  }
  phase_ = Phase::kCommitted;
  if (owns_turn_) state_->transaction.Commit();
}

void StorageTransaction::Rollback() {
  if (phase_ == Phase::kRolledBack) return;
  RequireOpen();
  state_->transaction.RollBackLevel(level_);
  phase_ = Phase::kRolledBack;
  if (owns_turn_) state_->transaction.Commit();  // nothing is left to commit
}

Sql& StorageTransaction::sql() {
  RequireOpen();
  state_->connection.RequireUsable();  // or there may be no storage any more
  return storage_->sql();
}

Kv& StorageTransaction::kv() {
  RequireOpen();
  state_->connection.RequireUsable();
  return storage_->kv();
}

}  // namespace tidemark
