// Object's ways back and out: restore, delete, undelete. Each is one record that starts a timeline
// (internal/timeline_record.h). See fork.cc for those between objects.

#include <new>

#include "engine/internal/store_impl.h"
#include "engine/internal/timeline_record.h"
#include "engine/object.h"

namespace tidemark {

using format::TimelineOperation;
using internal::Timeline;
using internal::WriteLock;

Result<RestoreInfo> Object::PlanRestore(const Point& to) const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  RestoreInfo info;
  info.from = head();
  if (info.from.kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " does not exist");
  }
  TIDEMARK_ASSIGN_OR_RETURN(info.to, Resolve(to));
  info.undo = BookmarkOf(info.from);
  return info;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<RestoreInfo> Object::RestoreTo(const Point& to, TimelineOperation operation,
                                      const RestoreOptions& options) {
  TIDEMARK_ASSIGN_OR_RETURN(RestoreInfo info, PlanRestore(to));
  internal::Pin pin(state_);
  TIDEMARK_RETURN_IF_ERROR(store_->retention().PinKept(info.to, &pin));
  // What was deleted then is deleted again.
  const bool to_deletion = info.to.kind == CommitKind::kDelete;
  internal::TimelineStart start{
      .operation = to_deletion ? TimelineOperation::kDelete : operation,
      .from = info.from,
      .to = info.to,
      .parent = nullptr,
      .from_bookmark = info.undo.ToString(),
      .to_bookmark = BookmarkOf(info.to).ToString(),
      .label_prefix = operation == TimelineOperation::kRestore ? "before-restore" : "",
      .alarm = to_deletion ? std::nullopt : internal::AlarmAfter(info.from, info.to, options),
  };
  const TimelineId parent = to_deletion ? info.from.timeline : info.to.timeline;
  TIDEMARK_ASSIGN_OR_RETURN(start.parent, store_->FindTimeline(parent));
  TIDEMARK_ASSIGN_OR_RETURN(info.result, StartTimeline(*store_, state_, start, &info.label));
  return info;
}

Result<RestoreInfo> Object::Restore(const Point& to, const RestoreOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const WriteLock lock, WriteLock::Take(state_));
  return RestoreTo(to, TimelineOperation::kRestore, options);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<RestoreInfo> Object::Delete() try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const WriteLock lock, WriteLock::Take(state_));
  RestoreInfo info;
  {
    std::lock_guard state_lock(state_->mutex);
    TIDEMARK_RETURN_IF_ERROR(state_->CheckExists());
    info.from = state_->head;
  }
  info.undo = BookmarkOf(info.from);
  internal::TimelineStart start{
      .operation = TimelineOperation::kDelete,
      .from = info.from,
      .to = {},
      .parent = nullptr,
      .from_bookmark = info.undo.ToString(),
      .to_bookmark = {},
  };
  TIDEMARK_ASSIGN_OR_RETURN(start.parent, store_->FindTimeline(info.from.timeline));
  TIDEMARK_ASSIGN_OR_RETURN(info.result, StartTimeline(*store_, state_, start));
  return info;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

// The commit that the deletion behind `lsn` replaced. Errors: kExpired if it is gone.
Result<CommitInfo> Object::FindReplaced(Lsn lsn) const {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo before, store_->FindCommitAt(*state_, lsn));
  TIDEMARK_ASSIGN_OR_RETURN(const auto journal, store_->RestoresOf(state_->id));
  for (const internal::RestoreRow& row : journal) {
    if (row.lsn.value != lsn.value + 1) continue;
    const auto from = Bookmark::Parse(row.from_bookmark);
    // Else the bookmark says it, or what stood there is damaged.
    if (!from.ok() || from->lsn == before.lsn) break;
    TIDEMARK_RETURN_IF_ERROR(ResolveBookmark(*from).status());
  }
  return before;
}

Result<RestoreInfo> Object::Undelete(const RestoreOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const WriteLock lock, WriteLock::Take(state_));
  std::shared_ptr<Timeline> timeline;
  bool deleted = false;
  {
    std::lock_guard state_lock(state_->mutex);
    timeline = state_->timeline;
    deleted = state_->deleted();
  }
  if (timeline == nullptr) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " does not exist");
  }
  if (timeline->row().kind != internal::TimelineKind::kDelete) {
    return Status(StatusCode::kExists, "object " + DisplayName() + " exists: it is not deleted");
  }
  // What was there before; of a deletion that was restored to, before that one.
  CommitInfo before;
  before.lsn = Lsn(timeline->id().value);
  do {
    const Lsn lsn(before.lsn.value - 1);
    const auto replaced = FindReplaced(lsn);
    if (!deleted && replaced.status().code() == StatusCode::kExpired) {
      return Status(StatusCode::kExists, "object " + DisplayName() +
                                             " has begun anew since it was deleted; what it was "
                                             "before has expired");
    }
    TIDEMARK_ASSIGN_OR_RETURN(before, replaced);
    TIDEMARK_ASSIGN_OR_RETURN(const auto ended, store_->FindTimelineAt(*state_, lsn));
    TIDEMARK_RETURN_IF_ERROR(ended->CheckTrusted(lsn).WithContext("object " + DisplayName()));
  } while (before.kind == CommitKind::kDelete);
  if (!deleted) {
    return Status(StatusCode::kExists,
                  "object " + DisplayName() +
                      " has begun anew since it was deleted; to bring back what it was before, "
                      "restore it to " +
                      BookmarkOf(before).ToString());
  }
  return RestoreTo(BookmarkOf(before), TimelineOperation::kUndelete, options);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
