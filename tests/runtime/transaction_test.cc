// Transactions of actors that await: on one thread and a simulated disk.

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/runtime/alarm_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::seconds;

class ActorTransactionTest : public AlarmFixture {
 protected:
  using Body = std::function<Task<>(Waker&)>;

  std::future<void> Begin(Body body) {
    auto done = Start(Get("a").Call(&Waker::Await, std::move(body)));
    while (Step() > 0) continue;
    return done;
  }
  // With time passing.
  void Run(Body body) {
    auto done = Begin(std::move(body));
    PassUntil([&] { return IsDone(done); }, seconds(1), 100);
    ASSERT_TRUE(IsDone(done));
    done.get();
  }
  static void Put(Waker& waker, const char* key, int64_t value) {
    waker.storage().kv().Put(key, value);
  }
  std::optional<int64_t> Value(const char* key) {
    std::optional<int64_t> value;
    Do("a", [&](Waker& waker) { value = waker.storage().kv().Get<int64_t>(key); });
    return value;
  }
  Lsn HeadLsn() {
    return sim_.store().OpenObject("WAKER", "a", IfMissing::kFail).value()->head().lsn;
  }
};

// C137, C143. Goal: a transaction returns what its call returns; what it writes before and behind
// an await is one commit; no other event comes in between, an alarm's neither.
TEST_F(ActorTransactionTest, IsOneCommitAcrossAwaits) {
  SetAlarm("a", seconds(2));
  const Lsn before = HeadLsn();
  int64_t returned = 0;
  auto done = Begin([&](Waker& waker) -> Task<> {
    Task<int64_t> transaction = waker.ctx().Transaction([&]() -> Task<int64_t> {
      Put(waker, "x", 1);
      co_await waker.ctx().Sleep(seconds(5));
      Put(waker, "y", 2);
      co_return 3;
    });
    returned = co_await std::move(transaction);
  });
  std::optional<int64_t> seen;
  auto other = Start(Get("a").Call(
      &Waker::Do, [&](Waker& waker) { seen = waker.storage().kv().Get<int64_t>("y"); }));
  EXPECT_TRUE(PassUntil([&] { return counters().running == 1; }, seconds(1), 3));
  EXPECT_FALSE(IsDone(other));
  EXPECT_TRUE(runs().empty());
  EXPECT_EQ(HeadLsn(), before);
  EXPECT_TRUE(PassUntil([&] { return IsDone(done) && IsDone(other); }, seconds(1), 10));
  done.get();
  EXPECT_EQ(returned, 3);
  EXPECT_EQ(seen, 2);
  Settle();
  EXPECT_EQ(runs().size(), 1u);
  EXPECT_EQ(Value("x"), 1);
}

// Goal: an exception undoes the transaction and comes where it is awaited; the actor lives on, with
// what was written around it.
TEST_F(ActorTransactionTest, AnExceptionUndoesIt) {
  Run([&](Waker& waker) -> Task<> {
    Put(waker, "around", 1);
    Task<> transaction = waker.ctx().Transaction([&]() -> Task<> {
      Put(waker, "x", 1);
      co_await waker.ctx().Sleep(seconds(1));
      waker.storage().SetAlarm(Now() + seconds(1));
      throw std::runtime_error("not so");
    });
    std::string what;
    try {
      co_await std::move(transaction);
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    EXPECT_EQ(what, "not so");
    Put(waker, "behind", 1);
  });
  EXPECT_EQ(Value("around"), 1);
  EXPECT_EQ(Value("behind"), 1);
  EXPECT_EQ(Value("x"), std::nullopt);
  EXPECT_EQ(GetAlarm("a"), std::nullopt);
  EXPECT_EQ(Waker::world.constructed, 1);
}

// C139, C144. Goal: a transaction that rolls itself back leaves nothing, and returns all the same.
TEST_F(ActorTransactionTest, RollsItselfBack) {
  Run([&](Waker& waker) -> Task<> {
    Task<int64_t> transaction =
        waker.ctx().Transaction([&](StorageTransaction& self) -> Task<int64_t> {
          Put(waker, "x", 1);
          co_await waker.ctx().Sleep(seconds(1));
          self.Rollback();
          self.Rollback();
          EXPECT_THROW(self.kv(), Error);
          co_return 7;
        });
    const int64_t result = co_await std::move(transaction);
    EXPECT_EQ(result, 7);
  });
  EXPECT_EQ(Value("x"), std::nullopt);
}

// C141, C142. Goal: within each other, the inner one becomes part of the outer one, or is undone by
// itself.
TEST_F(ActorTransactionTest, Nests) {
  for (const bool outer_fails : {false, true}) {
    Run([&](Waker& waker) -> Task<> {
      Task<> outer = waker.ctx().Transaction([&]() -> Task<> {
        Put(waker, "outer", 1);
        Task<> kept = waker.ctx().Transaction([&]() -> Task<> {
          co_await waker.ctx().Sleep(seconds(1));
          Put(waker, "kept", 1);
        });
        co_await std::move(kept);
        Task<> undone = waker.ctx().Transaction([&](StorageTransaction& inner) -> Task<> {
          Put(waker, "undone", 1);
          co_await waker.ctx().Sleep(seconds(1));
          inner.Rollback();
        });
        co_await std::move(undone);
        EXPECT_EQ(waker.storage().kv().Get<int64_t>("kept"), 1);
        EXPECT_EQ(waker.storage().kv().Get<int64_t>("undone"), std::nullopt);
        if (outer_fails) throw std::runtime_error("all of it");
      });
      try {
        co_await std::move(outer);
        EXPECT_FALSE(outer_fails);
      } catch (const std::runtime_error&) {
        EXPECT_TRUE(outer_fails);
      }
    });
    EXPECT_EQ(Value("outer").has_value(), !outer_fails);
    EXPECT_EQ(Value("kept").has_value(), !outer_fails);
    EXPECT_EQ(Value("undone"), std::nullopt);
    Do("a", [](Waker& waker) { waker.storage().DeleteAll(); });
  }
}

// C148, C149. Goal: what a transaction says to others is not held back by its own writes, which
// they may need to hear of before it ends; what comes behind it is, until it is durable.
TEST_F(ActorTransactionTest, TheOutputGateClosesWithItsCommit) {
  for (int i = 0; i < 20; ++i) {
    auto done = Begin([&](Waker& waker) -> Task<> {
      Task<> transaction = waker.ctx().Transaction([&]() -> Task<> {
        Put(waker, "x", i);
        Stub<Waker> other = Get("b");
        Task<> call = other.Call(&Waker::Do, [](Waker&) {});
        co_await std::move(call);
        Put(waker, "y", i);
      });
      co_await std::move(transaction);
    });
    while (!IsDone(done)) Step();
    done.get();
    EXPECT_GE(sim_.store().durable_lsn(), HeadLsn());
  }
  EXPECT_EQ(Value("y"), 19);
}

// C138, C148. Goal: what its actor wrote before it is committed before it begins, and holds back
// what the transaction says.
TEST_F(ActorTransactionTest, CommitsWhatIsBeforeIt) {
  auto done = Begin([&](Waker& waker) -> Task<> {
    Put(waker, "before", 1);
    Task<> transaction = waker.ctx().Transaction([&](StorageTransaction& self) -> Task<> {
      const Lsn head = waker.storage().object().head().lsn;
      Stub<Waker> other = Get("b");
      Task<> call = other.Call(
          &Waker::Do, [this, head](Waker&) { EXPECT_GE(sim_.store().durable_lsn(), head); });
      co_await std::move(call);
      self.Rollback();
    });
    co_await std::move(transaction);
  });
  while (!IsDone(done)) Step();
  done.get();
  EXPECT_EQ(Value("before"), 1);
}

// C159, C236. Goal: an actor that is reset within a transaction, by itself or because that lasts
// too long, has nothing of it; the next instance works.
TEST_F(ActorTransactionTest, AResetUndoesIt) {
  Do("a", [](Waker& waker) { Put(waker, "x", 1); });
  EXPECT_THROW(Run([&](Waker& waker) -> Task<> {
                 Task<> transaction = waker.ctx().Transaction([&]() -> Task<> {
                   Put(waker, "x", 2);
                   co_await waker.ctx().Sleep(seconds(1));
                   waker.ctx().Abort("enough");
                 });
                 co_await std::move(transaction);
               }),
               ActorError);
  EXPECT_EQ(Value("x"), 1);
  try {
    Run([&](Waker& waker) -> Task<> {
      Task<> transaction = waker.ctx().Transaction([&]() -> Task<> {
        Put(waker, "x", 3);
        co_await waker.ctx().Sleep(seconds(60));
      });
      co_await std::move(transaction);
    });
    ADD_FAILURE() << "it went on";
  } catch (const ActorError& error) {
    EXPECT_TRUE(error.overloaded());
  }
  EXPECT_EQ(Value("x"), 1);
  EXPECT_EQ(Waker::world.constructed, 3);
}

// C151. Goal: a transaction whose commit fails resets the actor: its caller gets the error,
// whatever its code makes of it. Method: a constraint that is looked at by the commit.
TEST_F(ActorTransactionTest, ACommitThatFails) {
  Do("a", [](Waker& waker) {
    waker.storage().sql().Exec(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        "CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)");
  });
  bool resumed = false;
  try {
    Run([&](Waker& waker) -> Task<> {
      Task<> transaction = waker.ctx().Transaction([&]() -> Task<> {
        waker.storage().sql().Exec("INSERT INTO c VALUES(1)");
        co_await waker.ctx().Sleep(seconds(1));
      });
      try {
        co_await std::move(transaction);
      } catch (const Error&) {
      }
      resumed = true;
    });
    ADD_FAILURE() << "it went on";
  } catch (const ActorError& error) {
    EXPECT_TRUE(error.reset());
    EXPECT_NE(std::string(error.what()).find("FOREIGN KEY"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(resumed);
  EXPECT_EQ(Waker::world.constructed, 1);
  EXPECT_EQ(Value("x"), std::nullopt);
  EXPECT_EQ(Waker::world.constructed, 2);
}

}  // namespace
}  // namespace tidemark::testing
