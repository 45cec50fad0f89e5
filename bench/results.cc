#include "bench/results.h"

#include <sqlite3.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/durability.h"
#include "bench/registry.h"

namespace tidemark::bench {
namespace {

using Json = nlohmann::ordered_json;

Json SummaryJson(const RoundsReporter::Summary& summary) {
  return {{"median", summary.median},
          {"least", summary.least},
          {"most", summary.most},
          {"samples", summary.samples}};
}

Json SystemJson(const RunConditions& conditions) {
  utsname system{};
  uname(&system);
  return {{"kernel", std::string(system.sysname) + " " + system.release},
          {"file_system", conditions.file_system},
          {"compiler", __VERSION__},
          {"build_type", conditions.build_type},
          {"sqlite", sqlite3_libversion()}};
}

Json RowsJson(const RoundsReporter& reporter) {
  Json rows = Json::array();
  for (const std::string& name : reporter.benchmarks()) {
    Json figures = Json::object();
    for (const auto& [figure, summary] : reporter.FiguresOf(name)) {
      figures[figure] = SummaryJson(summary);
    }
    rows.push_back({{"name", name}, {"durability", DurabilityOf(name)}, {"figures", figures}});
  }
  return rows;
}

Json TargetsJson(const RoundsReporter& reporter) {
  Json targets = Json::array();
  for (const Target& target : Targets()) {
    const RoundsReporter::Summary summary = reporter.SummaryOf(target);
    Json json = {{"text", target.text},
                 {"row", target.subject},
                 {"base", target.base},
                 {"figure", target.figure},
                 {"sense", target.sense == Target::Sense::kAtLeast ? "at least" : "at most"},
                 {"bound", target.bound},
                 {"alternative", target.alternative},
                 {"met", nullptr}};
    if (!summary.samples.empty()) {
      json["met"] = RoundsReporter::IsMet(target, summary);
      json.update(SummaryJson(summary));
    }
    targets.push_back(std::move(json));
  }
  return targets;
}

}  // namespace

void WriteResults(const std::string& path, const RoundsReporter& reporter,
                  const RunConditions& conditions) {
  const Json document = {{"format", 1},
                         {"size", RunSizeName(conditions.settings.size)},
                         {"rounds", conditions.rounds},
                         {"system", SystemJson(conditions)},
                         {"rows", RowsJson(reporter)},
                         {"targets", TargetsJson(reporter)},
                         {"skipped", Skipped()}};
  // Whole or not at all: what was there may be a run's earlier rounds.
  const std::string partial = path + ".partial";
  std::ofstream out(partial);
  out << document.dump(1) << '\n';
  out.close();
  if (!out || std::rename(partial.c_str(), path.c_str()) != 0) {
    Fail("writing " + path, "the disk is full, or the directory is not there");
  }
}

}  // namespace tidemark::bench
