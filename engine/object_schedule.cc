// Object's scheduled restores: what happens when its next session begins.
//
// A record says which commit is to come back; the restore is one timeline record, which also says
// that nothing waits any more. So a crash leaves one of the two.

#include <mutex>
#include <new>

#include "engine/internal/store_impl.h"
#include "engine/internal/timeline_record.h"
#include "engine/object.h"

namespace tidemark {

using internal::ObjectState;
using internal::ScheduleRow;
using internal::ScheduleTable;
using internal::WriteLock;

namespace {

// Is it in vain to try again?
bool IsForGood(StatusCode code) {
  return code == StatusCode::kExpired || code == StatusCode::kCorruption ||
         code == StatusCode::kNotFound || code == StatusCode::kLost;
}

// What becomes of the alarm.
RestoreOptions OptionsOf(const ScheduleRow& row) {
  if (row.options) return *row.options;
  return {.alarms = row.source == row.object ? Alarms::kRestore : Alarms::kClear};
}

// With the object's schedule_mutex held. Durable when it returns.
Result<Lsn> LogSchedule(internal::StoreImpl& store, const ScheduleRow& row) {
  internal::CommitQueue& queue = store.queue();
  ScheduleTable::NewChange made(row);
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue.Reserve(made.fields().size(), 1));
  internal::CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  // The directory names the object, by its tag, as for a label.
  const auto appended =
      scope.Append(internal::RecordKind::kSchedule, TimelineId(scope.next_lsn().value),
                   made.fields(), {}, ObjectTag(row.object));
  scope.Leave();
  store.schedules().Add(std::move(made), appended.lsn, appended.time);
  scope.Finish();
  TIDEMARK_RETURN_IF_ERROR(queue.WaitDurable(appended.lsn));
  return appended.lsn;
}

// Errors: kCorruption if a damaged record behind it may have moved or cancelled it.
Status CheckSchedule(const internal::StoreImpl& store, const ObjectState& object,
                     const ScheduleRow& row) {
  const auto damage = store.LastLost(ObjectTag(object.id));
  if (!damage || damage->lsn < row.lsn) return OkStatus();
  return Status(StatusCode::kCorruption,
                "a record of its labels, hold, policy or scheduled restores, LSN " +
                    std::to_string(damage->lsn.value) + " (segment " +
                    std::to_string(damage->location.segment) + ", offset " +
                    std::to_string(damage->location.offset) +
                    "), is damaged, which may have moved or cancelled it");
}

}  // namespace

Result<Bookmark> Object::SessionEnd(Lsn session) const {
  Bookmark bookmark{.epoch = 0,
                    .is_session_end = true,
                    .lsn = session,
                    .object_tag = ObjectTag(state_->id),
                    .state_hash = 0};
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, store_->EpochOf(session));
  if (epoch) bookmark.epoch = epoch->epoch;
  return bookmark;
}

Result<Bookmark> Object::ScheduleRestore(const Point& to, const RestoreOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Resolve(to));
  return Schedule(*state_, commit, options);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<Bookmark> Object::ScheduleRestore(const Object& from, const CommitInfo& commit,
                                         const RestoreOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (from.store_ != store_) {
    return Status(StatusCode::kForeign, "object " + from.DisplayName() + " is of another store");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo known, from.ResolveBookmark(from.BookmarkOf(commit)));
  return Schedule(*from.state_, known, options);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<Bookmark> Object::Schedule(const ObjectState& source, const CommitInfo& commit,
                                  const RestoreOptions& options) {
  if (commit.kind == CommitKind::kDelete) {
    return Status(StatusCode::kNotFound,
                  "object " + source.DisplayName() + " does not exist at LSN " +
                      std::to_string(commit.lsn.value) +
                      ", its deletion: there is nothing that a session could begin with");
  }
  ScheduleRow row{.object = state_->id,
                  .namespace_id = state_->ns->id,
                  .set = true,
                  .source_namespace = source.ns->id,
                  .source = source.id,
                  .timeline = commit.timeline,
                  .commit = commit.lsn,
                  .epoch = commit.epoch,
                  .state_hash = commit.state_hash};
  RestoreOptions wanted = options;
  if (wanted.alarm) wanted = {.alarm = internal::RecordedAlarm(wanted.alarm)};
  if (wanted != OptionsOf(row)) row.options = wanted;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->timeline == nullptr) {
      return Status(StatusCode::kNotFound, "object " + DisplayName() + " does not exist");
    }
  }
  std::lock_guard lock(state_->schedule_mutex);
  // It must not be there before what it leads to.
  TIDEMARK_RETURN_IF_ERROR(store_->queue().WaitDurable(commit.lsn));
  TIDEMARK_ASSIGN_OR_RETURN(const auto before, store_->schedules().Find(state_->id));
  if (before) row.session = before->session;
  TIDEMARK_ASSIGN_OR_RETURN(const Lsn lsn, LogSchedule(*store_, row));
  return SessionEnd(before ? before->session : lsn);
}

Status Object::CancelScheduledRestore() try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  std::lock_guard lock(state_->schedule_mutex);
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->schedules().Find(state_->id));
  if (!row) {
    return Status(StatusCode::kNotFound,
                  "no restore of object " + DisplayName() + " waits for its next session");
  }
  return LogSchedule(*store_, {.object = row->object, .namespace_id = row->namespace_id}).status();
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<std::optional<ScheduledRestore>> Object::scheduled_restore() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->schedules().Find(state_->id));
  if (!row) return std::optional<ScheduledRestore>();
  ScheduledRestore waits{.to = {.epoch = row->epoch,
                                .lsn = row->commit,
                                .object_tag = ObjectTag(row->source),
                                .state_hash = row->state_hash},
                         .source_name = {},
                         .scheduled = row->time,
                         .undo = {},
                         .options = OptionsOf(*row)};
  if (row->source != state_->id) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto source,
                              store_->AdoptObject(row->source_namespace, row->source, ""));
    waits.source_name = source->DisplayName();
  }
  TIDEMARK_ASSIGN_OR_RETURN(waits.undo, SessionEnd(row->session));
  return std::optional(std::move(waits));
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

// With write lock and schedule_mutex held.
Result<RestoreInfo> Object::RestoreScheduled(const ScheduleRow& row) {
  TIDEMARK_RETURN_IF_ERROR(CheckSchedule(*store_, *state_, row));
  std::shared_ptr<ObjectState> source = state_;
  if (row.source != state_->id) {
    TIDEMARK_ASSIGN_OR_RETURN(source, store_->AdoptObject(row.source_namespace, row.source, ""));
    TIDEMARK_ASSIGN_OR_RETURN(source, source->Use());
  }
  const Object from(store_, source);
  RestoreInfo info;
  info.from = head();
  info.undo = BookmarkOf(info.from);
  const Bookmark to{.epoch = row.epoch,
                    .lsn = row.commit,
                    .object_tag = ObjectTag(row.source),
                    .state_hash = row.state_hash};
  TIDEMARK_ASSIGN_OR_RETURN(info.to, from.ResolveBookmark(to));
  internal::Pin pin(source);
  TIDEMARK_RETURN_IF_ERROR(store_->retention().PinKept(info.to, &pin));
  internal::TimelineStart start{
      .operation = format::TimelineOperation::kScheduledRestore,
      .from = info.from,
      .to = info.to,
      .parent = nullptr,
      .from_bookmark = info.undo.ToString(),
      .to_bookmark = to.ToString(),
      .label_prefix = "before-restore",
      .alarm = internal::AlarmAfter(info.from, info.to, OptionsOf(row)),
      .session = row.session,
  };
  TIDEMARK_ASSIGN_OR_RETURN(start.parent, store_->FindTimeline(info.to.timeline));
  TIDEMARK_ASSIGN_OR_RETURN(info.result, StartTimeline(*store_, state_, start, &info.label));
  return info;
}

Result<std::optional<RestoreInfo>> Object::BeginSession() try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (store_->schedules().is_empty()) return std::optional<RestoreInfo>();
  std::lock_guard lock(state_->schedule_mutex);
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->schedules().Find(state_->id));
  if (!row) return std::optional<RestoreInfo>();
  TIDEMARK_ASSIGN_OR_RETURN(const WriteLock write_lock, WriteLock::Take(state_));
  auto done = RestoreScheduled(*row);
  if (done.ok()) return std::optional(*std::move(done));
  const Status why = done.status();
  if (!IsForGood(why.code())) return why;
  TIDEMARK_RETURN_IF_ERROR(
      LogSchedule(*store_, {.object = row->object, .namespace_id = row->namespace_id}).status());
  return why.WithContext("the restore that waited for this session of object " + DisplayName() +
                         " was not made, and waits no more");
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<CommitInfo> Object::ResolveSessionEnd(const Bookmark& bookmark) const {
  const std::string name = "bookmark " + bookmark.ToString();
  TIDEMARK_ASSIGN_OR_RETURN(const auto journal, store_->RestoresOf(state_->id));
  for (const internal::RestoreRow& row : journal) {
    if (row.session != bookmark.lsn) continue;
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark from, Bookmark::Parse(row.from_bookmark));
    const auto commit = ResolveBookmark(from);
    return commit.ok() ? commit : commit.status().WithContext(name);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->schedules().Find(state_->id));
  if (row && row->session == bookmark.lsn) {
    return Status(StatusCode::kFuture,
                  name + " is of the end of a session of object " + DisplayName() +
                      " that has not ended: it leads somewhere once the restore that waits for "
                      "the next one is made");
  }
  return Status(StatusCode::kNotFound, name + " is of the end of a session of object " +
                                           DisplayName() +
                                           " with which no restore came: it was cancelled, or "
                                           "could not be made");
}

}  // namespace tidemark
