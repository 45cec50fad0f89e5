// What leaves an actor waits for what it wrote. On one thread and a simulated disk.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "engine/internal/durable_notifier.h"
#include "runtime/runtime.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_peer.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

std::atomic<int> cells = 0;

class Cell : public Actor {
 public:
  explicit Cell(ActorState& ctx) : Actor(ctx) { ++cells; }
  ~Cell() override { --cells; }
  void Stop() { ctx().Abort("enough"); }
  std::string Set(std::string value) {
    ctx().storage().kv().Put("value", value);
    return value;
  }
  std::string SetUnconfirmed(std::string value) {
    ctx().storage().kv().Put("value", value, {.allow_unconfirmed = true});
    return value;
  }
  std::string SetInTransaction(std::string value) {
    return ctx().storage().Transaction([&] { return Set(value); });
  }
  Bookmark SetAndGetBookmark(std::string value) {
    Set(value);
    return ctx().storage().GetCurrentBookmark();
  }
  std::string Value() { return ctx().storage().kv().Get<std::string>("value").value_or(""); }
  void SetAndThrow(std::string value) {
    Set(std::move(value));
    throw std::runtime_error("after a write");
  }
  Task<> SetThenTell(std::string value, Stub<Cell> other) {
    Set(value);
    co_await other.Call(&Cell::Set, "told of " + value);
  }
};

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() : sim_(TestSeed()) {
    EXPECT_OK(sim_.Open());
    runtime_.emplace(sim_.store(),
                     RuntimeOptions{.executor = context_.get_executor(), .clock = &sim_.clock()});
    cells_.emplace(runtime_->Define<Cell>("CELL"));
  }

  // Lets actors do what they can, again and again until `done`: what the store tells them comes
  // from a thread of its own.
  template <typename Done>
  void RunUntil(Done done) {
    while (!done()) Step();
  }
  void Step() {
    context_.restart();
    context_.poll();
  }
  template <typename R>
  std::future<R> Start(Task<R> task) {
    auto future = boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future);
    Step();
    return future;
  }
  template <typename R>
  bool IsDone(const std::future<R>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  template <typename R>
  R Finish(std::future<R> future) {
    RunUntil([&] { return IsDone(future); });
    return future.get();
  }
  CommitInfo Head() {
    return sim_.store().OpenObject("CELL", "a", IfMissing::kFail).value()->head();
  }
  void Stop() {
    auto ended = std::async(std::launch::async, [this] { runtime_->Shutdown(); });
    RunUntil([&] { return IsDone(ended); });
  }

  boost::asio::io_context context_;
  SimStore sim_;
  std::optional<Runtime> runtime_;
  std::optional<ObjectNamespace<Cell>> cells_;
};

// C244. Goal: a result is not seen before what was written for it is durable; nor is an exception.
// The actor goes on meanwhile, and sees its own writes. Method: what is durable is asked when
// something is seen; only a call that does not hold it back sees less.
TEST_F(OutputTest, ResultsWaitForDurability) {
  for (int i = 0; i < 50; ++i) {
    Stub<Cell> cell = cells_->GetByName("a");
    auto set = Start(cell.Call(&Cell::Set, std::to_string(i)));
    auto thrown = Start(cell.Call(&Cell::SetAndThrow, "two"));
    auto value = Start(cell.Call(&Cell::Value));
    ASSERT_FALSE(IsDone(value) && !IsDone(set)) << "what was read came before what it shows";
    RunUntil([&] { return IsDone(set) || IsDone(thrown); });
    EXPECT_TRUE(IsDone(set));
    EXPECT_EQ(Finish(std::move(set)), std::to_string(i));
    EXPECT_THROW(Finish(std::move(thrown)), ActorError);
    EXPECT_GE(sim_.store().durable_lsn(), Head().lsn);
    EXPECT_EQ(Finish(std::move(value)), "two");
  }
  Stop();
}

// Goal: so do results of an instance that reads what the one before it wrote, which was reset
// before that was durable. Method: nothing is made durable but when the test says so.
TEST_F(OutputTest, ResultsWaitForWhatAnInstanceBeforeWrote) {
  internal::DurableNotifier& notifier = internal::StorePeer::Impl(sim_.store()).notifier();
  notifier.UseNoThread();
  auto set = Start(cells_->GetByName("a").Call(&Cell::Set, "new"));
  auto stop = Start(cells_->GetByName("a").Call(&Cell::Stop));
  auto value = Start(cells_->GetByName("a").Call(&Cell::Value));
  for (int i = 0; i < 100; ++i) Step();
  EXPECT_LT(sim_.store().durable_lsn(), Head().lsn);
  EXPECT_FALSE(IsDone(value));
  while (!IsDone(value)) {
    notifier.RunOnce();
    Step();
  }
  EXPECT_GE(sim_.store().durable_lsn(), Head().lsn);
  EXPECT_EQ(value.get(), "new");
  EXPECT_THROW(Finish(std::move(stop)), ActorError);
  EXPECT_TRUE(IsDone(set));
  Stop();
}

// Goal: so do results of turns that have committed before they end: in a transaction, or for a
// bookmark.
TEST_F(OutputTest, ResultsWaitForWhatTheirTurnCommittedEarlier) {
  for (int i = 0; i < 50; ++i) {
    Stub<Cell> cell = cells_->GetByName("a");
    auto set = Start(cell.Call(&Cell::SetInTransaction, std::to_string(i)));
    RunUntil([&] { return IsDone(set); });
    EXPECT_GE(sim_.store().durable_lsn(), Head().lsn);
    EXPECT_EQ(Finish(std::move(set)), std::to_string(i));
    auto bookmark = Start(cell.Call(&Cell::SetAndGetBookmark, "two"));
    RunUntil([&] { return IsDone(bookmark); });
    EXPECT_GE(sim_.store().durable_lsn(), Finish(std::move(bookmark)).lsn);
  }
  Stop();
}

// Goal: a write that may be unconfirmed holds nothing back.
TEST_F(OutputTest, UnconfirmedWritesHoldNothingBack) {
  auto set = Start(cells_->GetByName("a").Call(&Cell::SetUnconfirmed, "one"));
  EXPECT_TRUE(IsDone(set));
  Stop();
}

// Goal: a call to another actor is no less a thing that leaves. Method: an actor that writes and
// then tells another one, which must not hear of it before.
TEST_F(OutputTest, CallsToOthersWait) {
  auto told = Start(cells_->GetByName("a").Call(&Cell::SetThenTell, "one", cells_->GetByName("b")));
  auto heard = Start(cells_->GetByName("b").Call(&Cell::Value));
  const std::string value = Finish(std::move(heard));
  if (value != "") {
    EXPECT_GE(sim_.store().durable_lsn(), Head().lsn);
  }
  Stub<Cell> b = cells_->GetByName("b");
  Finish(std::move(told));
  EXPECT_EQ(Finish(Start(b.Call(&Cell::Value))), "told of one");
  Stop();
}

// C244, C332. Goal: if the write cannot be made durable its result is never seen: the caller gets
// the error, and so does everybody later, by the same stub. Method: the sync fails.
TEST_F(OutputTest, AFailedWriteReplacesTheResult) {
  Stub<Cell> cell = cells_->GetByName("a");
  sim_.fs().FailSync(1);
  auto set = Start(cell.Call(&Cell::Set, "one"));
  try {
    ADD_FAILURE() << "got " << Finish(std::move(set));
  } catch (const ActorError& error) {
    EXPECT_TRUE(error.reset());
    EXPECT_EQ(error.object_id(), cell.id().object);
  }
  EXPECT_THROW(Finish(Start(cell.Call(&Cell::Value))), ActorError);
  Stop();
}

// Goal: nothing is left of an actor that was reset while a commit of its was on its way, though the
// store tells of that only when the runtime is gone. Method: the store tells when it is asked to.
TEST_F(OutputTest, NothingIsLeftOfAResetActor) {
  internal::DurableNotifier& notifier = internal::StorePeer::Impl(sim_.store()).notifier();
  notifier.UseNoThread();
  {
    Runtime runtime(sim_.store(), {.threads = 1});
    Stub<Cell> cell = runtime.Define<Cell>("CELL").GetByName("a");
    const auto unheard = cell.Call(&Cell::Set, "one");
    EXPECT_THROW(cell.CallBlocking(&Cell::Stop), ActorError);
  }
  EXPECT_TRUE(notifier.RunOnce());
  EXPECT_EQ(cells, 0);
  Stop();
}

}  // namespace
}  // namespace tidemark::testing
