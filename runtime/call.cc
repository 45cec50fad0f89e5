#include "runtime/call.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "runtime/internal/actor_host.h"

namespace tidemark::runtime_detail {

CallBase::~CallBase() = default;

void CallBase::Run() { host_->StartCall(*this); }

void CallBase::Drop(const std::exception_ptr& error) { Fail(error); }

void CallBase::Leave() { Complete(); }

void CallBase::Fail(const std::exception_ptr& error) {
  if (done()) return;
  error_ = error;
  Complete();
}

void CallBase::Finish() {
  finished_ = true;
  host_->Finish(shared_from_this());
}

void CallBase::Spawn(Task<void> task) {
  const internal::ScopePtr scope = host_->EventScope();
  // Asio posts where a coroutine begins: it begins now.
  const WorkPtr begin = host_->FirstPostOf([&] {
    boost::asio::co_spawn(boost::asio::any_io_executor(internal::ActorExecutor(scope)),
                          std::move(task), boost::asio::detached);
  });
  if (begin != nullptr) begin->Run();
}

void CallBase::Complete() {
  const Phase before = phase_.exchange(Phase::kDone, std::memory_order_acq_rel);
  if (before != Phase::kAwaited) return;
  if (resume_ != nullptr) {
    std::exchange(resume_, nullptr)->Run();
  } else {
    phase_.notify_all();
  }
}

bool CallBase::WhenDone(WorkPtr resume) {
  resume_ = std::move(resume);
  Phase expected = Phase::kRunning;
  if (phase_.compare_exchange_strong(expected, Phase::kAwaited, std::memory_order_acq_rel)) {
    return true;
  }
  resume_ = nullptr;
  return false;
}

void CallBase::Block() {
  Phase expected = Phase::kRunning;
  phase_.compare_exchange_strong(expected, Phase::kAwaited, std::memory_order_acq_rel);
  while (!done()) phase_.wait(Phase::kAwaited, std::memory_order_acquire);
}

}  // namespace tidemark::runtime_detail
