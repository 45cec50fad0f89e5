#include "engine/internal/checkpointer.h"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "engine/check.h"
#include "engine/internal/batched_pages.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

// A checkpoint is due after this many page versions in memory, whatever their bytes.
constexpr uint64_t kRecentVersionsDue = 256u << 10;
// And commits wait for it at this many.
constexpr uint64_t kRecentVersionsMost = 2u << 20;

// The pages of a large commit go into the index in steps of this many.
constexpr size_t kLargeCommitStep = 32u << 10;

struct TimelineBatch {
  std::shared_ptr<Timeline> timeline;
  Timeline::Collected recent;
};

struct ObjectBatch {
  std::shared_ptr<ObjectState> object;
  ObjectRow row;
  std::optional<Timestamp> indexed_alarm;  // before
};

}  // namespace

void Checkpointer::Start(const CheckpointRow& last) {
  checkpoint_lsn_.store(last.lsn.value, std::memory_order_release);
}

void Checkpointer::StartThread() {
  thread_ = std::thread([this] { Loop(); });
}

void Checkpointer::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  done_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::NoteLargeCommit(Lsn lsn) {
  std::lock_guard lock(mutex_);
  large_commit_lsn_ = std::max(large_commit_lsn_.load(), lsn.value);
}

bool Checkpointer::IsDue() const {
  const Lsn large(large_commit_lsn_.load());
  return (checkpoint_lsn() < large && large <= store_->queue().durable_lsn()) ||
         store_->queue().appended_bytes() -
                 appended_at_checkpoint_.load(std::memory_order_relaxed) >=
             store_->options().checkpoint_log_bytes ||
         store_->recent_versions.load(std::memory_order_relaxed) >= kRecentVersionsDue;
}

void Checkpointer::AfterGroup(bool wants_spare) {
  const bool due = IsDue();
  if (!due && !wants_spare) return;
  {
    std::lock_guard lock(mutex_);
    if (wants_checkpoint_ >= due && wants_spare_ >= wants_spare) return;
    wants_checkpoint_ |= due;
    wants_spare_ |= wants_spare;
  }
  wake_.notify_one();
}

void Checkpointer::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || wants_checkpoint_ || wants_spare_; });
    if (stop_) return;
    const bool spare = std::exchange(wants_spare_, false);
    const bool checkpoint = wants_checkpoint_;
    lock.unlock();
    Status status;
    try {
      // A failure costs nothing here: a commit that needs the segment makes it itself, and reports.
      if (spare) (void)store_->segments().PrepareSpare(SpareBlocks::kWritten);
      if (checkpoint) status = Run();
    } catch (const std::bad_alloc&) {
      status = Status::OutOfMemory();  // the index is as it was, and a later checkpoint does it all
    }
    if (checkpoint) store_->retention_worker().AfterCheckpoint();
    lock.lock();
    if (checkpoint) {
      // A large commit that came meanwhile may be the last one for long.
      wants_checkpoint_ = status.ok() && IsDue();
      last_status_ = status;
      ++runs_;
      done_.notify_all();
    }
  }
}

Status Checkpointer::Throttle() {
  if (store_->recent_versions.load(std::memory_order_relaxed) < kRecentVersionsMost ||
      store_->options().background_work == BackgroundWork::kManual) {
    return OkStatus();
  }
  std::unique_lock lock(mutex_);
  wants_checkpoint_ = true;
  wake_.notify_one();
  // For one, not until none is due: others may write meanwhile.
  done_.wait(lock, [this, run = runs_] { return stop_ || runs_ != run; });
  return last_status_.WithContext("commits wait for the index, which cannot be brought up to date");
}

Status Checkpointer::Run() {
  std::lock_guard lock(run_mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  const uint64_t appended = store_->queue().appended_bytes();
  TIDEMARK_ASSIGN_OR_RETURN(const CheckpointRow cut, store_->queue().CutForCheckpoint());
  TIDEMARK_RETURN_IF_ERROR(RunLocked(cut));
  appended_at_checkpoint_.store(appended, std::memory_order_relaxed);
  store_->SweepIfManyExpired();
  return OkStatus();
}

Status Checkpointer::RunTo(const CheckpointRow& cut) {
  std::lock_guard lock(run_mutex_);
  return RunLocked(cut);
}

Status Checkpointer::UpdateIndex(const std::function<Status(IndexWriter&)>& change) {
  std::lock_guard lock(run_mutex_);
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  return store_->index().Update(change);
}

// In updates of its own, so that no index transaction grows with what a commit wrote. The commit is
// durable: should the checkpoint fail behind this, replaying the log puts the same rows again; and
// if the log has lost the commit by then, the index knows that it was there.
Status Checkpointer::IndexLargeCommit(TimelineId timeline, const LargeCommit& large, Lsn cut) {
  for (uint32_t next = 1; next <= large.pages->batch_count();) {
    std::vector<PageChange> rows;
    for (; next <= large.pages->batch_count() && rows.size() < kLargeCommitStep; ++next) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto last, large.pages->LastVersions(store_->reader(), next));
      rows.insert(rows.end(), last.begin(), last.end());
    }
    std::sort(rows.begin(), rows.end(),
              [](const PageChange& a, const PageChange& b) { return a.page < b.page; });
    TIDEMARK_RETURN_IF_ERROR(store_->index().Update([&](IndexWriter& writer) -> Status {
      TIDEMARK_RETURN_IF_ERROR(writer.PutDurable(cut));
      for (PageChange& row : rows) {
        row.version.lsn = large.lsn;
        TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersionAhead(timeline, row.page, row.version));
      }
      return OkStatus();
    }));
  }
  return OkStatus();
}

void Checkpointer::Quarantine(const Timeline& timeline, Lsn lsn) {
  const auto commit = timeline.FindRecentCommit(lsn);
  CHECK(commit.has_value() && commit->info.lsn == lsn);
  store_->AddDamage(
      {.timeline = timeline.id(),
       .damage = {.lsn = lsn, .location = commit->location, .time = commit->info.time},
       .tag = 0});
}

Status Checkpointer::RunLocked(const CheckpointRow& cut) {
  const Lsn last = checkpoint_lsn();
  if (cut.lsn <= last) return OkStatus();
  std::vector<ObjectBatch> objects;
  std::vector<TimelineBatch> timelines;
  for (auto& object : store_->DirtyObjects()) {
    std::vector<std::shared_ptr<Timeline>> candidates;
    ObjectBatch batch;
    CommitInfo head;
    {
      std::lock_guard lock(object->mutex);
      if (object->created > cut.lsn) continue;
      candidates = object->recent_timelines;
      batch.row.id = object->id;
      batch.row.namespace_id = object->ns->id;
      batch.row.timeline = object->indexed_timeline;
      batch.row.created = object->created;
      batch.row.name = object->name;
      batch.indexed_alarm = object->indexed_alarm;
      head = object->head;
    }
    batch.row.alarm = head.lsn <= cut.lsn ? head.alarm : batch.indexed_alarm;
    for (auto& timeline : candidates) {
      if (timeline->id().value > cut.lsn.value) break;
      TimelineBatch collected;
      collected.recent = timeline->CollectRecent(cut.lsn);
      batch.row.timeline = std::max(batch.row.timeline, timeline->id());
      if (head.lsn > cut.lsn) {
        const auto last = timeline->FindRecentCommit(cut.lsn);
        if (last) batch.row.alarm = last->info.alarm;
      }
      collected.timeline = std::move(timeline);
      timelines.push_back(std::move(collected));
    }
    batch.object = std::move(object);
    objects.push_back(std::move(batch));
  }
  std::sort(timelines.begin(), timelines.end(),
            [](const auto& a, const auto& b) { return a.timeline->id() < b.timeline->id(); });

  for (const TimelineBatch& batch : timelines) {
    for (const LargeCommit& large : batch.recent.large) {
      const Status status = IndexLargeCommit(batch.timeline->id(), large, cut.lsn);
      if (status.code() == StatusCode::kCorruption) {
        // A batch has rotted meanwhile. That is this object's misfortune, not the others'.
        Quarantine(*batch.timeline, large.lsn);
      } else {
        TIDEMARK_RETURN_IF_ERROR(status);
      }
    }
  }
  const StoreImpl::PendingRows pending = store_->CollectPending(cut.lsn);
  const std::vector<LabelChange> labels = store_->labels().CollectPending(cut.lsn);
  const std::vector<ScheduleRow> schedules = store_->schedules().CollectPending(cut.lsn);
  const auto retention = store_->retention().table().CollectPending(cut.lsn);
  const std::vector<PurgeRow> purges = store_->purges().CollectPending(cut.lsn);
  TIDEMARK_RETURN_IF_ERROR(store_->index().Update([&](IndexWriter& writer) -> Status {
    for (const auto& [lsn, row] : pending.namespaces) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutNamespace(row));
    }
    for (const auto& [lsn, row] : pending.restores) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutRestore(row));
    }
    for (const auto& [lsn, row] : pending.epochs) TIDEMARK_RETURN_IF_ERROR(writer.PutEpoch(row));
    for (const auto& [lsn, row] : pending.damage) TIDEMARK_RETURN_IF_ERROR(writer.PutDamage(row));
    for (const auto& [row, removed] : labels) {
      TIDEMARK_RETURN_IF_ERROR(removed ? writer.RemoveLabel(row.object, row.name)
                                       : writer.PutLabel(row));
    }
    for (const ScheduleRow& row : schedules) {
      TIDEMARK_RETURN_IF_ERROR(row.set ? writer.PutSchedule(row)
                                       : writer.RemoveSchedule(row.object));
    }
    for (const RuleRow& row : retention.rules) TIDEMARK_RETURN_IF_ERROR(writer.PutRule(row));
    if (retention.licence) TIDEMARK_RETURN_IF_ERROR(writer.PutLicence(*retention.licence));
    for (const ObjectBatch& batch : objects) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutObject(batch.row));
      if (batch.row.alarm == batch.indexed_alarm) continue;
      TIDEMARK_RETURN_IF_ERROR(writer.MoveAlarm(batch.row, batch.indexed_alarm, batch.row.alarm));
    }
    for (const PurgeRow& row : purges) TIDEMARK_RETURN_IF_ERROR(writer.PutPurge(row));
    for (const TimelineBatch& batch : timelines) {
      // Its parents, too: one of which all commits are damaged is on no list.
      for (const Timeline* at = batch.timeline.get(); at != nullptr && at->id().value > last.value;
           at = at->parent().get()) {
        TIDEMARK_RETURN_IF_ERROR(writer.PutTimeline(at->row()));
      }
      for (const auto& [page, versions] : batch.recent.pages) {
        TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersions(batch.timeline->id(), page, versions));
      }
      TIDEMARK_RETURN_IF_ERROR(writer.PutCommits(batch.timeline->id(), batch.recent.commits));
    }
    TIDEMARK_RETURN_IF_ERROR(writer.PutTime(cut.time, cut.lsn));
    return writer.PutCheckpoint(cut);
  }));

  // The index has it durably: readers that miss it in memory from here on find it there.
  for (const TimelineBatch& batch : timelines) {
    store_->recent_versions -= batch.timeline->DropRecent(cut.lsn);
  }
  for (const ObjectBatch& batch : objects) {
    {
      std::lock_guard lock(batch.object->mutex);
      batch.object->indexed_timeline = batch.row.timeline;
      batch.object->indexed_alarm = batch.row.alarm;
    }
  }
  store_->DropPending(cut.lsn);
  store_->labels().DropPending(cut.lsn);
  store_->schedules().DropPending(cut.lsn);
  store_->retention().table().DropPending(cut.lsn);
  store_->purges().DropPending(cut.lsn);
  store_->UndirtyObjects();
  checkpoint_lsn_.store(cut.lsn.value, std::memory_order_release);
  count_.fetch_add(1, std::memory_order_relaxed);
  return OkStatus();
}

}  // namespace tidemark::internal
