// A lease broker: something that one client at a time may have, until it gives it back or its time
// is over.
//
// Each lease has a number that only grows, a fencing token: who uses the thing refuses numbers
// below one it has seen, so a client that believes in a lease which is over can do no harm. An
// alarm ends a lease whose time is over, also if nobody asks, or the process began anew meanwhile.

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "runtime/runtime.h"

using std::chrono::microseconds;
using tidemark::Task;
using tidemark::Timestamp;

struct Lease {
  std::string owner;
  int64_t token = 0;
};

class Broker : public tidemark::Actor {
 public:
  explicit Broker(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS lease(token INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT)");
  }

  // The lease, if nobody has it.
  std::optional<Lease> TryAcquire(std::string owner, microseconds time) {
    if (IsHeld()) return std::nullopt;
    auto row =
        ctx().storage().sql().Exec("INSERT INTO lease(owner) VALUES(?) RETURNING token", owner);
    ctx().storage().SetAlarm(tidemark::Clock::System()->Now() + time);
    return Lease{std::move(owner), row.One().Get<int64_t>(0)};
  }

  // Waits for it as long as it takes. Others come in meanwhile.
  Task<Lease> Acquire(std::string owner, microseconds time) {
    while (true) {
      if (auto lease = TryAcquire(owner, time)) co_return *lease;
      co_await ctx().Sleep(std::chrono::milliseconds(5));
    }
  }

  // False if it was over already.
  bool Release(int64_t token) {
    const auto held = ctx().storage().sql().Exec("DELETE FROM lease WHERE token = ?", token);
    if (held.RowsWritten() == 0) return false;
    ctx().storage().DeleteAlarm();
    return true;
  }

  Task<> OnAlarm(tidemark::AlarmEvent) override {
    ctx().storage().sql().Exec("DELETE FROM lease");
    co_return;
  }

 private:
  bool IsHeld() { return ctx().storage().sql().Exec("SELECT 1 FROM lease").Next(); }
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
