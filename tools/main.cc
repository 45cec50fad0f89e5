// The `tidemark` command: parses the command line, runs the verb, and turns its end into an exit
// code: 0 when the end state that was asked for holds, 2 for wrong usage, 3 for damage, 1 else.

#include <CLI/CLI.hpp>
#include <clocale>
#include <cstdio>
#include <exception>
#include <string>

#include "engine/version.h"
#include "tools/command_line.h"
#include "tools/failure.h"
#include "tools/text.h"
#include "tools/verbs.h"

namespace tidemark::tools {
namespace {

constexpr char kFooter[] =
    R"(STORE is a directory; set TIDEMARK_STORE to leave it out.
OBJECT is NAMESPACE/NAME, such as rooms/lobby.
POINT is a bookmark, a label, an RFC 3339 time (local time if it names no zone),
unix seconds, or words such as "5 minutes ago".

Results go to stdout, errors and remarks to stderr. Exit codes: 0 done, 1 not
done, 2 wrong usage, 3 damage found. With --json, an error is one line on stderr:
  {"error":{"code","exit_code","message","hint"}}
One process owns a store at a time.

Example:
  tidemark init /tmp/store
  tidemark import /tmp/store shop/orders orders.sqlite
  tidemark sql /tmp/store shop/orders "delete from orders"
  tidemark restore /tmp/store shop/orders --to "1 minute ago"

tidemark VERB --help says more about each.)";

// Parses, and returns the exit code if there is nothing to run.
int Main(int argc, char** argv) {
  // wcwidth() needs a locale that knows UTF-8, whatever the user's is.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  // Commands that are printed must work where this one did.
  if (argc > 0 && std::string(argv[0]).find('/') != std::string::npos) SetProgramName(argv[0]);

  Invocation invocation;
  CLI::App app("Tidemark: small SQLite databases in one log, each with its whole history",
               "tidemark");
  app.set_version_flag("--version", "tidemark " TIDEMARK_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  app.get_formatter()->column_width(14);
  AddInit(app, &invocation);
  AddImport(app, &invocation);
  AddExport(app, &invocation);
  AddSql(app, &invocation);
  AddLs(app, &invocation);
  AddLog(app, &invocation);
  AddDiff(app, &invocation);
  AddChanges(app, &invocation);
  AddBookmark(app, &invocation);
  AddLabel(app, &invocation);
  AddLabels(app, &invocation);
  AddRestore(app, &invocation);
  AddRestores(app, &invocation);
  AddFork(app, &invocation);
  AddPromote(app, &invocation);
  AddDelete(app, &invocation);
  AddUndelete(app, &invocation);
  AddRetention(app, &invocation);
  AddHold(app, &invocation);
  AddAlarms(app, &invocation);
  AddPrune(app, &invocation);
  AddPurge(app, &invocation);
  AddVerify(app, &invocation);
  AddDrill(app, &invocation);
  AddRebuild(app, &invocation);
  AddSalvage(app, &invocation);
  AddStat(app, &invocation);

  try {
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& request) {  // --help and --version
      app.exit(request);
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      const auto verbs = app.get_subcommands();
      throw UsageFailure(verbs.empty() ? "" : verbs.front()->get_name(), error.what());
    }
    invocation.run();
    // A result that did not reach its reader is not a result.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw FileFailure("the output could not be written",
                        "the work itself is done; see what stands where stdout goes");
    }
    return kExitDone;
  } catch (const Failure& failure) {
    std::fflush(stdout);
    PrintFailure(failure, invocation.json);
    return failure.exit_code;
  } catch (const std::exception& error) {  // such as std::bad_alloc
    std::fflush(stdout);
    PrintFailure(Failure("internal", kExitFailed, error.what(), ""), invocation.json);
    return kExitFailed;
  }
}

}  // namespace
}  // namespace tidemark::tools

int main(int argc, char** argv) { return tidemark::tools::Main(argc, argv); }
