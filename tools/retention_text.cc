#include "tools/retention_text.h"

#include <utility>

#include "tools/span.h"
#include "tools/text.h"

namespace tidemark::tools {

std::string DescribePolicy(const RetentionPolicy& policy) {
  std::string text = "everything for " + FormatSpan(policy.window);
  auto until = policy.window;
  for (const auto& [span, what] : {std::pair(policy.hourly, "hour"), {policy.daily, "day"}}) {
    if (span <= until) continue;
    text += std::string(", one commit of each ") + what + " for " + FormatSpan(span);
    until = span;
  }
  return text;
}

std::string DescribeRule(const RetentionEntry& rule) {
  std::string text;
  if (rule.policy) text = DescribePolicy(*rule.policy);
  if (rule.hold) {
    text = "held since " + FormatLocalTime(rule.hold->since) +
           (rule.hold->reason.empty() ? "" : ": ") + rule.hold->reason;
  }
  if (rule.budget_bytes) {
    text += (text.empty() ? "a budget of " : ", in a budget of ") + FormatBytes(*rule.budget_bytes);
  }
  return text;
}

}  // namespace tidemark::tools
