#include "engine/internal/commit_queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/check.h"

namespace tidemark::internal {
namespace {

uint64_t PositionKey(uint32_t segment, uint64_t offset) {
  return (uint64_t{segment} << 32) | offset;
}

}  // namespace

uint32_t CommitQueue::MaxGroupBytes(uint32_t segment_size_bytes) {
  return std::min(2u << 20, segment_size_bytes / 4);
}

uint32_t CommitQueue::MaxRecordBytes(uint32_t segment_size_bytes) {
  return MaxGroupBytes(segment_size_bytes) / 2;
}

bool CommitQueue::FitsGroup(size_t bytes, size_t records, uint32_t segment_size_bytes) {
  return bytes + records * GroupBuilder::RecordBound(0) + GroupBuilder::kOverhead <=
         MaxGroupBytes(segment_size_bytes);
}

CommitQueue::CommitQueue(Segments* segments, const StoreOptions& options)
    : segments_(segments),
      options_(options),
      max_group_bytes_(MaxGroupBytes(options.segment_size_bytes)),
      broken_by_memory_(StatusCode::kBroken,
                        "the store is broken and must be reopened: memory ran out") {
  // Once for all, so that what was reserved for never asks for memory.
  filling_.builder.Reserve(max_group_bytes_);
  writing_.builder.Reserve(max_group_bytes_);
}

CommitQueue::~CommitQueue() { Stop(); }

void CommitQueue::Start(const LogEnd& end) {
  {
    std::lock_guard lock(mutex_);
    end_ = end;
    next_lsn_ = Lsn(end.last_lsn.value + 1);
    durable_lsn_ = end.last_lsn.value;
    durable_ = {.lsn = end.last_lsn, .position = end.position, .time = end.last_time};
    if (end.position.offset != 0) {
      auto segment = segments_->Get(end.position.segment);
      if (segment.ok()) {
        active_ = *segment;
      } else {
        BreakLocked(segment.status());
      }
    }
    written_position_ = PositionKey(end.position.segment, end.position.offset);
  }
  if (options_.background_work == BackgroundWork::kThreads) {
    flusher_ = std::thread([this] { FlusherLoop(); });
  }
}

void CommitQueue::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  flusher_wake_.notify_all();
  if (flusher_.joinable()) flusher_.join();
}

// ---- reserving ---------------------------------------------------------------------------------

CommitQueue::Reservation::Reservation(Reservation&& other) noexcept { *this = std::move(other); }

CommitQueue::Reservation& CommitQueue::Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    queue_ = std::exchange(other.queue_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void CommitQueue::Reservation::Release() {
  if (queue_ == nullptr) return;
  {
    std::lock_guard lock(queue_->mutex_);
    queue_->reserved_ -= bytes_;
    --queue_->reservation_count_;
  }
  queue_->progress_.notify_all();
  queue_ = nullptr;
  bytes_ = 0;
}

bool CommitQueue::HasBufferRoom(size_t bytes) const {
  const size_t used = filling_.empty() ? 0 : filling_.builder.SealedLength();
  const size_t limit = filling_.empty() ? max_group_bytes_ : filling_.limit;
  return used + Reserved() + bytes + GroupBuilder::kOverhead <= limit;
}

bool CommitQueue::IsHalfFull() const {
  return !filling_.empty() && filling_.builder.SealedLength() >= max_group_bytes_ / 2;
}

// A group may still be opened for what is reserved, behind the one that is filling: it goes into
// the rest of the active segment, or else into a spare. Everything reserved fits any spare.
bool CommitQueue::HasDiskRoom(size_t bytes) const {
  if (active_ != nullptr) {
    const size_t used =
        filling_.empty() ? end_.position.offset : filling_.start + filling_.builder.SealedLength();
    if (used + Reserved() + bytes + 2 * GroupBuilder::kOverhead <= active_->size_bytes) return true;
  }
  return segments_->HasSpare();
}

Result<CommitQueue::Reservation> CommitQueue::Reserve(size_t bytes, size_t records) {
  const size_t needed = bytes + records * GroupBuilder::RecordBound(0);
  CHECK(FitsGroup(bytes, records, options_.segment_size_bytes));
  std::unique_lock lock(mutex_);
  while (true) {
    if (!broken_.ok()) return broken_;
    if (next_lsn_.value > format::kMaxLsn - format::kLostLsnGap) {
      return Status(StatusCode::kLimitExceeded, "the store has come to its last LSN, " +
                                                    std::to_string(next_lsn_.value) +
                                                    ": copy the objects to a new store");
    }
    if (!HasBufferRoom(needed)) {
      if (!is_writing_ && !filling_.empty()) {
        LeadLocked(lock);
      } else {
        progress_.wait(lock);
      }
    } else if (!HasDiskRoom(needed)) {
      lock.unlock();
      TIDEMARK_RETURN_IF_ERROR(segments_->PrepareSpare(SpareBlocks::kReserved));
      lock.lock();
    } else {
      break;
    }
  }
  if (in_flight_.size() + reservation_count_ >= in_flight_.capacity()) {
    in_flight_.reserve(2 * (in_flight_.size() + reservation_count_) + 8);
  }
  reserved_ += needed;
  ++reservation_count_;
  Reservation reservation;
  reservation.queue_ = this;
  reservation.bytes_ = needed;
  return reservation;
}

void CommitQueue::AbandonReservations() {
  std::lock_guard lock(mutex_);
  abandoned_ = reserved_;
}

// ---- appending ---------------------------------------------------------------------------------

CommitQueue::Scope::Scope(CommitQueue& queue, Reservation reservation)
    : queue_(queue), lock_(queue.mutex_), reservation_(std::move(reservation)) {
  CHECK(reservation_.held());
  status_ = queue_.broken_;
  if (!status_.ok()) return;
  // Before a group is opened, whose header says when its first record was made.
  queue_.end_.last_time = std::max(queue_.options_.clock->Now(), queue_.end_.last_time);
  if (!queue_.filling_.empty()) return;
  try {
    queue_.OpenGroup(queue_.Reserved());
  } catch (const std::bad_alloc&) {  // nothing has happened yet
    status_ = Status::OutOfMemory();
  }
}

CommitQueue::Scope::~Scope() {
  if (first_lsn_.valid()) {
    if (!lock_.owns_lock()) lock_.lock();
    queue_.BreakLocked(Status::OutOfMemory());
  }
  if (lock_.owns_lock()) Leave();
}

void CommitQueue::Scope::Leave() noexcept {
  if (reservation_.held()) {
    queue_.reserved_ -= reservation_.bytes_;
    --queue_.reservation_count_;
    reservation_.queue_ = nullptr;  // released here, under the lock that is held anyway
  }
  bool wake_flusher = queue_.flusher_delays_ && queue_.IsHalfFull();
  // Here and not by the flusher when it runs: until then every commit would wake it again.
  if (first_lsn_.valid() && wakes_flusher_ && std::exchange(queue_.flusher_idle_, false)) {
    wake_flusher = true;
  }
  lock_.unlock();
  if (wake_flusher) queue_.flusher_wake_.notify_one();
  queue_.progress_.notify_all();
}

void CommitQueue::Scope::Finish() noexcept {
  {
    std::lock_guard lock(queue_.mutex_);
    std::vector<Lsn>& in_flight = queue_.in_flight_;
    const auto it = std::find(in_flight.begin(), in_flight.end(), first_lsn_);
    CHECK(it != in_flight.end());
    *it = in_flight.back();
    in_flight.pop_back();
  }
  first_lsn_ = Lsn();
  queue_.published_.notify_all();
}

Lsn CommitQueue::Scope::next_lsn() const { return queue_.next_lsn_; }

CommitQueue::Appended CommitQueue::Scope::Append(RecordKind kind, TimelineId timeline,
                                                 ConstBytes fields, ConstBytes payload,
                                                 uint64_t tag) {
  CHECK(status_.ok());
  CommitQueue& q = queue_;
  const Lsn lsn = q.next_lsn_;
  const Timestamp time = q.end_.last_time;
  if (!first_lsn_.valid()) {
    first_lsn_ = lsn;
    q.in_flight_.push_back(lsn);
  }
  const GroupBuilder::Added added =
      q.filling_.builder.Add(kind, lsn, time, timeline, tag, fields, payload);
  CHECK(q.filling_.builder.SealedLength() <= q.filling_.limit);
  q.next_lsn_ = Lsn(lsn.value + 1);
  q.filling_.last_lsn = lsn;
  q.filling_.last_time = time;
  q.appended_bytes_.fetch_add(added.length, std::memory_order_relaxed);
  const uint32_t segment = q.filling_.segment->number;
  return {.lsn = lsn,
          .time = time,
          .location = {segment, q.filling_.start + added.offset},
          .payload = {segment, q.filling_.start + added.payload_offset},
          .hash = added.hash,
          .epoch = q.end_.epoch,
          .length = added.length};
}

void CommitQueue::OpenGroup(size_t needed) {
  const bool fits = active_ != nullptr &&
                    end_.position.offset + needed + GroupBuilder::kOverhead <= active_->size_bytes;
  if (!fits) {
    const Location previous_end = active_ != nullptr ? end_.position : end_.previous_end;
    format::SegmentHeader header;
    active_ = segments_->Activate(end_.store_id, previous_end, next_lsn_, &header);
    end_.position = {active_->number, format::kFirstGroupOffset};
    filling_.new_header = header;
    groups_in_segment_ = 0;
  }
  filling_.segment = active_;
  filling_.start = end_.position.offset;
  filling_.limit = std::min(max_group_bytes_, active_->size_bytes - filling_.start);
  filling_.builder.Open(active_->incarnation, end_.epoch, next_lsn_, end_.last_time);
}

// ---- writing -----------------------------------------------------------------------------------

void CommitQueue::LeadLocked(std::unique_lock<std::mutex>& lock) {
  CHECK(!is_writing_);
  CHECK(!filling_.empty());
  is_writing_ = true;
  std::swap(filling_, writing_);
  writing_.builder.Close();
  end_.position.offset = writing_.start + static_cast<uint32_t>(writing_.builder.bytes().size());
  const Location end = end_.position;
  const Lsn durable(durable_lsn_.load(std::memory_order_relaxed));
  lock.unlock();

  writing_.builder.Seal(durable);
  Status status;
  try {
    status = WriteGroup(writing_);
  } catch (const std::bad_alloc&) {
    status = Status::OutOfMemory();
  }

  lock.lock();
  if (status.ok()) {
    written_position_.store(PositionKey(end.segment, end.offset), std::memory_order_release);
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
  progress_.notify_all();
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
  progress_.notify_all();
  published_.notify_all();
}

void CommitQueue::Close(Status why) {
  {
    std::lock_guard lock(mutex_);
    if (broken_.ok()) broken_ = std::move(why);
    is_broken_.store(true, std::memory_order_release);
  }
  progress_.notify_all();
}

Status CommitQueue::broken() const {
  if (!is_broken_.load(std::memory_order_acquire)) return OkStatus();
  std::lock_guard lock(mutex_);
  return broken_;
}

Status CommitQueue::WaitDurable(Lsn lsn) {
  if (durable_lsn() >= lsn) return OkStatus();
  std::unique_lock lock(mutex_);
  while (true) {
    if (durable_lsn() >= lsn) return OkStatus();
    if (!broken_.ok()) return broken_;
    if (lsn >= next_lsn_) {
      return Status(StatusCode::kOutOfRange,
                    "LSN " + std::to_string(lsn.value) + " has not been committed");
    }
    if (is_writing_) {
      progress_.wait(lock);
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
    progress_.wait(lock, [this] { return !is_writing_; });
    if (!filling_.empty() && broken_.ok()) LeadLocked(lock);
  }
}

Lsn CommitQueue::last_lsn() const {
  std::lock_guard lock(mutex_);
  return Lsn(next_lsn_.value - 1);
}

Location CommitQueue::durable_position() const {
  std::lock_guard lock(mutex_);
  return durable_.position;
}

Result<CheckpointRow> CommitQueue::CutForCheckpoint() {
  std::unique_lock lock(mutex_);
  const CheckpointRow row = durable_;
  published_.wait(lock, [&] {
    return !broken_.ok() || std::none_of(in_flight_.begin(), in_flight_.end(),
                                         [&](Lsn lsn) { return lsn <= row.lsn; });
  });
  if (!broken_.ok()) return broken_;  // what is in flight then may be visible in part
  return row;
}

bool CommitQueue::IsWritten(Location end) const {
  return PositionKey(end.segment, end.offset) <= written_position_.load(std::memory_order_acquire);
}

bool CommitQueue::ReadPending(Location location, Bytes out) {
  const uint64_t key = PositionKey(location.segment, location.offset);
  if (key < written_position_.load(std::memory_order_acquire)) return false;
  std::lock_guard lock(mutex_);
  for (const Pending* group : {&filling_, &writing_}) {
    if (group->empty() || group->segment->number != location.segment) continue;
    const ConstBytes bytes = group->builder.bytes();
    if (location.offset < group->start || location.offset - group->start > bytes.size()) continue;
    const ConstBytes from = bytes.subspan(location.offset - group->start);
    if (from.size() < out.size()) continue;
    std::copy_n(from.begin(), out.size(), out.begin());
    return true;
  }
  return false;
}

}  // namespace tidemark::internal
