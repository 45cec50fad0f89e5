// What the tests of the runtime as a service share: an actor that does as it is told, a runtime
// with a manual clock, and what was logged.

#ifndef TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_
#define TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "runtime/runtime.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {

// A door that actors wait at, each keeping its thread.
class Door {
 public:
  void Pass() {
    ++waiting_;
    open_.wait(false);
    --waiting_;
  }
  void Open() {
    open_ = true;
    open_.notify_all();
  }
  void Close() { open_ = false; }
  int waiting() const { return waiting_; }

 private:
  std::atomic<bool> open_ = false;
  std::atomic<int> waiting_ = 0;
};

class Worker : public Actor {
 public:
  using Actor::Actor;
  static inline std::atomic<int> sleeping = 0;  // that have begun to, since the fixture was made

  int64_t Add(int64_t by) {
    const int64_t total = Total() + by;
    ctx().storage().kv().Put("total", total);
    return total;
  }
  int64_t Total() { return ctx().storage().kv().Get<int64_t>("total").value_or(0); }
  int64_t Live() { return ++live_; }
  std::string Name() { return ctx().id().name.value_or("none"); }
  void Throw() { throw std::runtime_error("no books left"); }
  void ThrowNumber() { throw 42; }
  void Abort() { ctx().Abort("enough"); }
  void FailTask() {
    ctx().WaitUntil([]() -> Task<> {
      throw std::runtime_error("nobody waits for this");
      co_return;
    }());
  }
  Task<int64_t> SleepFor(std::chrono::microseconds time) {
    Task<> sleep = ctx().Sleep(time);
    ++sleeping;
    co_await std::move(sleep);
    co_return Live();
  }
  Task<> SleepAlone(std::chrono::microseconds time) {
    co_await ctx().BlockConcurrencyWhile([&]() -> Task<> { co_await SleepFor(time); });
  }
  void KeepThread(Door* door) { door->Pass(); }
  // Keeps the thread, and calls another one then.
  Task<int64_t> KeepThreadThenAdd(Door* door, Stub<Worker> other) {
    door->Pass();
    Task<int64_t> call = other.Call(&Worker::Add, 1);
    co_return co_await std::move(call) + Add(1);
  }
  size_t Length(std::string text) { return text.size(); }
  std::string Trace() { return ctx().trace_id().ToString(); }
  void DeleteAll() { ctx().storage().DeleteAll(); }
  void MakeAndDropTables() {
    ctx().storage().sql().Exec("CREATE TABLE t(x)");
    ctx().storage().sql().Exec("DROP TABLE t");
  }

 private:
  int64_t live_ = 0;
};

// A log record that outlives its call.
struct Logged {
  LogLevel level;
  std::string event;
  std::string namespace_name;
  std::optional<ObjectId> object_id;
  std::string object_name;
  TraceId trace;
  std::string message;
  std::string fields;  // "reason=abort "
};

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    Worker::sleeping = 0;
    store_ = *Store::Open(directory_ / "store", {.create_if_missing = true});
    Start();
  }
  // Whoever sleeps still is cut off.
  ~ServiceTest() override {
    auto gone = std::async(std::launch::async, [this] { runtime_.reset(); });
    while (!IsDone(gone)) clock_.Advance(std::chrono::seconds(1));
  }

  RuntimeOptions Options() {
    return {
        .threads = 2, .clock = &clock_, .log = [this](const LogRecord& record) { Keep(record); }};
  }
  void Start() { Start(Options()); }
  void Start(const RuntimeOptions& options) {
    runtime_.reset();
    runtime_ = std::make_unique<Runtime>(*store_, options);
    workers_.emplace(runtime_->Define<Worker>("WORKER"));
  }

  Stub<Worker> Get(std::string_view name) { return workers_->GetByName(name); }

  void Pass(std::chrono::microseconds time) {
    clock_.Advance(time);
    runtime_->RunDue();
  }
  // Until nobody is in memory.
  void Hibernate() {
    while (runtime_->resident_count() > 0) {
      Pass(std::chrono::seconds(11));
      std::this_thread::yield();
    }
  }

  // A call in a thread of its own.
  template <typename T, typename Method, typename... Args>
  auto Start(Stub<T> stub, Method method, Args... args) {
    return std::async(std::launch::async, [stub, method, args...]() mutable {
      return stub.CallBlocking(method, std::move(args)...);
    });
  }
  template <typename R>
  static bool IsDone(const std::future<R>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  template <typename Call>
  static ActorError ErrorOf(Call call) {
    try {
      call();
    } catch (const ActorError& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return ActorError(ActorFailure::kThrown, Status(StatusCode::kUnknown, "nothing"));
  }

  // The value of a sample, as the text has it; empty if there is none.
  std::string Metric(const std::string& sample) const {
    const std::string text = "\n" + runtime_->Metrics();
    const size_t at = text.find("\n" + sample + " ");
    if (at == std::string::npos) return "";
    const size_t begin = at + sample.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  std::vector<Logged> LoggedAs(std::string_view event) {
    std::lock_guard lock(log_mutex_);
    std::vector<Logged> found;
    for (const Logged& logged : log_) {
      if (logged.event == event) found.push_back(logged);
    }
    return found;
  }

  boost::asio::io_context context_;  // outlives the actors that post to it
  ManualClock clock_;
  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::mutex log_mutex_;
  std::vector<Logged> log_;
  std::unique_ptr<Runtime> runtime_;
  std::optional<ObjectNamespace<Worker>> workers_;

 private:
  void Keep(const LogRecord& record) {
    Logged logged{.level = record.level,
                  .event = std::string(record.event),
                  .namespace_name = std::string(record.namespace_name),
                  .object_id = record.object_id,
                  .object_name = std::string(record.object_name),
                  .trace = record.trace,
                  .message = record.message,
                  .fields = ""};
    for (const LogField& field : record.fields) {
      logged.fields += std::string(field.name) + "=" + field.value + " ";
    }
    std::lock_guard lock(log_mutex_);
    log_.push_back(std::move(logged));
  }
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_
