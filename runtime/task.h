// Task: what a coroutine of an actor, or of whoever calls one, returns. It is Asio's.
//
//   Task<int64_t> Counter::Total() {
//     const int64_t other = co_await stub_.Call(&Counter::Increment, 1);
//     co_return own_ + other;
//   }
//
// It runs when it is awaited, on the executor of whoever awaits it; boost::asio::co_spawn starts
// one from outside of coroutines.

#ifndef TIDEMARK_RUNTIME_TASK_H_
#define TIDEMARK_RUNTIME_TASK_H_

#include <utility>  // Boost 1.74's awaitable.hpp needs it and does not say so

#include <boost/asio/awaitable.hpp>

namespace tidemark {

template <typename T = void>
using Task = boost::asio::awaitable<T>;

namespace internal {
template <typename T>
struct TaskResult {
  using type = T;
  static constexpr bool kIsTask = false;
};
template <typename T>
struct TaskResult<Task<T>> {
  using type = T;
  static constexpr bool kIsTask = true;
};
}  // namespace internal

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_TASK_H_
