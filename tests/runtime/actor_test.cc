// Actors as their callers see them: calls, order, gates, resets, hibernation.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "runtime/runtime.h"
#include "tests/runtime/worker.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

struct OutOfStock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::atomic<int> constructed = 0;
std::atomic<bool> constructor_throws = false;

class Counter : public Worker {
 public:
  explicit Counter(ActorState& ctx) : Worker(ctx) {
    ++constructed;
    if (constructor_throws) throw std::runtime_error("not today");
    ctx.storage().sql().Exec("CREATE TABLE IF NOT EXISTS log(text TEXT)");
  }

  // Reads, awaits another actor, writes what it read and one more.
  Task<int64_t> IncrementAcross(Stub<Counter> other) {
    const int64_t total = Total();
    co_await other.Call(&Counter::Live);
    ctx().storage().kv().Put("total", total + 1);
    co_return total + 1;
  }
  // The same, with everybody else held back.
  Task<int64_t> IncrementAcrossAlone(Stub<Counter> other) {
    co_return co_await ctx().BlockConcurrencyWhile(
        [&]() -> Task<int64_t> { return IncrementAcross(other); });
  }
  Task<> Nest(int deep) {
    if (deep == 0) co_return;
    co_await ctx().BlockConcurrencyWhile([&]() -> Task<> { return Nest(deep - 1); });
  }
  void Throw() {
    ctx().storage().kv().Put("total", int64_t{77});
    throw OutOfStock("no books left");
  }
  Task<> ThrowLater(Stub<Counter> other) {
    co_await other.Call(&Counter::Live);
    throw OutOfStock("no books left");
  }
  void LiveLater(int seconds) {
    ctx().WaitUntil([](Counter* self, int after) -> Task<> {
      co_await self->ctx().Sleep(std::chrono::seconds(after));
      self->Live();
      throw std::runtime_error("nobody hears of this");
    }(this, seconds));
  }
  Task<> FailAlone() {
    co_await ctx().BlockConcurrencyWhile([]() -> Task<> {
      throw std::runtime_error("the migration failed");
      co_return;
    });
  }
  int64_t AbortNow(std::string reason) {
    ctx().storage().kv().Put("total", int64_t{99});
    try {
      ctx().Abort(reason);
    } catch (...) {
      return 99;  // code that returns all the same
    }
  }
  Task<std::string> Fetch(std::string request) override { co_return "you said " + request; }
};

class ActorTest : public ::testing::Test {
 protected:
  ActorTest() {
    constructed = 0;
    constructor_throws = false;
    store_ = *Store::Open(directory_ / "store", {.create_if_missing = true});
    Start();
  }

  void Start(RuntimeOptions options = {.threads = 2}) {
    runtime_.reset();
    runtime_ = std::make_unique<Runtime>(*store_, options);
    counters_.emplace(runtime_->Define<Counter>("COUNTER"));
  }

  Stub<Counter> Get(const char* name) { return counters_->GetByName(name); }

  // What the store tells actors comes from a thread of its own, so the context may have nothing to
  // do for a while.
  template <typename Future>
  auto RunUntilReady(Future& future) {
    while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      context_.restart();
      context_.poll();
    }
    return future.get();
  }

  // What a task gives that runs outside of actors.
  template <typename R>
  R Run(Task<R> task) {
    auto future = boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future);
    context_.restart();
    context_.run();
    return future.get();
  }

  ManualClock clock_;
  boost::asio::io_context context_;  // outlives the actors that post to it
  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Runtime> runtime_;
  std::optional<ObjectNamespace<Counter>> counters_;
};

// C257. Goal: ids and stubs start nothing; the first call does.
TEST_F(ActorTest, AStubStartsNothing) {
  Stub<Counter> stub = Get("home");
  counters_->NewUniqueId();
  EXPECT_EQ(constructed, 0);
  EXPECT_EQ(runtime_->resident_count(), 0u);
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 1);
  EXPECT_EQ(constructed, 1);
}

// C256, C259. Goal: a name is one object, two names are two, and their storage outlives the
// runtime.
TEST_F(ActorTest, NamesAreObjects) {
  EXPECT_EQ(Get("a").CallBlocking(&Counter::Add, 1), 1);
  EXPECT_EQ(Get("b").CallBlocking(&Counter::Add, 10), 10);
  EXPECT_EQ(counters_->Get(counters_->IdFromName("a")).CallBlocking(&Counter::Add, 1), 2);
  EXPECT_EQ(Get("a").CallBlocking(&Counter::Name), "a");
  Start();
  EXPECT_EQ(Get("a").CallBlocking(&Counter::Total), 2);
  EXPECT_EQ(Get("b").CallBlocking(&Counter::Total), 10);
}

// Goal: coroutines call actors, and actors each other. Method: a coroutine outside, an actor that
// awaits another; text to Fetch.
TEST_F(ActorTest, Coroutines) {
  const auto work = [&]() -> Task<int64_t> {
    Stub<Counter> a = Get("a");
    co_await a.Call(&Counter::Add, 5);
    EXPECT_EQ(co_await a.Fetch("hello"), "you said hello");
    co_return co_await a.Call(&Counter::IncrementAcross, Get("b"));
  };
  EXPECT_EQ(Run(work()), 6);
}

// Goal: calls of one stub arrive in order, those that are coroutines and those that are not.
// Method: many of both, not awaited one by one.
TEST_F(ActorTest, CallsOfAStubStayInOrder) {
  const auto work = [&]() -> Task<> {
    Stub<Counter> stub = Get("home");
    std::vector<Task<int64_t>> calls;
    for (int i = 0; i < 200; ++i) {
      if (i % 3 == 0) {
        calls.push_back(stub.Call(&Counter::IncrementAcrossAlone, Get("other")));
      } else {
        calls.push_back(stub.Call(&Counter::Add, 1));
      }
    }
    for (int64_t i = 0; i < 200; ++i) EXPECT_EQ(co_await std::move(calls[size_t(i)]), i + 1);
  };
  Run(work());
}

// C239. Goal: calls interleave where one awaits another actor: an update is lost. And with
// BlockConcurrencyWhile none is. Method: the other one answers nobody until both have read.
TEST_F(ActorTest, AwaitsInterleaveUnlessHeldBack) {
  const auto work = [&]() -> Task<> {
    Stub<Counter> stub = Get("home");
    auto held = Get("other").Call(&Counter::SleepAlone, std::chrono::seconds(1));
    auto first = stub.Call(&Counter::IncrementAcross, Get("other"));
    auto second = stub.Call(&Counter::IncrementAcross, Get("other"));
    co_await stub.Call(&Counter::Live);  // behind both
    clock_.Advance(std::chrono::seconds(1));
    runtime_->RunDue();
    co_await std::move(held);
    EXPECT_EQ(co_await std::move(first), 1);
    EXPECT_EQ(co_await std::move(second), 1);
    auto third = stub.Call(&Counter::IncrementAcrossAlone, Get("other"));
    auto fourth = stub.Call(&Counter::IncrementAcrossAlone, Get("other"));
    EXPECT_EQ(co_await std::move(third), 2);
    EXPECT_EQ(co_await std::move(fourth), 3);
  };
  // On one thread, where it is known what comes behind what.
  Start({.executor = context_.get_executor(), .clock = &clock_});
  auto done = boost::asio::co_spawn(context_, work(), boost::asio::use_future);
  RunUntilReady(done);
  auto ended = std::async(std::launch::async, [this] { runtime_.reset(); });
  RunUntilReady(ended);
}

// C234. Goal: critical sections may be nested 64 deep; deeper ones are refused, and the actor goes
// on only if that was not in one.
TEST_F(ActorTest, NestedSections) {
  Stub<Counter> stub = Get("home");
  stub.CallBlocking(&Counter::Nest, 64);
  const ActorError error = ErrorOf([&] { stub.CallBlocking(&Counter::Nest, 65); });
  EXPECT_NE(std::string(error.what()).find("64"), std::string::npos) << error.what();
}

// C327, C328, C331. Goal: an exception of the actor's code comes to the caller, as what it was,
// with the actor's id; what was written before it stays; the stub and the actor live on.
TEST_F(ActorTest, ExceptionsOfTheApplication) {
  Stub<Counter> stub = Get("home");
  const auto expect = [&](const ActorError& error) {
    EXPECT_TRUE(error.remote());
    EXPECT_FALSE(error.reset() || error.overloaded() || error.retryable());
    EXPECT_STREQ(error.what(), "no books left");
    EXPECT_EQ(error.object_id(), stub.id().object);
    ASSERT_NE(error.cause(), nullptr);
    EXPECT_THROW(std::rethrow_exception(error.cause()), OutOfStock);
  };
  expect(ErrorOf([&] { stub.CallBlocking(&Counter::Throw); }));
  EXPECT_EQ(stub.CallBlocking(&Counter::Total), 77);
  expect(ErrorOf([&] { stub.CallBlocking(&Counter::ThrowLater, Get("other")); }));
  const ActorError number = ErrorOf([&] { stub.CallBlocking(&Counter::ThrowNumber); });
  EXPECT_NE(std::string(number.what()).find("internal error"), std::string::npos);
  EXPECT_EQ(constructed, 2);
}

// C263, C276, C333. Goal: Abort drops what was not committed, cannot be caught so that something
// gets out, and breaks the stub for ever; a new one works.
TEST_F(ActorTest, Abort) {
  Stub<Counter> stub = Get("home");
  stub.CallBlocking(&Counter::Add, 5);
  const ActorError error = ErrorOf([&] { stub.CallBlocking(&Counter::AbortNow, "enough"); });
  EXPECT_TRUE(error.reset());
  EXPECT_STREQ(error.what(), "enough");
  for (int i = 0; i < 2; ++i) {
    const ActorError again = ErrorOf([&] { stub.CallBlocking(&Counter::Total); });
    EXPECT_STREQ(again.what(), "enough");
    EXPECT_EQ(Get("home").CallBlocking(&Counter::Total), 5);
  }
  const ActorError by_default = ErrorOf([&] { Get("home").CallBlocking(&Counter::AbortNow, ""); });
  EXPECT_NE(std::string(by_default.what()).find("Abort()"), std::string::npos);
}

// C232. Goal: a section that fails resets the actor; whoever waits behind it gets the error.
TEST_F(ActorTest, AFailedSectionResets) {
  const auto work = [&]() -> Task<> {
    Stub<Counter> stub = Get("home");
    co_await stub.Call(&Counter::Live);
    auto fails = stub.Call(&Counter::FailAlone);
    auto behind = stub.Call(&Counter::Live);
    for (auto* call : {&behind}) {
      try {
        co_await std::move(*call);
        ADD_FAILURE() << "it went on";
      } catch (const ActorError& error) {
        EXPECT_STREQ(error.what(), "the migration failed");
      }
    }
    try {
      co_await std::move(fails);
      ADD_FAILURE() << "it went on";
    } catch (const ActorError& error) {
      EXPECT_STREQ(error.what(), "the migration failed");
    }
    EXPECT_EQ(co_await Get("home").Call(&Counter::Live), 1);
  };
  Run(work());
}

// C274. Goal: a constructor that throws fails the event, and the next one tries again, by the same
// stub.
TEST_F(ActorTest, AConstructorThatThrows) {
  constructor_throws = true;
  Stub<Counter> stub = Get("home");
  const ActorError error = ErrorOf([&] { stub.CallBlocking(&Counter::Live); });
  EXPECT_STREQ(error.what(), "not today");
  constructor_throws = false;
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 1);
  EXPECT_EQ(constructed, 2);
}

// C271. Goal: an idle actor leaves memory, and its storage stays; the same stub wakes it. Method: a
// manual clock.
TEST_F(ActorTest, Hibernation) {
  Start({.threads = 2, .clock = &clock_});
  Stub<Counter> stub = Get("home");
  stub.CallBlocking(&Counter::Add, 3);
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 1);
  clock_.Advance(std::chrono::seconds(9));
  runtime_->RunDue();
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 2);
  clock_.Advance(std::chrono::seconds(11));
  runtime_->RunDue();
  while (runtime_->resident_count() > 0) std::this_thread::yield();
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 1);
  EXPECT_EQ(stub.CallBlocking(&Counter::Total), 3);
}

// Goal: an actor that did nothing for a second has given back what memory it can, is still the same
// instance, and goes on as if nothing had been. Method: a manual clock; SQLite counts its memory.
TEST_F(ActorTest, IdleActorsGiveMemoryBack) {
  Start({.executor = context_.get_executor(), .clock = &clock_});
  Stub<Counter> stub = Get("home");
  const auto call = [&](auto method, auto... args) {
    auto done =
        boost::asio::co_spawn(context_, stub.Call(method, args...), boost::asio::use_future);
    return RunUntilReady(done);
  };
  EXPECT_EQ(call(&Counter::Add, 3), 3);
  EXPECT_EQ(call(&Counter::Live), 1);
  const auto memory_behind = [&](std::chrono::milliseconds time) {
    clock_.Advance(time);
    runtime_->RunDue();
    context_.restart();
    context_.poll();
    return sqlite3_memory_used();
  };
  const int64_t before = memory_behind(std::chrono::milliseconds(0));
  EXPECT_LT(memory_behind(std::chrono::milliseconds(1100)), before - 1000);
  EXPECT_EQ(call(&Counter::Live), 2);
  EXPECT_EQ(call(&Counter::Add, 3), 6);
  EXPECT_LT(memory_behind(std::chrono::milliseconds(1100)), before - 1000) << "the second time";
  auto ended = std::async(std::launch::async, [this] { runtime_.reset(); });
  RunUntilReady(ended);
}

// C273. Goal: what waits for time keeps its actor in memory, and is resumed when it has passed;
// others come in meanwhile. Then the actor goes. Method: a manual clock; a call that sleeps, and a
// task that nobody waits for, which throws in the end.
TEST_F(ActorTest, Timers) {
  Start({.threads = 2, .clock = &clock_, .longest_wait = std::chrono::hours(10'000)});
  Stub<Counter> stub = Get("home");
  stub.CallBlocking(&Counter::LiveLater, 30);
  std::future<int64_t> slept = std::async(std::launch::async, [other = stub]() mutable {
    return other.CallBlocking(&Counter::SleepFor, std::chrono::seconds(20));
  });
  const auto pass = [&](int seconds) {
    clock_.Advance(std::chrono::seconds(seconds));
    runtime_->RunDue();
  };
  while (slept.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    pass(1);
    std::this_thread::yield();
  }
  EXPECT_GE(slept.get(), 1);
  while (runtime_->resident_count() > 0) pass(1);
  EXPECT_EQ(stub.CallBlocking(&Counter::Live), 1) << "it was still the same instance";
}

// C236. Goal: a section that lasts too long resets the actor, and says that it is overloaded.
TEST_F(ActorTest, ASectionThatLastsTooLong) {
  Start({.threads = 2, .clock = &clock_, .longest_wait = std::chrono::hours(10'000)});
  Stub<Counter> stub = Get("home");
  auto blocked = std::async(std::launch::async, [stub]() mutable {
    stub.CallBlocking(&Counter::SleepAlone, std::chrono::hours(1000));
  });
  while (blocked.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    clock_.Advance(std::chrono::seconds(1));
    runtime_->RunDue();
  }
  const ActorError error = ErrorOf([&] { blocked.get(); });
  EXPECT_TRUE(error.overloaded());
  EXPECT_NE(std::string(error.what()).find("30000 ms"), std::string::npos) << error.what();
  EXPECT_EQ(Get("home").CallBlocking(&Counter::Live), 1);
}

// Goal: what an actor must not do is refused: to block on another one; and after shutdown a call
// fails as one that may be tried again.
TEST_F(ActorTest, AfterShutdown) {
  Stub<Counter> stub = Get("home");
  stub.CallBlocking(&Counter::Add, 1);
  runtime_->Shutdown();
  EXPECT_TRUE(ErrorOf([&] { stub.CallBlocking(&Counter::Live); }).retryable());
  EXPECT_TRUE(ErrorOf([&] { Get("other").CallBlocking(&Counter::Live); }).retryable());
}

// C254. Goal: an object without a name keeps what is its own, and knows no name; one that has a
// name is the same by its digits, also if those came first. Method: each by its id, in one runtime
// and the next.
TEST_F(ActorTest, ById) {
  const ActorId unique = counters_->NewUniqueId();
  const ActorId named = counters_->IdFromName("home");
  const ActorId digits = counters_->IdFromString(named.ToString());
  EXPECT_EQ(counters_->Get(unique).CallBlocking(&Counter::Add, 7), 7);
  EXPECT_EQ(counters_->Get(unique).CallBlocking(&Counter::Name), "none");
  EXPECT_EQ(counters_->Get(named).CallBlocking(&Counter::Add, 1), 1);
  EXPECT_EQ(counters_->Get(digits).CallBlocking(&Counter::Add, 1), 2);
  Start();
  EXPECT_EQ(counters_->Get(unique).CallBlocking(&Counter::Total), 7);
  EXPECT_EQ(counters_->Get(digits).CallBlocking(&Counter::Total), 2);
  EXPECT_EQ(
      counters_->Get(counters_->IdFromString(unique.ToString())).CallBlocking(&Counter::Total), 7);
}

// C251, C252. Goal: bad ids are refused, with the words of the semantics.
TEST_F(ActorTest, Ids) {
  const ActorId id = counters_->IdFromName("home");
  EXPECT_EQ(counters_->IdFromString(id.ToString()), id);
  EXPECT_NE(counters_->NewUniqueId(), counters_->NewUniqueId());
  EXPECT_FALSE(counters_->NewUniqueId().name);
  const auto other = runtime_->Define<Counter>("OTHER");
  const auto expect = [&](const std::string& text, const char* words) {
    try {
      counters_->IdFromString(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  expect(id.ToString().substr(1), "64 hex digits");
  expect(id.ToString() + "0", "64 hex digits");
  expect("x" + id.ToString().substr(1), "64 hex digits");
  expect(other.IdFromName("home").ToString(), "not valid for this namespace");
  EXPECT_THROW(counters_->Get(other.IdFromName("home")), Error);
  EXPECT_THROW(runtime_->Define<Counter>("COUNTER"), Error);
}

}  // namespace
}  // namespace tidemark::testing
