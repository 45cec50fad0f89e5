// The limits of a runtime: what waits for an actor, how long an event lasts, how many actors are in
// memory.

#include <gtest/gtest.h>

#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LimitsTest : public ServiceTest {
 protected:
  ~LimitsTest() override { door_.Open(); }

  // Starts a call that keeps the actor's thread until the door opens.
  std::future<void> KeepThread(const char* name) {
    auto kept = ServiceTest::Start(Get(name), &Worker::KeepThread, &door_);
    while (door_.waiting() == 0) std::this_thread::yield();
    return kept;
  }
  void WaitUntilWaiting(const char* calls) {
    while (Metric("tidemark_actor_waiting_calls{namespace=\"WORKER\"}") != calls) {
      std::this_thread::yield();
    }
  }

  Door door_;
};

// Goal: a thousand calls may wait for one actor; all come to it, in order, and none is refused.
TEST_F(LimitsTest, AThousandCallsOnOneActor) {
  auto kept = KeepThread("home");
  Stub<Worker> stub = Get("home");
  std::vector<Task<int64_t>> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back(stub.Call(&Worker::Add, 1));
  EXPECT_EQ(Metric("tidemark_actor_waiting_calls{namespace=\"WORKER\"}"), "1000");
  EXPECT_EQ(Metric("tidemark_actor_most_waiting_calls{namespace=\"WORKER\"}"), "1000");
  door_.Open();
  const auto work = [&]() -> Task<> {
    for (int64_t i = 0; i < 1000; ++i) {
      const int64_t total = co_await std::move(calls[size_t(i)]);
      EXPECT_EQ(total, i + 1);
    }
  };
  auto done = boost::asio::co_spawn(context_, work(), boost::asio::use_future);
  context_.run();
  done.get();
}

// C327. Goal: what is too much is refused as overloaded, at once, and what waited before is not
// touched. Method: one too many; too many bytes, in each kind of argument.
TEST_F(LimitsTest, OverloadByCountAndBytes) {
  RuntimeOptions options = Options();
  options.most_waiting_calls = 3;
  options.most_waiting_bytes = 100'000;
  Start(options);
  auto kept = KeepThread("home");
  const auto length = [&](size_t bytes) {
    return ServiceTest::Start(Get("home"), &Worker::Length, std::string(bytes, 'x'));
  };
  auto large = length(60'000);
  WaitUntilWaiting("1");
  const ActorError by_bytes = ErrorOf([&] { length(60'000).get(); });
  EXPECT_TRUE(by_bytes.overloaded());
  EXPECT_FALSE(by_bytes.retryable() || by_bytes.reset() || by_bytes.remote());
  EXPECT_EQ(by_bytes.object_id(), workers_->IdFromName("home").object);
  EXPECT_NE(std::string(by_bytes.what()).find("too much data"), std::string::npos);
  auto second = length(10);
  auto third = length(20);
  WaitUntilWaiting("3");
  const ActorError by_count = ErrorOf([&] { length(1).get(); });
  EXPECT_TRUE(by_count.overloaded());
  EXPECT_NE(std::string(by_count.what()).find("too many calls"), std::string::npos);
  EXPECT_EQ(Get("other").CallBlocking(&Worker::Live), 1) << "nobody else is affected";
  door_.Open();
  EXPECT_EQ(large.get(), 60'000u);
  EXPECT_EQ(second.get() + third.get(), 30u);
  EXPECT_EQ(length(1'000'000).get(), 1'000'000u) << "one alone comes in";
  const auto overloads = [&](const std::string& reason) {
    return Metric("tidemark_actor_overloads_total{namespace=\"WORKER\",reason=\"" + reason + "\"}");
  };
  EXPECT_EQ(overloads("bytes"), "1");
  EXPECT_EQ(overloads("count"), "1");
  EXPECT_EQ(LoggedAs("overloaded").size(), 2u);
}

// Goal: calls that wait for more than ten seconds fail as overloaded, and are never made: behind a
// section, and behind code that keeps its thread. Those that waited for less are made.
TEST_F(LimitsTest, OverloadByAge) {
  const auto expect_old = [](std::future<int64_t> call) {
    const ActorError error = ErrorOf([&] { call.get(); });
    EXPECT_TRUE(error.overloaded());
    EXPECT_NE(std::string(error.what()).find("too long"), std::string::npos) << error.what();
  };
  auto section = ServiceTest::Start(Get("a"), &Worker::SleepAlone, seconds(15));
  while (Worker::sleeping < 1) std::this_thread::yield();
  auto kept = KeepThread("b");
  auto old_a = ServiceTest::Start(Get("a"), &Worker::Add, 1);
  auto old_b = ServiceTest::Start(Get("b"), &Worker::Add, 1);
  WaitUntilWaiting("2");
  Pass(seconds(6));
  auto young_a = ServiceTest::Start(Get("a"), &Worker::Add, 10);
  auto young_b = ServiceTest::Start(Get("b"), &Worker::Add, 10);
  WaitUntilWaiting("4");
  Pass(seconds(5));
  expect_old(std::move(old_a));
  expect_old(std::move(old_b));
  WaitUntilWaiting("2");
  door_.Open();
  kept.get();
  EXPECT_EQ(young_b.get(), 10);
  Pass(seconds(5));
  section.get();
  EXPECT_EQ(young_a.get(), 10);
  EXPECT_EQ(Metric("tidemark_actor_overloads_total{namespace=\"WORKER\",reason=\"age\"}"), "2");
}

// Goal: an event that lasts too long resets its actor, and all who wait for it hear of that; one
// that ends in time does not, nor is anybody else affected.
TEST_F(LimitsTest, EventsThatLastTooLong) {
  RuntimeOptions options = Options();
  options.event_limit = seconds(60);
  Start(options);
  EXPECT_EQ(Get("home").CallBlocking(&Worker::Live), 1);
  auto in_time = ServiceTest::Start(Get("other"), &Worker::SleepFor, seconds(50));
  auto late = ServiceTest::Start(Get("home"), &Worker::SleepFor, seconds(1000));
  while (Worker::sleeping < 2) std::this_thread::yield();
  Get("home").CallBlocking(&Worker::Total);  // behind the turn in which it fell asleep
  Pass(seconds(50));
  EXPECT_EQ(in_time.get(), 1);
  EXPECT_FALSE(IsDone(late));
  Pass(seconds(11));
  const ActorError error = ErrorOf([&] { late.get(); });
  EXPECT_TRUE(error.reset());
  EXPECT_EQ(error.code(), StatusCode::kLimitExceeded);
  EXPECT_NE(std::string(error.what()).find("60000 ms"), std::string::npos) << error.what();
  EXPECT_EQ(Get("home").CallBlocking(&Worker::Live), 1);
  Pass(seconds(100));
  EXPECT_EQ(Get("other").CallBlocking(&Worker::Total), 0);
  ASSERT_EQ(LoggedAs("reset").size(), 1u);
  EXPECT_EQ(LoggedAs("reset")[0].fields, "reason=event_limit ");
}

// Goal: code that keeps its thread is seen while it does, once; others go on meanwhile.
TEST_F(LimitsTest, CodeThatKeepsItsThread) {
  auto kept = KeepThread("home");
  Pass(milliseconds(900));
  Pass(milliseconds(1200));
  Pass(seconds(1));
  EXPECT_EQ(Get("other").CallBlocking(&Worker::Live), 1);
  const std::vector<Logged> logged = LoggedAs("thread_blocked");
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].object_name, "home");
  EXPECT_EQ(logged[0].fields, "ms=2100 ");
  EXPECT_EQ(Metric("tidemark_actor_blocked_threads_total{namespace=\"WORKER\"}"), "1");
  door_.Open();
  kept.get();
  Get("home").CallBlocking(&Worker::Live);
  Pass(seconds(5));
  EXPECT_EQ(LoggedAs("thread_blocked").size(), 1u);
}

// Goal: beyond the cap the least recently used actor goes, unless it is busy. Method: four places;
// one is used again, one sleeps.
TEST_F(LimitsTest, TheLeastRecentlyUsedGo) {
  RuntimeOptions options = Options();
  options.most_resident = 4;
  Start(options);
  const auto live = [&](const char* name) {
    clock_.Advance(milliseconds(10));  // without RunDue: only the cap lets anybody go
    return Get(name).CallBlocking(&Worker::Live);
  };
  auto busy = ServiceTest::Start(Get("busy"), &Worker::SleepFor, seconds(5));
  while (Worker::sleeping < 1) std::this_thread::yield();
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(live(name), 1);
  EXPECT_EQ(live("a"), 2);
  EXPECT_EQ(live("d"), 1);  // "busy" is the oldest, and stays
  EXPECT_EQ(runtime_->resident_count(), 5u);
  EXPECT_EQ(live("e"), 1);  // so two are too many: "b" goes
  while (runtime_->resident_count() > 5) std::this_thread::yield();
  EXPECT_EQ(Metric("tidemark_actor_hibernations_total{namespace=\"WORKER\",reason=\"cap\"}"), "1");
  EXPECT_EQ(live("a"), 3);
  EXPECT_EQ(live("c"), 2);
  EXPECT_EQ(live("d"), 2);
  EXPECT_EQ(live("e"), 2);
  Pass(seconds(6));
  EXPECT_EQ(busy.get(), 1);
  EXPECT_EQ(live("b"), 1) << "it had gone";
}

// Goal: many more actors than the cap come and go, and what they wrote stays.
TEST_F(LimitsTest, ManyMoreThanTheCap) {
  RuntimeOptions options = Options();
  options.most_resident = 20;
  Start(options);
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 200; ++i) {
      clock_.Advance(milliseconds(1));
      EXPECT_EQ(Get(std::to_string(i)).CallBlocking(&Worker::Add, 1), round);
    }
  }
  while (runtime_->resident_count() > 20) Pass(seconds(1));
}

}  // namespace
}  // namespace tidemark::testing
