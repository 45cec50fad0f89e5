// The checkpointer: brings the index up to the durable end of the log, in large ordered batches,
// behind the commit path. Also makes the next segment ready.
//
//   cut (durable, visible) -> collect recent versions up to it -> one index update -> drop them
//
// Invariants:
//   * The index never names anything that is not durable.
//   * An index transaction is bounded: a large commit goes in by steps, before the checkpoint that
//     covers it. The first step says that the log is durable up to there: should its end rot, that
//     is damage and no torn tail, and the rows never show what the log has lost.
//   * Recent versions are dropped only after the update that holds them is durable.
//
// Threads: one thread of its own, unless BackgroundWork::kManual; Run() may be called by any thread
// and is serialised.

#ifndef TIDEMARK_ENGINE_INTERNAL_CHECKPOINTER_H_
#define TIDEMARK_ENGINE_INTERNAL_CHECKPOINTER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/internal/index.h"
#include "engine/status.h"

namespace tidemark::internal {

class StoreImpl;
class Timeline;
struct LargeCommit;

class Checkpointer {
 public:
  explicit Checkpointer(StoreImpl* store) : store_(store) {}
  ~Checkpointer() { Stop(); }

  // Sets where the index stands. StartThread comes later, when the store is open.
  void Start(const CheckpointRow& last);
  void StartThread();
  void Stop();

  // One checkpoint, now. Errors: kFull, kIoError, kCorruption; the store goes on without it.
  Status Run();

  // One checkpoint up to a given boundary between groups, which must be durable. For recovery.
  Status RunTo(const CheckpointRow& cut);

  // An update of the index between checkpoints.
  Status UpdateIndex(const std::function<Status(IndexWriter&)>& change);

  // From the commit path, after each group: is there enough to do?
  void AfterGroup(bool wants_spare);

  // A large commit has `lsn`: a checkpoint is due once it is durable. Until then its pages are
  // found through the tables of its batches, at twice the price. Comes before the commit is
  // finished.
  void NoteLargeCommit(Lsn lsn);

  // Waits while so much is in memory that commits have to wait for the index. Errors: the last
  // checkpoint's, if it failed.
  Status Throttle();

  Lsn checkpoint_lsn() const { return Lsn(checkpoint_lsn_.load(std::memory_order_acquire)); }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  bool IsDue() const;
  void Loop();
  Status RunLocked(const CheckpointRow& cut);
  Status IndexLargeCommit(TimelineId timeline, const LargeCommit& large, Lsn cut);
  // The commit with `lsn` cannot be read.
  void Quarantine(const Timeline& timeline, Lsn lsn);

  StoreImpl* const store_;
  std::mutex run_mutex_;  // held through a checkpoint

  std::mutex mutex_;  // guards the members below
  std::condition_variable wake_;
  std::condition_variable done_;
  bool stop_ = false;
  bool wants_checkpoint_ = false;
  bool wants_spare_ = false;
  Status last_status_;
  uint64_t runs_ = 0;  // of the thread, failed ones too

  std::thread thread_;
  std::atomic<uint64_t> checkpoint_lsn_{0};
  std::atomic<uint64_t> appended_at_checkpoint_{0};
  std::atomic<uint64_t> large_commit_lsn_{0};  // the last one
  std::atomic<uint64_t> count_{0};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_CHECKPOINTER_H_
