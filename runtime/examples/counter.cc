// A counter: state in storage, one commit a call, and a result that is seen when it is durable.

#include <cstdio>

#include "runtime/runtime.h"

class Counter : public tidemark::Actor {
 public:
  using Actor::Actor;

  int64_t Increment(int64_t by) {
    const int64_t total = Total() + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }
  int64_t Total() { return ctx().storage().kv().Get<int64_t>("total").value_or(0); }
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto counters = runtime.Define<Counter>("COUNTER");

  auto visits = counters.GetByName("visits");
  for (int i = 0; i < 3; ++i) visits.CallBlocking(&Counter::Increment, 1);
  std::printf("visits: %lld\n", (long long)visits.CallBlocking(&Counter::Total));
}
