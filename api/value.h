// Value: what a column holds and a parameter takes, and the C++ types that stand for it.

#ifndef TIDEMARK_API_VALUE_H_
#define TIDEMARK_API_VALUE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "engine/export.h"

namespace tidemark {

using Blob = std::vector<std::byte>;
using BlobView = std::span<const std::byte>;

struct Null {
  auto operator<=>(const Null&) const = default;
};

// A value of SQL that owns its bytes. Integers are 64 bits and stay integers.
using Value = std::variant<Null, int64_t, double, std::string, Blob>;

// The same for a moment: bytes of somebody else's. What Exec's bindings become.
using ValueView = std::variant<Null, int64_t, double, std::string_view, BlobView>;

TIDEMARK_API ValueView ViewOf(const Value& value);
TIDEMARK_API Value ValueOf(const ValueView& view);
// "NULL", "INTEGER", "REAL", "TEXT" or "BLOB".
TIDEMARK_API std::string_view TypeName(const ValueView& value);

// Throws Error (kOutOfRange): SQLite's integers end at 2^63 - 1.
[[noreturn]] TIDEMARK_API void ThrowTooLarge(uint64_t value);

namespace internal {

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

}  // namespace internal

// What can be bound: nothing (nullptr, nullopt, Null), bool, integers, double
// and float, text (whatever converts to string_view), blobs (whatever converts to a span of bytes),
// an optional of these, a Value. The view is of the argument's bytes.
template <typename T>
ValueView ToView(const T& value) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (std::same_as<Plain, ValueView>) {
    return value;
  } else if constexpr (std::same_as<Plain, Value>) {
    return ViewOf(value);
  } else if constexpr (std::same_as<Plain, std::nullptr_t> || std::same_as<Plain, std::nullopt_t> ||
                       std::same_as<Plain, Null>) {
    return Null();
  } else if constexpr (internal::kIsOptional<Plain>) {
    return value.has_value() ? ToView(*value) : ValueView(Null());
  } else if constexpr (std::integral<Plain>) {
    if constexpr (std::unsigned_integral<Plain> && sizeof(Plain) == sizeof(int64_t)) {
      if (value > static_cast<Plain>(INT64_MAX)) ThrowTooLarge(value);
    }
    return static_cast<int64_t>(value);
  } else if constexpr (std::floating_point<Plain>) {
    return static_cast<double>(value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return std::string_view(value);
  } else {
    static_assert(std::convertible_to<const T&, BlobView>, "no type that SQL knows");
    return BlobView(value);
  }
}

}  // namespace tidemark

#endif  // TIDEMARK_API_VALUE_H_
