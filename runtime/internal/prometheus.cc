#include "runtime/internal/prometheus.h"

#include <cstdio>

namespace tidemark::internal {
namespace {

std::string Escape(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

// Exactly: no floating point, no locale. Without zeros at the end.
std::string Seconds(uint64_t microseconds) {
  char text[40];
  std::snprintf(text, sizeof(text), "%llu.%06llu",
                static_cast<unsigned long long>(microseconds / 1'000'000),
                static_cast<unsigned long long>(microseconds % 1'000'000));
  std::string seconds = text;
  while (seconds.back() == '0') seconds.pop_back();
  if (seconds.back() == '.') seconds.pop_back();
  return seconds;
}

}  // namespace

void PrometheusWriter::Family(std::string_view name, std::string_view type, std::string_view help) {
  family_ = name;
  out_ << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n';
}

void PrometheusWriter::Line(std::string_view suffix, const MetricLabels& labels,
                            std::string_view value) {
  out_ << family_ << suffix;
  char between = '{';
  for (const auto& [name, text] : labels) {
    out_ << between << name << "=\"" << Escape(text) << '"';
    between = ',';
  }
  if (!labels.empty()) out_ << '}';
  out_ << ' ' << value << '\n';
}

void PrometheusWriter::Sample(const MetricLabels& labels, uint64_t value) {
  Line("", labels, std::to_string(value));
}

void PrometheusWriter::Sample(const MetricLabels& labels,
                              const ActorMetrics::Histogram& histogram) {
  uint64_t count = 0;
  MetricLabels with_bound = labels;
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    count += histogram.buckets[i];
    const std::string bound = i < kBucketBounds.size()
                                  ? Seconds(static_cast<uint64_t>(kBucketBounds[i]))
                                  : std::string("+Inf");
    with_bound.emplace_back("le", bound);
    Line("_bucket", with_bound, std::to_string(count));
    with_bound.pop_back();
  }
  Line("_sum", labels, Seconds(histogram.sum_microseconds));
  Line("_count", labels, std::to_string(count));
}

}  // namespace tidemark::internal
