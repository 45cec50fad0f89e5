#include "runtime/internal/output_gate.h"

#include <utility>

#include "engine/check.h"

namespace tidemark::internal {

OutputGate::Token OutputGate::Lock() {
  locks_.push_back(0);
  return first_ + locks_.size() - 1;
}

void OutputGate::Unlock(Token token, std::exception_ptr error, Time now) {
  CHECK(token >= first_ && token < first_ + locks_.size());
  if (error != nullptr && broken_ == nullptr) {
    broken_ = std::move(error);
    size_t before = 0;
    while (before < waiting_.size() && waiting_[before].last < token) ++before;
    for (const Waiting& waiting : waiting_.TakeFrom(before)) waiting.outgoing->Fail(broken_);
  }
  locks_[token - first_] = 1;
  LetOut(now);
}

void OutputGate::LetOut(Time now) {
  while (!locks_.empty() && locks_.front() != 0) {
    locks_.pop_front();
    ++first_;
  }
  while (!waiting_.empty() && waiting_.front().last < first_) {
    const Waiting waiting = waiting_.pop_front();
    if (waited_) waited_(now - waiting.since);
    waiting.outgoing->Leave();
  }
}

void OutputGate::Wait(std::shared_ptr<Outgoing> outgoing, Time now) {
  if (broken_ != nullptr) {
    outgoing->Fail(broken_);
  } else if (open()) {
    outgoing->Leave();
  } else {
    waiting_.push_back(
        {.last = first_ + locks_.size() - 1, .outgoing = std::move(outgoing), .since = now});
  }
}

void OutputGate::Break(std::exception_ptr error) {
  if (broken_ == nullptr) broken_ = std::move(error);
  for (const Waiting& at : std::exchange(waiting_, {})) at.outgoing->Fail(broken_);
}

}  // namespace tidemark::internal
