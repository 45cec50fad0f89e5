// Spans of time as people give them: "30d".

#ifndef TIDEMARK_TOOLS_SPAN_H_
#define TIDEMARK_TOOLS_SPAN_H_

#include <chrono>
#include <string>
#include <string_view>

namespace tidemark::tools {

inline constexpr char kSpanHelp[] =
    "a number and a unit: s, m (minutes), h, d or w, such as 36h or 30d";

// Throws Failure (usage of `verb`), naming the option.
std::chrono::seconds ParseSpan(const std::string& text, std::string_view verb,
                               std::string_view option);
// In the largest unit that it is a whole number of: "30d".
std::string FormatSpan(std::chrono::seconds span);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SPAN_H_
