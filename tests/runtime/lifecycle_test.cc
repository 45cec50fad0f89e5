// How actors leave memory, and the runtime its service.

#include <gtest/gtest.h>

#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::seconds;

// An actor that hears of its end.
class Leaver : public Actor {
 public:
  explicit Leaver(ActorState& ctx) : Actor(ctx) {
    at_start_ = ctx.storage().kv().Get<std::string>("last words").value_or("none");
  }
  std::string AtStart() { return at_start_; }
  void Say(std::string words) { words_ = std::move(words); }
  void StayUntil(Stub<Worker> other, std::chrono::microseconds time) {
    other_.emplace(std::move(other));
    time_ = time;
  }
  void ThrowAtEnd() { throws_ = true; }
  Task<> SleepFor(std::chrono::microseconds time) { return ctx().Sleep(time); }
  int64_t Add(int64_t by) {
    const int64_t total = ctx().storage().kv().Get<int64_t>("total").value_or(0) + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }

  Task<> PreShutdown(ShutdownReason reason) override {
    ++told;
    const std::string why = reason == ShutdownReason::kShutdown ? " (shutdown)" : " (inactive)";
    ctx().storage().kv().Put("last words", words_ + why);
    if (throws_) throw std::runtime_error("no last words");
    if (other_) {
      Task<int64_t> call = other_->Call(&Worker::SleepFor, time_);
      co_await std::move(call);
      ctx().storage().kv().Put("last words", words_ + why + ", after a while");
    }
  }
  static inline std::atomic<int> told = 0;

 private:
  std::string at_start_;
  std::string words_ = "bye";
  std::optional<Stub<Worker>> other_;
  std::chrono::microseconds time_{};
  bool throws_ = false;
};

class LifecycleTest : public ServiceTest {
 protected:
  LifecycleTest() {
    Leaver::told = 0;
    leavers_.emplace(runtime_->Define<Leaver>("LEAVER"));
  }
  ~LifecycleTest() override { door_.Open(); }
  using ServiceTest::Start;
  void Restart(const RuntimeOptions& options) {
    Start(options);
    leavers_.emplace(runtime_->Define<Leaver>("LEAVER"));
  }

  // From then on others are refused.
  void UntilItShutsDown() {
    Stub<Worker> late = Get("late");
    while (true) {
      try {
        late.CallBlocking(&Worker::Live);
      } catch (const ActorError& error) {
        EXPECT_TRUE(error.retryable());
        return;
      }
    }
  }
  // The objects that the store lists in a namespace.
  size_t Listed(const char* name_space) {
    size_t count = 0;
    const auto visit = [&](const ObjectSummary&) { return ++count > 0; };
    const Status status = store_->ListObjects(name_space, visit);
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kNotFound) << status.ToString();
    return count;
  }
  std::string Vanished() { return Metric("tidemark_actor_vanished_total{namespace=\"WORKER\"}"); }

  Door door_;
  std::optional<ObjectNamespace<Leaver>> leavers_;
};

// C281. Goal: an actor that leaves memory is told before, and what it writes then is there for the
// next constructor, whatever it awaited on the way. Calls that come meanwhile wait for that.
TEST_F(LifecycleTest, PreShutdown) {
  Stub<Leaver> stub = leavers_->GetByName("home");
  EXPECT_EQ(stub.CallBlocking(&Leaver::AtStart), "none");
  Hibernate();
  EXPECT_EQ(stub.CallBlocking(&Leaver::AtStart), "bye (inactive)");
  stub.CallBlocking(&Leaver::Say, "so long");
  stub.CallBlocking(&Leaver::StayUntil, Get("other"), seconds(5));
  Pass(seconds(11));
  while (Worker::sleeping < 1) std::this_thread::yield();
  auto behind = Start(stub, &Leaver::AtStart);
  while (Metric("tidemark_actor_waiting_calls{namespace=\"LEAVER\"}") != "1") {
    std::this_thread::yield();
  }
  Pass(seconds(5));
  EXPECT_EQ(behind.get(), "so long (inactive), after a while");
  EXPECT_EQ(Leaver::told, 2);
  runtime_->Shutdown();
  EXPECT_EQ(Leaver::told, 3);
  Restart(Options());
  EXPECT_EQ(leavers_->GetByName("home").CallBlocking(&Leaver::AtStart), "bye (shutdown)");
}

// Goal: a handler that throws, or does not end, keeps nobody in memory: that is logged, and what it
// wrote in its turns stays.
TEST_F(LifecycleTest, PreShutdownThatFails) {
  Stub<Leaver> stub = leavers_->GetByName("throws");
  stub.CallBlocking(&Leaver::ThrowAtEnd);
  Hibernate();
  EXPECT_EQ(stub.CallBlocking(&Leaver::AtStart), "bye (inactive)");
  Stub<Leaver> stays = leavers_->GetByName("stays");
  stays.CallBlocking(&Leaver::StayUntil, Get("other"), seconds(1000));
  Pass(seconds(11));
  while (Worker::sleeping < 1) std::this_thread::yield();
  auto behind = Start(stays, &Leaver::AtStart);
  while (Metric("tidemark_actor_waiting_calls{namespace=\"LEAVER\"}") != "1") {
    std::this_thread::yield();
  }
  Pass(seconds(10));
  EXPECT_EQ(behind.get(), "bye (inactive)");
  const std::vector<Logged> logged = LoggedAs("pre_shutdown_failed");
  ASSERT_EQ(logged.size(), 2u);
  EXPECT_EQ(logged[0].message, "no last words");
  EXPECT_NE(logged[1].message.find("too long"), std::string::npos) << logged[1].message;
  EXPECT_EQ(Metric("tidemark_actor_pre_shutdown_failures_total{namespace=\"LEAVER\"}"), "2");
}

// Goal: an actor that is reset is not told.
TEST_F(LifecycleTest, NobodyIsToldOfAReset) {
  RuntimeOptions options = Options();
  options.event_limit = seconds(1);
  Restart(options);
  auto late = Start(leavers_->GetByName("home"), &Leaver::SleepFor, std::chrono::hours(10'000));
  while (Metric("tidemark_actor_events_total{namespace=\"LEAVER\"}") != "1") {
    std::this_thread::yield();
  }
  while (!IsDone(late)) {
    Pass(seconds(1));
    std::this_thread::yield();
  }
  EXPECT_TRUE(ErrorOf([&] { late.get(); }).reset());
  EXPECT_EQ(Leaver::told, 0);
}

// C272. Goal: actors of a class that prevents eviction stay.
TEST_F(LifecycleTest, PreventedEviction) {
  const auto stay = runtime_->Define<Worker>("STAY", {.prevent_eviction = true});
  EXPECT_EQ(stay.GetByName("a").CallBlocking(&Worker::Live), 1);
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Live), 1);
  while (runtime_->resident_count() > 1) Pass(seconds(11));
  Pass(seconds(100));
  EXPECT_EQ(stay.GetByName("a").CallBlocking(&Worker::Live), 2);
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Live), 1);
}

// Goal: calls that come while their actor leaves memory are made by the old instance or the next
// one, in order, and none is lost. Method: time passes in one thread, calls are made in another,
// two by two, until some met; an actor that is told of its end, and one that is not.
TEST_F(LifecycleTest, CallsThatMeetHibernation) {
  RuntimeOptions options = Options();
  options.longest_wait = std::chrono::hours(10'000);
  Restart(options);
  std::atomic<bool> done = false;
  std::thread time([&] {
    while (!done) Pass(seconds(11));
  });
  const auto work = [&](auto stub, auto method) -> Task<> {
    for (int64_t total = 1; total <= 300 || Leaver::told == 0;) {
      Task<int64_t> first = stub.Call(method, 1);
      Task<int64_t> second = stub.Call(method, 1);
      EXPECT_EQ(co_await std::move(first), total++);
      EXPECT_EQ(co_await std::move(second), total++);
    }
  };
  auto told = boost::asio::co_spawn(context_, work(leavers_->GetByName("a"), &Leaver::Add),
                                    boost::asio::use_future);
  auto not_told =
      boost::asio::co_spawn(context_, work(Get("a"), &Worker::Add), boost::asio::use_future);
  context_.run();
  done = true;
  time.join();
  told.get();
  not_told.get();
}

// C277. Goal: an object whose actor deletes everything is gone, and listed no more, when the actor
// leaves memory; it begins anew with the next call. An alarm, or anything written later, keeps it.
TEST_F(LifecycleTest, EmptyObjectsVanish) {
  Get("a").CallBlocking(&Worker::Add, 5);
  Get("b").CallBlocking(&Worker::Add, 5);
  Get("a").CallBlocking(&Worker::DeleteAll);
  Get("b").CallBlocking(&Worker::DeleteAll);
  Get("b").CallBlocking(&Worker::Add, 1);
  Get("never written").CallBlocking(&Worker::Live);
  for (const ListedActor& actor : workers_->List().actors) {
    EXPECT_EQ(actor.has_stored_data, actor.id.name == "b");
  }
  Hibernate();
  EXPECT_EQ(Listed("WORKER"), 1u);
  EXPECT_EQ(Vanished(), "1");
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Total), 0);
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Add, 2), 2);
  EXPECT_EQ(Get("b").CallBlocking(&Worker::Total), 1);
  Hibernate();
  EXPECT_EQ(Listed("WORKER"), 2u);
  // What it was can be brought back, as that of any deleted object.
  const auto object = store_->OpenObject("WORKER", "a", IfMissing::kFail).value();
  int deletions = 0;
  EXPECT_OK(object->History([&](const CommitInfo& commit) {
    if (commit.kind == CommitKind::kDelete) ++deletions;
    return true;
  }));
  EXPECT_EQ(deletions, 1);
}

// C278. Goal: an object whose tables were dropped one by one stays.
TEST_F(LifecycleTest, DroppedTablesDoNotVanish) {
  Get("a").CallBlocking(&Worker::MakeAndDropTables);
  Hibernate();
  EXPECT_EQ(Listed("WORKER"), 1u);
  EXPECT_EQ(Vanished(), "0");
}

// Goal: an object that the host deletes begins anew; while its actor is in memory it cannot be
// deleted.
TEST_F(LifecycleTest, ObjectsThatTheHostDeletes) {
  Stub<Worker> stub = Get("a");
  stub.CallBlocking(&Worker::Add, 5);
  const auto object = store_->OpenObject("WORKER", "a", IfMissing::kFail).value();
  EXPECT_ERROR(object->Delete(), StatusCode::kBusy, "");
  Hibernate();
  ASSERT_TRUE(object->Delete().ok());
  EXPECT_TRUE(workers_->List().actors.empty());
  EXPECT_EQ(stub.CallBlocking(&Worker::Total), 0);
  EXPECT_EQ(stub.CallBlocking(&Worker::Add, 1), 1);
}

// Goal: a shutdown lets what has begun, and what waits, come to its end; later calls are refused as
// ones that may be tried again; what was answered is durable. Method: a hundred calls that wait for
// code which keeps its thread; the runtime shuts down; a new store reads what was written.
TEST_F(LifecycleTest, ShutdownLosesNothing) {
  auto kept = Start(Get("home"), &Worker::KeepThread, &door_);
  while (door_.waiting() == 0) std::this_thread::yield();
  std::vector<std::future<int64_t>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(Start(Get("home"), &Worker::Add, 1));
  while (Metric("tidemark_actor_waiting_calls{namespace=\"WORKER\"}") != "20") {
    std::this_thread::yield();
  }
  auto ended = std::async(std::launch::async, [&] { runtime_->Shutdown(); });
  UntilItShutsDown();
  EXPECT_TRUE(ErrorOf([&] { Get("home").CallBlocking(&Worker::Add, 1); }).retryable());
  EXPECT_FALSE(IsDone(ended));
  door_.Open();
  for (auto& call : calls) EXPECT_GE(call.get(), 1);
  ended.get();
  runtime_.reset();
  store_.reset();
  store_ = *Store::Open(directory_ / "store", {});
  Start();
  EXPECT_EQ(Get("home").CallBlocking(&Worker::Total), 20);
}

// Goal: while a runtime shuts down, what has begun may call others, also those that are not in
// memory. Method: an event that calls another actor when the shutdown is under way.
TEST_F(LifecycleTest, ShutdownLetsEventsCallOthers) {
  auto event = Start(Get("home"), &Worker::KeepThreadThenAdd, &door_, Get("asleep"));
  while (door_.waiting() == 0) std::this_thread::yield();
  auto ended = std::async(std::launch::async, [&] { runtime_->Shutdown(); });
  UntilItShutsDown();
  door_.Open();
  EXPECT_EQ(event.get(), 2);
  ended.get();
  Start();
  EXPECT_EQ(Get("asleep").CallBlocking(&Worker::Total), 1);
}

// Goal: what has not ended after the grace is cut off, as something that may be tried again.
TEST_F(LifecycleTest, ShutdownHasAnEnd) {
  auto sleeps = Start(Get("home"), &Worker::SleepFor, seconds(1000));
  while (Worker::sleeping < 1) std::this_thread::yield();
  auto ended = std::async(std::launch::async, [&] { runtime_->Shutdown(); });
  UntilItShutsDown();
  EXPECT_FALSE(IsDone(sleeps));
  Pass(seconds(31));
  ended.get();
  EXPECT_TRUE(ErrorOf([&] { sleeps.get(); }).retryable());
  ASSERT_EQ(LoggedAs("reset").size(), 1u);
  EXPECT_EQ(LoggedAs("reset")[0].fields, "reason=shutdown ");
}

// Goal: a stub outlives its runtime, and says so.
TEST_F(LifecycleTest, AStubWithoutARuntime) {
  Stub<Worker> stub = Get("home");
  stub.CallBlocking(&Worker::Add, 1);
  runtime_.reset();
  EXPECT_TRUE(ErrorOf([&] { stub.CallBlocking(&Worker::Add, 1); }).retryable());
  EXPECT_TRUE(ErrorOf([&] { Get("other").CallBlocking(&Worker::Add, 1); }).retryable());
}

}  // namespace
}  // namespace tidemark::testing
