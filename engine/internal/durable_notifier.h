// DurableNotifier: calls back when commits are durable, for those who do not want to wait.
//
// Its thread waits for the lowest LSN that somebody asked for, as any other waiter does: so it
// leads a group if nobody is at it, and what is committed meanwhile is in the next one. It is
// started by the first request.
//
// Threads: Add from any; `mutex_` guards everything, and calls are made without it.

#ifndef TIDEMARK_ENGINE_INTERNAL_DURABLE_NOTIFIER_H_
#define TIDEMARK_ENGINE_INTERNAL_DURABLE_NOTIFIER_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "engine/internal/commit_queue.h"

namespace tidemark::internal {

class DurableNotifier {
 public:
  using Call = std::function<void(const Status&)>;

  explicit DurableNotifier(CommitQueue& queue) : queue_(queue) {}
  ~DurableNotifier() { Stop(); }
  DurableNotifier(const DurableNotifier&) = delete;
  DurableNotifier& operator=(const DurableNotifier&) = delete;

  // `call` comes once, from the notifier's thread, in the order of LSNs: with OK when `lsn` is
  // durable, else with what broke the store. False, and never, once Stop was called.
  bool Add(Lsn lsn, Call call);
  // Waits for what is open, and makes those calls. The queue must not be stopped before.
  void Stop();

  // For tests that own the order of all things: no thread is made, and calls come in RunOnce().
  // Before the first Add.
  void UseNoThread() { has_thread_ = false; }
  // Waits for the lowest LSN that was asked for, and makes its calls, and those of all that are
  // durable by then. False if nothing was asked for.
  bool RunOnce();

 private:
  void Loop();

  CommitQueue& queue_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<Lsn, Call> calls_;
  bool stop_ = false;
  bool has_thread_ = true;
  std::thread thread_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_DURABLE_NOTIFIER_H_
