#include "tools/span.h"

#include <charconv>
#include <cstdint>

#include "tools/failure.h"

namespace tidemark::tools {
namespace {

struct Unit {
  char name;
  int64_t seconds;
};
// The largest first.
constexpr Unit kUnits[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

// More than this the engine refuses anyway, and no product overflows.
constexpr int64_t kMostUnits = 1'000'000'000'000;

}  // namespace

std::chrono::seconds ParseSpan(const std::string& text, std::string_view verb,
                               std::string_view option) {
  int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, count);
  if (error == std::errc() && count >= 0 && count <= kMostUnits && behind + 1 == end) {
    for (const Unit& unit : kUnits) {
      if (*behind == unit.name) return std::chrono::seconds(count * unit.seconds);
    }
  }
  throw UsageFailure(verb,
                     std::string(option) + " " + text + " is no span of time: give " + kSpanHelp);
}

std::string FormatSpan(std::chrono::seconds span) {
  for (const Unit& unit : kUnits) {
    // Days are what policies are thought of in.
    if (unit.name == 'w' || span.count() % unit.seconds != 0) continue;
    if (span.count() == 0) break;
    return std::to_string(span.count() / unit.seconds) + unit.name;
  }
  return "0s";
}

}  // namespace tidemark::tools
