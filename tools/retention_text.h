// Policies and holds in words.

#ifndef TIDEMARK_TOOLS_RETENTION_TEXT_H_
#define TIDEMARK_TOOLS_RETENTION_TEXT_H_

#include <string>

#include "engine/retention.h"
#include "engine/store.h"

namespace tidemark::tools {

// "everything for 30d, one commit of each day for 365d"
std::string DescribePolicy(const RetentionPolicy& policy);
// Its policy, hold and budget; its scope is not in it.
std::string DescribeRule(const RetentionEntry& rule);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_RETENTION_TEXT_H_
