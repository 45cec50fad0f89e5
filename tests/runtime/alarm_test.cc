// Alarms as an actor sees them: when they come, what the handler may do, and what it is told.

#include <gmock/gmock.h>

#include <stdexcept>

#include "engine/internal/durable_notifier.h"
#include "tests/runtime/alarm_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AlarmsTest : public AlarmFixture {};

// C186, C201, C216, C221. Goal: an alarm comes when it is due, not before, and once. While its
// handler runs it is not told, and still stored; then it is gone.
TEST_F(AlarmsTest, ComesWhenItIsDue) {
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  const Timestamp due = Now() + hours(1);
  SetAlarm("a", hours(1));
  EXPECT_EQ(GetAlarm("a"), due);
  std::vector<Timestamp> stored;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    EXPECT_EQ(waker.storage().GetAlarm(), std::nullopt);
    stored = Stored();
    co_return;
  };
  Pass(hours(1) - milliseconds(1));
  EXPECT_THAT(runs(), IsEmpty());
  Pass(milliseconds(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].event.scheduled_time, due);
  EXPECT_EQ(runs()[0].event.name, kDefaultAlarm);
  EXPECT_EQ(runs()[0].event.retry_count, 0);
  EXPECT_FALSE(runs()[0].event.is_retry);
  EXPECT_THAT(stored, ElementsAre(due));
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  EXPECT_THAT(Stored(), IsEmpty());
  Pass(hours(48));
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_EQ(counters().succeeded, 1u);
  EXPECT_EQ(counters().waiting, 0u);
}

// C187, C192, C197, C198. Goal: of many quick changes the last one counts, and it comes once; what
// is written besides changes nothing.
TEST_F(AlarmsTest, TheLastChangeCounts) {
  for (int i = 1; i <= 10; ++i) SetAlarm("a", seconds(10 * i));
  Do("a", [&](Waker& waker) {
    waker.storage().SetAlarm(Now() + seconds(100));
    waker.storage().kv().Put("k", 1);
  });
  const Timestamp due = Now() + seconds(100);
  for (int i = 0; i < 99; ++i) Pass(seconds(1));
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(counters().canceled, 0u);
  Pass(seconds(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].event.scheduled_time, due);

  SetAlarm("a", hours(2));
  SetAlarm("a", seconds(5));  // to before, and away altogether
  Pass(seconds(5));
  EXPECT_EQ(runs().size(), 2u);
  SetAlarm("a", seconds(5));
  Do("a", [](Waker& waker) { waker.storage().DeleteAlarm(); });
  Pass(hours(3));
  EXPECT_EQ(runs().size(), 2u);
}

// C193, C199. Goal: changes that follow each other before any of them is durable, to later and to
// before again, leave the last one: the alarm comes then, once, and what was later does not come.
// The scheduler knows of it before anybody hears that it is set. Method: the store tells nothing of
// what is durable until the scheduler was looked at.
TEST_F(AlarmsTest, AChangeBehindAnother) {
  internal::DurableNotifier& notifier = internal::StorePeer::Impl(sim_.store()).notifier();
  notifier.UseNoThread();
  const auto pass = [&](std::chrono::microseconds time) {
    clock().Advance(time);
    runtime_->RunDue();
    while (Step() > 0 || notifier.RunOnce()) continue;
  };
  const auto set = [&](const char* name, std::chrono::microseconds in) {
    return Start(Get(name).Call(
        &Waker::Do, [this, in](Waker& waker) { waker.storage().SetAlarm(Now() + in); }));
  };
  auto first = set("a", hours(1));
  pass(seconds(0));
  EXPECT_TRUE(IsDone(first));
  auto later = set("a", hours(2));
  auto earlier = set("a", seconds(10));
  auto other = set("b", seconds(10));
  while (Step() > 0) continue;
  EXPECT_FALSE(IsDone(later) || IsDone(earlier) || IsDone(other));
  EXPECT_EQ(counters().waiting, 2u);
  pass(seconds(0));
  EXPECT_TRUE(IsDone(later) && IsDone(earlier) && IsDone(other));
  pass(seconds(9));
  EXPECT_THAT(runs(), IsEmpty());
  pass(seconds(1));
  EXPECT_EQ(runs().size(), 2u);
  for (int i = 0; i < 3; ++i) pass(hours(1));
  EXPECT_EQ(runs().size(), 2u);
  EXPECT_EQ(counters().canceled, 0u);
  while (runtime_->resident_count() > 0) pass(seconds(11));
}

// C188. Goal: times before 1970 are refused; the past means now.
TEST_F(AlarmsTest, ThePastMeansNow) {
  Do("a", [](Waker& waker) {
    EXPECT_THROW(waker.storage().SetAlarm(Timestamp()), Error);
    EXPECT_THROW(waker.storage().SetAlarm(Timestamp(seconds(-1))), Error);
  });
  SetAlarm("a", -hours(5));
  EXPECT_EQ(GetAlarm("a"), Now());
  Pass(seconds(0));
  EXPECT_EQ(runs().size(), 1u);
}

// Goal: an alarm in a future that no timer reaches does no harm, and none to others.
TEST_F(AlarmsTest, TheFarFuture) {
  Do("a", [&](Waker& waker) {
    waker.storage().SetAlarm(Timestamp(seconds(9'000'000'000'000)));
    waker.storage().SetAlarm("soon", Now() + seconds(90));
  });
  Pass(seconds(89));
  EXPECT_THAT(runs(), IsEmpty());
  Pass(seconds(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].event.name, "soon");
}

class Deaf : public Actor {
 public:
  explicit Deaf(ActorState& state) : Actor(state) {
    if (in_constructor) state.storage().SetAlarm(*in_constructor);
  }
  void Set(Timestamp time) { ctx().storage().SetAlarm(time); }
  std::optional<Timestamp> Alarm() { return ctx().storage().GetAlarm(); }
  static inline std::optional<Timestamp> in_constructor;
};
class HeirOfWaker : public Waker {
  using Waker::Waker;
};
class Shy : public Actor {
  using Actor::Actor;
  Task<> OnAlarm(AlarmEvent) override { co_return; }
};
static_assert(runtime_detail::kAlarmHandlerOf<Deaf> == runtime_detail::AlarmHandler::kNone);
static_assert(runtime_detail::kAlarmHandlerOf<Waker> == runtime_detail::AlarmHandler::kHasOne);
static_assert(runtime_detail::kAlarmHandlerOf<HeirOfWaker> ==
              runtime_detail::AlarmHandler::kHasOne);
static_assert(runtime_detail::kAlarmHandlerOf<Shy> == runtime_detail::AlarmHandler::kHasOne);

// C189. Goal: a class without a handler cannot set an alarm, but in its constructor; one that is
// due all the same is deleted.
TEST_F(AlarmsTest, AClassWithoutAHandler) {
  const auto deaf = runtime_->Define<Deaf>("DEAF");
  Stub<Deaf> stub = deaf.GetByName("a");
  try {
    Finish(Start(stub.Call(&Deaf::Set, Now() + hours(1))));
    ADD_FAILURE() << "it was set";
  } catch (const ActorError& error) {
    EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("OnAlarm() handler"), std::string::npos);
  }
  Deaf::in_constructor = Now() + hours(1);
  Stub<Deaf> other = deaf.GetByName("b");
  EXPECT_EQ(Finish(Start(other.Call(&Deaf::Alarm))), Deaf::in_constructor);
  Deaf::in_constructor.reset();
  Pass(hours(1));
  EXPECT_EQ(counters().without_handler, 1u);
  EXPECT_THAT(Stored(), IsEmpty());
}

// C191, C194. Goal: an alarm is set with what was written beside it, or not at all.
TEST_F(AlarmsTest, IsSetWithItsTransaction) {
  Do("a", [&](Waker& waker) {
    waker.storage().Transaction([&](StorageTransaction& transaction) {
      waker.storage().SetAlarm(Now() + seconds(1));
      waker.storage().Transaction([&] { waker.storage().SetAlarm(Now() + seconds(2)); });
      transaction.Rollback();
    });
  });
  EXPECT_THROW(Do("a",
                  [&](Waker& waker) {
                    waker.storage().SetAlarm(Now() + seconds(3));
                    waker.ctx().Abort();
                  }),
               ActorError);
  Pass(seconds(10));
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(counters().canceled, 0u);
  Do("a", [&](Waker& waker) {
    waker.storage().Transaction([&] {
      waker.storage().SetAlarm(Now() + seconds(1));
      EXPECT_THAT(Stored(), IsEmpty());
    });
  });
  Pass(seconds(1));
  EXPECT_EQ(runs().size(), 1u);
}

// C203, C204. Goal: what the handler sets comes in its turn; what it deletes does not; setting
// anew the time that it was called for is setting an alarm, too.
TEST_F(AlarmsTest, TheHandlerSetsAndDeletes) {
  int run = 0;
  Waker::world.handler = [&](Waker& waker, AlarmEvent event) -> Task<> {
    switch (++run) {
      case 1: waker.storage().SetAlarm(Now() + seconds(30)); break;
      case 2: waker.storage().SetAlarm(event.scheduled_time); break;
      case 3:
        waker.storage().SetAlarm(Now() + seconds(30));
        waker.storage().DeleteAlarm();
        waker.storage().kv().Put("went on", 1);
        break;
      default: break;
    }
    co_return;
  };
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_EQ(GetAlarm("a"), Now() + seconds(30));
  Pass(seconds(29));
  EXPECT_EQ(runs().size(), 1u);
  Pass(seconds(1));
  EXPECT_EQ(runs().size(), 3u);
  EXPECT_EQ(runs()[2].event.retry_count, 0);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  Do("a", [](Waker& waker) { EXPECT_TRUE(waker.storage().kv().Get("went on")); });
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 3u);
}

// C208, C209, C219. Goal: an alarm's event that comes to an object whose alarm is another one by
// then is canceled, and the other one comes when it is due. Method: the event waits behind a
// section in which the alarm is changed, or deleted.
TEST_F(AlarmsTest, AnAlarmThatWasChangedOnTheWay) {
  const auto change_on_the_way = [&](std::function<void(Waker&)> change) {
    runs().clear();
    SetAlarm("a", seconds(5));
    auto section = Start(Get("a").Call(&Waker::Await, [&](Waker& waker) -> Task<> {
      return waker.ctx().BlockConcurrencyWhile([&]() -> Task<> {
        co_await waker.ctx().Sleep(seconds(10));
        change(waker);
        waker.storage().Sync();
      });
    }));
    EXPECT_TRUE(PassUntil([&] { return counters().running == 1; }, seconds(1), 6));
    EXPECT_TRUE(PassUntil([&] { return IsDone(section); }, seconds(1), 20));
    section.get();
    Settle();
  };
  change_on_the_way([](Waker& waker) { waker.storage().DeleteAlarm(); });
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(counters().canceled, 1u);
  Timestamp later;
  change_on_the_way([&](Waker& waker) {
    later = Now() + seconds(30);
    waker.storage().SetAlarm(later);
  });
  EXPECT_EQ(counters().canceled, 2u);
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(GetAlarm("a"), later);
  Pass(seconds(30));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].event.scheduled_time, later);
  // What is stored is past, too: that one is run.
  change_on_the_way([&](Waker& waker) { waker.storage().SetAlarm(Now()); });
  EXPECT_EQ(counters().canceled, 2u);
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
}

// C211. Goal: where the alarm was changed by a commit that is not durable yet, the one that was
// durable is run, and the one that is stored stays. Method: a write that nobody confirms, and an
// alarm's event that comes right behind it.
TEST_F(AlarmsTest, AChangeThatIsNotDurableYet) {
  SetAlarm("a", seconds(5));
  const Timestamp later = Now() + hours(1);
  auto section = Start(Get("a").Call(&Waker::Await, [&](Waker& waker) -> Task<> {
    return waker.ctx().BlockConcurrencyWhile([&]() -> Task<> {
      co_await waker.ctx().Sleep(seconds(10));
      waker.storage().SetAlarm(later, {.allow_unconfirmed = true});
    });
  }));
  bool durable = true;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    durable = sim_.store().durable_lsn() >= waker.storage().object().head().lsn;
    co_return;
  };
  EXPECT_TRUE(PassUntil([&] { return IsDone(section); }, seconds(1), 20));
  Settle();
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_FALSE(durable);
  EXPECT_EQ(GetAlarm("a"), later);
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 2u);
}

// C223, C224. Goal: an alarm that wakes an actor knows the name it was made from, also if it was
// set by one that was addressed by digits.
TEST_F(AlarmsTest, TheActorKnowsItsName) {
  SetAlarm("a", hours(1));
  Hibernate();
  Pass(hours(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].actor, "a");
  EXPECT_EQ(Waker::world.constructed, 2);
  Hibernate();
  const ActorId digits = wakers_->IdFromString(wakers_->IdFromName("a").ToString());
  Stub<Waker> stub = wakers_->Get(digits);
  Finish(Start(
      stub.Call(&Waker::Do, [&](Waker& waker) { waker.storage().SetAlarm(Now() + hours(1)); })));
  Hibernate();
  Pass(hours(1));
  ASSERT_EQ(runs().size(), 2u);
  EXPECT_EQ(runs()[1].actor, "a");
}

// C237. Goal: an alarm waits for what its actor's constructor is at, like every event.
TEST_F(AlarmsTest, WaitsForTheConstructor) {
  SetAlarm("a", hours(1));
  Hibernate();
  bool ready = false;
  Waker::world.construct = [&](Waker& waker) {
    waker.ctx().BlockConcurrencyWhile([&]() -> Task<> {
      co_await waker.ctx().Sleep(seconds(20));
      ready = true;
    });
  };
  Waker::world.handler = [&](Waker&, AlarmEvent) -> Task<> {
    EXPECT_TRUE(ready);
    co_return;
  };
  EXPECT_TRUE(PassUntil([&] { return counters().running == 1; }, minutes(1), 70));
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_TRUE(PassUntil([&] { return counters().running == 0; }, seconds(1), 30));
  EXPECT_EQ(runs().size(), 1u);
}

// C222. Goal: a clock that is set back makes an alarm wait for its time; one that is set ahead, of
// which no timer knows, makes it come within a minute.
TEST_F(AlarmsTest, TheClockIsSet) {
  const Timestamp due = Now() + hours(1);
  SetAlarm("a", hours(1));
  clock().Set(Now() - hours(2));
  for (int i = 0; i < 179; ++i) Pass(minutes(1));
  EXPECT_THAT(runs(), IsEmpty());
  Pass(minutes(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].at, due);
  SetAlarm("a", hours(10));
  clock().Set(Now() + hours(11));
  Pass(minutes(1));
  EXPECT_EQ(runs().size(), 2u);
}

// Goal: as many alarms as one names, each in its time, one at a time, two at the same time too; and
// one that fails keeps no other one waiting. Method: "fails" throws once.
TEST_F(AlarmsTest, NamedAlarms) {
  int running = 0;
  Waker::world.handler = [&](Waker& waker, AlarmEvent event) -> Task<> {
    EXPECT_EQ(++running, 1);
    co_await waker.ctx().Sleep(milliseconds(1));
    --running;
    if (event.name == "fails" && !event.is_retry) throw std::runtime_error("once");
  };
  Do("a", [&](Waker& waker) {
    waker.storage().SetAlarm("fails", Now() + seconds(100));
    waker.storage().SetAlarm("x", Now() + seconds(101));
    waker.storage().SetAlarm("y", Now() + seconds(101));
    waker.storage().SetAlarm(Now() + seconds(160));
  });
  Hibernate();
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 5; }, milliseconds(250), 700));
  std::vector<std::string> names;
  for (const Waker::Run& run : runs()) {
    names.push_back(run.event.name);
    EXPECT_GE(run.at, run.event.scheduled_time);
  }
  EXPECT_THAT(names, ElementsAre("fails", "x", "y", "fails", ""));
  EXPECT_EQ(runs()[3].event.retry_count, 1);
  EXPECT_TRUE(PassUntil([&] { return counters().running == 0; }, milliseconds(1), 10));
  EXPECT_THAT(Stored(), IsEmpty());
}

// C117, C118. Goal: DeleteAll takes the alarm with it, or not.
TEST_F(AlarmsTest, DeleteAll) {
  SetAlarm("a", seconds(10));
  Do("a", [](Waker& waker) { waker.storage().DeleteAll(); });
  SetAlarm("b", seconds(10));
  Do("b", [](Waker& waker) { waker.storage().DeleteAll({.delete_alarm = false}); });
  Pass(seconds(10));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].actor, "b");
}

}  // namespace
}  // namespace tidemark::testing
