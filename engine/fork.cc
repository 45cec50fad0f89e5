// Objects that begin as, or become, what another one is: fork and promote. Each is one record that
// starts a timeline, a child of the other object's (internal/timeline_record.h).

#include <new>

#include "engine/internal/store_impl.h"
#include "engine/internal/timeline_record.h"
#include "engine/store.h"

namespace tidemark {

using format::TimelineOperation;
using internal::ObjectState;
using internal::StoreImpl;
using internal::Timeline;
using internal::TimelineKind;
using internal::TimelineRow;
using internal::WriteLock;

namespace {

// More newer commits than that are not counted.
constexpr uint64_t kMostCounted = 1000;

Status Exists(const ObjectState& target, const std::string& how) {
  return Status(StatusCode::kExists,
                "object " + target.DisplayName() + how + "; give the fork another name");
}

Status CheckIsNew(const ObjectState& target) {
  std::lock_guard lock(target.mutex);
  if (target.timeline == nullptr) return OkStatus();
  if (!target.deleted()) return Exists(target, " exists");
  return Exists(target,
                " was deleted at " + FormatTime(target.head.time) + ", and has its history still");
}

// The timeline that began an object as a fork; null if it did not begin as one. Its record stands
// directly behind the one that created the object.
Result<std::shared_ptr<Timeline>> FindForkOf(StoreImpl& store, const ObjectState& object) {
  Lsn created;
  {
    std::lock_guard lock(object.mutex);
    created = object.created;
  }
  if (!created.valid()) return std::shared_ptr<Timeline>();
  TIDEMARK_ASSIGN_OR_RETURN(auto first, store.FindTimelineAt(object, Lsn(created.value + 1)));
  if (first == nullptr || first->row().kind != TimelineKind::kFork) first = nullptr;
  return first;
}

// Where the line of forks that ends with `fork` left `object`. Errors: kForeign if it never did.
Result<Lsn> FindPointOfFork(StoreImpl& store, const ObjectState& object,
                            std::shared_ptr<const ObjectState> fork) {
  const std::string name = fork->DisplayName();
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, FindForkOf(store, *fork));
    if (timeline == nullptr) {
      return Status(StatusCode::kForeign,
                    "object " + name + " is no fork of " + object.DisplayName());
    }
    const TimelineRow& source = timeline->parent()->row();
    if (source.object == object.id) {
      // Not where the timeline begins: of a commit that was a restore, that is what it restored.
      TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit,
                                store.FindCommitAt(*fork, Lsn(timeline->id().value)));
      // If that has expired and is gone: where the timeline begins is before it.
      return commit.lsn.valid() ? commit.restored_from : timeline->row().parent_lsn;
    }
    TIDEMARK_ASSIGN_OR_RETURN(fork, store.AdoptObject(source.namespace_id, source.object, ""));
  }
}

}  // namespace

Result<std::shared_ptr<Object>> Store::Fork(const Object& from, const Point& at,
                                            std::string_view namespace_name, std::string_view name,
                                            const RestoreOptions& options) try {
  StoreImpl& store = *impl_;
  TIDEMARK_RETURN_IF_ERROR(store.queue().broken());
  if (from.store_ != &store) {
    return Status(StatusCode::kInvalidArgument,
                  "object " + from.DisplayName() +
                      " is of another store: export it there and import it here");
  }
  TIDEMARK_ASSIGN_OR_RETURN(auto object, OpenObject(namespace_name, name, IfMissing::kCreate));
  const std::shared_ptr<ObjectState>& target = object->state_;
  TIDEMARK_RETURN_IF_ERROR(CheckIsNew(*target));
  const Result<WriteLock> lock = WriteLock::Take(target);
  if (!lock.ok()) return Exists(*target, " is being created by a transaction");
  TIDEMARK_RETURN_IF_ERROR(CheckIsNew(*target));

  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, from.Resolve(at));
  internal::Pin pin(from.state_);
  TIDEMARK_RETURN_IF_ERROR(store.retention().PinKept(commit, &pin));
  const Bookmark bookmark = from.BookmarkOf(commit);
  if (commit.kind == CommitKind::kDelete) {
    return Status(StatusCode::kNotFound, "bookmark " + bookmark.ToString() +
                                             " is of a deletion: object " + from.DisplayName() +
                                             " did not exist then");
  }
  internal::TimelineStart start{
      .operation = TimelineOperation::kFork,
      .from = {},
      .to = commit,
      .parent = nullptr,
      .from_bookmark = {},
      .to_bookmark = bookmark.ToString(),
      .alarm = internal::AlarmAfter({}, commit, options),
  };
  TIDEMARK_ASSIGN_OR_RETURN(start.parent, store.FindTimeline(commit.timeline));
  TIDEMARK_RETURN_IF_ERROR(StartTimeline(store, target, start).status());
  return object;
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Object::CheckNothingNewer(const Object& fork, Lsn point) const {
  uint64_t newer = 0;
  CommitInfo oldest;
  Status status;
  const auto count = [&] { return ++newer < kMostCounted; };
  TIDEMARK_RETURN_IF_ERROR(History(
      [&](const CommitInfo& commit) {
        if (commit.lsn <= point) return false;
        if (commit.kind == CommitKind::kPromote) {
          // From this fork: what was before is no loss any more.
          const auto timeline = store_->FindTimeline(commit.timeline);
          status = timeline.status();
          if (!status.ok() || (*timeline)->parent()->row().object == fork.id()) return false;
        }
        oldest = commit;
        return count();
      },
      [&](const DamagedCommit& damaged) { return damaged.lsn > point && count(); }));
  TIDEMARK_RETURN_IF_ERROR(status);
  if (newer == 0) return OkStatus();
  std::string number = newer == 1 ? "a commit" : std::to_string(newer) + " commits";
  if (newer == kMostCounted) number = "at least " + number;
  std::string first;
  if (oldest.lsn.valid() && newer < kMostCounted) {
    first = (newer == 1 ? ": " : ", the first of them ") + BookmarkOf(oldest).ToString();
  }
  return Status(StatusCode::kExists, "object " + DisplayName() + " has " + number +
                                         " that its fork " + fork.DisplayName() + " has not seen" +
                                         first);
}

Result<RestoreInfo> Object::Promote(const Object& fork, IfNewer if_newer,
                                    const RestoreOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (fork.store_ != store_) {
    return Status(StatusCode::kForeign, "object " + fork.DisplayName() + " is of another store");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const WriteLock lock, WriteLock::Take(state_));
  RestoreInfo info;
  internal::TimelineStart start;
  start.operation = TimelineOperation::kPromote;
  internal::Pin pin(fork.state_);
  {
    std::lock_guard fork_lock(fork.state_->mutex);
    TIDEMARK_RETURN_IF_ERROR(fork.state_->CheckExists());
    TIDEMARK_RETURN_IF_ERROR(fork.state_->CheckCurrent());
    info.to = fork.state_->head;
    start.parent = fork.state_->timeline;
    pin.TakeLocked(start.parent->id(), info.to.lsn);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Lsn point, FindPointOfFork(*store_, *state_, fork.state_));
  if (if_newer == IfNewer::kFail) TIDEMARK_RETURN_IF_ERROR(CheckNothingNewer(fork, point));
  info.from = head();
  info.undo = BookmarkOf(info.from);
  start.from = info.from;
  start.to = info.to;
  start.from_bookmark = info.undo.ToString();
  start.to_bookmark = fork.BookmarkOf(info.to).ToString();
  start.alarm = internal::AlarmAfter(info.from, info.to, options);
  TIDEMARK_ASSIGN_OR_RETURN(info.result, StartTimeline(*store_, state_, start));
  return info;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<ForkSource> Object::SourceOf(const CommitInfo& commit) const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (commit.kind != CommitKind::kFork && commit.kind != CommitKind::kPromote) {
    return Status(StatusCode::kInvalidArgument,
                  "the commit with LSN " + std::to_string(commit.lsn.value) +
                      " is neither a fork nor a promote: its state is its own object's");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimeline(commit.timeline));
  if (timeline->parent() == nullptr) {
    return Status(StatusCode::kCorruption, "the index is damaged: timeline " +
                                               std::to_string(timeline->id().value) +
                                               " has no parent");
  }
  const TimelineRow& parent = timeline->parent()->row();
  TIDEMARK_ASSIGN_OR_RETURN(const auto source,
                            store_->AdoptObject(parent.namespace_id, parent.object, ""));
  ForkSource found{.id = source->id,
                   .namespace_name = source->ns->name,
                   .name = source->name,
                   .display_name = source->DisplayName(),
                   .bookmark = {.epoch = 0,
                                .lsn = commit.restored_from,
                                .object_tag = ObjectTag(source->id),
                                .state_hash = commit.state_hash}};
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, store_->EpochOf(commit.restored_from));
  if (epoch) found.bookmark.epoch = epoch->epoch;
  return found;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<ForkSource> Object::Source() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, FindForkOf(*store_, *state_));
  if (timeline == nullptr) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " is no fork");
  }
  TIDEMARK_ASSIGN_OR_RETURN(CommitInfo commit,
                            store_->FindCommitAt(*state_, Lsn(timeline->id().value)));
  if (!commit.lsn.valid()) {
    // It has expired and is gone; but what it began with is there while the fork is.
    const auto& parent = timeline->parent();
    TIDEMARK_ASSIGN_OR_RETURN(const auto source, store_->AdoptObject(parent->row().namespace_id,
                                                                     parent->row().object, ""));
    TIDEMARK_ASSIGN_OR_RETURN(const auto found,
                              store_->LocateCommitOn(*source, *parent, timeline->row().parent_lsn));
    commit.kind = CommitKind::kFork;
    commit.timeline = timeline->id();
    commit.restored_from = timeline->row().parent_lsn;
    if (found) commit.state_hash = found->info.state_hash;
  }
  return SourceOf(commit);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
