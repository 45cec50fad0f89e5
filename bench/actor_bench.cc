// Actors: what a call costs, what waking one costs, and what those in memory and those that are not
// take.
//
// Whoever calls shares one thread with the actors here, so that a figure is what one core does.
// Load on all cores, with every reply held until it is durable, is in actor_load_bench.cc.

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "bench/registry.h"
#include "bench/workload.h"
#include "runtime/runtime.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

class Subject : public Actor {
 public:
  using Actor::Actor;

  int64_t Add(int64_t by) { return sum_ += by; }
  Task<int64_t> AddThere(Stub<Subject> other, int64_t calls) {
    for (int64_t i = 0; i < calls; ++i) sum_ = co_await other.Call(&Subject::Add, 1);
    co_return sum_;
  }
  int64_t Increment(int64_t by) {
    const int64_t total = Total() + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }
  int64_t Total() { return ctx().storage().kv().Get<int64_t>("total").value_or(0); }

 private:
  int64_t sum_ = 0;
};

// A store, and a runtime whose actors are run by this thread.
class OneThread {
 public:
  explicit OneThread(const Settings& settings,
                     std::chrono::milliseconds hibernate_after = std::chrono::seconds(10))
      : directory_(settings),
        store_(Require(
            Store::Open(directory_.path() + "/store", StoreOptions{.create_if_missing = true}),
            "opening a store")),
        runtime_(*store_, {.executor = context_.get_executor(),
                           .clock = &clock_,
                           .hibernate_after = hibernate_after,
                           .most_resident = 10'000'000}),
        subjects_(runtime_.Define<Subject>("SUBJECT")) {}
  ~OneThread() {
    PutAllToSleep();
    runtime_.Shutdown();
  }

  Stub<Subject> Get(int64_t i) const { return subjects_.GetByName("s" + std::to_string(i)); }

  // What the store tells actors comes from a thread of its own: so the context may have nothing to
  // do for a while.
  template <typename R>
  R Run(Task<R> task) {
    auto done = boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future);
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) Step();
    return done.get();
  }

  // `callers` coroutines that make `each` calls of `method`, to subjects in turn from `first` on.
  template <typename Method, typename... Args>
  void Call(int64_t callers, int64_t each, int64_t subjects, Method method, Args... args) {
    int64_t running = callers;
    const auto caller = [&](int64_t number) -> Task<> {
      Stub<Subject> stub = Get(number % subjects);
      for (int64_t i = 0; i < each; ++i) co_await stub.Call(method, args...);
      --running;
    };
    for (int64_t i = 0; i < callers; ++i) {
      boost::asio::co_spawn(context_, caller(i), boost::asio::detached);
    }
    while (running > 0) Step();
  }

  // `calls` calls of each subject from `first` to `end`, all at once.
  template <typename Method, typename... Args>
  void CallEach(int64_t first, int64_t end, int64_t calls, Method method, Args... args) {
    int64_t running = end - first;
    const auto caller = [&](int64_t number) -> Task<> {
      Stub<Subject> stub = Get(number);
      for (int64_t i = 0; i < calls; ++i) co_await stub.Call(method, args...);
      --running;
    };
    for (int64_t i = first; i < end; ++i) {
      boost::asio::co_spawn(context_, caller(i), boost::asio::detached);
    }
    while (running > 0) Step();
  }

  // Time passes, and what is due is done.
  void Pass(std::chrono::seconds time) {
    clock_.Advance(time);
    runtime_.RunDue();
    Step();
  }

  // All actors leave memory, as they do when nothing happens.
  void PutAllToSleep() {
    while (runtime_.resident_count() > 0) Pass(std::chrono::hours(25));
  }

  Store& store() { return *store_; }
  size_t resident_count() const { return runtime_.resident_count(); }

 private:
  void Step() {
    context_.restart();
    context_.poll();
  }

  ScratchDirectory directory_;
  std::unique_ptr<Store> store_;
  ManualClock clock_;
  boost::asio::io_context context_{1};
  Runtime runtime_;
  ObjectNamespace<Subject> subjects_;
};

// Calls of a resident actor that use no storage. One item is one call with its reply.
void Calls(benchmark::State& state, const Settings& settings, int64_t callers) {
  OneThread bed(settings);
  bed.Call(callers, 10, 1, &Subject::Add, 1);
  const int64_t each = settings.Scaled(640'000, 640) / callers;
  for (auto _ : state) bed.Call(callers, each, 1, &Subject::Add, 1);
  state.SetItemsProcessed(state.iterations() * each * callers);
}

// An actor that calls another one, again and again.
void CallsBetween(benchmark::State& state, const Settings& settings) {
  OneThread bed(settings);
  Stub<Subject> from = bed.Get(0);
  const int64_t calls = settings.Scaled(300'000, 300);
  const auto work = [&]() -> Task<> { co_await from.Call(&Subject::AddThere, bed.Get(1), calls); };
  for (auto _ : state) bed.Run(work());
  state.SetItemsProcessed(state.iterations() * calls);
}

// An actor that is not in memory is called, and reads a key. Each is asleep before.
void Wake(benchmark::State& state, const Settings& settings) {
  const int64_t subjects = settings.Scaled(10'000, 20);
  OneThread bed(settings);
  bed.Call(subjects, 1, subjects, &Subject::Increment, 1);
  bed.PutAllToSleep();
  std::vector<double> latencies;
  const auto wake = [&](int64_t first, int64_t count) -> Task<> {
    for (int64_t i = first; i < first + count; ++i) {
      Stub<Subject> stub = bed.Get(i);
      const auto start = SteadyClock::now();
      const int64_t total = co_await stub.Call(&Subject::Total);
      latencies.push_back(
          std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count());
      if (total != 1) Fail("waking an actor", "it does not know what it wrote");
    }
  };
  // So few at a time as are in memory where actors come and go.
  constexpr int64_t kAtOnce = 1000;
  for (auto _ : state) {
    for (int64_t i = 0; i < subjects; i += kAtOnce) {
      bed.Run(wake(i, std::min(kAtOnce, subjects - i)));
      bed.PutAllToSleep();
    }
  }
  state.SetItemsProcessed(state.iterations() * subjects);
  state.counters["p50_us"] = Percentile(latencies, 0.50);
  state.counters["p99_us"] = Percentile(latencies, 0.99);
}

// Memory of this process without the mapped pages of the index, which the system may take back.
double ResidentBytes() {
  malloc_trim(0);
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("RssAnon:")) return 1024 * std::stod(line.substr(sizeof("RssAnon:")));
  }
  Fail("measuring memory", "no RssAnon in /proc/self/status");
}

double EntriesOf(const char* directory) {
  double count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

// What a process takes, beside what it took when this was made.
class Footprint {
 public:
  explicit Footprint(Store& store) : store_(store) { Settle(); }

  double Bytes() const {
    Settle();
    return ResidentBytes() - bytes_;
  }
  double Threads() const { return EntriesOf("/proc/self/task") - threads_; }
  double Files() const { return EntriesOf("/proc/self/fd") - files_; }

 private:
  // What the store has in memory of its log until then is not the actors'.
  void Settle() const { Require(store_.Checkpoint(), "a checkpoint"); }

  Store& store_;
  double bytes_ = ResidentBytes();
  double threads_ = EntriesOf("/proc/self/task");
  double files_ = EntriesOf("/proc/self/fd");
};

// So many actors in memory, each of which has written a key three times. A thousand of them come a
// second, so that nearly all have done nothing for longer than that.
void Resident(benchmark::State& state, const Settings& settings) {
  const int64_t subjects = settings.Scaled(100'000, 100);
  for (auto _ : state) {
    OneThread bed(settings, std::chrono::hours(24));
    const Footprint footprint(bed.store());
    for (int64_t first = 0; first < subjects; first += 1000) {
      bed.CallEach(first, std::min(first + 1000, subjects), 3, &Subject::Increment, 1);
      bed.Pass(std::chrono::seconds(1));
    }
    state.counters["resident"] = static_cast<double>(bed.resident_count());
    state.counters["MB"] = footprint.Bytes() / 1e6;
    state.counters["KB/actor"] = footprint.Bytes() / 1e3 / static_cast<double>(subjects);
    bed.CallEach(0, 1, 1, &Subject::Increment, 1);
  }
}

// Actors that have been in memory, a thousand at a time, and are not.
void Hibernated(benchmark::State& state, const Settings& settings) {
  const int64_t subjects = settings.Scaled(100'000, 200);
  const int64_t at_once = settings.Scaled(1000, 100);
  for (auto _ : state) {
    OneThread bed(settings);
    const auto live = [&](int64_t first) {
      bed.CallEach(first, first + at_once, 1, &Subject::Increment, 1);
      bed.PutAllToSleep();
    };
    for (int64_t first = 0; first < 4 * at_once && first < subjects / 2; first += at_once) {
      live(first);
    }
    const Footprint footprint(bed.store());
    for (int64_t first = 4 * at_once; first < subjects; first += at_once) live(first);
    state.counters["B/actor"] = footprint.Bytes() / static_cast<double>(subjects);
    state.counters["threads"] = footprint.Threads();
    state.counters["files"] = footprint.Files();
  }
  state.SetItemsProcessed(state.iterations() * subjects);
}

}  // namespace

void RegisterActorBenchmarks(const Settings& settings) {
  for (const int64_t callers : {1, 64}) {
    Register("actor/call/" + std::to_string(callers), 1,
             [=](benchmark::State& state) { Calls(state, settings, callers); });
  }
  Register("actor/call/between", 1,
           [=](benchmark::State& state) { CallsBetween(state, settings); });
  Register("actor/wake", 1, [=](benchmark::State& state) { Wake(state, settings); });
  Register("actor/resident", 1, [=](benchmark::State& state) { Resident(state, settings); });
  Register("actor/hibernated", 1, [=](benchmark::State& state) { Hibernated(state, settings); });
}

}  // namespace tidemark::bench
