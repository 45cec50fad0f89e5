// Actors under load on all cores: increments of 1000 counters, whose replies are held back until
// they are durable.
//
// `actor/load/durable` takes turns with the same commits without actors, made by as many threads
// and durable at the end of each turn: `to_commits` is the ratio. `actor/load/half` sends half of
// what was just measured, evenly spread over time whether replies come or not, and tells how long
// they take from when they were to be sent.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

#include "api/storage.h"
#include "bench/registry.h"
#include "bench/workload.h"
#include "runtime/runtime.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kCounters = 1000;
constexpr int64_t kThreads = 2;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

class LoadCounter : public Actor {
 public:
  using Actor::Actor;
  int64_t Increment(int64_t by) {
    const int64_t total = ctx().storage().kv().Get<int64_t>("total").value_or(0) + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }
};

class ActorSide {
 public:
  explicit ActorSide(const Settings& settings)
      : directory_(settings),
        store_(Require(
            Store::Open(directory_.path() + "/store", StoreOptions{.create_if_missing = true}),
            "opening a store")),
        pool_(kThreads),
        runtime_(
            std::make_unique<Runtime>(*store_, RuntimeOptions{.executor = pool_.get_executor()})),
        counters_(runtime_->Define<LoadCounter>("COUNTER")) {
    for (int64_t i = 0; i < kCounters; ++i) {
      stubs_.push_back(counters_.GetByName("c" + std::to_string(i)));
    }
    Run(1, 1);
  }
  ~ActorSide() {
    runtime_.reset();
    pool_.join();
  }

  // `callers` of each counter make `each` increments, one behind the reply of the other. Returns
  // how many seconds that took.
  double Run(int64_t callers, int64_t each) {
    const auto start = SteadyClock::now();
    left_ = callers * kCounters;
    for (int64_t i = 0; i < callers * kCounters; ++i) {
      boost::asio::co_spawn(pool_, Caller(stubs_[static_cast<size_t>(i % kCounters)], each),
                            boost::asio::detached);
    }
    WaitForCallers();
    return SecondsSince(start);
  }

  // So many a second for `seconds`. Returns the latencies, in microseconds.
  std::vector<double> RunAt(double per_second, double seconds) {
    const auto count = static_cast<size_t>(per_second * seconds);
    std::vector<double> latencies(count);
    left_ = static_cast<int64_t>(count);
    const auto start = SteadyClock::now();
    for (size_t sent = 0; sent < count;) {
      const auto due = std::min(count, static_cast<size_t>(SecondsSince(start) * per_second) + 1);
      for (; sent < due; ++sent) {
        const auto at = start + std::chrono::nanoseconds(static_cast<int64_t>(
                                    1e9 * static_cast<double>(sent) / per_second));
        boost::asio::co_spawn(pool_, Timed(stubs_[sent * 7919 % kCounters], at, &latencies[sent]),
                              boost::asio::detached);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    WaitForCallers();
    return latencies;
  }

 private:
  Task<> Caller(Stub<LoadCounter> stub, int64_t calls) {
    for (int64_t i = 0; i < calls; ++i) co_await stub.Call(&LoadCounter::Increment, 1);
    CallerIsDone();
  }
  Task<> Timed(Stub<LoadCounter> stub, SteadyClock::time_point at, double* latency) {
    co_await stub.Call(&LoadCounter::Increment, 1);
    *latency = SecondsSince(at) * 1e6;
    CallerIsDone();
  }
  void CallerIsDone() {
    if (left_.fetch_sub(1) == 1) left_.notify_all();
  }
  void WaitForCallers() {
    for (int64_t left = left_; left > 0; left = left_) left_.wait(left);
  }

  ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
  boost::asio::thread_pool pool_;
  std::unique_ptr<Runtime> runtime_;
  ObjectNamespace<LoadCounter> counters_;
  std::vector<Stub<LoadCounter>> stubs_;
  std::atomic<int64_t> left_{0};
};

// The same commits, each thread with its share of the objects.
class PlainSide {
 public:
  explicit PlainSide(const Settings& settings)
      : directory_(settings),
        store_(Require(
            Store::Open(directory_.path() + "/store", StoreOptions{.create_if_missing = true}),
            "opening a store")) {
    for (int64_t i = 0; i < kCounters; ++i) {
      objects_.push_back(ObjectStorage::Open(
          *store_, "COUNTER", "c" + std::to_string(i),
          {.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined}));
    }
    Run(1);
  }

  double Run(int64_t each) {
    const auto start = SteadyClock::now();
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([this, each, t] {
        for (int64_t i = 0; i < each; ++i) {
          for (size_t object = t; object < objects_.size(); object += kThreads) {
            ObjectStorage& storage = *objects_[object];
            storage.kv().Put("total", storage.kv().Get<int64_t>("total").value_or(0) + 1);
            storage.Commit();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    Require(store_->Sync(), "a sync");
    return SecondsSince(start);
  }

 private:
  ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
  std::vector<std::unique_ptr<ObjectStorage>> objects_;
};

constexpr int64_t kCallers = 4;  // of each counter

void Durable(benchmark::State& state, const Settings& settings) {
  ActorSide actors(settings);
  PlainSide plain(settings);
  const int64_t each = settings.Scaled(20, 10, 1);
  double seconds = 0;
  double plain_seconds = 0;
  for (auto _ : state) {
    seconds += actors.Run(kCallers, each);
    plain_seconds += plain.Run(kCallers * each);
  }
  const auto calls = static_cast<double>(state.iterations() * kCallers * kCounters * each);
  state.counters["calls/s"] = calls / seconds;
  state.counters["commits/s"] = calls / plain_seconds;
  state.counters["to_commits"] = plain_seconds / seconds;
}

void Half(benchmark::State& state, const Settings& settings) {
  ActorSide actors(settings);
  const int64_t each = settings.Scaled(20, 10, 1);
  const double full = static_cast<double>(kCallers * kCounters * each) / actors.Run(kCallers, each);
  const auto run = [&](double rate, const char* p50, const char* p99) {
    std::vector<double> latencies = actors.RunAt(rate, settings.smoke() ? 0.05 : 3);
    state.counters[p50] = Percentile(latencies, 0.50);
    state.counters[p99] = Percentile(latencies, 0.99);
  };
  for (auto _ : state) {
    run(full / 2, "p50_us", "p99_us");
    run(25'000, "p50_us_at_25k", "p99_us_at_25k");
  }
  state.counters["calls/s"] = full / 2;
}

}  // namespace

void RegisterActorLoadBenchmarks(const Settings& settings) {
  Register("actor/load/durable", settings.Scaled(5, 2, 1),
           [=](benchmark::State& state) { Durable(state, settings); });
  Register("actor/load/half", 1, [=](benchmark::State& state) { Half(state, settings); });
}

}  // namespace tidemark::bench
