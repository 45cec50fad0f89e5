// Runs all benchmarks in order, round after round, so that a benchmark and its twin take turns
// within seconds: on a machine where an fdatasync takes 85 us now and 250 us a minute later, only
// the ratio of neighbours means something. Then prints medians, ranges and the targets' ratios.

#ifndef TIDEMARK_BENCH_ROUNDS_H_
#define TIDEMARK_BENCH_ROUNDS_H_

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "bench/registry.h"

namespace tidemark::bench {

// Shows each run as it ends, and remembers its figures by name.
class RoundsReporter : public benchmark::ConsoleReporter {
 public:
  RoundsReporter() : ConsoleReporter(OO_Tabular) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  // All figures of all runs, as median [least .. most].
  void PrintFigures() const;
  // The targets whose benchmarks ran, each met or missed. Ratios are taken round by round.
  void PrintTargets() const;

  // Of a benchmark's figure, or of a target; `samples` one a round.
  struct Summary {
    std::vector<double> samples;
    double median = 0, least = 0, most = 0;
  };
  using Figures = std::map<std::string, Summary, std::less<>>;

  const std::vector<std::string>& benchmarks() const { return order_; }  // in the order they ran
  Figures FiguresOf(const std::string& benchmark) const;
  // No samples if its benchmarks did not run.
  Summary SummaryOf(const Target& target) const;
  static bool IsMet(const Target& target, const Summary& summary);

  bool failed() const { return failed_; }

 private:
  using Samples = std::vector<double>;  // one a round

  // A target's figure or ratio, one a round; empty if its benchmarks did not run.
  Samples TargetSamples(const Target& target) const;
  const Samples* Find(std::string_view benchmark, std::string_view figure) const;

  std::vector<std::string> order_;
  std::map<std::string, std::map<std::string, Samples, std::less<>>, std::less<>> figures_;
  bool failed_ = false;
  bool context_shown_ = false;
};

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_ROUNDS_H_
