// What the counts of actor_metrics.h are called outside.

#ifndef TIDEMARK_RUNTIME_INTERNAL_RUNTIME_METRICS_H_
#define TIDEMARK_RUNTIME_INTERNAL_RUNTIME_METRICS_H_

#include <string_view>

#include "runtime/internal/actor_metrics.h"

namespace tidemark::internal {

// The label "reason" of what is counted, which log records have, too; empty if it has none.
std::string_view ReasonOf(Count what);

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_RUNTIME_METRICS_H_
