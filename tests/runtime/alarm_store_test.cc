// Alarms and the store beneath: what outlives a restart or a crash, what others than actors change,
// and how many are under way at once.

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/runtime/alarm_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

class AlarmsOfStoreTest : public AlarmFixture {
 protected:
  std::set<std::string> Actors() {
    std::set<std::string> actors;
    for (const Waker::Run& run : runs()) actors.insert(run.actor);
    return actors;
  }
  // The handle of an object that sleeps.
  std::shared_ptr<Object> Open(const std::string& name) {
    Hibernate();
    return sim_.store().OpenObject("WAKER", name, IfMissing::kFail).value();
  }
};

// C221. Goal: alarms are there after the store was opened anew, and come; those that were due
// meanwhile come soon.
TEST_F(AlarmsOfStoreTest, OutliveARestart) {
  SetAlarm("soon", seconds(10));
  SetAlarm("later", hours(2));
  Reopen();
  EXPECT_THAT(runs(), IsEmpty());
  Pass(seconds(10));
  EXPECT_EQ(Actors(), std::set<std::string>({"soon"}));
  SetAlarm("overdue", seconds(10));
  StopRuntime();
  clock().Advance(hours(1));
  EXPECT_OK(sim_.Close());
  EXPECT_OK(sim_.Open());
  StartRuntime();
  Pass(seconds(0));
  EXPECT_EQ(Actors(), std::set<std::string>({"soon", "overdue"}));
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 3u);
  EXPECT_THAT(Stored(), IsEmpty());
}

// Goal: alarms of a namespace that no class is defined for wait until one is, and cost no work
// until then.
TEST_F(AlarmsOfStoreTest, AlarmsOfANamespaceWithoutAClassWait) {
  auto storage = ObjectStorage::Open(sim_.store(), "LATER", "a");
  storage->SetAlarm(Now() + seconds(1));
  storage.reset();
  Pass(hours(1));
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(Step(), 0u);
  EXPECT_EQ(counters().waiting, 0u);
  EXPECT_EQ(Stored().size(), 1u);
  runtime_->Define<Waker>("LATER");
  Settle();
  Pass(seconds(0));
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_THAT(Stored(), IsEmpty());
}

// Goal: an object that was deleted is not woken, and so not made anew.
TEST_F(AlarmsOfStoreTest, AnObjectThatWasDeleted) {
  SetAlarm("a", hours(1));
  Hibernate();
  ASSERT_OK(Open("a")->Delete());
  Pass(hours(1));
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(Waker::world.constructed, 1);
  EXPECT_EQ(counters().waiting, 0u);
  EXPECT_FALSE(sim_.store().OpenObject("WAKER", "a", IfMissing::kFail).ok());
}

// C178. Goal: a restore brings the alarm of its time with it: one that was set later is gone, one
// that was there comes again, at once if it is overdue. Method: of an actor, at its next session.
TEST_F(AlarmsOfStoreTest, RestoresOfAnActor) {
  const auto restore = [&](const Bookmark& to) {
    EXPECT_THROW(Do("a",
                    [&](Waker& waker) {
                      waker.storage().OnNextSessionRestoreBookmark(to);
                      waker.ctx().Abort("to be restored");
                    }),
                 ActorError);
    Do("a", [](Waker&) {});
  };
  std::optional<Bookmark> without;
  std::optional<Bookmark> with;
  Do("a", [&](Waker& waker) {
    waker.storage().kv().Put("k", 1);
    without = waker.storage().GetCurrentBookmark();
    waker.storage().SetAlarm(Now() + seconds(10));
    with = waker.storage().GetCurrentBookmark();
  });
  restore(*without);
  Pass(hours(1));
  EXPECT_THAT(runs(), IsEmpty());
  restore(*with);
  Pass(seconds(0));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_LT(runs()[0].event.scheduled_time, Now() - minutes(50));
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
}

// C178. Goal: what others than actors do to objects that sleep is found within a minute: a restore,
// a fork that keeps its alarm; one that does not has none.
TEST_F(AlarmsOfStoreTest, RestoresAndForksOfObjectsThatSleep) {
  std::optional<Bookmark> with;
  Do("a", [&](Waker& waker) {
    waker.storage().SetAlarm(Now() + hours(2));
    with = waker.storage().GetCurrentBookmark();
    waker.storage().DeleteAlarm();
  });
  const std::shared_ptr<Object> object = Open("a");
  ASSERT_OK(object->Restore(*with));
  ASSERT_OK(sim_.store().Fork(*object, *with, "WAKER", "none"));
  ASSERT_OK(sim_.store().Fork(*object, *with, "WAKER", "same", {.alarms = Alarms::kRestore}));
  ASSERT_OK(sim_.store().Fork(*object, *with, "WAKER", "sooner", {.alarm = Now() + seconds(61)}));
  Pass(minutes(1));
  EXPECT_EQ(counters().waiting, 3u);
  Pass(seconds(1));
  EXPECT_EQ(Actors(), std::set<std::string>({"sooner"}));
  Pass(hours(2));
  EXPECT_EQ(Actors(), std::set<std::string>({"a", "same", "sooner"}));
  EXPECT_THAT(Stored(), IsEmpty());

  // An alarm that is known is moved to before that, behind the scheduler's back.
  SetAlarm("a", hours(50));
  const std::shared_ptr<Object> again = Open("a");
  ASSERT_OK(again->Restore(*with, {.alarm = Now() + hours(1)}));
  runs().clear();
  Pass(minutes(1));
  Pass(hours(1));
  EXPECT_EQ(Actors(), std::set<std::string>({"a"}));
}

// Goal: of many alarms that are due at once so many are under way as the options say, and all of
// them come, once. More of them than one look at the list takes, so that some are found later.
TEST_F(AlarmsOfStoreTest, ManyAtOnce) {
  constexpr int kMany = 5000;
  StopRuntime();
  for (int i = 0; i < kMany; ++i) {
    auto storage = ObjectStorage::Open(sim_.store(), "WAKER", std::to_string(i),
                                       {.durability = Durability::kPipelined});
    storage->SetAlarm(Now() + seconds(1 + i % 5));
  }
  options_.most_running_alarms = 7;
  options_.most_resident = 50;
  StartRuntime();
  size_t most = 0;
  size_t running = 0;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    most = std::max(most, ++running);
    co_await waker.ctx().Sleep(milliseconds(1));
    --running;
    EXPECT_LT(runtime_->resident_count(), 200u);
  };
  clock().Advance(seconds(5));
  EXPECT_TRUE(PassUntil([&] { return counters().succeeded == kMany; }, milliseconds(1), 2 * kMany));
  EXPECT_EQ(most, 7u);
  EXPECT_EQ(runs().size(), size_t{kMany});
  EXPECT_EQ(Actors().size(), size_t{kMany});
  EXPECT_THAT(Stored(), IsEmpty());
}

// Goal: handlers that are under way when the runtime shuts down are let to their end, and what was
// not begun stays for the next one.
TEST_F(AlarmsOfStoreTest, ShutdownInTheMiddle) {
  options_.most_running_alarms = 2;
  StopRuntime();
  StartRuntime();
  for (const char* name : {"a", "b", "c", "d"}) SetAlarm(name, seconds(1));
  int ended = 0;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    co_await waker.ctx().Sleep(seconds(5));
    ++ended;
  };
  clock().Advance(seconds(1));
  runtime_->RunDue();
  while (runs().size() < 2) Step();
  auto over = std::async(std::launch::async, [this] { runtime_->Shutdown(); });
  const auto is_open = [&] {
    try {
      Do("e", [](Waker&) {});
      return true;
    } catch (const ActorError& error) {
      EXPECT_TRUE(error.retryable());
      return false;
    }
  };
  while (is_open()) continue;
  while (!IsDone(over)) {
    Step();
    clock().Advance(seconds(1));
    runtime_->RunDue();
  }
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(runs().size(), 2u);
  StopRuntime();
  EXPECT_EQ(Stored().size(), 2u);
  Waker::world.handler = nullptr;
  StartRuntime();
  Pass(seconds(0));
  EXPECT_EQ(Actors().size(), 4u);
  EXPECT_THAT(Stored(), IsEmpty());
}

// C207, C221. Goal: whatever a crash takes, an alarm whose setting was acknowledged comes at least
// once, its handler's writes are there as a whole, and none comes early. Method: five actors, each
// with an alarm that sets the next one, three in a row, in handlers of two turns; the machine or
// the process dies a few operations later each time, until a run gets through without it.
class AlarmCrashTest : public AlarmFixture, public ::testing::WithParamInterface<PowerLoss> {};

TEST_P(AlarmCrashTest, AtLeastOnce) {
  constexpr int kRounds = 3;
  const auto handler = [this](Waker& waker, AlarmEvent event) -> Task<> {
    EXPECT_GE(Now(), event.scheduled_time);
    Kv& kv = waker.storage().kv();
    kv.Put("begun", kv.Get<int64_t>("begun").value_or(0) + 1);
    co_await waker.ctx().Sleep(milliseconds(10));
    const int64_t round = kv.Get<int64_t>("round").value_or(0) + 1;
    kv.Put("round", round);
    if (round < kRounds) waker.storage().SetAlarm(Now() + seconds(1));
  };
  bool crashed = true;
  int crashes = 0;
  for (uint64_t crash_at = 1; crashed; crash_at += 1 + crash_at / 8) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    Waker::world.handler = handler;
    const std::string suffix = "-" + std::to_string(crash_at);
    sim_.fs().CrashAt(crash_at);
    std::set<std::string> acknowledged;
    for (int i = 0; i < 5; ++i) {
      const std::string name = std::to_string(i) + suffix;
      try {
        SetAlarm(name, seconds(1 + i));
        acknowledged.insert(name);
      } catch (const ActorError&) {
      }
    }
    // Until the machine is gone, or all is done.
    const auto all_done = [&] {
      return counters().running == 0 && (sim_.fs().crashed() || Stored().empty());
    };
    EXPECT_TRUE(PassUntil(all_done, milliseconds(500), 2000));
    crashed = sim_.fs().crashed();
    if (crashed) {
      ++crashes;
      StopRuntime();
      sim_.Crash(GetParam());
      EXPECT_OK(sim_.Open());
      StartRuntime();
    }
    EXPECT_TRUE(PassUntil([&] { return counters().running == 0 && Stored().empty(); },
                          milliseconds(500), 200));
    for (const std::string& name : acknowledged) {
      Do(name, [&](Waker& waker) {
        EXPECT_EQ(waker.storage().kv().Get<int64_t>("round"), kRounds) << name;
        EXPECT_GE(waker.storage().kv().Get<int64_t>("begun").value_or(0), kRounds) << name;
      });
    }
    Hibernate();
  }
  EXPECT_GT(crashes, 10);
  EXPECT_EQ(counters().given_up, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, AlarmCrashTest,
                         ::testing::Values(PowerLoss::kNothing, PowerLoss::kAll,
                                           PowerLoss::kSeeded));

}  // namespace
}  // namespace tidemark::testing
