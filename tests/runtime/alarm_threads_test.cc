// Alarms on threads, with the machine's clock: for ThreadSanitizer, and for what only happens
// there.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <string>

#include "runtime/runtime.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

constexpr int kActors = 40;
constexpr int kRounds = 15;

struct Progress {
  std::latch done{kActors};
  std::array<std::atomic<bool>, kActors> running{};
};
Progress* progress = nullptr;

// Its alarm sets the next one, kRounds in a row, for now or for a little later.
class Relay : public Actor {
 public:
  using Actor::Actor;
  void Begin() { ctx().storage().SetAlarm(Clock::System()->Now()); }
  int64_t Rounds() { return ctx().storage().kv().Get<int64_t>("rounds").value_or(0); }
  int64_t Left() { return static_cast<int64_t>(ctx().storage().ListAlarms().size()); }

  Task<> OnAlarm(AlarmEvent event) override {
    const size_t self = std::stoul(*ctx().id().name);
    EXPECT_FALSE(progress->running[self].exchange(true)) << "two handlers of one object";
    EXPECT_GE(Clock::System()->Now(), event.scheduled_time);
    Task<> transaction = ctx().Transaction([this]() -> Task<> {
      const int64_t before = Rounds();
      co_await ctx().Sleep(std::chrono::microseconds(100));
      ctx().storage().kv().Put("rounds", before + 1);
    });
    co_await std::move(transaction);
    const int64_t rounds = Rounds();
    if (rounds < kRounds) {
      const std::chrono::milliseconds later(rounds % 3);
      ctx().storage().SetAlarm(rounds % 2 == 0 ? "" : "other", Clock::System()->Now() + later);
    }
    progress->running[self] = false;
    if (rounds == kRounds) progress->done.count_down();
  }
};

// Goal: each alarm comes, one at a time for an object, with actors that leave memory in between.
// Method: four threads, alarms of many objects that set the next one, more at once than are let
// under way, and more objects than may be in memory.
TEST(AlarmThreadsTest, Relays) {
  Progress all;
  progress = &all;
  TempDirectory directory;
  auto store = *Store::Open(directory / "store", {.create_if_missing = true});
  {
    Runtime runtime(*store, {.threads = 4,
                             .hibernate_after = std::chrono::milliseconds(1),
                             .most_resident = 10,
                             .most_running_alarms = 8});
    auto relays = runtime.Define<Relay>("RELAY");
    for (int i = 0; i < kActors; ++i) {
      relays.GetByName(std::to_string(i)).CallBlocking(&Relay::Begin);
    }
    all.done.wait();
    for (int i = 0; i < kActors; ++i) {
      Stub<Relay> relay = relays.GetByName(std::to_string(i));
      EXPECT_EQ(relay.CallBlocking(&Relay::Rounds), kRounds);
      EXPECT_EQ(relay.CallBlocking(&Relay::Left), 0);
    }
    EXPECT_EQ(runtime.alarm_counters().failed + runtime.alarm_counters().failed_uncounted, 0u);
    EXPECT_GE(runtime.alarm_counters().runs, uint64_t{kActors} * kRounds);
  }
  progress = nullptr;
}

}  // namespace
}  // namespace tidemark::testing
