// PrometheusWriter: text in Prometheus' exposition format, version 0.0.4.
//
//   # HELP name help
//   # TYPE name counter
//   name{label="value"} 1
//
// A family's samples stand together, behind its two comments.

#ifndef TIDEMARK_RUNTIME_INTERNAL_PROMETHEUS_H_
#define TIDEMARK_RUNTIME_INTERNAL_PROMETHEUS_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/internal/actor_metrics.h"

namespace tidemark::internal {

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

class PrometheusWriter {
 public:
  explicit PrometheusWriter(std::ostream& out) : out_(out) {}

  // `type`: counter, gauge or histogram. `help` is one line of plain text.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  void Sample(const MetricLabels& labels, uint64_t value);
  // Of a family of histograms in seconds.
  void Sample(const MetricLabels& labels, const ActorMetrics::Histogram& histogram);

 private:
  void Line(std::string_view suffix, const MetricLabels& labels, std::string_view value);

  std::ostream& out_;
  std::string family_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_PROMETHEUS_H_
