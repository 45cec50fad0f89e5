#include "runtime/internal/timer_queue.h"

#include <algorithm>
#include <vector>

namespace tidemark::internal {

TimerQueue::TimerQueue(const Clock* clock, boost::asio::any_io_executor executor)
    : clock_(clock), is_real_(clock == Clock::System()), timer_(std::move(executor)) {}

TimerQueue::Key TimerQueue::Add(std::chrono::microseconds after, std::function<void()> call) {
  std::lock_guard lock(mutex_);
  const Key key{clock_->Monotonic() + after, next_number_++};
  if (stopped_) return key;
  waiting_.emplace(key, std::move(call));
  ArmLocked();
  return key;
}

void TimerQueue::Cancel(const Key& key) {
  std::function<void()> call;  // not destroyed under the lock
  std::lock_guard lock(mutex_);
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return;
  call = std::move(found->second);
  waiting_.erase(found);
}

// What is armed for something that was cancelled comes for nothing.
void TimerQueue::ArmLocked() {
  if (!is_real_ || waiting_.empty()) return;
  const std::chrono::microseconds first = waiting_.begin()->first.first;
  if (armed_for_ && *armed_for_ <= first) return;
  armed_for_ = first;
  timer_.expires_after(std::max(first - clock_->Monotonic(), std::chrono::microseconds(0)));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || self == nullptr) return;
    {
      std::lock_guard lock(self->mutex_);
      self->armed_for_.reset();
    }
    self->RunDue();
  });
}

void TimerQueue::RunDue() {
  std::vector<std::function<void()>> due;
  {
    std::lock_guard lock(mutex_);
    const std::chrono::microseconds now = clock_->Monotonic();
    while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
      due.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
    ArmLocked();
  }
  for (const auto& call : due) call();
}

void TimerQueue::Stop() {
  std::map<Key, std::function<void()>> dropped;
  std::lock_guard lock(mutex_);
  stopped_ = true;
  dropped = std::move(waiting_);
  waiting_.clear();
  timer_.cancel();
}

}  // namespace tidemark::internal
