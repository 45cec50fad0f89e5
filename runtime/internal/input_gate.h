// InputGate: which of an actor's work may run now.
//
//   gate.Wait(work) -> its turn has come -> the host runs it with a Lock -> the Lock goes -> the
//   next
//
// Work is let in one by one, first come first served, each when all references to the lock of the
// one before have gone. A critical section (BlockConcurrencyWhile, a transaction that awaits) is a
// gate within a gate: from its first lock until it ends nothing is let in but what waits at the
// section itself, or at sections within it.
//
//   not started --its parent lets it in--> running --Succeed()--> over: its parent adopts what
//   waits
//                                             |
//                                             +--Fail(), or dropped--> the root gate is broken
//
// A broken gate lets nothing in any more, inside or outside, for ever: what waits, and whoever
// comes later, is dropped. (Semantics: workerd's io-gate.h.)
//
// Threads: one at a time, as its actor.

#ifndef TIDEMARK_RUNTIME_INTERNAL_INPUT_GATE_H_
#define TIDEMARK_RUNTIME_INTERNAL_INPUT_GATE_H_

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/internal/fifo.h"
#include "runtime/work.h"

namespace tidemark::internal {

class InputGate : public std::enable_shared_from_this<InputGate> {
 public:
  // Keeps others out; copies are more references to the same lock.
  class Lock {
   public:
    Lock() = default;
    explicit Lock(std::shared_ptr<InputGate> gate) : gate_(std::move(gate)) { ++gate_->locks_; }
    Lock(const Lock& other) : gate_(other.gate_) {
      if (gate_ != nullptr) ++gate_->locks_;
    }
    Lock(Lock&& other) noexcept : gate_(std::move(other.gate_)) {}
    Lock& operator=(Lock other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Lock() { Drop(); }
    void Drop() {
      if (gate_ != nullptr) std::exchange(gate_, nullptr)->Unlock();
    }
    bool held() const { return gate_ != nullptr; }

   private:
    std::shared_ptr<InputGate> gate_;
  };

  // Gets what is let in, with its lock. Must not run it before it returns.
  using LetIn = std::function<void(WorkPtr, Lock)>;

  static std::shared_ptr<InputGate> MakeRoot(LetIn let_in);
  // A section that waits for its turn at `parent` as soon as something waits at it.
  static std::shared_ptr<InputGate> MakeSection(const std::shared_ptr<InputGate>& parent);
  ~InputGate();
  InputGate(const InputGate&) = delete;
  InputGate& operator=(const InputGate&) = delete;

  void Wait(WorkPtr work);

  // Of a running section. Its lock at its parent is returned: whoever holds it goes on before
  // anything else that waits there. Locks that are left count for the parent from here on.
  Lock Succeed();
  // Breaks the root gate, and so all of them.
  void Fail(std::exception_ptr error);

  // Takes out what waits at this gate itself and `take` says yes to; others keep their order.
  std::vector<WorkPtr> TakeWaiting(const std::function<bool(const Work&)>& take);

  // What broke it, or null.
  std::exception_ptr broken() const;
  // How many sections are around this: 0 for a root.
  size_t depth() const { return depth_; }
  // Nobody is in, and nobody waits.
  bool idle() const { return locks_ == 0 && waiting_.empty() && sections_.empty(); }

 private:
  enum class State { kNotStarted, kRunning, kOver };
  struct Root {
    LetIn let_in;
    std::exception_ptr broken;
  };

  InputGate(std::shared_ptr<Root> root, std::shared_ptr<InputGate> parent, size_t depth);
  std::shared_ptr<InputGate> Detach();
  void Unlock();
  void LetNextIn();
  void AskToStart();
  void Start(Lock parent_lock);
  // The gate that stands for this one: itself, or whoever adopted it.
  std::shared_ptr<InputGate> Standing();

  const std::shared_ptr<Root> root_;
  std::shared_ptr<InputGate> parent_;  // null for a root
  const size_t depth_;
  State state_;
  bool asked_to_start_ = false;
  Lock parent_lock_;
  size_t locks_ = 0;
  Fifo<std::shared_ptr<InputGate>> sections_;  // that wait for their first lock
  Fifo<WorkPtr> waiting_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_INPUT_GATE_H_
