// The commit path: turns records into durable groups of the log.
//
//   Reserve -> Append (has an LSN, is visible) -> write + sync a group (confirmed) -> wake
//
// Records collect in one buffer while the group before them is written from another. Whoever waits
// for an LSN writes and syncs the group himself if nobody is at it (a leader); the others wait for
// him, and his sync serves them all. Commits that nobody waits for are written by the flusher
// thread after a short delay. One group is under way at a time: see engine/format.h for what
// follows.
//
// Those whom a sync lets go often come back with their next commit just after the next sync has
// begun, and wait for two. So whoever would lead waits a little for as many as have just been let
// go, never longer than a sync takes; where they do not come that is not tried again for a while
// (patience.h).
//
// Invariants:
//   * LSNs stand in the log in order, so what survives a crash is a prefix.
//   * The durable LSN moves only after the sync that covers its group returned success.
//   * An Append that was reserved for never waits and never fails: buffer and disk have room.
//   * After a failed write or sync the store is broken: what reached the disk is unknown, so every
//     later call fails with the same status until the store is reopened and recovered.
//   * What was appended becomes visible: the memory for that is got before (commit_room.h). No
//     checkpoint covers a record that is not visible yet.
//
// Two sources: commit_queue.cc reserves, appends, answers; commit_queue_writing.cc writes groups.
// Threads: any. `mutex_` guards everything; no I/O happens under it.
// The read path is in engine/snapshot.h, recovery in recovery.h.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_QUEUE_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_QUEUE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/clock.h"
#include "engine/internal/group.h"
#include "engine/internal/patience.h"
#include "engine/internal/process_mark.h"
#include "engine/internal/record.h"
#include "engine/internal/segments.h"
#include "engine/options.h"

namespace tidemark::internal {

// Who may have the last room of the log on a full disk. Where no next segment can be made, commits
// end kHeadRoomBytes before the present one does: what is left is for records that bring something
// back or make room (restores, deletions, forks, labels, policies, licences, purges, the open of
// the store), some hundred bytes each. They leave kCloseRoomBytes for the record that closes the
// store.
enum class LogRoom { kCommits, kRecords, kClose };
inline constexpr uint32_t kHeadRoomBytes = 64u << 10;  // at most an eighth of a segment
inline constexpr uint32_t kCloseRoomBytes = 512;

// Where the log goes on: what recovery found, and what CommitQueue starts from.
struct LogEnd {
  Lsn last_lsn;  // of the last record
  Timestamp last_time;
  uint32_t epoch = 0;  // of groups to come
  uint64_t store_id = 0;
  Location position;      // where the next group begins; offset 0: in a new segment
  Location previous_end;  // where the segment before a new one ends
};

class CommitQueue {
 public:
  // The largest record (payload, fields and overhead) that Reserve accepts, and the largest group.
  static uint32_t MaxGroupBytes(uint32_t segment_size_bytes);
  static uint32_t MaxRecordBytes(uint32_t segment_size_bytes);
  // True if Reserve accepts so much.
  static bool FitsGroup(size_t bytes, size_t records, uint32_t segment_size_bytes);

  CommitQueue(Segments* segments, const StoreOptions& options);
  ~CommitQueue();  // Stop()

  // Must come once, before anything else.
  void Start(const LogEnd& end);
  // Ends the flusher thread. Nothing is written.
  void Stop();

  // Room for records that will be appended together.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation() { Release(); }
    void Release();
    bool held() const { return queue_ != nullptr; }

   private:
    friend class CommitQueue;
    CommitQueue* queue_ = nullptr;
    size_t bytes_ = 0;
  };

  // `bytes` is the sum of fields and payloads, `records` their number. Waits while buffers are
  // full. Errors: kFull and kIoError from making a segment (nothing is broken); kLimitExceeded when
  // the numbers of LSNs or segments are used up; kBroken.
  Result<Reservation> Reserve(size_t bytes, size_t records, LogRoom room = LogRoom::kRecords);
  // The store is closing: what is reserved now will never be appended, and nobody waits for it.
  void AbandonReservations();

  struct Appended {
    Lsn lsn;
    Timestamp time;
    Location location;  // of the record
    Location payload;   // of its payload
    uint64_t hash = 0;  // of the record
    uint32_t epoch = 0;
    uint32_t length = 0;  // of the whole record
  };

  // The way of records into the log, all that are appended next to each other: they share a group,
  // so all or none of them survive. Ends the reservation.
  //
  //   Append... (holds the queue) -> Leave -> make them visible (recent versions, heads) -> Finish
  //
  // A checkpoint waits for those below its cut to be finished. Whoever appends and does not get as
  // far as Finish has broken the store: there is no way back out of the log.
  class Scope {
   public:
    Scope(CommitQueue& queue, Reservation reservation);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // Not OK if nothing may be appended: the store is broken, or there is no memory for a new
    // group.
    const Status& status() const { return status_; }
    Lsn next_lsn() const;
    // The caller calls WaitDurable next, which writes what is appended here.
    void LeaveFlusherAsleep() { wakes_flusher_ = false; }
    // `timeline` and `tag` are what the group's directory says of the record.
    Appended Append(RecordKind kind, TimelineId timeline, ConstBytes fields, ConstBytes payload,
                    uint64_t tag = 0);
    // Lets go of the queue, with the records in flight.
    void Leave() noexcept;
    // The records are visible.
    void Finish() noexcept;

   private:
    CommitQueue& queue_;
    std::unique_lock<std::mutex> lock_;
    Reservation reservation_;
    Status status_;
    Lsn first_lsn_;  // in flight until Finish
    bool wakes_flusher_ = true;
  };

  // The next record begins a new segment, unless the active one is empty: the one before is sealed
  // then. Waits for what is being written. Errors: as Reserve.
  Status Roll();

  Status WaitDurable(Lsn lsn);
  Lsn durable_lsn() const { return Lsn(durable_lsn_.load(std::memory_order_acquire)); }
  Lsn last_lsn() const;
  // OK, or what broke the store, or that this process is a child of fork(). Takes no lock while OK.
  Status broken() const;
  bool is_of_parent() const { return process_.is_child(); }
  // From here on the store is broken by `why`, if nothing broke it before.
  void Close(Status why);

  // Everything up to here is durable and visible; the log goes on at `position`. Errors: kBroken.
  Result<CheckpointRow> CutForCheckpoint();
  // Waits until all records up to `upto` are visible: one that is durable may not be yet, if somebody
  // else's wait has synced it. Not for a thread that is between Append and Finish. Errors: kBroken.
  Status WaitVisible(Lsn upto);
  // Behind the last durable group.
  Location durable_position() const;

  // Copies bytes of a record (not of a group's header) that may not have been written yet; false if
  // they have been, so read the file.
  bool ReadPending(Location location, Bytes out);

  // True if everything before `end` in the log has been written to its file.
  bool IsWritten(Location end) const;

  uint64_t groups_written() const { return groups_written_.load(std::memory_order_relaxed); }
  // Bytes of groups appended since Start.
  uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }

  // Called with the queue unlocked after each group, by the thread that wrote it; `wants_spare` is
  // true when the active segment is half full of small groups and no spare is there. Set it first.
  void set_on_group(std::function<void(bool wants_spare)> f) { on_group_ = std::move(f); }

 private:
  struct Pending {
    GroupBuilder builder;
    std::shared_ptr<Segment> segment;
    uint32_t start = 0;                               // offset of the group
    uint32_t limit = 0;                               // the group may not become longer
    std::optional<format::SegmentHeader> new_header;  // to be written before the group
    Lsn last_lsn;
    Timestamp last_time;
    uint32_t waiters = 0;  // who wait for it to be durable
    bool empty() const { return builder.empty(); }
  };

  // Places as numbers that grow with the log.
  static uint64_t PositionKey(Location place) {
    return (uint64_t{place.segment} << 32) | place.offset;
  }

  void OpenGroup(size_t needed);
  // Bytes for which room must be left.
  size_t Reserved() const { return reserved_ - abandoned_; }
  bool HasBufferRoom(size_t bytes) const;
  bool HasDiskRoom(size_t bytes, LogRoom room) const;
  bool IsHalfFull() const;
  bool WantsSpare() const;
  Status WaitVisibleLocked(std::unique_lock<std::mutex>& lock, Lsn upto);
  // Leads one group to the disk. `lock` is held before and after, not during.
  void LeadLocked(std::unique_lock<std::mutex>& lock);
  Status WriteGroup(const Pending& group);
  void BreakLocked(const Status& cause) noexcept;
  void WakeAll() noexcept;
  void FlusherLoop();

  const ProcessMark process_;
  Segments* const segments_;
  const StoreOptions& options_;
  const uint32_t max_group_bytes_;
  std::function<void(bool)> on_group_;

  mutable std::mutex mutex_;
  std::condition_variable room_;  // for reservations; or nothing is being written, or broken
  // That of the group number N, at N & 1, is durable; or it is to be led; or broken.
  std::condition_variable group_done_[2];
  std::condition_variable flusher_wake_;
  std::condition_variable published_;
  Pending filling_;
  Pending writing_;
  uint64_t filling_number_ = 0;  // that of writing_ is one less
  Patience patience_;
  bool is_writing_ = false;
  bool flusher_idle_ = false;    // waits for a first record
  bool flusher_delays_ = false;  // waits for the group to grow
  bool stop_ = false;
  bool roll_ = false;  // the next group begins a new segment, for which there is a spare
  uint32_t groups_in_segment_ = 0;
  size_t reserved_ = 0;   // bytes
  size_t abandoned_ = 0;  // of those, what counts no more
  size_t reservation_count_ = 0;
  LogEnd end_;  // position: behind filling_'s begin once it is open
  std::shared_ptr<Segment> active_;
  Lsn next_lsn_;
  CheckpointRow durable_;       // behind the last durable group
  std::vector<Lsn> in_flight_;  // has room for each reservation
  Status broken_;
  const Status broken_by_memory_;  // for broken_, when there is none left for a better message

  std::atomic<uint64_t> durable_lsn_{0};
  std::atomic<bool> is_broken_{false};
  std::atomic<uint64_t> written_position_{
      0};  // segment << 32 | offset: everything before is in files
  std::atomic<uint64_t> groups_written_{0};
  std::atomic<uint64_t> appended_bytes_{0};

  std::thread flusher_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_QUEUE_H_
