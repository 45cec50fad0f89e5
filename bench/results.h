// The figures of a run as JSON, for bench/report.py and for whoever compares two runs.
//
//   {"format": 1, "size": "quick", "rounds": 3, "system": {...},
//    "rows": [{"name", "durability", "figures": {NAME: {"median","least","most","samples":
//    [..]}}}], "targets": [{"text", "row", "base", "figure", "sense": "at least", "bound",
//    "alternative",
//                 "met": true, "median", "least", "most", "samples"}],     met: null if it did not
//                 run
//    "skipped": ["what: why"]}
//
// Samples are in order of rounds, so that a ratio can be taken of the same round.

#ifndef TIDEMARK_BENCH_RESULTS_H_
#define TIDEMARK_BENCH_RESULTS_H_

#include <string>

#include "bench/rounds.h"
#include "bench/workload.h"

namespace tidemark::bench {

struct RunConditions {
  Settings settings;
  long rounds = 0;
  std::string file_system;
  std::string build_type;
};

// Ends the process if the file cannot be written.
void WriteResults(const std::string& path, const RoundsReporter& reporter,
                  const RunConditions& conditions);

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_RESULTS_H_
