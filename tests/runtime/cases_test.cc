// Single cases of the semantics: what an actor's start, its identity and its storage promise.

#include <gtest/gtest.h>

#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

class CasesTest : public ServiceTest {
 protected:
  ~CasesTest() override { door_.Open(); }
  Door door_;
};

// Begins with a section that waits for somebody else.
class Starter : public Actor {
 public:
  explicit Starter(ActorState& ctx) : Actor(ctx) {
    const auto begin = [](Starter* self) -> Task<> {
      Stub<Worker> other = *first;
      Task<> call = other.Call(&Worker::KeepThread, door);
      co_await std::move(call);
      self->seen_ += "begun ";
    };
    ctx.BlockConcurrencyWhile([this, begin] { return begin(this); });
  }
  std::string Seen() { return seen_ += "event "; }
  static inline std::optional<Stub<Worker>> first;
  static inline Door* door = nullptr;

 private:
  std::string seen_;
};

// C237. Goal: events that come while the constructor's section runs are delivered when it has
// ended, in order. Method: the section waits for a door.
TEST_F(CasesTest, EventsWaitForTheConstructorsSection) {
  Starter::first.emplace(Get("other"));
  Starter::door = &door_;
  const auto starters = runtime_->Define<Starter>("STARTER");
  Stub<Starter> stub = starters.GetByName("a");
  Task<std::string> first = stub.Call(&Starter::Seen);
  Task<std::string> second = stub.Call(&Starter::Seen);
  while (door_.waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(Metric("tidemark_actor_events_total{namespace=\"STARTER\"}"), "0");
  EXPECT_EQ(Metric("tidemark_actor_waiting_calls{namespace=\"STARTER\"}"), "2");
  door_.Open();
  const auto work = [&]() -> Task<> {
    EXPECT_EQ(co_await std::move(first), "begun event ");
    EXPECT_EQ(co_await std::move(second), "begun event event ");
  };
  auto done = boost::asio::co_spawn(context_, work(), boost::asio::use_future);
  context_.run();
  done.get();
  Starter::first.reset();
}

// C238. Goal: events that read and write without awaiting anything else never lose an update.
// Method: four threads, each with stubs of its own.
TEST_F(CasesTest, NoUpdateIsLost) {
  std::vector<std::future<void>> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(std::async(std::launch::async, [this] {
      for (int n = 0; n < 50; ++n) Get("a").CallBlocking(&Worker::Add, 1);
    }));
  }
  for (auto& thread : threads) thread.get();
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Total), 200);
}

// C247, C248, C249, C252. Goal: ids are those of Durable Objects; digits of either case are read,
// and one that is changed is refused.
TEST_F(CasesTest, IdsAreThoseOfDurableObjects) {
  const auto ids = runtime_->Define<Worker>("mykey");
  const std::string foo = "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234";
  EXPECT_EQ(ids.IdFromName("http://foo/").ToString(), foo);
  EXPECT_EQ(ids.IdFromName("http://foo/bar").ToString(),
            "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79");
  EXPECT_EQ(ids.IdFromName("name").ToString(),
            "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a");
  std::string upper = foo;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(ids.IdFromString(upper).ToString(), foo);
  for (const size_t digit : {size_t{0}, size_t{31}, size_t{32}, size_t{63}}) {
    std::string changed = foo;
    changed[digit] = changed[digit] == '0' ? '1' : '0';
    EXPECT_THROW(ids.IdFromString(changed), Error) << changed;
  }
}

class Plain {
 public:
  virtual ~Plain() = default;
  virtual std::string Greet(const std::string& whom) const { return "hello, " + whom; }
};

// Methods of several kinds: inherited, virtual, const, with names like the library's own.
class Base : public Actor {
 public:
  using Actor::Actor;
  int64_t Base1() { return ++count_; }
  virtual std::string Which() const { return "base"; }

 protected:
  int64_t count_ = 0;
};
class Derived : public Base, public Plain {
 public:
  using Base::Base;
  std::string Which() const override { return "derived"; }
  int64_t Call() { return count_; }
  std::unique_ptr<int> Move(std::unique_ptr<int> value) {
    ++*value;
    return value;
  }
  std::string Hello(std::string whom) { return Greet(whom); }
};

// C261. Goal: a stub knows the id and the name; methods get the right `this`, whatever they are
// called, wherever they stand; what can only be moved is moved.
TEST_F(CasesTest, StubsAndMethods) {
  const auto derived = runtime_->Define<Derived>("DERIVED");
  Stub<Derived> stub = derived.GetByName("d");
  EXPECT_EQ(stub.id(), derived.IdFromName("d"));
  EXPECT_EQ(stub.id().name, "d");
  EXPECT_EQ(stub.CallBlocking(&Derived::Base1), 1);
  EXPECT_EQ(stub.CallBlocking(&Derived::Call), 1);
  EXPECT_EQ(stub.CallBlocking(&Derived::Which), "derived");
  EXPECT_EQ(stub.CallBlocking(&Base::Which), "derived");
  EXPECT_EQ(stub.CallBlocking(&Derived::Hello, "you"), "hello, you");
  EXPECT_EQ(*stub.CallBlocking(&Derived::Move, std::make_unique<int>(4)), 5);
}

class Leaker : public Actor {
 public:
  explicit Leaker(ActorState& ctx) : Actor(ctx) { leaked = &ctx; }
  void Nothing() {}
  static inline ActorState* leaked = nullptr;
};

// C279. Goal: storage is for the actor's own code while it runs: anybody else who asks for it gets
// an error, and what is in memory only may go on.
TEST_F(CasesTest, StorageIsForTheActorsOwnCode) {
  runtime_->Define<Leaker>("LEAKER").GetByName("a").CallBlocking(&Leaker::Nothing);
  EXPECT_EQ(Leaker::leaked->id().name, "a");
  const ActorError error = ErrorOf([] { Leaker::leaked->storage(); });
  EXPECT_EQ(error.code(), StatusCode::kBroken);
  EXPECT_NE(std::string(error.what()).find("no longer accessible"), std::string::npos);
}

class Queries : public Actor {
 public:
  using Actor::Actor;
  void Run() {
    Sql& sql = ctx().storage().sql();
    sql.Exec("CREATE TABLE t(x, y)");
    for (int i = 0; i < 3; ++i) sql.Exec("INSERT INTO t VALUES(?, ?)", i, "text");
    sql.Exec("SELECT * FROM t").Raw();
    auto cursor = sql.Exec("SELECT x FROM t");
    cursor.begin();
  }
};

// C321, C324. Goal: each statement of an actor's code is told once, with its text and what it read
// and wrote; one that is dropped before its end says so. Method: the hooks of storage.
TEST_F(CasesTest, StatementsAreTold) {
  struct Told {
    std::string sql;
    uint64_t read;
    uint64_t written;
    bool finished;
  };
  std::mutex mutex;
  std::vector<Told> told;
  RuntimeOptions options = Options();
  options.storage.hooks.on_statement = [&](const StatementEvent& event) {
    std::lock_guard lock(mutex);
    told.push_back({std::string(event.sql), event.rows_read, event.rows_written, event.finished});
  };
  Start(options);
  runtime_->Define<Queries>("QUERIES").GetByName("a").CallBlocking(&Queries::Run);
  std::lock_guard lock(mutex);
  ASSERT_EQ(told.size(), 6u);
  EXPECT_EQ(told[0].sql, "CREATE TABLE t(x, y)");
  EXPECT_EQ(told[1].sql, "INSERT INTO t VALUES(?, ?)");
  EXPECT_EQ(told[1].written, 1u);
  EXPECT_EQ(told[5].sql, "SELECT x FROM t");
  EXPECT_EQ(told[5].read, 1u);
  EXPECT_FALSE(told[5].finished);
}

// Throws whatever it is told to, out of each handler.
class Thrower : public Worker {
 public:
  explicit Thrower(ActorState& ctx) : Worker(ctx) {
    if (in_constructor) ThrowIt();
  }
  static inline std::atomic<int> kind = 0;
  static constexpr int kKinds = 6;
  static inline std::atomic<bool> in_constructor = false;
  static inline std::atomic<bool> at_end = false;

  void Method() { ThrowIt(); }
  Task<> Coroutine() {
    ThrowIt();
    co_return;
  }
  void WaitUntil() { ctx().WaitUntil(Coroutine()); }
  Task<> Section() {
    co_await ctx().BlockConcurrencyWhile([this]() -> Task<> { return Coroutine(); });
  }
  Task<> Transaction() {
    co_await ctx().Transaction([this]() -> Task<> { return Coroutine(); });
  }
  void SetAlarm(Timestamp due) { ctx().storage().SetAlarm(due); }
  void DeleteAlarm() { ctx().storage().DeleteAlarm(); }
  Task<std::string> Fetch(std::string) override {
    ThrowIt();
    co_return "";
  }
  Task<> OnAlarm(AlarmEvent) override { return Coroutine(); }
  Task<> PreShutdown(ShutdownReason) override {
    if (at_end) ThrowIt();
    co_return;
  }

 private:
  static void ThrowIt() {
    switch (kind.load()) {
      case 0: throw std::runtime_error("an exception");
      case 1: throw 42;
      case 2: throw "text";
      case 3: throw std::bad_alloc();
      case 4: throw Error(Status(StatusCode::kNotFound, "it is not there"));
      default: throw ActorError(ActorFailure::kReset, Status(StatusCode::kBroken, "another one"));
    }
  }
};

// Goal: whatever leaves whichever handler, its caller gets the documented error, the actor is reset
// only by a section and a constructor that fail, and nobody else notices. Method: each kind out of
// each handler, beside an actor that must stay the same.
TEST_F(CasesTest, WhateverLeavesAHandler) {
  // The store's clock is the machine's: what is due by that is due.
  clock_.Advance(Clock::System()->Now() - clock_.Now() + std::chrono::hours(1));
  auto throwers = runtime_->Define<Thrower>("THROWER");
  Stub<Worker> other = Get("other");
  int64_t lived = 0;
  for (Thrower::kind = 0; Thrower::kind < Thrower::kKinds; ++Thrower::kind) {
    SCOPED_TRACE(Thrower::kind);
    Stub<Thrower> stub = throwers.GetByName("a");
    int64_t its_life = stub.CallBlocking(&Thrower::Live);
    const auto expect_thrown = [&](auto call) {
      EXPECT_TRUE(ErrorOf(call).remote());
      EXPECT_EQ(stub.CallBlocking(&Thrower::Live), ++its_life) << "it is the same instance";
    };
    expect_thrown([&] { stub.CallBlocking(&Thrower::Method); });
    expect_thrown([&] { stub.CallBlocking(&Thrower::Coroutine); });
    expect_thrown([&] { stub.CallBlocking(&Thrower::Transaction); });
    expect_thrown([&] { stub.CallBlocking(&Thrower::Fetch, ""); });
    stub.CallBlocking(&Thrower::WaitUntil);
    EXPECT_EQ(LoggedAs("task_failed").size(), static_cast<size_t>(Thrower::kind + 1));

    const uint64_t failed = runtime_->alarm_counters().failed;
    stub.CallBlocking(&Thrower::SetAlarm, Clock::System()->Now());
    while (runtime_->alarm_counters().failed == failed) Pass(std::chrono::seconds(0));
    EXPECT_EQ(stub.CallBlocking(&Thrower::Live), ++its_life);
    stub.CallBlocking(&Thrower::DeleteAlarm);

    EXPECT_TRUE(ErrorOf([&] { stub.CallBlocking(&Thrower::Section); }).reset());
    EXPECT_EQ(throwers.GetByName("a").CallBlocking(&Thrower::Live), 1);
    Thrower::at_end = true;
    while (LoggedAs("pre_shutdown_failed").size() <= static_cast<size_t>(Thrower::kind)) {
      EXPECT_EQ(other.CallBlocking(&Worker::Live), ++lived);
      Pass(std::chrono::seconds(1));
    }
    Thrower::at_end = false;
    Thrower::in_constructor = true;
    EXPECT_TRUE(ErrorOf([&] { throwers.GetByName("b").CallBlocking(&Thrower::Live); }).remote());
    Thrower::in_constructor = false;
  }
}

}  // namespace
}  // namespace tidemark::testing
