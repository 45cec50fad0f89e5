#include "engine/internal/pacer.h"

#include <algorithm>

namespace tidemark::internal {
namespace {

using std::chrono::microseconds;

constexpr microseconds kShortestPause{10'000};
constexpr microseconds kLongestPause = std::chrono::hours(1);
// A share that changes is asked for again after so much of a pause.
constexpr microseconds kLookAgain{100'000};

}  // namespace

void Pacer::Begin() {
  began_ = clock_->Monotonic();
  std::lock_guard lock(mutex_);
  interrupted_ = false;
}

microseconds Pacer::OwedAt(double share, microseconds worked) {
  const double pause = static_cast<double>(worked.count()) * (1 - share) / share;
  const double most = static_cast<double>(kLongestPause.count());
  const microseconds owed(static_cast<int64_t>(std::min(pause, most)));
  return owed < kShortestPause ? microseconds(0) : owed;
}

microseconds Pacer::OwedFor(microseconds worked) const {
  const microseconds most = OwedAt(share_, worked);
  return now_ == nullptr || most.count() == 0 ? most : OwedAt(now_(), worked);
}

microseconds Pacer::Owed() const { return OwedFor(clock_->Monotonic() - began_); }

bool Pacer::Pause() {
  const microseconds worked = clock_->Monotonic() - began_;
  microseconds owed = OwedFor(worked);
  std::unique_lock lock(mutex_);
  const auto ends = [this] { return interrupted_ || stopped_; };
  if (owed.count() > 0) {
    pausing_ = true;
    for (microseconds paused{0}; paused < owed && !ends();) {
      const microseconds slice = now_ == nullptr ? owed : std::min(owed - paused, kLookAgain);
      wake_.wait_for(lock, slice, ends);
      paused += slice;
      lock.unlock();
      owed = OwedFor(worked);
      lock.lock();
    }
    pausing_ = false;
    began_ = clock_->Monotonic();
  }
  return !ends();
}

bool Pacer::pausing() const {
  std::lock_guard lock(mutex_);
  return pausing_;
}

void Pacer::Interrupt() {
  {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
  }
  wake_.notify_all();
}

void Pacer::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
}

}  // namespace tidemark::internal
