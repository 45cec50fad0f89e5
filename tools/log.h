// The listing of an object's commits, as `tidemark log` and the shell's .log print it.

#ifndef TIDEMARK_TOOLS_LOG_H_
#define TIDEMARK_TOOLS_LOG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/bookmark.h"
#include "engine/object.h"
#include "tools/session.h"

namespace tidemark::tools {

struct LogOptions {
  uint64_t limit = 100;  // 0: all
  std::optional<Point> since{};
  std::optional<Point> until{};
  bool json = false;
  // What to do to see more than the limit.
  std::string more_hint = "--limit N shows more, --limit 0 all";
  std::function<bool()> stop{};  // asked between commits: the listing ends there
};

// Prints the commits of `object`, newest first, row by row. Throws Failure, also after all was
// printed if some of them are damaged.
void ShowLog(Session& session, const Object& object, const LogOptions& options);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_LOG_H_
