#include "engine/internal/durable_notifier.h"

#include <utility>

namespace tidemark::internal {

bool DurableNotifier::Add(Lsn lsn, Call call) {
  {
    std::lock_guard lock(mutex_);
    if (stop_) return false;
    if (has_thread_ && !thread_.joinable()) thread_ = std::thread([this] { Loop(); });
    calls_.emplace(lsn, std::move(call));
  }
  wake_.notify_one();
  return true;
}

void DurableNotifier::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  while (RunOnce()) continue;  // without a thread
}

void DurableNotifier::Loop() {
  do {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return stop_ || !calls_.empty(); });
  } while (RunOnce());
}

bool DurableNotifier::RunOnce() {
  std::unique_lock lock(mutex_);
  if (calls_.empty()) return false;
  const Lsn lowest = calls_.begin()->first;
  lock.unlock();
  const Status status = queue_.WaitDurable(lowest);
  const Lsn durable = queue_.durable_lsn();
  lock.lock();
  // Those that the same sync served, too. If it failed nothing is going to be durable any more.
  while (!calls_.empty() && (!status.ok() || calls_.begin()->first <= durable)) {
    auto first = calls_.extract(calls_.begin());
    lock.unlock();
    first.mapped()(first.key() <= durable ? OkStatus() : status);
    lock.lock();
  }
  return true;
}

}  // namespace tidemark::internal
