#include "engine/internal/timeline_record.h"

#include <mutex>
#include <optional>
#include <utility>

#include "engine/bookmark.h"
#include "engine/check.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

using format::TimelineOperation;

Result<WriteLock> WriteLock::Take(std::shared_ptr<ObjectState> state) {
  std::lock_guard lock(state->mutex);
  if (state->writer) {
    return Status(StatusCode::kBusy,
                  "object " + state->DisplayName() + " is being written by another transaction");
  }
  state->writer = true;
  return WriteLock(state);
}

WriteLock::~WriteLock() {
  if (state_ == nullptr) return;
  std::lock_guard lock(state_->mutex);
  state_->writer = false;
}

// ---- reading -----------------------------------------------------------------------------------

namespace {

TimelineKind KindOfTimeline(const TimelineFields& fields) {
  switch (fields.operation) {
    case TimelineOperation::kFork: return TimelineKind::kFork;
    case TimelineOperation::kPromote: return TimelineKind::kPromote;
    case TimelineOperation::kDelete: return TimelineKind::kDelete;
    case TimelineOperation::kUndelete: return TimelineKind::kUndelete;
    case TimelineOperation::kRewrite: return TimelineKind::kRewrite;
    case TimelineOperation::kScheduledRestore: {
      const auto to = Bookmark::Parse(fields.to);
      const bool own = !to.ok() || to->object_tag == ObjectTag(fields.object);
      return own ? TimelineKind::kRestore : TimelineKind::kPromote;
    }
    default: return TimelineKind::kRestore;
  }
}

}  // namespace

CommitKind KindOfCommit(TimelineKind kind) {
  switch (kind) {
    case TimelineKind::kFork: return CommitKind::kFork;
    case TimelineKind::kPromote: return CommitKind::kPromote;
    case TimelineKind::kDelete: return CommitKind::kDelete;
    case TimelineKind::kUndelete: return CommitKind::kUndelete;
    default: return CommitKind::kRestore;
  }
}

bool InheritsNothing(TimelineOperation operation) {
  return operation == TimelineOperation::kRewrite || operation == TimelineOperation::kDelete;
}

bool IsOfAnother(TimelineOperation operation) {
  return operation == TimelineOperation::kFork || operation == TimelineOperation::kPromote ||
         operation == TimelineOperation::kScheduledRestore;
}

bool IsInJournal(TimelineOperation operation) {
  return operation != TimelineOperation::kFork && operation != TimelineOperation::kRewrite;
}

TimelineRow MakeTimelineRow(const TimelineFields& fields, uint64_t namespace_id) {
  TimelineRow row;
  row.kind = KindOfTimeline(fields);
  row.namespace_id = namespace_id;
  row.object = fields.object;
  if (!InheritsNothing(fields.operation)) {
    row.parent = fields.parent;
    row.parent_lsn = fields.parent_lsn;
  }
  return row;
}

void SetCommit(const TimelineFields& fields, CommitInfo* commit) {
  commit->kind = KindOfCommit(KindOfTimeline(fields));
  commit->page_size = fields.page_size;
  commit->page_count = fields.page_count;
  commit->state_hash = fields.state_hash;
  commit->alarm = fields.alarm;
  const auto to = Bookmark::Parse(fields.to);
  if (to.ok()) commit->restored_from = to->lsn;
}

RestoreRow MakeRestoreRow(const TimelineFields& fields) {
  return {.object = fields.object,
          .kind = KindOfTimeline(fields),
          .from_bookmark = fields.from,
          .to_bookmark = fields.to,
          .session = fields.session};
}

// ---- writing -----------------------------------------------------------------------------------

std::optional<Timestamp> AlarmAfter(const CommitInfo& from, const CommitInfo& to,
                                    const RestoreOptions& options) {
  if (options.alarm) return options.alarm;
  switch (options.alarms) {
    case Alarms::kRestore: return to.alarm;
    case Alarms::kKeep: return from.alarm;
    case Alarms::kClear: break;
  }
  return std::nullopt;
}

namespace {

// The fields of all records that one start takes: names three times, bookmarks, numbers.
constexpr size_t kMostFieldBytes = 4096;
constexpr size_t kMostRecords = 3;  // namespace, object, timeline; or label, timeline

TimelineFields MakeFields(const ObjectState& state, const TimelineStart& start) {
  TimelineFields fields;
  fields.operation = start.operation;
  fields.object = state.id;
  fields.ended = start.from.timeline;
  std::shared_ptr<Timeline> parent = start.parent;
  fields.parent_lsn = start.to.lsn;
  if (InheritsNothing(start.operation)) {
    fields.parent_lsn = start.from.lsn;
  } else {
    // A timeline on which nothing was committed is the same as the place where it begins: ancestry
    // does not deepen when somebody goes back and forth. Not across objects: what is a fork of what
    // shows in the parents.
    while (fields.parent_lsn.value == parent->id().value && parent->parent() != nullptr &&
           parent->parent()->row().object == parent->row().object) {
      fields.parent_lsn = parent->row().parent_lsn;
      parent = parent->parent();
    }
  }
  fields.parent = parent->id();
  fields.page_size = start.to.page_size;
  fields.page_count = start.to.page_count;
  fields.state_hash = start.to.state_hash;
  fields.from = start.from_bookmark;
  fields.to = start.to_bookmark;
  fields.alarm = RecordedAlarm(start.alarm);
  fields.session = start.session;
  return fields;
}

// An object that comes into being with its timeline: its own record, and its namespace's if that is
// new. Its first timeline is that of the object's record, and has no commits.
class NewObject {
 public:
  NewObject(StoreImpl& store, std::shared_ptr<ObjectState> state)
      : store_(store), state_(std::move(state)), first_(store.MakeTimeline(nullptr)) {
    if (state_->ns->id == 0) {
      new_namespace_ = PendingRow<NamespaceRow>({.name = state_->ns->name});
    }
    std::lock_guard lock(state_->mutex);
    state_->recent_timelines.reserve(2);  // both
  }

  TimelineId Append(CommitQueue::Scope& scope, Buffer& fields) {
    if (state_->ns->id == 0) {
      fields.clear();
      EncodeNamespace({.name = state_->ns->name, .unique_key = state_->ns->name}, fields);
      const TimelineId number(scope.next_lsn().value);
      scope.Append(RecordKind::kNamespace, number, fields, {}, NamespaceTag(state_->ns->name));
      state_->ns->id = number.value;
      has_namespace_ = true;
    }
    fields.clear();
    EncodeObject({.namespace_id = state_->ns->id, .id = state_->id, .name = state_->name}, fields);
    row_.id = TimelineId(scope.next_lsn().value);
    row_.kind = TimelineKind::kCreate;
    row_.namespace_id = state_->ns->id;
    row_.object = state_->id;
    scope.Append(RecordKind::kObject, row_.id, fields, {}, ObjectTag(state_->id));
    return row_.id;
  }

  void Install() noexcept {
    if (has_namespace_) store_.AddNamespace(std::move(new_namespace_), Lsn(state_->ns->id));
    auto first = store_.AddTimeline(std::move(first_), row_);
    std::lock_guard lock(state_->mutex);
    state_->created = Lsn(row_.id.value);
    state_->recent_timelines.push_back(std::move(first));
  }

 private:
  StoreImpl& store_;
  const std::shared_ptr<ObjectState> state_;
  NewTimeline first_;
  TimelineRow row_;
  PendingRow<NamespaceRow> new_namespace_;
  bool has_namespace_ = false;
};

}  // namespace

Result<CommitInfo> StartTimeline(StoreImpl& store, const std::shared_ptr<ObjectState>& state,
                                 const TimelineStart& start, std::string* label) {
  CommitQueue& queue = store.queue();
  // The way back first.
  TIDEMARK_RETURN_IF_ERROR(queue.WaitDurable(start.from.lsn));

  TimelineFields fields = MakeFields(*state, start);
  std::shared_ptr<Timeline> parent;
  if (!InheritsNothing(fields.operation)) {
    TIDEMARK_ASSIGN_OR_RETURN(parent, store.FindTimeline(fields.parent));
  }
  std::optional<NewObject> created;
  if (fields.operation == TimelineOperation::kFork) created.emplace(store, state);
  NewTimeline made = store.MakeTimeline(std::move(parent));
  PendingRow<RestoreRow> journal;
  const bool in_journal = IsInJournal(fields.operation);
  if (in_journal) journal = PendingRow<RestoreRow>(MakeRestoreRow(fields));
  std::optional<ScheduleTable::NewChange> waits_no_more;
  if (fields.operation == TimelineOperation::kScheduledRestore) {
    waits_no_more.emplace(ScheduleRow{.object = state->id, .namespace_id = state->ns->id});
  }
  std::unique_lock<std::mutex> label_lock;
  AutomaticLabel before;
  if (!start.label_prefix.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto ended, store.FindTimeline(start.from.timeline));
    label_lock = std::unique_lock(state->label_mutex);
    if (ended->CheckTrusted(start.from.lsn).ok()) {
      TIDEMARK_ASSIGN_OR_RETURN(before,
                                store.MakeAutomaticLabel(*state, start.label_prefix, start.from));
    }
  }
  CommitRoom room;
  store.MakeRoom(state, *made.timeline, {}, &room);
  Buffer bytes;
  bytes.reserve(kMostFieldBytes);
  RecentCommit commit;
  SetCommit(fields, &commit.info);
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue.Reserve(kMostFieldBytes, kMostRecords));
  CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());

  if (created) fields.ended = created->Append(scope, bytes);
  CommitQueue::Appended labelled;
  if (before.made) labelled = StoreImpl::AppendLabel(scope, *state, *before.made);
  bytes.clear();
  EncodeTimeline(fields, bytes);
  // The directory names the timeline that ends here: should this record be damaged, the object is
  // quarantined, and not shown as it was before.
  const CommitQueue::Appended appended =
      scope.Append(RecordKind::kTimeline, fields.ended, bytes, {});
  scope.Leave();
  TIDEMARK_RETURN_IF_ERROR(queue.WaitDurable(appended.lsn));  // else it is broken

  if (created) created->Install();
  TimelineRow row = MakeTimelineRow(fields, state->ns->id);
  row.id = TimelineId(appended.lsn.value);
  const auto timeline = store.AddTimeline(std::move(made), row);
  commit.location = appended.location;
  commit.info.lsn = appended.lsn;
  commit.info.timeline = row.id;
  commit.info.epoch = appended.epoch;
  commit.info.time = appended.time;
  commit.info.log_bytes = appended.length;
  if (in_journal) store.AddRestore(std::move(journal), appended.lsn, appended.time);
  if (waits_no_more) store.schedules().Add(*std::move(waits_no_more), appended.lsn, appended.time);
  if (before.made) store.AddLabel(*state, *std::move(before.made), labelled);
  store.PublishCommit(&room, *state, timeline, commit, {}, nullptr);
  scope.Finish();
  if (label != nullptr) *label = std::move(before.name);
  return commit.info;
}

}  // namespace tidemark::internal
