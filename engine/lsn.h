// The numbers that name things: Lsn, PageNo, TimelineId. Distinct types, so a swap does not
// compile.

#ifndef TIDEMARK_ENGINE_LSN_H_
#define TIDEMARK_ENGINE_LSN_H_

#include <compare>
#include <cstdint>
#include <functional>

namespace tidemark {

template <typename Tag, typename Rep>
struct StrongNumber {
  Rep value = 0;

  constexpr StrongNumber() = default;
  constexpr explicit StrongNumber(Rep v) : value(v) {}
  constexpr auto operator<=>(const StrongNumber&) const = default;
  // 0 is "none" for each of these.
  constexpr bool valid() const { return value != 0; }
};

// The number of a record in the store's log: one sequence for the whole store, strictly
// increasing, never reused, not even for commits that a crash took. A commit's LSN is its frame's.
using Lsn = StrongNumber<struct LsnTag, uint64_t>;

// A page of a database, numbered from 1.
using PageNo = StrongNumber<struct PageNoTag, uint32_t>;

// A line of commits of one object. Its number is the LSN of the record that created it.
using TimelineId = StrongNumber<struct TimelineIdTag, uint64_t>;

}  // namespace tidemark

template <typename Tag, typename Rep>
struct std::hash<tidemark::StrongNumber<Tag, Rep>> {
  size_t operator()(const tidemark::StrongNumber<Tag, Rep>& n) const noexcept {
    return std::hash<Rep>()(n.value);
  }
};

#endif  // TIDEMARK_ENGINE_LSN_H_
