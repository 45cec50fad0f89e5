// A transaction's way into the log, second part: room for what was encoded, and publishing the
// frame.

#include <utility>

#include "engine/check.h"
#include "engine/internal/transaction_impl.h"

namespace tidemark {

using internal::CommitQueue;
using internal::PageChange;

// ---- preparing ---------------------------------------------------------------------------------

Status Transaction::Impl::Prepare(PreImageSource* pre_images) {
  CHECK(active_);
  TIDEMARK_RETURN_IF_ERROR(store_.queue().broken());
  if (reservation_.held()) return OkStatus();
  if (!has_changes()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(store_.checkpointer().Throttle());
  TIDEMARK_RETURN_IF_ERROR(Encode(pre_images, 0));
  TIDEMARK_ASSIGN_OR_RETURN(reservation_, store_.queue().Reserve(EncodedBytes(), kMostRecords,
                                                                 internal::LogRoom::kCommits));
  return OkStatus();
}

void Transaction::Impl::Unprepare() {
  encoded_ = false;
  room_.Release();
  reservation_.Release();
}

// ---- committing --------------------------------------------------------------------------------

bool Transaction::Impl::ChangesNothing() const {
  return changes_.empty() && batched_ == nullptr && !rewrite_ && page_count_ == base_.page_count &&
         kept_ == base_.page_count && !changes_alarm();
}

Result<CommitInfo> Transaction::Impl::Publish(AfterPublish after) {
  CHECK(active_);
  TIDEMARK_RETURN_IF_ERROR(store_.queue().broken());
  // Prepare comes first. Without changes, another page size must not stay: it is no change.
  CHECK(reservation_.held() || !has_changes());
  if (!reservation_.held() || ChangesNothing()) {
    Rollback();
    return base_;
  }
  Impl* const self = this;
  TIDEMARK_RETURN_IF_ERROR(PublishAll({&self, 1}, std::move(reservation_), after));
  return base_;
}

Status Transaction::Impl::PublishAll(std::span<Impl* const> transactions,
                                     CommitQueue::Reservation reservation, AfterPublish after) {
  CommitQueue& queue = transactions.front()->store_.queue();
  CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  if (after == AfterPublish::kWait) scope.LeaveFlusherAsleep();
  for (Impl* transaction : transactions) transaction->Append(scope);
  scope.Leave();
  for (Impl* transaction : transactions) transaction->Install();
  scope.Finish();
  for (Impl* transaction : transactions) transaction->Installed();
  return OkStatus();
}

void Transaction::Impl::Append(CommitQueue::Scope& scope) {
  internal::FrameFields frame;
  frame.page_size = page_size_;
  frame.page_count = page_count_;
  frame.state_hash = prepared_hash_;
  frame.version_count = static_cast<uint32_t>(changes_.size());
  frame.schema_changed = schema_changed_;
  frame.alarm = alarm_;
  if (batched_ != nullptr) {
    frame.batch_count = batched_->batch_count();
    frame.batch_versions = batched_->version_count();
    frame.batch_bytes = batched_->bytes();
    frame.last_batch = batched_->last();
  }
  const bool is_new = timeline_ == nullptr;
  appended_ = {};
  if (is_new && state_->ns->id == 0) {
    fields_.clear();
    internal::EncodeNamespace({.name = state_->ns->name, .unique_key = state_->ns->name}, fields_);
    const TimelineId number(scope.next_lsn().value);
    scope.Append(internal::RecordKind::kNamespace, number, fields_, {},
                 internal::NamespaceTag(state_->ns->name));
    state_->ns->id = number.value;
    appended_.new_namespace = true;
  }
  if (is_new || rewrite_) {
    internal::TimelineRow& row = appended_.timeline;
    fields_.clear();
    row.kind = is_new ? internal::TimelineKind::kCreate : internal::TimelineKind::kRewrite;
    row.namespace_id = state_->ns->id;
    row.object = state_->id;
    auto kind = internal::RecordKind::kObject;
    if (is_new) {
      internal::EncodeObject(
          {.namespace_id = state_->ns->id, .id = state_->id, .name = state_->name}, fields_);
    } else {
      kind = internal::RecordKind::kTimeline;
      internal::EncodeTimeline({.operation = format::TimelineOperation::kRewrite,
                                .object = state_->id,
                                .ended = timeline_->id(),
                                .parent = timeline_->id(),
                                .parent_lsn = base_.lsn,
                                .page_size = page_size_,
                                .page_count = 0,
                                .state_hash = 0,
                                .from = {},
                                .to = {}},
                               fields_);
    }
    row.id = TimelineId(scope.next_lsn().value);
    // As in Object::Restore: the directory names the timeline that a rewrite ends.
    scope.Append(kind, is_new ? row.id : timeline_->id(), fields_, {},
                 is_new ? ObjectTag(state_->id) : 0);
    frame.timeline = row.id;
  } else {
    frame.timeline = timeline_->id();
  }
  fields_.clear();
  internal::EncodeFrame(frame, fields_);
  const CommitQueue::Appended appended =
      scope.Append(internal::RecordKind::kFrame, frame.timeline, fields_, payload_);
  for (PageChange& change : changes_) {
    change.version.lsn = appended.lsn;
    change.version.location = {appended.payload.segment,
                               appended.payload.offset + change.version.location.offset};
  }
  appended_.commit.location = appended.location;
  appended_.commit.info = {
      .lsn = appended.lsn,
      .timeline = frame.timeline,
      .epoch = appended.epoch,
      .kind = CommitKind::kCommit,
      .time = appended.time,
      .page_size = page_size_,
      .page_count = page_count_,
      .state_hash = prepared_hash_,
      .pages_changed = static_cast<uint32_t>(frame.batch_versions + changes_.size()),
      .log_bytes = appended.length + frame.batch_bytes,
      .restored_from = Lsn(),
      .schema_changed = schema_changed_,
      .alarm = alarm_};
}

void Transaction::Impl::Install() noexcept {
  const bool is_new = timeline_ == nullptr;
  if (appended_.new_namespace) {
    store_.AddNamespace(std::move(new_namespace_), Lsn(state_->ns->id));
  }
  if (appended_.timeline.id.valid()) {
    timeline_ = store_.AddTimeline(std::move(new_timeline_), appended_.timeline);
    if (is_new) {
      std::lock_guard lock(state_->mutex);
      state_->created = Lsn(appended_.timeline.id.value);
    }
  }
  appended_.is_large = batched_ != nullptr;
  store_.PublishCommit(&room_, *state_, timeline_, appended_.commit, changes_, std::move(batched_));
  if (open_batches_ != nullptr) {
    store_.open_batches().Close(std::exchange(open_batches_, nullptr), appended_.commit.info.lsn);
  }
  if (appended_.is_large) store_.checkpointer().NoteLargeCommit(appended_.commit.info.lsn);
}

void Transaction::Impl::Installed() {
  // Its group may have been written before the note.
  if (appended_.is_large) store_.checkpointer().AfterGroup(false);
  store_.commits.fetch_add(1, std::memory_order_relaxed);
  Stand(appended_.commit.info, std::move(timeline_));
}

}  // namespace tidemark
