// StorageMetrics: what an object's storage has done since it was opened.

#ifndef TIDEMARK_API_METRICS_H_
#define TIDEMARK_API_METRICS_H_

#include <cstdint>

namespace tidemark {

struct StorageMetrics {
  uint64_t rows_read = 0;     // by SQL, KV and alarms of the application
  uint64_t rows_written = 0;  // index entries included
  uint64_t sql_calls = 0;     // Exec and Ingest
  uint64_t kv_calls = 0;
  uint64_t commits = 0;
  uint64_t log_bytes = 0;  // that the commits have in the store's log
  uint64_t rollbacks = 0;
  uint64_t durable_waits = 0;  // Sync and WaitDurable calls that had to wait
};

}  // namespace tidemark

#endif  // TIDEMARK_API_METRICS_H_
