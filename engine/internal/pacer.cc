#include "engine/internal/pacer.h"

#include <algorithm>

namespace tidemark::internal {
namespace {

using std::chrono::microseconds;

constexpr microseconds kShortestPause{10'000};
constexpr microseconds kLongestPause = std::chrono::hours(1);

}  // namespace

void Pacer::Begin() {
  began_ = clock_->Monotonic();
  std::lock_guard lock(mutex_);
  interrupted_ = false;
}

microseconds Pacer::Owed() const {
  const microseconds worked = clock_->Monotonic() - began_;
  const double pause = static_cast<double>(worked.count()) * (1 - share_) / share_;
  const double most = static_cast<double>(kLongestPause.count());
  const microseconds owed(static_cast<int64_t>(std::min(pause, most)));
  return owed < kShortestPause ? microseconds(0) : owed;
}

bool Pacer::Pause() {
  const microseconds pause = Owed();
  std::unique_lock lock(mutex_);
  const auto ends = [this] { return interrupted_ || stopped_; };
  if (pause.count() > 0) {
    pausing_ = true;
    wake_.wait_for(lock, pause, ends);
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
