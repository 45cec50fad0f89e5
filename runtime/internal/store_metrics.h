// What a store says of itself (StoreStats), as metrics.

#ifndef TIDEMARK_RUNTIME_INTERNAL_STORE_METRICS_H_
#define TIDEMARK_RUNTIME_INTERNAL_STORE_METRICS_H_

#include "engine/store.h"
#include "runtime/internal/prometheus.h"

namespace tidemark::internal {

// Families that begin with tidemark_store_. What is not known yet, the time of a drill where there
// was none, has no sample.
void WriteStoreMetrics(const StoreStats& stats, PrometheusWriter& writer);

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_STORE_METRICS_H_
