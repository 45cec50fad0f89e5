// Pacer: keeps background work to its share of the time, by pauses between pieces of it.
//
// Work and pauses take turns: after work of w there is a pause of w * (1 - share) / share, once
// that is long enough to be worth a wake-up. The share may change while the work is done. Real work
// takes real time: the clock is the machine's, but for a test of this class.
//
// Threads: one works, Begin() and Pause(); any may interrupt it. `mutex_` guards the flags, and is
// innermost.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACER_H_
#define TIDEMARK_ENGINE_INTERNAL_PACER_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "engine/clock.h"

namespace tidemark::internal {

class Pacer {
 public:
  // `share` is above 0 and at most 1. With `now` the share is what that says, and `share` the least
  // that it says: it is asked before each pause, and ten times a second in it.
  Pacer(const Clock* clock, double share, std::function<double()> now = nullptr)
      : clock_(clock), share_(share), now_(std::move(now)) {}

  // Work begins. What interrupted the work before it counts no more; a stop does.
  void Begin();
  // Between two pieces of work, often: pauses if enough has been done. False: it was interrupted,
  // or stopped, and is to end.
  bool Pause();
  // What Pause would wait for; 0 while too little has been done for a pause to be worth it.
  std::chrono::microseconds Owed() const;
  // Somebody waits in Pause. For tests.
  bool pausing() const;

  void Interrupt();  // the work under way
  void Stop();       // all work, for good

 private:
  static std::chrono::microseconds OwedAt(double share, std::chrono::microseconds worked);
  std::chrono::microseconds OwedFor(std::chrono::microseconds worked) const;

  const Clock* const clock_;
  const double share_;
  const std::function<double()> now_;
  std::chrono::microseconds began_{0};  // the work since the last pause

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool pausing_ = false;
  bool interrupted_ = false;
  bool stopped_ = false;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACER_H_
