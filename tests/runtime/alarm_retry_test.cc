// Alarms whose handlers fail: when they are tried again, what counts, and when they are given up.

#include <gmock/gmock.h>

#include <stdexcept>

#include "runtime/internal/alarm_retry.h"
#include "tests/runtime/alarm_fixture.h"
#include "tests/runtime/kept_log.h"

namespace tidemark::testing {
namespace {

using internal::AlarmRetry;
using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// C212, C213, C214. Goal: delays double from 2 s to 1024 s, with up to a quarter more; begin anew
// where a failure counts behind one that does not; and end with the failure behind the sixth that
// counted, whichever it is.
TEST(AlarmRetryTest, Delays) {
  constexpr auto kYes = AlarmRetry::Counts::kYes;
  constexpr auto kNo = AlarmRetry::Counts::kNo;
  for (uint64_t random = 0; random < 3000; random += 7) {
    AlarmRetry counted;
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(counted.failures(), i);
      const auto delay = counted.Fail(kYes, random);
      ASSERT_TRUE(delay);
      EXPECT_GE(*delay, seconds(2 << i));
      EXPECT_LE(*delay, milliseconds(2500 << i));
    }
    AlarmRetry other = counted;
    EXPECT_FALSE(counted.Fail(kYes, random));
    EXPECT_FALSE(other.Fail(kNo, random));

    AlarmRetry uncounted;
    for (int i = 0; i < 50; ++i) {
      const auto delay = uncounted.Fail(kNo, random);
      ASSERT_TRUE(delay);
      EXPECT_GE(*delay, seconds(2 << std::min(i, 9)));
      EXPECT_LE(*delay, milliseconds(2500 << std::min(i, 9)));
    }
    EXPECT_LE(*uncounted.Fail(kYes, random), milliseconds(2500));
    EXPECT_EQ(uncounted.failures(), 51);
  }
  AlarmRetry retry;
  for (const AlarmRetry::Counts counts : {kYes, kNo, kNo, kYes, kYes, kYes, kYes, kYes}) {
    AlarmRetry kept = AlarmRetry::Unpack(retry.Pack());
    EXPECT_EQ(kept.failures(), retry.failures());
    EXPECT_EQ(kept.Fail(counts, 7), retry.Fail(counts, 7));
  }
  for (const int64_t strange : {int64_t{0}, int64_t{-1}, INT64_MAX, int64_t{1} << 9 | 15}) {
    EXPECT_EQ(AlarmRetry::Unpack(strange).failures(), 0);
  }
  AlarmRetry one;
  AlarmRetry two;
  EXPECT_NE(one.Fail(kYes, 1), two.Fail(kYes, 500)) << "chance has a part";
}

class AlarmRetriesTest : public AlarmFixture {
 protected:
  AlarmRetriesTest() {
    options_.log = log_.hook();
    StopRuntime();
    StartRuntime();
    Waker::world.handler = [this](Waker& waker, AlarmEvent) -> Task<> {
      if (forget_) waker.ctx().Abort("no more", {.retry_alarm = false});
      if (abort_) waker.ctx().Abort("once more");
      if (fails_) throw std::runtime_error("it fails");
      co_return;
    };
  }

  // Its handlers are gone before what they look at.
  ~AlarmRetriesTest() override { StopRuntime(); }

  std::vector<Logged> GivenUp() const { return log_.As("alarm_given_up"); }

  bool fails_ = true;
  bool abort_ = false;
  bool forget_ = false;
  KeptLog log_;
};

// C202, C212, C213, C216. Goal: a handler that always throws is run seven times, with the delays
// that are documented, and then the alarm is gone; whoever is told of such is told once. Method:
// time in steps of 50 ms; the actor is there all the while, or sleeps in between.
TEST_F(AlarmRetriesTest, AHandlerThatAlwaysThrows) {
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  ASSERT_EQ(runs().size(), 1u);
  const Timestamp due = runs()[0].event.scheduled_time;
  EXPECT_EQ(GetAlarm("a"), due) << "it is still there";
  EXPECT_TRUE(PassUntil([&] { return !GivenUp().empty(); }, milliseconds(50), 10'000));
  Settle();
  ASSERT_EQ(runs().size(), 7u);
  for (int i = 0; i < 7; ++i) {
    const Waker::Run& run = runs()[size_t(i)];
    EXPECT_EQ(run.event.retry_count, i);
    EXPECT_EQ(run.event.is_retry, i > 0);
    EXPECT_EQ(run.event.scheduled_time, due);
    if (i == 0) continue;
    const auto delay = run.at - runs()[size_t(i) - 1].at;
    EXPECT_GE(delay, seconds(1 << i));
    EXPECT_LE(delay, milliseconds(1250 << i) + milliseconds(50));
  }
  EXPECT_GT(Waker::world.constructed, 1) << "it never slept";
  ASSERT_EQ(GivenUp().size(), 1u);
  EXPECT_EQ(GivenUp()[0].level, LogLevel::kError);
  EXPECT_EQ(GivenUp()[0].namespace_name, "WAKER");
  EXPECT_EQ(GivenUp()[0].object_name, "a");
  EXPECT_EQ(GivenUp()[0].fields, "alarm= runs=7 ");
  EXPECT_EQ(GivenUp()[0].message, "it fails");
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_EQ(counters().failed, 7u);
  EXPECT_EQ(counters().given_up, 1u);
  EXPECT_EQ(counters().waiting, 0u);
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 7u);

  runs().clear();
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  ASSERT_EQ(runs().size(), 1u);
  EXPECT_EQ(runs()[0].event.retry_count, 0) << "another alarm, another count";
}

// C216. Goal: a success ends the count.
TEST_F(AlarmRetriesTest, ASuccessEndsTheCount) {
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  Pass(seconds(3));
  ASSERT_EQ(runs().size(), 2u);
  fails_ = false;
  Pass(seconds(5));
  ASSERT_EQ(runs().size(), 3u);
  EXPECT_EQ(runs()[2].event.retry_count, 2);
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  ASSERT_EQ(runs().size(), 4u);
  EXPECT_EQ(runs()[3].event.retry_count, 0);
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 4u);
}

// Goal: how often an alarm was tried is there after a restart and after a power loss: it is tried
// seven times in all, and an alarm of the same name that is set then has not been tried. Method:
// the handler throws, or resets its actor, whose last failure is noted with the next try.
TEST_F(AlarmRetriesTest, TheCountOutlivesTheProcess) {
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  Pass(seconds(3));
  Pass(seconds(5));
  ASSERT_EQ(runs().size(), 3u);
  Reopen();
  Pass(seconds(0));
  ASSERT_EQ(runs().size(), 4u);
  EXPECT_EQ(runs()[3].event.retry_count, 3);
  abort_ = true;
  Pass(seconds(20));
  Pass(seconds(40));
  ASSERT_EQ(runs().size(), 6u);
  WaitForStore();
  StopRuntime();
  sim_.Crash(PowerLoss::kAll);
  EXPECT_OK(sim_.Open());
  StartRuntime();
  Pass(seconds(0));
  ASSERT_EQ(runs().size(), 7u);
  EXPECT_EQ(runs()[6].event.retry_count, 5) << "the last reset is not noted";
  EXPECT_TRUE(runs()[6].event.is_retry);
  abort_ = false;
  Pass(seconds(80));
  ASSERT_EQ(runs().size(), 8u);
  EXPECT_EQ(runs()[7].event.retry_count, 6);
  EXPECT_EQ(GivenUp().size(), 1u);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);

  SetAlarm("a", seconds(1));
  Reopen();
  Pass(seconds(1));
  EXPECT_EQ(runs()[8].event.retry_count, 0);
}

// C203, C219. Goal: an alarm that is set while the handler runs, by itself or by another event,
// comes instead of the retry, and counts from 0.
TEST_F(AlarmRetriesTest, ANewAlarmReplacesTheRetry) {
  Timestamp next;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    co_await waker.ctx().Sleep(seconds(10));
    if (runs().size() == 1) throw std::runtime_error("it fails");
  };
  SetAlarm("a", seconds(1));
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 1; }, seconds(1), 2));
  next = Now() + seconds(30);
  Do("a", [&](Waker& waker) {
    EXPECT_EQ(waker.storage().GetAlarm(), std::nullopt);
    waker.storage().SetAlarm(next);
  });
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 2; }, seconds(1), 100));
  EXPECT_EQ(runs()[1].at, next);
  EXPECT_EQ(runs()[1].event.retry_count, 0);
  EXPECT_TRUE(PassUntil([&] { return counters().running == 0; }, seconds(1), 100));
  EXPECT_THAT(Stored(), IsEmpty());
}

// C204. Goal: an alarm that its handler deletes before it fails is not tried again; nor is one that
// is deleted while it waits to be.
TEST_F(AlarmRetriesTest, ADeletedAlarmIsNotTriedAgain) {
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  Do("a", [](Waker& waker) { waker.storage().DeleteAlarm(); });
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 1u);
  Waker::world.handler = [](Waker& waker, AlarmEvent) -> Task<> {
    waker.storage().DeleteAlarm();
    throw std::runtime_error("it fails");
    co_return;
  };
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(counters().waiting, 0u);
  Pass(hours(1));
  EXPECT_EQ(runs().size(), 2u);
}

// C214. Goal: failures that are not the application's keep the alarm, however many they are, at
// most 1024 s and a quarter apart. Method: somebody else has the object's storage open.
TEST_F(AlarmRetriesTest, FailuresThatDoNotCount) {
  fails_ = false;
  SetAlarm("a", hours(1));
  Hibernate();
  auto other = ObjectStorage::Open(sim_.store(), "WAKER", "a");
  Pass(hours(1));
  EXPECT_EQ(counters().failed_uncounted, 1u);
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = counters().failed_uncounted;
    EXPECT_TRUE(PassUntil([&] { return counters().failed_uncounted > before; }, seconds(1), 1281));
    Settle();
  }
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(counters().failed, 0u);
  other.reset();
  EXPECT_TRUE(PassUntil([&] { return !runs().empty(); }, seconds(1), 1281));
  Settle();
  EXPECT_EQ(runs()[0].event.retry_count, 21);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  EXPECT_TRUE(GivenUp().empty());
}

// Goal: an alarm that finds too many calls waiting comes again, and that does not count.
TEST_F(AlarmRetriesTest, AnActorThatIsOverloaded) {
  fails_ = false;
  options_.most_waiting_calls = 1;
  StopRuntime();
  StartRuntime();
  SetAlarm("a", seconds(2));
  auto section = Start(Get("a").Call(&Waker::Await, [](Waker& waker) -> Task<> {
    Task<> task = waker.ctx().BlockConcurrencyWhile(
        [&]() -> Task<> { co_await waker.ctx().Sleep(seconds(5)); });
    co_await std::move(task);
  }));
  while (Step() > 0) continue;
  auto waiting = Start(Get("a").Call(&Waker::Do, [](Waker&) {}));
  EXPECT_TRUE(PassUntil([&] { return counters().failed_uncounted == 1; }, seconds(1), 3));
  EXPECT_FALSE(IsDone(waiting));
  EXPECT_TRUE(PassUntil([&] { return counters().succeeded == 1; }, seconds(1), 10));
  Finish(std::move(section));
  Finish(std::move(waiting));
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_EQ(counters().failed, 0u);
}

// C217. Goal: a handler that lasts longer than 15 minutes is ended with its actor, which counts,
// and tried again; one that lasts nearly as long is not.
TEST_F(AlarmRetriesTest, AHandlerThatLastsTooLong) {
  seconds lasts = minutes(15) + seconds(1);
  int ended = 0;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    const seconds time = lasts;
    lasts -= seconds(2);
    co_await waker.ctx().Sleep(time);
    ++ended;
  };
  SetAlarm("a", seconds(1));
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 2; }, seconds(1), 1000));
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(counters().over_time, 1u);
  EXPECT_EQ(counters().failed, 1u);
  EXPECT_EQ(Waker::world.constructed, 2);
  const auto apart = duration_cast<seconds>(runs()[1].at - runs()[0].at);
  EXPECT_GE(apart, minutes(15) + seconds(2));
  EXPECT_LE(apart, minutes(15) + seconds(5));
  EXPECT_EQ(runs()[1].event.retry_count, 1);
  EXPECT_TRUE(PassUntil([&] { return counters().running == 0; }, seconds(1), 1000));
  EXPECT_EQ(ended, 1);
  EXPECT_THAT(Stored(), IsEmpty());
}

// C218. Goal: Abort in the handler is a failure like others, unless it says that the alarm is not
// to come again; one that was set meanwhile comes all the same.
TEST_F(AlarmRetriesTest, Abort) {
  abort_ = true;
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  Pass(seconds(3));
  ASSERT_EQ(runs().size(), 2u);
  EXPECT_EQ(runs()[1].event.retry_count, 1);
  forget_ = true;
  Pass(seconds(5));
  EXPECT_EQ(runs().size(), 3u);
  EXPECT_EQ(counters().given_up, 1u);
  ASSERT_EQ(GivenUp().size(), 1u);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  EXPECT_THAT(Stored(), IsEmpty());

  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    if (runs().size() > 4) co_return;
    waker.storage().SetAlarm(Now() + seconds(30));
    co_await waker.ctx().Sleep(milliseconds(1));
    waker.ctx().Abort("no more", {.retry_alarm = false});
  };
  SetAlarm("a", seconds(1));
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 4; }, seconds(1), 2));
  EXPECT_TRUE(PassUntil([&] { return runs().size() == 5; }, seconds(1), 31));
  EXPECT_EQ(runs()[4].event.retry_count, 0);
  EXPECT_EQ(counters().given_up, 1u);
  Settle();
  EXPECT_THAT(Stored(), IsEmpty());
}

// C206. Goal: a handler whose writes cannot be committed has failed, and the alarm is still there.
// Method: a constraint that is looked at when the turn ends.
TEST_F(AlarmRetriesTest, ACommitThatFails) {
  Do("a", [](Waker& waker) {
    waker.storage().sql().Exec(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        "CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)");
  });
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    if (fails_) waker.storage().sql().Exec("INSERT INTO c VALUES(1)");
    co_return;
  };
  SetAlarm("a", seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(counters().failed, 1u);
  EXPECT_TRUE(GetAlarm("a"));
  fails_ = false;
  Pass(seconds(3));
  EXPECT_EQ(runs().size(), 2u);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
}

// C274. Goal: an alarm of an object whose constructor throws is tried as often as any, and given up
// although no instance of it can be made.
TEST_F(AlarmRetriesTest, AConstructorThatThrows) {
  fails_ = false;
  SetAlarm("a", hours(1));
  Hibernate();
  Waker::world.construct = [](Waker&) { throw std::runtime_error("not today"); };
  Pass(hours(1));
  EXPECT_TRUE(PassUntil([&] { return !GivenUp().empty(); }, milliseconds(50), 10'000));
  Settle();
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(Waker::world.constructed, 1 + 7 + 1);
  EXPECT_EQ(counters().failed, 7u);
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_EQ(counters().waiting, 0u);
  Pass(hours(1));
  EXPECT_EQ(Waker::world.constructed, 1 + 7 + 1);
}

// Goal: a section that fails, or lasts too long, within a handler is the application's failure.
TEST_F(AlarmRetriesTest, SectionsThatFail) {
  Waker::world.handler = [&](Waker& waker, AlarmEvent event) -> Task<> {
    if (event.retry_count == 0) {
      co_await waker.ctx().BlockConcurrencyWhile([]() -> Task<> {
        throw std::runtime_error("it fails");
        co_return;
      });
    } else if (event.retry_count == 1) {
      co_await waker.ctx().BlockConcurrencyWhile(
          [&]() -> Task<> { co_await waker.ctx().Sleep(minutes(5)); });
    }
  };
  SetAlarm("a", seconds(1));
  EXPECT_TRUE(PassUntil([&] { return counters().succeeded == 1; }, seconds(1), 100));
  EXPECT_EQ(counters().failed, 2u);
  EXPECT_EQ(counters().failed_uncounted, 0u);
  EXPECT_EQ(runs().size(), 3u);
}

}  // namespace
}  // namespace tidemark::testing
