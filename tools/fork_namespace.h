// What `fork` does with a whole namespace.

#ifndef TIDEMARK_TOOLS_FORK_NAMESPACE_H_
#define TIDEMARK_TOOLS_FORK_NAMESPACE_H_

#include <optional>
#include <string>

namespace tidemark::tools {

struct ForkArguments {
  std::string store;
  std::string object;  // or NAMESPACE/
  std::string fork;    // likewise
  std::optional<std::string> at;
  std::optional<std::string> alarms;
};

// Throws Failure.
void RunForkNamespace(const ForkArguments& arguments, bool json);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_FORK_NAMESPACE_H_
