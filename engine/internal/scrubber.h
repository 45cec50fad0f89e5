// The scrubber: reads the whole store from time to time to find damage while there is still a copy
// to repair it from, and now and then makes a random past state to show that it can be had.
//
//   scrub:  each file of the log, as the verifier checks it -> each object's present
//   drill:  a random object -> a random commit that has not expired, or the oldest -> all of its
//           pages -> their state hash
//
// A scrub takes neither the files nor the packer's time: what it reports of a file that is packed
// meanwhile may be no damage, so it looks again, with the files kept, before it says so.
//
// Nothing is written but what StoreHealth has, and that when the store is closed.
//
// Threads: one of its own, unless BackgroundWork::kManual or neither is asked for; it sleeps, and
// reads the clock once a minute. Step() and Drill() may be called by any thread; scrubs
// are serialised, and so are drills. No commit comes here.

#ifndef TIDEMARK_ENGINE_INTERNAL_SCRUBBER_H_
#define TIDEMARK_ENGINE_INTERNAL_SCRUBBER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/health.h"
#include "engine/object.h"
#include "engine/store.h"

namespace tidemark::internal {

class ObjectState;
class StoreImpl;

class Scrubber {
 public:
  explicit Scrubber(StoreImpl* store);
  ~Scrubber() { Stop(); }

  // What the index has kept.
  Status Load();
  void StartThread();
  // Ends the thread, and what anybody is at here.
  void Stop();

  // Does what is due, if anything is. Errors: what kept it from being done; damage is in health().
  Status Step();
  // So many drills, at once and at full speed. Errors: kBroken; those of reading the index.
  Result<DrillReport> Drill(uint64_t count, const Progress& progress);

  // The whole store was verified.
  void NoteVerified(const VerifyReport& report);

  StoreHealth health() const;
  // What is to be kept, if that has changed since Load.
  std::optional<StoreHealth> Changed() const;

  struct Report {
    Status error;                // that kept the last scrub or drill from its end
    std::vector<Damage> damage;  // the first of what the last scrub that ended found
    std::string failed_drill;    // the last
    uint64_t scrubs = 0;
    uint64_t scrubbed_bytes = 0;
    uint64_t drills = 0;
    uint64_t failed_drills = 0;
  };
  Report report() const;

 private:
  struct Verified {
    std::shared_ptr<ObjectState> object;
    CommitInfo commit;
  };

  void Loop();
  bool IsScrubDue() const;
  bool IsDrillDue() const;
  Status Scrub();
  Status StepDrill();
  // Waits as long as so many bytes may take. Errors: kBroken if it was stopped.
  Status Spend(uint64_t bytes, bool paced);

  Status RunDrill(bool paced, DrillReport* report);
  // Null: there is none.
  Result<std::shared_ptr<ObjectState>> PickObject();
  // None: it has nothing to restore.
  Result<std::optional<CommitInfo>> PickCommit(const Object& object);
  Status CheckState(const Object& object, const CommitInfo& commit, bool paced, uint64_t* bytes);
  void Note(const std::shared_ptr<ObjectState>& object, const CommitInfo& commit,
            const Status& checked, DrillReport* report);
  // Lets go of what has expired.
  void ForgetExpired();
  void NoteOldestLocked();

  StoreImpl* const store_;
  const Timestamp opened_;

  std::mutex scrub_mutex_;  // held through a scrub

  std::mutex drill_mutex_;  // held through drills; guards what follows
  std::mt19937_64 random_;
  std::vector<Verified> verified_;  // what drills found right: the oldest ones, in order of times
  Timestamp kept_verified_;         // of an earlier opening: its object is not known

  mutable std::mutex mutex_;  // innermost; guards what follows
  std::condition_variable wake_;
  bool stop_ = false;
  uint64_t owed_bytes_ = 0;                  // for which Spend has not waited yet
  std::chrono::microseconds next_drill_{0};  // by the monotonic clock
  std::chrono::microseconds next_scrub_{0};  // not before this, where one has failed; likewise
  StoreHealth loaded_;
  StoreHealth health_;
  Report report_;

  std::thread thread_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SCRUBBER_H_
