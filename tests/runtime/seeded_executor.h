// SeededExecutor: one thread on which what is ready runs in an order that a seed decides, so that a
// run can be repeated.
//
// What was posted in one order by several threads of a pool may run in any: here each next one is
// drawn from all that are ready.

#ifndef TIDEMARK_TESTS_RUNTIME_SEEDED_EXECUTOR_H_
#define TIDEMARK_TESTS_RUNTIME_SEEDED_EXECUTOR_H_

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/support/test_seed.h"

namespace tidemark::testing {

class SeededExecutor {
 public:
  explicit SeededExecutor(uint64_t seed) : random_(seed) {}
  SeededExecutor(const SeededExecutor&) = delete;
  SeededExecutor& operator=(const SeededExecutor&) = delete;

  // Runs one of what is ready; false: nothing is.
  bool RunOne() {
    if (ready_.empty()) return false;
    std::swap(ready_[random_.Below(ready_.size())], ready_.back());
    const std::function<void()> call = std::move(ready_.back());
    ready_.pop_back();
    call();
    return true;
  }

  void RunAll() {
    while (RunOne()) continue;
  }

  // Satisfies Asio's executor concept. Nothing is run within execute().
  class Executor {
   public:
    explicit Executor(SeededExecutor* owner) noexcept : owner_(owner) {}
    bool operator==(const Executor& other) const noexcept = default;

    template <typename Call>
    void execute(Call&& call) const {
      // std::function wants copies; handlers cannot be copied.
      owner_->Post([shared = std::make_shared<std::decay_t<Call>>(std::forward<Call>(call))] {
        std::decay_t<Call>(std::move(*shared))();
      });
    }
    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
      return owner_->context_;
    }
    boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
      return boost::asio::execution::blocking.never;
    }
    Executor require(boost::asio::execution::blocking_t::never_t) const noexcept { return *this; }

   private:
    SeededExecutor* owner_;
  };
  Executor executor() { return Executor(this); }

 private:
  void Post(std::function<void()> call) { ready_.push_back(std::move(call)); }

  boost::asio::io_context context_;  // for Asio's timers, which are not used; never run
  Random random_;
  std::vector<std::function<void()>> ready_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_SEEDED_EXECUTOR_H_
