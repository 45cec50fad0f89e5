#include "engine/internal/process_mark.h"

#include <pthread.h>
#include <unistd.h>

#include <string>

namespace tidemark::internal {

std::atomic<uint64_t> ProcessMark::forks_ = 0;

ProcessMark::ProcessMark() : made_at_(forks_.load()), owner_(::getpid()) {
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { forks_.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
}

Status ProcessMark::Refusal() const {
  return Status(StatusCode::kBroken,
                "this process is a fork() of process " + std::to_string(owner_) +
                    ", which opened the store and has it still: use it there, or open the store "
                    "here, anew, once that process has closed it");
}

}  // namespace tidemark::internal
