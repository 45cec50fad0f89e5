#include "bench/rounds.h"

#include <algorithm>
#include <cstdio>

namespace tidemark::bench {
namespace {

RoundsReporter::Summary Summarise(std::vector<double> samples) {
  RoundsReporter::Summary summary;
  summary.samples = samples;
  if (samples.empty()) return summary;
  summary.median = Percentile(samples, 0.5);  // reorders them
  const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
  summary.least = *least;
  summary.most = *most;
  return summary;
}

// Four digits that count, without the exponent that %g would give a rate.
std::string Format(double value) {
  char text[32];
  const int decimals = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

}  // namespace

bool RoundsReporter::ReportContext(const Context& context) {
  if (context_shown_) return true;
  context_shown_ = true;
  return ConsoleReporter::ReportContext(context);
}

void RoundsReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.error_occurred) {
      failed_ = true;
      Skip(run.run_name.function_name + ": failed: " + run.error_message);
    }
    if (run.error_occurred || run.run_type != Run::RT_Iteration) continue;
    const std::string& name = run.run_name.function_name;
    if (!figures_.contains(name)) order_.push_back(name);
    for (const auto& [counter, value] : run.counters) {
      figures_[name][counter].push_back(value.value);
    }
  }
  ConsoleReporter::ReportRuns(runs);
}

void RoundsReporter::PrintFigures() const {
  std::printf("\nFigures: median [least .. most] of the rounds\n");
  for (const std::string& name : order_) {
    std::printf("%s\n", name.c_str());
    for (const auto& [counter, samples] : figures_.at(name)) {
      const Summary summary = Summarise(samples);
      std::printf("    %-18s %10s  [%s .. %s]\n", counter.c_str(), Format(summary.median).c_str(),
                  Format(summary.least).c_str(), Format(summary.most).c_str());
    }
  }
}

void RoundsReporter::PrintTargets() const {
  std::printf("\nTargets: median [least .. most] of the rounds\n");
  for (const Target& target : Targets()) {
    const Summary summary = SummaryOf(target);
    if (summary.samples.empty()) continue;
    const bool at_least = target.sense == Target::Sense::kAtLeast;
    std::printf("  %-6s  %-60.*s %8s [%s .. %s]  at %s %s\n",
                IsMet(target, summary) ? "met" : "MISSED", static_cast<int>(target.text.size()),
                target.text.data(), Format(summary.median).c_str(), Format(summary.least).c_str(),
                Format(summary.most).c_str(), at_least ? "least" : "most",
                Format(target.bound).c_str());
  }
}

RoundsReporter::Figures RoundsReporter::FiguresOf(const std::string& benchmark) const {
  Figures figures;
  for (const auto& [name, samples] : figures_.at(benchmark)) figures[name] = Summarise(samples);
  return figures;
}

RoundsReporter::Summary RoundsReporter::SummaryOf(const Target& target) const {
  return Summarise(TargetSamples(target));
}

bool RoundsReporter::IsMet(const Target& target, const Summary& summary) {
  return target.sense == Target::Sense::kAtLeast ? summary.median >= target.bound
                                                 : summary.median <= target.bound;
}

RoundsReporter::Samples RoundsReporter::TargetSamples(const Target& target) const {
  const Samples* subject = Find(target.subject, target.figure);
  if (subject == nullptr) return {};
  if (target.base.empty()) return *subject;
  const Samples* base = Find(target.base, target.figure);
  if (base == nullptr) return {};
  Samples ratios;
  for (size_t round = 0; round < std::min(subject->size(), base->size()); ++round) {
    ratios.push_back((*subject)[round] / (*base)[round]);
  }
  return ratios;
}

const RoundsReporter::Samples* RoundsReporter::Find(std::string_view benchmark,
                                                    std::string_view figure) const {
  const auto counters = figures_.find(benchmark);
  if (counters == figures_.end()) return nullptr;
  const auto samples = counters->second.find(figure);
  return samples == counters->second.end() ? nullptr : &samples->second;
}

}  // namespace tidemark::bench
