// What differs between two commits of an object, as `tidemark diff` and the shell print it.

#ifndef TIDEMARK_TOOLS_DIFF_H_
#define TIDEMARK_TOOLS_DIFF_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/commit_info.h"
#include "engine/object.h"
#include "tools/session.h"

namespace tidemark::tools {

struct DiffOptions {
  std::vector<std::string> tables{};  // empty: all
  enum class Format { kText, kJson, kSql } format = Format::kText;
  bool stat = false;  // counts, not rows; not of kSql
};

// Prints what turns `from` into `to`. Throws Failure.
void ShowDiff(const Session& session, Object& object, const CommitInfo& from, const CommitInfo& to,
              const DiffOptions& options);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_DIFF_H_
