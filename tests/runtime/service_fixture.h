// What the tests of the runtime as a service share: a runtime with a manual clock, its workers, and
// what was logged.

#ifndef TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_
#define TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "runtime/runtime.h"
#include "tests/runtime/kept_log.h"
#include "tests/runtime/worker.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {

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

  RuntimeOptions Options() { return {.threads = 2, .clock = &clock_, .log = log_.hook()}; }
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

  // The value of a sample, as the text has it; empty if there is none.
  std::string Metric(const std::string& sample) const {
    const std::string text = "\n" + runtime_->Metrics();
    const size_t at = text.find("\n" + sample + " ");
    if (at == std::string::npos) return "";
    const size_t begin = at + sample.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  std::vector<Logged> LoggedAs(std::string_view event) { return log_.As(event); }

  boost::asio::io_context context_;  // outlives the actors that post to it
  ManualClock clock_;
  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  KeptLog log_;
  std::unique_ptr<Runtime> runtime_;
  std::optional<ObjectNamespace<Worker>> workers_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_SERVICE_FIXTURE_H_
