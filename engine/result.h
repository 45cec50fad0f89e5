// Result<T>: a value or the Status that says why there is none.

#ifndef TIDEMARK_ENGINE_RESULT_H_
#define TIDEMARK_ENGINE_RESULT_H_

#include <optional>
#include <utility>

#include "engine/check.h"
#include "engine/status.h"

namespace tidemark {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit, so that `return value;` works
  Result(Status status) : status_(std::move(status)) {  // NOLINT: likewise
    CHECK(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // The value. Calling these on an error is a bug and ends the process.
  T& value() & {
    CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    CHECK(ok());
    return *value_;
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace tidemark

#define TIDEMARK_CONCAT_INNER(a, b) a##b
#define TIDEMARK_CONCAT(a, b) TIDEMARK_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` is an error.
#define TIDEMARK_RETURN_IF_ERROR(expression)                        \
  do {                                                              \
    if (::tidemark::Status status_ = (expression); !status_.ok()) { \
      return status_;                                               \
    }                                                               \
  } while (false)

// `TIDEMARK_ASSIGN_OR_RETURN(auto x, F());`: x is F's value, or F's error is returned.
#define TIDEMARK_ASSIGN_OR_RETURN(declaration, expression) \
  TIDEMARK_ASSIGN_OR_RETURN_IMPL(TIDEMARK_CONCAT(result_, __LINE__), declaration, expression)
#define TIDEMARK_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                           \
  if (!result.ok()) return result.status();                             \
  declaration = std::move(result).value()

#endif  // TIDEMARK_ENGINE_RESULT_H_
