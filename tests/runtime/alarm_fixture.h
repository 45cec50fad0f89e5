// Actors with alarms, on one thread, a simulated disk and a manual clock.

#ifndef TIDEMARK_TESTS_RUNTIME_ALARM_FIXTURE_H_
#define TIDEMARK_TESTS_RUNTIME_ALARM_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "runtime/runtime.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

// What its handler does is the test's to say.
class Waker : public Actor {
 public:
  struct Run {
    std::string actor;
    AlarmEvent event;
    Timestamp at;
  };
  struct World {
    const Clock* clock = nullptr;
    std::function<void(Waker&)> construct{};
    std::function<Task<>(Waker&, AlarmEvent)> handler{};
    std::vector<Run> runs{};
    int constructed = 0;
  };
  static World world;

  explicit Waker(ActorState& state) : Actor(state) {
    ++world.constructed;
    if (world.construct) world.construct(*this);
  }
  using Actor::ctx;
  ObjectStorage& storage() { return ctx().storage(); }

  void Do(std::function<void(Waker&)> call) { call(*this); }
  Task<> Await(std::function<Task<>(Waker&)> call) {  // a coroutine, which keeps it
    Task<> task = call(*this);
    co_await std::move(task);
  }

  Task<> OnAlarm(AlarmEvent event) override {
    world.runs.push_back({ctx().id().name.value_or("none"), event, world.clock->Now()});
    if (world.handler) {
      Task<> handled = world.handler(*this, event);
      co_await std::move(handled);
    }
  }
};

inline Waker::World Waker::world;

class AlarmFixture : public ::testing::Test {
 protected:
  explicit AlarmFixture(uint64_t seed = TestSeed()) : sim_(seed) {
    Waker::world = {.clock = &sim_.clock()};
    EXPECT_OK(sim_.Open());
    options_ = {.executor = context_.get_executor(), .clock = &sim_.clock()};
    StartRuntime();
  }
  ~AlarmFixture() override {
    StopRuntime();
    Waker::world = {};
  }

  void StartRuntime() {
    runtime_.emplace(sim_.store(), options_);
    wakers_.emplace(runtime_->Define<Waker>("WAKER"));
    while (Step() > 0) continue;
  }
  void StopRuntime() {
    if (!runtime_) return;
    auto ended = std::async(std::launch::async, [this] { runtime_.reset(); });
    while (!IsDone(ended)) Step();
    while (Step() > 0) continue;
  }
  void Reopen() {
    StopRuntime();
    EXPECT_OK(sim_.Close());
    EXPECT_OK(sim_.Open());
    StartRuntime();
  }

  Timestamp Now() const { return clock().Now(); }
  ManualClock& clock() const { return const_cast<SimStore&>(sim_).clock(); }
  AlarmCounters counters() const { return runtime_->alarm_counters(); }
  std::vector<Waker::Run>& runs() { return Waker::world.runs; }
  Stub<Waker> Get(const std::string& name) { return wakers_->GetByName(name); }

  size_t Step() {
    context_.restart();
    return context_.poll();
  }
  // Until it has told what is durable by now.
  void WaitForStore() {
    std::promise<void> told;
    const auto tell = [&told](const Status&) { told.set_value(); };
    if (sim_.store().NotifyDurable(sim_.store().Stats().last_lsn, tell).ok()) {
      told.get_future().wait();
    }
  }
  template <typename R>
  bool IsDone(const std::future<R>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  // Until nothing is left to do but to wait for time. What the store tells comes from its threads.
  void Settle() {
    while (Step() > 0 || counters().running > 0) continue;
  }
  // Time passes, and all of what is due then is done.
  void Pass(std::chrono::microseconds time) {
    clock().Advance(time);
    runtime_->RunDue();
    Settle();
  }
  // Time passes by steps, until `done`; false if it is not within so many.
  template <typename Done>
  bool PassUntil(Done done, std::chrono::microseconds step, int most) {
    for (int i = 0; i < most; ++i) {
      if (done()) return true;
      clock().Advance(step);
      runtime_->RunDue();
      while (Step() > 0) WaitForStore();
    }
    return done();
  }
  template <typename R>
  std::future<R> Start(Task<R> task) {
    return boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future);
  }
  template <typename R>
  R Finish(std::future<R> future) {
    while (!IsDone(future)) Step();
    return future.get();
  }
  // In a turn of the actor.
  void Do(const std::string& name, std::function<void(Waker&)> call) {
    Finish(Start(Get(name).Call(&Waker::Do, std::move(call))));
  }
  void SetAlarm(const std::string& name, std::chrono::microseconds in) {
    Do(name, [&](Waker& waker) { waker.storage().SetAlarm(Now() + in); });
  }
  std::optional<Timestamp> GetAlarm(const std::string& name, const char* alarm = kDefaultAlarm) {
    std::optional<Timestamp> time;
    Do(name, [&](Waker& waker) { time = waker.storage().GetAlarm(alarm); });
    return time;
  }
  void Hibernate() {
    while (runtime_->resident_count() > 0) {
      clock().Advance(std::chrono::seconds(11));
      runtime_->RunDue();
      Settle();
    }
  }
  // As the store's list has them.
  std::vector<Timestamp> Stored() {
    std::vector<Timestamp> due;
    EXPECT_OK(sim_.store().ListAlarms(
        [&](const DueAlarm& alarm) {
          due.push_back(alarm.due);
          return true;
        },
        Timestamp::max()));
    return due;
  }

  boost::asio::io_context context_;  // outlives the actors that post to it
  SimStore sim_;
  RuntimeOptions options_;
  std::optional<Runtime> runtime_;
  std::optional<ObjectNamespace<Waker>> wakers_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_ALARM_FIXTURE_H_
