// Tells a child of fork() from the process that opened a store.
//
// A child has a copy of everything but the threads, and of the files the same open ones: were it to
// write, both would write one log. The store is its parent's; the child gets kBroken for whatever
// needs the directory, and what it destroys lets go of nothing (Store::~Store).
//
// Threads: any. Costs one atomic load. Processes made by vfork() or a bare clone() are not known;
// they may do nothing but exec.

#ifndef TIDEMARK_ENGINE_INTERNAL_PROCESS_MARK_H_
#define TIDEMARK_ENGINE_INTERNAL_PROCESS_MARK_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "engine/status.h"

namespace tidemark::internal {

class ProcessMark {
 public:
  ProcessMark();

  // True in a child of fork() of the process that made this.
  bool is_child() const { return forks_.load(std::memory_order_relaxed) != made_at_; }
  // kBroken, naming the owner and what to do.
  Status Refusal() const;

 private:
  static std::atomic<uint64_t> forks_;  // how deep the process is in forks

  const uint64_t made_at_;
  const pid_t owner_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PROCESS_MARK_H_
