// Many threads and many actors at once. What these tests are for is ThreadSanitizer, and whatever a
// thread that is late can break; what must hold in every order is in simulation_test.cc.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

#include "runtime/runtime.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

// g++ 12 looks into Asio's operator new of a coroutine's frame, and not into its operator delete.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace tidemark::testing {
namespace {

class Worker : public Actor {
 public:
  // Of all workers of one name. Names are added before there are threads.
  struct Name {
    std::atomic<int> instances = 0;
    std::atomic<Worker*> last = nullptr;
  };
  static std::map<std::string, Name>& Names() {
    static std::map<std::string, Name> names;
    return names;
  }

  explicit Worker(ActorState& ctx) : Actor(ctx), name_(Names().at(*ctx.id().name)) {
    ++name_.instances;
    name_.last = this;
  }
  ~Worker() override { --name_.instances; }

  int64_t Add(int64_t by) {
    const Alone alone(*this);
    const int64_t total = ctx().storage().kv().Get<int64_t>("total").value_or(0) + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }
  int64_t Total() { return Add(0); }
  Task<int64_t> AddBoth(Stub<Worker> other) {
    Add(1);
    const int64_t theirs = co_await other.Call(&Worker::Add, 1);
    co_return theirs;
  }
  Task<int64_t> AddAlone(Stub<Worker> other) {
    const auto section = [this, &other]() -> Task<int64_t> {
      const int64_t before = Add(0);
      co_await other.Call(&Worker::Peek);
      EXPECT_EQ(Add(1), before + 1);
      co_return before + 1;
    };
    const int64_t total = co_await ctx().BlockConcurrencyWhile(section);
    co_return total;
  }
  // Waits for nobody, so that two who ask each other do not wait for ever.
  int64_t Peek() { return 1; }
  Task<int64_t> AddLater() {
    co_await ctx().Sleep(std::chrono::milliseconds(1));
    co_return Add(1);
  }
  int64_t AddInBackground() {
    ctx().WaitUntil([](Worker* self) -> Task<> {
      co_await self->ctx().Sleep(std::chrono::milliseconds(1));
      self->Add(1);
    }(this));
    return 0;
  }
  int64_t Throw() { throw std::runtime_error("as it should"); }
  int64_t Stop() {
    ctx().storage().kv().Put("total", int64_t{-1'000'000});
    ctx().Abort("as it should");
  }

 private:
  // No two threads are in one actor, and nobody is in one that has a successor.
  class Alone {
   public:
    explicit Alone(Worker& worker) : worker_(worker) {
      EXPECT_FALSE(worker_.in_.exchange(true));
      EXPECT_EQ(worker_.name_.last, &worker_);
    }
    ~Alone() { worker_.in_ = false; }

   private:
    Worker& worker_;
  };
  Name& name_;
  std::atomic<bool> in_ = false;
};

// What each actor was told to add, and what its callers know was added.
struct Tally {
  std::atomic<int64_t> asked = 0;
  std::atomic<int64_t> seen = 0;
};

class StressTest : public ::testing::Test {
 protected:
  static constexpr size_t kWorkers = 24;

  StressTest() : tallies_(kWorkers) {
    for (size_t i = 0; i < kWorkers; ++i) Worker::Names()[Name(i)];
    store_ = *Store::Open(directory_ / "store", {.create_if_missing = true});
  }

  static std::string Name(size_t i) { return std::to_string(i); }

  // One thread's calls of workers that it draws.
  void Call(ObjectNamespace<Worker> workers, uint64_t seed, uint64_t calls) {
    Random random(seed);
    for (uint64_t i = 0; i < calls; ++i) {
      const size_t number = random.Below(kWorkers);
      const size_t other = (number + 1 + random.Below(kWorkers - 1)) % kWorkers;
      Tally& tally = tallies_[number];
      Stub<Worker> stub = workers.GetByName(Name(number));
      Stub<Worker> other_stub = workers.GetByName(Name(other));
      const auto add = [&](auto... call) {
        ++tally.asked;
        stub.CallBlocking(call...);
        ++tally.seen;
      };
      try {
        switch (random.Below(12)) {
          case 0: add(&Worker::AddLater); break;
          case 1:
            ++tally.asked;
            stub.CallBlocking(&Worker::AddInBackground);
            break;
          case 2:
            ++tally.asked;
            ++tallies_[other].asked;
            stub.CallBlocking(&Worker::AddBoth, other_stub);
            ++tally.seen;
            ++tallies_[other].seen;
            break;
          case 3: add(&Worker::AddAlone, other_stub); break;
          case 4: stub.CallBlocking(&Worker::Throw); break;
          case 5: stub.CallBlocking(&Worker::Stop); break;
          default: add(&Worker::Add, 1); break;
        }
      } catch (const ActorError&) {
        ++errors_;
      }
    }
  }

  Task<> Client(ObjectNamespace<Worker> workers, uint64_t seed) {
    Random random(seed);
    std::vector<Task<int64_t>> unheard;
    for (int i = 0; i < 40; ++i) {
      const size_t number = random.Below(kWorkers);
      Stub<Worker> stub = workers.GetByName(Name(number));
      tallies_[number].asked += 2;
      unheard.push_back(stub.Call(&Worker::Add, 1));  // nobody awaits this one
      co_await stub.Call(&Worker::Add, 1);
      ++tallies_[number].seen;
    }
  }

  void ExpectTotals() {
    Runtime runtime(*store_, {.threads = 2});
    const auto workers = runtime.Define<Worker>("WORKER");
    for (size_t i = 0; i < kWorkers; ++i) {
      const int64_t total = workers.GetByName(Name(i)).CallBlocking(&Worker::Total);
      EXPECT_GE(total, tallies_[i].seen);
      EXPECT_LE(total, tallies_[i].asked);
    }
  }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::vector<Tally> tallies_;
  std::atomic<uint64_t> errors_ = 0;
};

// Goal: threads, hibernation, aborts, sections, timers and calls between actors do not disturb each
// other: there is one instance of each actor at a time and one thread in it, nothing that a caller
// saw is lost, and nothing that an aborted instance wrote is there. Method: few actors, more
// threads, fewer places in memory than actors; again and again with a shutdown in the middle of it.
TEST_F(StressTest, EverythingAtOnce) {
  constexpr uint64_t kThreads = 4;
  for (uint64_t round = 0; round < Scaled(6); ++round) {
    {
      Runtime runtime(*store_, {.threads = 3,
                                .hibernate_after = std::chrono::milliseconds(1),
                                .most_resident = kWorkers / 2});
      const auto workers = runtime.Define<Worker>("WORKER");
      std::vector<std::future<void>> threads;
      for (uint64_t thread = 0; thread < kThreads; ++thread) {
        threads.push_back(std::async(std::launch::async, [&, thread] {
          Call(workers, TestSeed() * 1000 + round * kThreads + thread, 150);
        }));
      }
      if (round % 2 == 1) {
        const uint64_t enough = errors_ + 20;  // there will be some hundred
        while (errors_ < enough) std::this_thread::yield();
        runtime.Shutdown();
      }
      for (auto& thread : threads) thread.get();
    }
    for (const auto& [name, of] : Worker::Names()) EXPECT_EQ(of.instances, 0) << name;
  }
  ExpectTotals();
}

// Goal: coroutines on other threads than the actors' are resumed where they belong, and calls that
// nobody awaits hurt nobody. Method: a pool of one's own beside the runtime's.
TEST_F(StressTest, CoroutinesOfAnotherPool) {
  Runtime runtime(*store_, {.threads = 2, .hibernate_after = std::chrono::milliseconds(1)});
  const auto workers = runtime.Define<Worker>("WORKER");
  boost::asio::thread_pool pool(2);
  for (uint64_t i = 0; i < 16; ++i) {
    boost::asio::co_spawn(pool, Client(workers, TestSeed() + i), boost::asio::detached);
  }
  pool.join();
  runtime.Shutdown();
  ExpectTotals();
}

}  // namespace
}  // namespace tidemark::testing
