// The `tidemark` command: one verb, on this process's own arguments, input and output.

#include <clocale>
#include <cstdio>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/failure.h"
#include "tools/text.h"
#include "tools/verbs.h"

int main(int argc, char** argv) {
  using namespace tidemark::tools;  // NOLINT: this is their main
  // wcwidth() needs a locale that knows UTF-8, whatever the user's is.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  // Commands that are printed must work where this one did.
  if (argc > 0 && std::string(argv[0]).find('/') != std::string::npos) SetProgramName(argv[0]);
  return RunCommand(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), AddShell);
}
