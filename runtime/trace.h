// TraceId: which work of the world outside an event belongs to.
//
//   caller --trace--> event of an actor --the same--> its calls of others, its WaitUntil tasks
//
// Every event has one: its caller's, if that has one, else a new one. An actor reads it by
// ctx().trace_id(), and log records have it.

#ifndef TIDEMARK_RUNTIME_TRACE_H_
#define TIDEMARK_RUNTIME_TRACE_H_

#include <cstdint>
#include <string>

#include "engine/export.h"

namespace tidemark {

namespace internal {
class ActorHost;
}

// 16 bytes, as W3C's trace-id; all zeros is none.
struct TIDEMARK_API TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  // One that nobody else has: random, not secret.
  static TraceId New();

  bool none() const { return high == 0 && low == 0; }
  bool operator==(const TraceId&) const = default;
  std::string ToString() const;  // 32 lower-case hex digits
};

// The calls that this thread makes while it lives are of this trace: for whoever got an id from
// somewhere else. Scopes nest. Not to be held across a co_await, behind which the thread may be
// another one.
class TIDEMARK_API TraceScope {
 public:
  explicit TraceScope(const TraceId& id);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

  // What this thread's calls are of; none if nobody said.
  static TraceId Current();

 private:
  friend class internal::ActorHost;
  static void Set(const TraceId& id);  // until the scope ends that this stands in

  const TraceId before_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_TRACE_H_
