// A rate limiter, one actor for each client: so many requests at once, and so many more a second.
//
// It is asked for every request and writes each time, and nobody minds if a power failure gives a
// client its tokens back: so its writes are not waited for (allow_unconfirmed), and an answer takes
// as long as a call.

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "runtime/runtime.h"

class RateLimiter : public tidemark::Actor {
 public:
  explicit RateLimiter(tidemark::ActorState& ctx)
      : Actor(ctx),
        tokens_(ctx.storage().kv().Get<double>("tokens").value_or(kMost)),
        at_(ctx.storage().kv().Get<int64_t>("at").value_or(Now())) {}

  // Whether a request may be made now.
  bool Allow() {
    const int64_t now = Now();
    tokens_ = std::min(kMost, tokens_ + kPerSecond * double(std::max<int64_t>(0, now - at_)) / 1e6);
    at_ = now;
    const bool allowed = tokens_ >= 1;
    if (allowed) tokens_ -= 1;
    ctx().storage().kv().Put("tokens", tokens_, {.allow_unconfirmed = true});
    ctx().storage().kv().Put("at", at_, {.allow_unconfirmed = true});
    return allowed;
  }

 private:
  static constexpr double kMost = 5;
  static constexpr double kPerSecond = 0.001;

  // Microseconds since 1970: the actor may leave memory, and come back in another process.
  static int64_t Now() { return tidemark::Clock::System()->Now().time_since_epoch().count(); }

  double tokens_;
  int64_t at_;
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto limiters = runtime.Define<RateLimiter>("LIMITER");

  auto client = limiters.Get(limiters.NewUniqueId());
  int allowed = 0;
  for (int i = 0; i < 8; ++i) allowed += client.CallBlocking(&RateLimiter::Allow) ? 1 : 0;
  std::printf("allowed %d of 8\n", allowed);
}
