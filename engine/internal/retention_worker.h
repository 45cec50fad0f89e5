// The retention worker: grants licences when something would expire by one, and packs what pays, by
// itself (Store::RunRetention says when).
//
//   look:     would a licence let any commit go, of its windows or for the budget?
//                                                         -> Retention::Licence
//   log pass: does so much of the log wait to be packed?  -> Packer::PackLogPaced
//   read pass: do chains in the log cost readers more than packing it would?
//                                                         -> Packer::PackLogPaced, of all of it
//   pass:     has anything changed that packing may gain by?  -> Packer::RunPaced
//
// A pass reads the packed segments in which something may have expired, to see whether it pays to
// write them anew; it takes more of the time, and comes sooner, the more has. A log pass reads none
// but those that it packs together with the log, so that one may follow another at the pace at
// which the log grows. A pass gives way to them, and goes on where it was.
//
// Invariants:
//   * No licence is written that lets nothing go, and no pass is made without a change since the
//     one before: a store that nobody writes to comes to rest.
//   * What fails here breaks nothing. It is kept, and tried again after longer and longer pauses.
//
// A read pass is for an object that is read and not written any more, or hardly: its pages, patches
// in a segment that may not be full for months, are read from blocks then. Commits pay for as many
// reads as work that reads a page, changes it and commits can make (chain_reads.h); what goes
// beyond that adds up, to the price of packing what the log has.
//
// For the budget (budget.h) a look goes by what files take when a pass has gone through all of them
// since the last licence; such a pass has another look made soon if they take too much. While one
// has been begun, no licence is granted for a day that would make it of no use for that.
//
// What a look costs: nothing, while the last one still stands that found every commit older than
// every window (nothing was appended since). Else it asks the object of which something expired
// last, and then one after the other until one has something: all of them, where none has.
//
// Threads: one of its own, unless BackgroundWork::kManual or the share is 0: it sleeps, and reads
// the clock and a few counters once a minute, and when a checkpoint finds that enough of the log
// waits. Step() may be called by any thread, and is
// serialised. No commit comes here.

#ifndef TIDEMARK_ENGINE_INTERNAL_RETENTION_WORKER_H_
#define TIDEMARK_ENGINE_INTERNAL_RETENTION_WORKER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "engine/internal/budget.h"
#include "engine/internal/pacer.h"
#include "engine/internal/retention_rows.h"
#include "engine/lsn.h"
#include "engine/object_id.h"
#include "engine/status.h"

namespace tidemark {
struct ReclaimReport;
}

namespace tidemark::internal {

class ObjectState;
class StoreImpl;

class RetentionWorker {
 public:
  explicit RetentionWorker(StoreImpl* store);
  ~RetentionWorker() { Stop(); }

  void StartThread();
  // Ends the thread, and what it or anybody is at here. The packer is stopped before.
  void Stop();

  // Does what is due, if anything is. Errors: those of licences and packing.
  Status Step();

  // A policy, a hold or a pause has changed. Any thread, under any lock but mutex_.
  void LookSoon();
  // More of the log is in the index, so that it may be packed. Any thread.
  void AfterCheckpoint();

  struct Report {
    Status error;  // of the last attempt
    uint64_t looks = 0;
    uint64_t passes = 0;
    uint64_t log_passes = 0;
    uint64_t read_passes = 0;
    uint64_t licences = 0;
    uint64_t reclaimed_bytes = 0;
    // The last look found that the budget cannot be met: nothing more of history may go for it.
    bool budget_is_unmet = false;
  };
  Report report() const;
  const Pacer& pacer() const { return pacer_; }

 private:
  using Microseconds = std::chrono::microseconds;

  // One of the four things it does.
  struct Task {
    Microseconds due{0};  // by the monotonic clock
    Status status{};      // of the last attempt
    int failures = 0;     // attempts in a row
  };
  // What a pass can gain by.
  struct Seen {
    Lsn licence{};
    uint32_t segment = 0;  // the one in use
    uint64_t labels = 0;
    bool operator==(const Seen&) const = default;
  };

  Microseconds Now() const;
  void Loop();
  bool IsLookDue();
  bool IsPassDue() const;
  bool IsLogPassDue() const;
  bool IsReadPassDue();
  double Share() const;
  // Of packed history: what has expired since a pass looked at it.
  double ExpiredPart() const;
  void Count(const ReclaimReport& reclaimed);
  Status Attempt(Task* task, uint64_t Report::*count,
                 Status (RetentionWorker::*work)(Microseconds*));
  // Each says how long to wait for the next time.
  Status Look(Microseconds* pause);
  Status Pass(Microseconds* pause);
  Status LogPass(Microseconds* pause);
  Status ReadPass(Microseconds* pause);
  // What the next licence is to do for the budget.
  struct ForBudget {
    std::optional<BudgetMove> move{};
    bool is_exceeded = false;
    bool ages = false;  // what is too young for it now will not be soon
  };
  // `expires`: a commit goes by the licence as it is. Else none is moved on for no commit.
  Result<ForBudget> LookForBudget(bool expires);
  Result<bool> LetsExpire(const LicenceRow& licence);
  Result<bool> LetsExpire(const LicenceRow& licence, const std::shared_ptr<ObjectState>& object);
  Seen Current() const;

  StoreImpl* const store_;
  const bool enabled_;
  Pacer pacer_;

  std::mutex step_mutex_;  // held through a step; guards what follows
  std::optional<std::pair<uint64_t, ObjectId>> last_expired_;  // namespace and object
  Microseconds waits_until_{0};  // for the end of a pass that has been begun
  Lsn settled_;                  // while this is the last record, nothing will expire any more
  std::optional<Seen> seen_;
  // Links that readers have followed, and commits, when it last looked; and what of the links no
  // commit has paid for.
  uint64_t links_seen_ = 0;
  uint64_t commits_seen_ = 0;
  uint64_t links_unpaid_ = 0;

  mutable std::mutex mutex_;  // innermost; guards what follows
  std::condition_variable wake_;
  bool stop_ = false;
  bool look_soon_ = false;
  bool log_waits_ = false;  // since the thread last looked
  Microseconds looked_{0};  // when the last look ended
  Task look_;
  Task pass_;
  Task log_pass_;
  Task read_pass_;
  Report report_;

  std::thread thread_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RETENTION_WORKER_H_
