// Work: something that an actor is to do, once: an event, what goes on behind an await, a reply.
//
// Whoever holds one runs it, or drops it with the error that keeps it from being run.

#ifndef TIDEMARK_RUNTIME_WORK_H_
#define TIDEMARK_RUNTIME_WORK_H_

#include <exception>
#include <memory>
#include <utility>

namespace tidemark {

namespace internal {
class ActorScope;
}

namespace runtime_detail {

class Work {
 public:
  virtual ~Work() = default;
  virtual void Run() = 0;
  virtual void Drop(const std::exception_ptr& /*error*/) {}
  // Where it is run, if not in its actor's root scope.
  virtual internal::ActorScope* scope() const { return nullptr; }
};

// What leaves an actor, held back by its output gate. One of the two comes, once.
class Outgoing {
 public:
  virtual ~Outgoing() = default;
  virtual void Leave() = 0;
  virtual void Fail(const std::exception_ptr& error) = 0;
};

using WorkPtr = std::shared_ptr<Work>;

template <typename Call>
class CallWork final : public Work {
 public:
  explicit CallWork(Call call) : call_(std::move(call)) {}
  void Run() override { call_(); }

 private:
  Call call_;
};

template <typename Call>
WorkPtr MakeWork(Call call) {
  return std::make_shared<CallWork<Call>>(std::move(call));
}

}  // namespace runtime_detail

namespace internal {
using runtime_detail::MakeWork;
using runtime_detail::Outgoing;
using runtime_detail::Work;
using runtime_detail::WorkPtr;
}  // namespace internal

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_WORK_H_
