// The commit queue's way to the disk: groups written and synced, waited for, or broken on.

#include <algorithm>
#include <new>
#include <utility>

#include "engine/check.h"
#include "engine/internal/commit_queue.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {

void CommitQueue::LeadLocked(std::unique_lock<std::mutex>& lock) {
  CHECK(!is_writing_);
  CHECK(!filling_.empty());
  is_writing_ = true;
  std::swap(filling_, writing_);
  ++filling_number_;
  writing_.builder.Close();
  end_.position.offset = writing_.start + static_cast<uint32_t>(writing_.builder.bytes().size());
  const Location end = end_.position;
  const Lsn durable(durable_lsn_.load(std::memory_order_relaxed));
  lock.unlock();

  writing_.builder.Seal(durable);
  const auto begun = std::chrono::steady_clock::now();
  Status status;
  try {
    status = WriteGroup(writing_);
  } catch (const std::bad_alloc&) {
    status = Status::OutOfMemory();
  }

  const auto now = std::chrono::steady_clock::now();

  lock.lock();
  if (status.ok()) {
    written_position_.store(PositionKey(end), std::memory_order_release);
    durable_lsn_.store(writing_.last_lsn.value, std::memory_order_release);
    durable_ = {.lsn = writing_.last_lsn,
                .position = end,
                .time = writing_.last_time,
                .group_length = static_cast<uint32_t>(writing_.builder.bytes().size()),
                .group_hash = writing_.builder.header_hash()};
    groups_written_.fetch_add(1, std::memory_order_relaxed);
    ++groups_in_segment_;
    writing_.builder.Clear();
    writing_.new_header.reset();
  } else {
    BreakLocked(status);
  }
  is_writing_ = false;
  patience_.GroupDone(now, now - begun, std::exchange(writing_.waiters, 0), filling_.waiters);
  group_done_[(filling_number_ - 1) & 1].notify_all();
  if (filling_.waiters > 0) group_done_[filling_number_ & 1].notify_one();  // leads, or sees to it
  room_.notify_all();
  if (status.ok() && on_group_) {
    const bool wants_spare = WantsSpare();
    lock.unlock();
    on_group_(wants_spare);
    lock.lock();
  }
}

// Writing a spare's blocks ahead pays for small groups, which wait for syncs. When the log comes in
// large ones it would only halve the disk's bandwidth.
bool CommitQueue::WantsSpare() const {
  if (active_ == nullptr || end_.position.offset < active_->size_bytes / 2) return false;
  constexpr uint32_t kLargeGroupBytes = 256u << 10;
  return end_.position.offset / std::max(1u, groups_in_segment_) < kLargeGroupBytes &&
         !segments_->HasSpare();
}

Status CommitQueue::WriteGroup(const Pending& group) {
  File& file = *group.segment->file;
  if (group.new_header) {
    TIDEMARK_RETURN_IF_ERROR(file.WriteAt(0, MakeHeaderBlocks(*group.new_header)));
  }
  TIDEMARK_RETURN_IF_ERROR(file.WriteAt(group.start, group.builder.bytes()));
  return file.Sync();
}

void CommitQueue::BreakLocked(const Status& cause) noexcept {
  if (!broken_.ok()) return;
  try {
    broken_ = Status(StatusCode::kBroken,
                     "the store is broken and must be reopened: " + cause.ToString());
  } catch (const std::bad_alloc&) {
    broken_ = broken_by_memory_;
  }
  is_broken_.store(true, std::memory_order_release);
  WakeAll();
}

void CommitQueue::Close(Status why) {
  {
    std::lock_guard lock(mutex_);
    if (broken_.ok()) broken_ = std::move(why);
    is_broken_.store(true, std::memory_order_release);
  }
  WakeAll();
}

void CommitQueue::WakeAll() noexcept {
  for (std::condition_variable& done : group_done_) done.notify_all();
  room_.notify_all();
  published_.notify_all();
}

Status CommitQueue::broken() const {
  if (is_of_parent()) return process_.Refusal();
  if (!is_broken_.load(std::memory_order_acquire)) return OkStatus();
  std::lock_guard lock(mutex_);
  return broken_;
}

Status CommitQueue::WaitDurable(Lsn lsn) {
  if (durable_lsn() >= lsn) return OkStatus();
  if (is_of_parent()) return process_.Refusal();
  std::unique_lock lock(mutex_);
  if (lsn >= next_lsn_ && broken_.ok()) {
    return Status(StatusCode::kOutOfRange,
                  "LSN " + std::to_string(lsn.value) + " has not been committed");
  }
  const bool in_writing = is_writing_ && lsn <= writing_.last_lsn;
  std::condition_variable& done = group_done_[(filling_number_ - (in_writing ? 1 : 0)) & 1];
  if (durable_lsn() < lsn) ++(in_writing ? writing_ : filling_).waiters;
  while (true) {
    if (durable_lsn() >= lsn) return OkStatus();
    if (!broken_.ok()) return broken_;
    if (is_writing_) {
      done.wait(lock);
    } else if (const auto until = patience_.WaitUntil(filling_.waiters)) {
      done.wait_until(lock, *until);
    } else {
      LeadLocked(lock);
    }
  }
}

// Waking this thread is a system call and a switch, dearer than all else that a commit does beside
// its write and its sync. So it takes one record to wake it, and then it looks every delay by
// itself, until a whole delay has passed without a record.
void CommitQueue::FlusherLoop() {
  std::unique_lock lock(mutex_);
  Lsn seen;  // next_lsn_ when the last delay began
  while (!stop_) {
    if (next_lsn_ == seen) {
      flusher_idle_ = true;
      flusher_wake_.wait(lock, [this] { return stop_ || !flusher_idle_; });
    }
    seen = next_lsn_;
    // Let the group grow: commits that are waited for do not wait for this thread.
    flusher_delays_ = true;
    flusher_wake_.wait_for(lock, options_.flush_delay, [this] { return stop_ || IsHalfFull(); });
    flusher_delays_ = false;
    if (stop_) return;
    if (filling_.empty()) continue;  // whoever waited has written it
    // Waits above that find their condition true never let go of the mutex, which the write under
    // way needs to come to its end.
    room_.wait(lock, [this] { return !is_writing_; });
    if (!filling_.empty() && broken_.ok()) LeadLocked(lock);
  }
}

}  // namespace tidemark::internal
