// What Asio sees of an actor, its executor: who keeps the actor in memory by it, and who does not.

#include <atomic>
#include <memory>
#include <utility>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

using boost::asio::any_io_executor;
using boost::asio::steady_timer;
using std::chrono::seconds;

// Has a timer as a member, as a client of some protocol would.
class Clockwork : public Actor {
 public:
  explicit Clockwork(ActorState& ctx) : Actor(ctx), timer_(ctx.executor()) { ++living; }
  ~Clockwork() override { --living; }
  static inline std::atomic<int> living = 0;
  static inline std::atomic<int> woken = 0;

  // Until it is cancelled.
  void Wait() {
    timer_.expires_at(steady_timer::time_point::max());
    timer_.async_wait([this](const boost::system::error_code&) { Wake(); });
  }
  void WaitInACoroutine() {
    boost::asio::co_spawn(ctx().executor(), AwaitTimer(), boost::asio::detached);
  }
  // On a timer that is not the actor's.
  void WaitOutside(steady_timer* timer) {
    timer->expires_at(steady_timer::time_point::max());
    timer->async_wait(boost::asio::bind_executor(
        ctx().executor(), [this](const boost::system::error_code&) { Wake(); }));
  }
  void Cancel() { timer_.cancel(); }
  void Abort() { ctx().Abort("enough"); }
  any_io_executor Executor() { return ctx().executor(); }
  int Woken() { return woken; }

 private:
  void Wake() {
    ctx().storage().kv().Put("woken", ++woken);  // it is a turn: it has storage
  }
  Task<> AwaitTimer() {
    timer_.expires_at(steady_timer::time_point::max());
    try {
      co_await timer_.async_wait(boost::asio::use_awaitable);
    } catch (const boost::system::system_error&) {
    }
    Wake();
  }

  steady_timer timer_;
};

class ExecutorTest : public ServiceTest {
 protected:
  ExecutorTest() {
    Clockwork::woken = 0;
    Define();
  }
  ~ExecutorTest() override {
    clocks_.reset();
    runtime_.reset();
    EXPECT_EQ(Clockwork::living, 0);
  }
  void Define() { clocks_.emplace(runtime_->Define<Clockwork>("CLOCK")); }
  Stub<Clockwork> GetClock() { return clocks_->GetByName("a"); }

  // Often enough for whoever could leave; none has come to its end until what it was asked has.
  void PassAndExpectToStay() {
    for (int i = 0; i < 5; ++i) Pass(seconds(11));
    GetClock().CallBlocking(&Clockwork::Woken);
    EXPECT_EQ(Clockwork::living, 1);
    EXPECT_EQ(Metric("tidemark_actor_starts_total{namespace=\"CLOCK\"}"), "1");
  }

  std::optional<ObjectNamespace<Clockwork>> clocks_;
};

// Goal: a timer that is a member of an actor does not keep it in memory while nobody waits for it,
// before it is used and behind that; while somebody does the actor stays.
TEST_F(ExecutorTest, ATimerKeepsItsActorWhileSomebodyWaits) {
  GetClock().CallBlocking(&Clockwork::Woken);
  Hibernate();
  EXPECT_EQ(Clockwork::living, 0);
  for (const auto wait : {&Clockwork::Wait, &Clockwork::WaitInACoroutine}) {
    Start();
    Define();
    const int woken = Clockwork::woken;
    GetClock().CallBlocking(wait);
    PassAndExpectToStay();
    EXPECT_EQ(Clockwork::woken, woken);
    GetClock().CallBlocking(&Clockwork::Cancel);
    Hibernate();
    EXPECT_EQ(Clockwork::woken, woken + 1);
    EXPECT_EQ(Clockwork::living, 0);
  }
}

// Goal: so does what somebody else's timer completes on the actor's executor.
TEST_F(ExecutorTest, ACompletionElsewhereKeepsTheActor) {
  steady_timer timer(context_);
  GetClock().CallBlocking(&Clockwork::WaitOutside, &timer);
  PassAndExpectToStay();
  timer.cancel();
  context_.run();
  Hibernate();
  EXPECT_EQ(Clockwork::woken, 1);
}

// Goal: whoever merely holds the executor keeps no actor; a work guard does. What is given to the
// executor of an actor that left is dropped, and so is what comes when the runtime has ended: it
// holds nothing that would never go. Method: LeakSanitizer looks at the end, too.
TEST_F(ExecutorTest, WhoeverHoldsTheExecutor) {
  std::optional executor(GetClock().CallBlocking(&Clockwork::Executor));
  auto guard = std::make_optional(boost::asio::make_work_guard(*executor));
  PassAndExpectToStay();
  bool ran = false;
  boost::asio::post(*executor, [&] { ran = true; });
  GetClock().CallBlocking(&Clockwork::Woken);
  EXPECT_TRUE(ran);
  guard.reset();
  Hibernate();
  EXPECT_EQ(Clockwork::living, 0);

  const auto post = [&] {
    auto held = std::make_shared<int>(0);
    boost::asio::post(*executor, [held] { ADD_FAILURE() << "of an actor that is over"; });
    return std::weak_ptr<int>(held);
  };
  // By whoever is on its way out of the actor, if somebody is; else at once.
  const std::weak_ptr<int> dropped = post();
  while (!dropped.expired()) std::this_thread::yield();
  clocks_.reset();
  runtime_.reset();
  EXPECT_TRUE(post().expired());
}

// Goal: an actor that was reset is destroyed although a member of it holds its executor; one whose
// code awaits something is when that has ended, and the code is not resumed.
TEST_F(ExecutorTest, AResetDestroysTheActor) {
  EXPECT_THROW(GetClock().CallBlocking(&Clockwork::Abort), ActorError);
  while (Clockwork::living > 0) std::this_thread::yield();

  steady_timer timer(context_);
  GetClock().CallBlocking(&Clockwork::WaitOutside, &timer);
  EXPECT_THROW(GetClock().CallBlocking(&Clockwork::Abort), ActorError);
  EXPECT_EQ(Clockwork::living, 1);
  timer.cancel();
  context_.run();
  while (Clockwork::living > 0) std::this_thread::yield();
  EXPECT_EQ(Clockwork::woken, 0);
}

}  // namespace
}  // namespace tidemark::testing
