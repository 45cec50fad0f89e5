// Fifo: what waits in line. Takes no memory while it never held anything, as those of most actors
// do; std::deque takes half a kilobyte.

#ifndef TIDEMARK_RUNTIME_INTERNAL_FIFO_H_
#define TIDEMARK_RUNTIME_INTERNAL_FIFO_H_

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace tidemark::internal {

template <typename T>
class Fifo {
 public:
  bool empty() const { return first_ == items_.size(); }
  size_t size() const { return items_.size() - first_; }
  T& front() { return items_[first_]; }
  T& operator[](size_t position) { return items_[first_ + position]; }
  auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() { return items_.end(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  void push_front(T item) {
    if (first_ > 0) {
      items_[--first_] = std::move(item);
    } else {
      items_.insert(items_.begin(), std::move(item));
    }
  }
  T pop_front() {
    T item = std::move(items_[first_++]);
    if (empty()) {
      Clear();
    } else if (first_ >= kMostGone && first_ >= items_.size() / 2) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return item;
  }
  // All from `position` on, in order.
  std::vector<T> TakeFrom(size_t position) {
    const auto from = begin() + static_cast<std::ptrdiff_t>(position);
    std::vector<T> taken(std::make_move_iterator(from), std::make_move_iterator(end()));
    items_.erase(from, items_.end());
    if (empty()) Clear();
    return taken;
  }

 private:
  static constexpr size_t kMostGone = 64;  // before the others move up
  static constexpr size_t kMostKept = 64;  // room of a line that is empty

  void Clear() {
    first_ = 0;
    items_.clear();
    if (items_.capacity() > kMostKept) items_ = std::vector<T>();
  }

  std::vector<T> items_;
  size_t first_ = 0;  // those before it are gone
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_FIFO_H_
