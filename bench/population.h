// Stores full of objects that do nothing: 1 million of them is a usual day for this library.

#ifndef TIDEMARK_BENCH_POPULATION_H_
#define TIDEMARK_BENCH_POPULATION_H_

#include <cstdint>
#include <string>

#include "bench/workload.h"

namespace tidemark::bench {

// Makes objects of one table with one row, from `first` on, the cheapest way there is: the pages of
// one that SQLite made, without SQLite. Durable and indexed when it returns.
void AddIdleObjects(Bed& bed, int64_t first, int64_t count);

std::string IdleObjectName(int64_t number);

// What OpenAndTell found out.
struct OpenedStore {
  double open_s = 0;        // Store::Open
  double first_row_ms = 0;  // one object opened, and its row read
  double rss_mb = 0;        // resident in all, the index's mapped pages included
  double anonymous_mb = 0;  // of that what the process allocated
  double descriptors = 0;
};

// Opens a closed store in a process of its own, which reads a row of object `number`.
OpenedStore OpenInProcess(const std::string& store_path, int64_t number);

// That process.
[[noreturn]] void OpenAndTell(const std::string& store_path, int64_t number);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_POPULATION_H_
