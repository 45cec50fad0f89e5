// A lease broker: something that one client at a time may have, until it gives it back or its time
// is over.
//
// Each lease has a number that only grows, a fencing token: who uses the thing refuses numbers
// below one it has seen, so a client that believes in a lease which is over can do no harm. Whoever
// waits for the lease is woken by a timer; what is right is decided by the time that is stored.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "runtime/runtime.h"

using std::chrono::microseconds;
using tidemark::Task;

struct Lease {
  std::string owner;
  int64_t token = 0;
  int64_t until = 0;  // microseconds since 1970
};

class Broker : public tidemark::Actor {
 public:
  explicit Broker(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS lease(token INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, "
        "until INTEGER)");
  }

  // The lease, if nobody has it.
  std::optional<Lease> TryAcquire(std::string owner, microseconds time) {
    if (Holder()) return std::nullopt;
    Lease lease{std::move(owner), 0, Now() + time.count()};
    auto row = ctx().storage().sql().Exec(
        "INSERT INTO lease(owner, until) VALUES(?,?) RETURNING token", lease.owner, lease.until);
    lease.token = row.One().Get<int64_t>(0);
    return lease;
  }

  // Waits for it as long as it takes. Others come in meanwhile.
  Task<Lease> Acquire(std::string owner, microseconds time) {
    while (true) {
      if (auto lease = TryAcquire(owner, time)) co_return *lease;
      const auto left = microseconds(Holder()->until - Now());
      co_await ctx().Sleep(std::clamp(left, microseconds(100), microseconds(10'000)));
    }
  }

  // False if it was over already.
  bool Release(int64_t token) {
    const auto holder = Holder();
    if (!holder || holder->token != token) return false;
    ctx().storage().sql().Exec("UPDATE lease SET until = 0 WHERE token = ?", token);
    return true;
  }

 private:
  static int64_t Now() { return tidemark::Clock::System()->Now().time_since_epoch().count(); }

  std::optional<Lease> Holder() {
    auto row = ctx().storage().sql().Exec(
        "SELECT owner, token, until FROM lease WHERE until > ? ORDER BY token DESC LIMIT 1", Now());
    if (!row.Next()) return std::nullopt;
    return Lease{row.Get<std::string>(0), row.Get<int64_t>(1), row.Get<int64_t>(2)};
  }
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto brokers = runtime.Define<Broker>("BROKER");

  auto printer = brokers.Get(brokers.NewUniqueId());
  const auto first =
      printer.CallBlocking(&Broker::TryAcquire, "alice", microseconds(30'000'000)).value();
  const bool bob_too =
      printer.CallBlocking(&Broker::TryAcquire, "bob", microseconds(20'000)).has_value();
  std::printf("alice has it, bob %s\n", bob_too ? "too" : "has not");
  printer.CallBlocking(&Broker::Release, first.token);
  const Lease second = printer.CallBlocking(&Broker::Acquire, "bob", microseconds(20'000));
  const Lease third = printer.CallBlocking(&Broker::Acquire, "carol", microseconds(20'000));
  std::printf("tokens grow: %s; bob's was over when carol got hers: %s\n",
              first.token < second.token && second.token < third.token ? "yes" : "no",
              printer.CallBlocking(&Broker::Release, second.token) ? "no" : "yes");
}
