// The transaction that is open on an object's connection: the implicit one, which writes join that
// are in no other, and the explicit ones nested in it or standing alone.
//
//   none --write--> implicit --Commit--> none              kTurn; in kEachCall a call is a turn
//   none, implicit --BeginExplicit--> explicit(1) ... explicit(n) --End--> none
//   implicit, explicit(n) --Savepoint--> one level deeper --Release, RollBack--> back
//
// An explicit transaction commits the implicit one first, and commits by itself. A savepoint
// (TransactionSync, a put of many) belongs to what is open around it.
//
// A turn's writes are confirmed ones unless the caller said otherwise; what a rollback took does
// not count. With CommitMode::kEachCall a statement that stands alone needs no BEGIN: SQLite's own
// commit at its end is the call's.
//
// Used by one thread at a time.

#ifndef TIDEMARK_API_INTERNAL_TRANSACTION_STATE_H_
#define TIDEMARK_API_INTERNAL_TRANSACTION_STATE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "api/internal/connection.h"

namespace tidemark::internal {

class TransactionState {
 public:
  explicit TransactionState(Connection& connection);

  bool open() const { return implicit_ || !levels_.empty(); }
  bool in_explicit() const { return explicit_root_; }
  // Explicit transactions and savepoints that are open.
  size_t depth() const { return levels_.size(); }
  // True if something is waiting for Commit() that has to be confirmed.
  bool needs_confirmation() const { return needs_confirmation_; }
  // Rises with every rollback: what was remembered of the database may not be so any more.
  uint64_t rollbacks() const { return rollbacks_; }
  uint64_t commits() const { return commits_; }
  uint64_t log_bytes() const { return log_bytes_; }  // of them

  // One call that writes: the scope of its writes.
  class Call {
   public:
    // `several`: it may be more than one statement, or needs to say something at its commit.
    Call(TransactionState& state, bool several, bool confirmed);
    // Without Done: an error is on its way. What was written before it stays, as in Durable
    // Objects.
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // In kEachCall, and outside of a transaction, commits.
    void Done();

   private:
    TransactionState& state_;
    const bool confirmed_;
    bool owns_ = false;   // it began the implicit transaction, and ends it
    bool alone_ = false;  // SQLite commits at the statement's end
    bool done_ = false;
    std::chrono::steady_clock::time_point start_{};
  };

  // Commits the implicit transaction; nothing happens without one. Waits as `durability` says, or
  // the options if it is not given. Errors break the object, with all that was written since it
  // began lost.
  void Commit(std::optional<Durability> durability = std::nullopt);
  // Drops it.
  void Rollback();

  // Returns the level it opens, from 1.
  size_t BeginExplicit();
  size_t Savepoint();
  // They end the innermost level, which must be `level`.
  void EndExplicit(size_t level);  // commits if it is the outermost
  void Release(size_t level);
  void RollBackLevel(size_t level);  // breaks the object where it fails

  // Called right before each COMMIT.
  void set_before_commit(std::function<void()> call) { before_commit_ = std::move(call); }

  // DeleteAll: all is gone, and what was written with it; the new database is part of the implicit
  // transaction.
  void BeginEmpty(const char* why);

 private:
  struct Level {
    bool confirmed_before;  // needs_confirmation_ when it began
    bool root;              // BEGIN and COMMIT are its own
  };

  void BeginImplicit();
  void RunCommit(std::optional<Durability> durability = std::nullopt);
  void NoteCommit(std::chrono::steady_clock::time_point start, bool confirmed);
  void Forget();
  void RequireInnermost(size_t level) const;
  void RunNamed(const char* verb, size_t level);
  void SetWaits(bool waits);

  Connection& connection_;
  OwnStatement begin_;
  OwnStatement commit_;
  OwnStatement rollback_;
  bool implicit_ = false;
  bool explicit_root_ = false;
  bool replaced_ = false;  // BeginEmpty since the last commit
  bool needs_confirmation_ = false;
  bool waits_;
  std::vector<Level> levels_;
  uint64_t rollbacks_ = 0;
  uint64_t commits_ = 0;
  uint64_t log_bytes_ = 0;
  Lsn last_commit_;
  std::function<void()> before_commit_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_TRANSACTION_STATE_H_
