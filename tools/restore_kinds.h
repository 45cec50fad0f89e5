// What `restore` does besides bringing back one whole object: rows of tables, or a namespace.

#ifndef TIDEMARK_TOOLS_RESTORE_KINDS_H_
#define TIDEMARK_TOOLS_RESTORE_KINDS_H_

#include <optional>
#include <string>
#include <vector>

namespace tidemark::tools {

struct RestoreArguments {
  std::string store;
  std::string object;  // or NAMESPACE/
  std::string to;
  std::optional<std::string> alarms;
  bool dry_run = false;
  // Of rows:
  std::vector<std::string> tables;
  std::optional<std::string> where;
  std::optional<std::string> on_conflict;
  bool delete_new = false;
};

// Each throws Failure.
void RunRestoreRows(const RestoreArguments& arguments, bool json);
void RunRestoreNamespace(const RestoreArguments& arguments, bool json);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_RESTORE_KINDS_H_
