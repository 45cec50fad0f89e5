// The command line as a whole: parses it, runs the verb it names, and turns its end into an exit
// code: 0 when the end state that was asked for holds, 2 for wrong usage, 3 for damage, 1 else.

#ifndef TIDEMARK_TOOLS_COMMAND_H_
#define TIDEMARK_TOOLS_COMMAND_H_

#include <string>
#include <vector>

#include "tools/command_line.h"

namespace tidemark::tools {

// Adds a verb to the parser; see tools/verbs.h.
using AddVerb = void(CLI::App& app, Invocation* invocation);

// `arguments` are those behind the program's name. A verb that the owner of its store serves is run
// there, if it does (tools/control_client.h). Within a Scope (tools/console.h) it runs for somebody
// else, and must be one that is served. `terminal_verb` is known besides: one that needs more than
// a Console. Failures are printed, and none is thrown but by the Console.
int RunCommand(const std::vector<std::string>& arguments, AddVerb* terminal_verb = nullptr);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_COMMAND_H_
