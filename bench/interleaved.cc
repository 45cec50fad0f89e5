#include "bench/interleaved.h"

#include <array>
#include <chrono>
#include <optional>
#include <vector>

namespace tidemark::bench {

void Interleave(benchmark::State& state, const InterleavedSides& sides) {
  const std::array open = {&sides.open_tidemark, &sides.open_file};
  std::array<std::optional<Connection>, 2> connections;
  std::array<double, 2> seconds{};
  std::vector<double> ratios;
  int64_t rows = 0;
  size_t first = 1;
  const auto half = static_cast<size_t>(state.max_iterations / 2);
  for (auto _ : state) {
    if (ratios.empty() || ratios.size() == half) {
      for (auto& connection : connections) connection.reset();
      const size_t opened_first = ratios.empty() ? 0 : 1;
      for (const size_t side : {opened_first, 1 - opened_first}) {
        connections[side].emplace((*open[side])());
      }
    }
    // Who begins changes with every turn, so that neither always finds the other's cache lines.
    first = 1 - first;
    std::array<double, 2> turn{};
    for (const size_t side : {first, 1 - first}) {
      const auto start = std::chrono::steady_clock::now();
      rows += sides.turn(*connections[side]);
      turn[side] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      seconds[side] += turn[side];
    }
    ratios.push_back(turn[1] / turn[0]);
  }
  state.counters["tidemark_per_s"] = static_cast<double>(rows) / 2 / seconds[0];
  state.counters["file_per_s"] = static_cast<double>(rows) / 2 / seconds[1];
  state.counters["to_file"] = Percentile(ratios, 0.5);
}

}  // namespace tidemark::bench
