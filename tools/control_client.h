// The `tidemark` command's side of a control socket (tools/control_server.h).

#ifndef TIDEMARK_TOOLS_CONTROL_CLIENT_H_
#define TIDEMARK_TOOLS_CONTROL_CLIENT_H_

#include <optional>
#include <string>
#include <vector>

namespace tidemark::tools {

// Has the process that has the store in `directory` open run this command line, on this process's
// standard input and output, and returns the exit code. None if nobody serves that store: then
// nothing has happened. Throws Failure.
std::optional<int> RunAtOwner(const std::string& directory,
                              const std::vector<std::string>& arguments);

// Somebody serves that store, or did until it was killed.
bool HasControlSocket(const std::string& directory);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_CONTROL_CLIENT_H_
