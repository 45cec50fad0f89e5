// The open transaction of an object, see transaction_state.h.

#include "api/internal/transaction_state.h"

#include <exception>
#include <string>
#include <utility>

#include "engine/check.h"

namespace tidemark::internal {

TransactionState::TransactionState(Connection& connection)
    : connection_(connection),
      begin_(connection, "BEGIN IMMEDIATE"),
      commit_(connection, "COMMIT"),
      rollback_(connection, "ROLLBACK"),
      waits_(connection.options().durability == Durability::kConfirmed),
      last_commit_(connection.object().head().lsn) {}

void TransactionState::SetWaits(bool waits) {
  if (waits == waits_) return;
  connection_.database().SetWaitsForDurability(waits);
  waits_ = waits;
}

// ---- Implicit ----------------------------------------------------------------------------------

TransactionState::Call::Call(TransactionState& state, bool several, bool confirmed)
    : state_(state), confirmed_(confirmed) {
  state_.connection_.RequireUsable();
  if (!state_.open()) {
    const bool each_call = state_.connection_.options().commit_mode == CommitMode::kEachCall;
    if (each_call && !several) {
      alone_ = true;
      state_.connection_.set_commits_alone(true);
      start_ = std::chrono::steady_clock::now();
      state_.SetWaits(confirmed &&
                      state_.connection_.options().durability == Durability::kConfirmed);
      return;
    }
    state_.BeginImplicit();
    owns_ = each_call;
  }
  if (confirmed) state_.needs_confirmation_ = true;
}

TransactionState::Call::~Call() {
  if (alone_) state_.connection_.set_commits_alone(false);
  if (done_ || !owns_ || !state_.implicit_) return;
  try {
    state_.Commit();
  } catch (...) {
    // It has broken the object, which the next call is told; this one's error is on its way.
  }
}

void TransactionState::Call::Done() {
  done_ = true;
  if (alone_) state_.NoteCommit(start_, confirmed_);
  if (owns_) state_.Commit();
}

void TransactionState::BeginImplicit() {
  begin_.Run();
  implicit_ = true;
  connection_.set_in_transaction(true);
}

void TransactionState::NoteCommit(std::chrono::steady_clock::time_point start, bool confirmed) {
  const CommitInfo commit = connection_.object().head();
  if (commit.lsn == last_commit_) return;  // nothing was written in it
  last_commit_ = commit.lsn;
  ++commits_;
  log_bytes_ += commit.log_bytes;
  const auto& hook = connection_.options().hooks.on_commit;
  if (!hook) return;
  hook(
      {.commit = commit, .took = std::chrono::steady_clock::now() - start, .confirmed = confirmed});
}

void TransactionState::RunCommit(std::optional<Durability> durability) {
  const auto start = std::chrono::steady_clock::now();
  const bool confirmed = needs_confirmation_;
  SetWaits(needs_confirmation_ &&
           durability.value_or(connection_.options().durability) == Durability::kConfirmed);
  try {
    if (before_commit_) before_commit_();
    commit_.Run();
  } catch (...) {
    // What was written is lost, and its callers have been told that it is there.
    connection_.BreakByException();
    if (sqlite3_get_autocommit(connection_.handle()) == 0) {
      try {
        rollback_.Run();
      } catch (...) {
        // The connection is used no more.
      }
    }
    Forget();
    ++rollbacks_;
    throw;
  }
  Forget();
  NoteCommit(start, confirmed);
}

void TransactionState::Forget() {
  implicit_ = false;
  explicit_root_ = false;
  replaced_ = false;
  needs_confirmation_ = false;
  levels_.clear();
  connection_.set_in_transaction(false);
}

void TransactionState::Commit(std::optional<Durability> durability) {
  connection_.RequireUsable();
  if (!implicit_) return;
  if (!levels_.empty()) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "a commit inside of a transaction that was not ended: end it first"));
  }
  RunCommit(durability);
}

void TransactionState::Rollback() {
  if (!open()) return;
  const bool replaced = replaced_;
  ++rollbacks_;
  if (replaced) {  // the connection sees nothing, whatever is rolled back
    Forget();
    connection_.Reopen(false, "the transaction was rolled back");
    waits_ = connection_.options().durability == Durability::kConfirmed;
    return;
  }
  try {
    rollback_.Run();
  } catch (...) {
    connection_.BreakByException();
    throw;
  }
  Forget();
}

void TransactionState::BeginEmpty(const char* why) {
  ++rollbacks_;
  Forget();
  connection_.Reopen(true, why);
  waits_ = connection_.options().durability == Durability::kConfirmed;
  BeginImplicit();
  replaced_ = true;
  needs_confirmation_ = true;
  // An empty database that nothing was written to would be no commit.
  connection_.RunOwn("PRAGMA user_version=0");
}

// ---- Explicit ----------------------------------------------------------------------------------

size_t TransactionState::BeginExplicit() {
  connection_.RequireUsable();
  if (levels_.empty()) {
    Commit();
    levels_.reserve(1);
    begin_.Run();
    connection_.set_in_transaction(true);
    explicit_root_ = true;
    levels_.push_back({.confirmed_before = false, .root = true});
    return 1;
  }
  return Savepoint();
}

size_t TransactionState::Savepoint() {
  connection_.RequireUsable();
  levels_.reserve(levels_.size() + 1);
  const bool begins = !open();
  if (begins) BeginImplicit();
  try {
    RunNamed("SAVEPOINT", levels_.size() + 1);
  } catch (...) {
    if (begins && connection_.broken() == nullptr) Rollback();  // nobody would end it
    throw;
  }
  levels_.push_back({.confirmed_before = needs_confirmation_, .root = false});
  return levels_.size();
}

void TransactionState::RequireInnermost(size_t level) const {
  if (level == levels_.size()) return;
  throw Error(Status(StatusCode::kInvalidArgument,
                     "a transaction was to be ended while one that is nested in it is open: end "
                     "the inner one first"));
}

void TransactionState::EndExplicit(size_t level) {
  connection_.RequireUsable();
  RequireInnermost(level);
  if (levels_.back().root) {
    RunCommit();
  } else {
    Release(level);
  }
}

void TransactionState::Release(size_t level) {
  connection_.RequireUsable();
  RequireInnermost(level);
  RunNamed("RELEASE", level);
  levels_.pop_back();
}

void TransactionState::RollBackLevel(size_t level) {
  connection_.RequireUsable();
  RequireInnermost(level);
  if (levels_.back().root) {
    Rollback();
    return;
  }
  try {
    RunNamed("ROLLBACK TO", level);
    RunNamed("RELEASE", level);
  } catch (...) {
    connection_.BreakByException();  // what was to be undone may be there still
    throw;
  }
  needs_confirmation_ = levels_.back().confirmed_before;
  levels_.pop_back();
  ++rollbacks_;
}

void TransactionState::RunNamed(const char* verb, size_t level) {
  connection_.RunOwn((std::string(verb) + " _cf_" + std::to_string(level)).c_str());
}

}  // namespace tidemark::internal
