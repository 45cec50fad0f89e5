// OutputGate: holds back what leaves an actor until what it was told is durable.
//
//   Lock() at a commit  ->  Unlock() when it is durable, or could not be made so
//   Wait()              ->  when all locks taken before it have ended, in whatever order
//
// A lock that fails breaks the gate: waits that began behind it fail, and all later ones; those
// that began before it do not depend on it. (Semantics: workerd's io-gate.h.)
//
// Threads: one at a time, as its actor.

#ifndef TIDEMARK_RUNTIME_INTERNAL_OUTPUT_GATE_H_
#define TIDEMARK_RUNTIME_INTERNAL_OUTPUT_GATE_H_

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "runtime/internal/fifo.h"
#include "runtime/work.h"

namespace tidemark::internal {

class OutputGate {
 public:
  using Token = uint64_t;
  using Time = std::chrono::microseconds;

  OutputGate() = default;
  // `waited` is told how long what was held back had to wait, by the times that are given.
  explicit OutputGate(std::function<void(Time)> waited) : waited_(std::move(waited)) {}

  Token Lock();
  // `error` is null if all went well.
  void Unlock(Token token, std::exception_ptr error, Time now = {});
  void Wait(std::shared_ptr<Outgoing> outgoing, Time now = {});

  bool open() const { return locks_.empty(); }
  const std::exception_ptr& broken() const { return broken_; }
  // Fails all that waits, and all that ever will.
  void Break(std::exception_ptr error);

 private:
  struct Waiting {
    Token last;  // the last lock before it
    std::shared_ptr<Outgoing> outgoing;
    Time since;
  };

  void LetOut(Time now);

  const std::function<void(Time)> waited_;
  Token first_ = 1;   // of locks_.front()
  Fifo<char> locks_;  // from the first that is held on; not 0: it has ended
  Fifo<Waiting> waiting_;
  std::exception_ptr broken_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_OUTPUT_GATE_H_
