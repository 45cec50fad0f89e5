// What a benchmark's rate is worth: when what it counts is safe from a power failure.

#ifndef TIDEMARK_BENCH_DURABILITY_H_
#define TIDEMARK_BENCH_DURABILITY_H_

#include <string_view>

namespace tidemark::bench {

// A phrase for the results' table, for a name as Register() gets it. Ends the process if
// durability.cc does not know the name: no figure is shown without.
std::string_view DurabilityOf(std::string_view benchmark);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_DURABILITY_H_
