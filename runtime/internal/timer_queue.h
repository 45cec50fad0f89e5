// TimerQueue: what is to be done when time has passed.
//
// With the system's clock a timer of Asio runs it; with another one whoever owns the clock does, by
// RunDue().
//
// Threads: any. What is due is called without locks, on a thread of the executor or of RunDue; it
// must not throw, nor block.

#ifndef TIDEMARK_RUNTIME_INTERNAL_TIMER_QUEUE_H_
#define TIDEMARK_RUNTIME_INTERNAL_TIMER_QUEUE_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "engine/clock.h"

namespace tidemark::internal {

class TimerQueue : public std::enable_shared_from_this<TimerQueue> {
 public:
  using Key = std::pair<std::chrono::microseconds, uint64_t>;  // when, and which of those

  TimerQueue(const Clock* clock, boost::asio::any_io_executor executor);

  // Calls `call` once, when so much has passed.
  Key Add(std::chrono::microseconds after, std::function<void()> call);
  // Nothing happens if it was called, or is being called.
  void Cancel(const Key& key);
  void RunDue();
  // Drops all that waits, and takes nothing more.
  void Stop();

 private:
  void ArmLocked();

  const Clock* const clock_;
  const bool is_real_;
  std::mutex mutex_;
  std::map<Key, std::function<void()>> waiting_;
  uint64_t next_number_ = 0;
  bool stopped_ = false;
  std::optional<std::chrono::microseconds> armed_for_;
  boost::asio::steady_timer timer_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_TIMER_QUEUE_H_
