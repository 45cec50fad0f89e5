// Worker: an actor that does as it is told.

#ifndef TIDEMARK_TESTS_RUNTIME_WORKER_H_
#define TIDEMARK_TESTS_RUNTIME_WORKER_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

#include "runtime/runtime.h"

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

// What a call of an actor that must fail throws.
template <typename Call>
ActorError ErrorOf(Call call) {
  try {
    call();
  } catch (const ActorError& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return ActorError(ActorFailure::kThrown, Status(StatusCode::kUnknown, "nothing"));
}

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_WORKER_H_
