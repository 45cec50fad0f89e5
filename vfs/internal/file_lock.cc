// Lock levels, see file_lock.h.

#include "vfs/internal/file_lock.h"

#include <utility>

#include "engine/check.h"

namespace tidemark::internal {

DatabaseLock::DatabaseLock(std::shared_ptr<Object> object)
    : object_(std::move(object)), past_(false), transaction_(object_) {}

DatabaseLock::DatabaseLock(std::shared_ptr<Object> object, Snapshot past)
    : object_(std::move(object)),
      past_(true),
      opened_(true),
      snapshot_(std::move(past)),
      transaction_(object_) {}

void DatabaseLock::Take(Snapshot snapshot, uint32_t counter) {
  snapshot_ = std::move(snapshot);
  seen_counter_ = counter;
  opened_ = true;
  const CommitKind kind = snapshot_.commit().kind;
  existed_ = existed_ || (kind != CommitKind::kNone && kind != CommitKind::kDelete);
}

Result<ViewChange> DatabaseLock::Refresh() {
  if (past_ || writing_) return ViewChange::kNone;
  // The counter is read first: a commit in between makes the next refresh look again, for nothing.
  const uint32_t counter = object_->change_counter();
  if (opened_ && counter == seen_counter_) return ViewChange::kNone;
  TIDEMARK_ASSIGN_OR_RETURN(Snapshot snapshot, object_->OpenSnapshot());
  const CommitInfo before = snapshot_.commit();
  Take(std::move(snapshot), counter);
  if (snapshot_.commit().timeline != before.timeline) return ViewChange::kNewTimeline;
  return snapshot_.lsn() != before.lsn ? ViewChange::kNewCommit : ViewChange::kNone;
}

Status DatabaseLock::BeginWriting(bool* stale) {
  *stale = false;
  if (past_) {
    return Status(StatusCode::kReadOnly,
                  "a view of the past of " + object_->DisplayName() + " cannot be written");
  }
  if (writing_) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(transaction_.Begin());
  if (transaction_.base().lsn != snapshot_.lsn()) {
    transaction_.End();
    *stale = true;
    return Status(StatusCode::kBusy, "object " + object_->DisplayName() +
                                         " has changed since this transaction began to read it; "
                                         "roll back and retry");
  }
  if (existed_ && snapshot_.commit().kind == CommitKind::kDelete) {
    transaction_.End();
    return Status(StatusCode::kNotFound, "object " + object_->DisplayName() + " was deleted at " +
                                             FormatTime(snapshot_.commit().time) +
                                             "; open it again to begin it anew, or undelete it");
  }
  writing_ = true;
  return OkStatus();
}

Status DatabaseLock::MoveToOwnCommit() {
  if (transaction_.base().lsn == snapshot_.lsn()) return OkStatus();
  const uint32_t counter = object_->change_counter();
  TIDEMARK_ASSIGN_OR_RETURN(Snapshot snapshot, object_->OpenSnapshot());
  // Nobody else can commit, or restore, while the transaction has the write lock.
  CHECK(snapshot.lsn() == transaction_.base().lsn);
  Take(std::move(snapshot), counter);
  return OkStatus();
}

void DatabaseLock::EndWriting() noexcept {
  if (!writing_) return;
  // If this fails the connection keeps its older view, and finds out with the next lock.
  (void)MoveToOwnCommit();
  transaction_.End();
  writing_ = false;
}

}  // namespace tidemark::internal
