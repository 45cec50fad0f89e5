#include "engine/internal/commit_queue.h"

#include <algorithm>
#include <utility>

#include "engine/check.h"

namespace tidemark::internal {

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
    written_position_ = PositionKey(end.position);
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
  // A child of fork() may have inherited the lock from a thread that it has not.
  if (!queue_->is_of_parent()) {
    std::lock_guard lock(queue_->mutex_);
    queue_->reserved_ -= bytes_;
    --queue_->reservation_count_;
    queue_->room_.notify_all();
  }
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
// the rest of the active segment, or else into a spare. Everything reserved fits any spare, the
// head room behind it, too.
bool CommitQueue::HasDiskRoom(size_t bytes, LogRoom room) const {
  if (active_ != nullptr && !roll_) {
    const size_t used =
        filling_.empty() ? end_.position.offset : filling_.start + filling_.builder.SealedLength();
    const uint32_t kept = room == LogRoom::kCommits
                              ? std::min(kHeadRoomBytes, active_->size_bytes / 8)
                              : (room == LogRoom::kRecords ? kCloseRoomBytes : 0);
    if (used + Reserved() + bytes + 2 * GroupBuilder::kOverhead + kept <= active_->size_bytes) {
      return true;
    }
  }
  return segments_->HasSpare();
}

Result<CommitQueue::Reservation> CommitQueue::Reserve(size_t bytes, size_t records, LogRoom room) {
  const size_t needed = bytes + records * GroupBuilder::RecordBound(0);
  CHECK(FitsGroup(bytes, records, options_.segment_size_bytes));
  if (is_of_parent()) return process_.Refusal();
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
        room_.wait(lock);
      }
    } else if (!HasDiskRoom(needed, room)) {
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

Status CommitQueue::Roll() {
  if (is_of_parent()) return process_.Refusal();
  std::unique_lock lock(mutex_);
  while (true) {
    if (!broken_.ok()) return broken_;
    if (active_ == nullptr) return OkStatus();
    if (!segments_->HasSpare()) {
      lock.unlock();
      TIDEMARK_RETURN_IF_ERROR(segments_->PrepareSpare(SpareBlocks::kReserved));
      lock.lock();
    } else if (is_writing_) {
      room_.wait(lock);
    } else if (!filling_.empty()) {
      LeadLocked(lock);
    } else {
      roll_ = end_.position.offset > format::kFirstGroupOffset;
      return OkStatus();
    }
  }
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
  queue_.room_.notify_all();
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
  const bool fits = active_ != nullptr && !roll_ &&
                    end_.position.offset + needed + GroupBuilder::kOverhead <= active_->size_bytes;
  if (!fits) {
    const Location previous_end = active_ != nullptr ? end_.position : end_.previous_end;
    format::SegmentHeader header;
    active_ = segments_->Activate(end_.store_id, previous_end, next_lsn_, &header);
    end_.position = {active_->number, format::kFirstGroupOffset};
    filling_.new_header = header;
    groups_in_segment_ = 0;
    roll_ = false;
  }
  filling_.segment = active_;
  filling_.start = end_.position.offset;
  filling_.limit = std::min(max_group_bytes_, active_->size_bytes - filling_.start);
  filling_.builder.Open(active_->incarnation, end_.epoch, next_lsn_, end_.last_time);
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
  if (is_of_parent()) return process_.Refusal();
  std::unique_lock lock(mutex_);
  const CheckpointRow row = durable_;
  TIDEMARK_RETURN_IF_ERROR(WaitVisibleLocked(lock, row.lsn));
  return row;
}

Status CommitQueue::WaitVisible(Lsn upto) {
  if (is_of_parent()) return process_.Refusal();
  std::unique_lock lock(mutex_);
  return WaitVisibleLocked(lock, upto);
}

// Broken: what is in flight then may be visible in part.
Status CommitQueue::WaitVisibleLocked(std::unique_lock<std::mutex>& lock, Lsn upto) {
  published_.wait(lock, [&] {
    return !broken_.ok() || std::none_of(in_flight_.begin(), in_flight_.end(),
                                         [&](Lsn lsn) { return lsn <= upto; });
  });
  return broken_;
}

bool CommitQueue::IsWritten(Location end) const {
  return PositionKey(end) <= written_position_.load(std::memory_order_acquire);
}

bool CommitQueue::ReadPending(Location location, Bytes out) {
  const uint64_t key = PositionKey(location);
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
