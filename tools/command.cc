#include "tools/command.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "engine/version.h"
#include "tools/command_line.h"
#include "tools/console.h"
#include "tools/control_client.h"
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
One process owns a store at a time; if that is an application that serves it,
verbs that need nothing else are run there.

Example:
  tidemark init /tmp/store
  tidemark import /tmp/store shop/orders orders.sqlite
  before=$(tidemark bookmark /tmp/store shop/orders)
  tidemark sql /tmp/store shop/orders "delete from orders"
  tidemark restore /tmp/store shop/orders --to $before

tidemark VERB --help says more about each.)";

void AddVerbs(CLI::App& app, Invocation* invocation) {
  AddInit(app, invocation);
  AddImport(app, invocation);
  AddExport(app, invocation);
  AddCopy(app, invocation);
  AddSql(app, invocation);
  AddLs(app, invocation);
  AddLog(app, invocation);
  AddDiff(app, invocation);
  AddChanges(app, invocation);
  AddBookmark(app, invocation);
  AddLabel(app, invocation);
  AddLabels(app, invocation);
  AddRestore(app, invocation);
  AddRestores(app, invocation);
  AddBisect(app, invocation);
  AddBlame(app, invocation);
  AddFork(app, invocation);
  AddPromote(app, invocation);
  AddDelete(app, invocation);
  AddUndelete(app, invocation);
  AddRetention(app, invocation);
  AddHold(app, invocation);
  AddAlarms(app, invocation);
  AddPrune(app, invocation);
  AddPurge(app, invocation);
  AddVerify(app, invocation);
  AddDrill(app, invocation);
  AddStandby(app, invocation);
  AddRebuild(app, invocation);
  AddSalvage(app, invocation);
  AddStat(app, invocation);
  AddReport(app, invocation);
}

// --help and --version.
int PrintRequest(CLI::App& app, const CLI::Success& request) {
  std::ostringstream out;
  app.exit(request, out);
  Print(out.str());
  FlushOutput();
  return kExitDone;
}

constexpr char kNotServedHint[] =
    "that process serves verbs such as sql, log and restore meanwhile, but not this one, which "
    "needs the store, or files, to itself: run it when that process has ended";

// The verb that was named: here, or where its store is open.
int RunVerb(const Invocation& invocation, const std::vector<std::string>& arguments) {
  const bool served = Scope::current() != nullptr;
  if (served && !invocation.served_by_owner) {
    throw Failure(StatusCodeName(StatusCode::kInUse), kExitFailed,
                  "`" + invocation.verb + "` is not served", kNotServedHint);
  }
  if (!served && invocation.served_by_owner) {
    if (const auto code = RunAtOwner(invocation.store, arguments)) return *code;
  }
  try {
    invocation.run();
  } catch (Failure& failure) {
    if (!invocation.served_by_owner && failure.code == StatusCodeName(StatusCode::kInUse) &&
        HasControlSocket(invocation.store)) {
      failure.hint = kNotServedHint;
    }
    throw;
  }
  return kExitDone;
}

}  // namespace

int RunCommand(const std::vector<std::string>& arguments, AddVerb* terminal_verb) {
  Invocation invocation;
  CLI::App app("Tidemark: small SQLite databases in one log, each with its whole history",
               "tidemark");
  app.set_version_flag("--version", "tidemark " TIDEMARK_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  app.get_formatter()->column_width(14);
  AddVerbs(app, &invocation);
  if (terminal_verb != nullptr) terminal_verb(app, &invocation);

  try {
    try {
      app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::Success& request) {
      return PrintRequest(app, request);
    } catch (const CLI::ParseError& error) {
      const auto verbs = app.get_subcommands();
      throw UsageFailure(verbs.empty() ? "" : verbs.front()->get_name(), error.what());
    }
    const int code = RunVerb(invocation, arguments);
    ThisConsole().Finish();
    return code;
  } catch (const Failure& failure) {
    FlushOutput();
    PrintFailure(failure, invocation.json);
    return failure.exit_code;
  } catch (const std::exception& error) {  // such as std::bad_alloc
    FlushOutput();
    PrintFailure(Failure("internal", kExitFailed, error.what(), ""), invocation.json);
    return kExitFailed;
  }
}

}  // namespace tidemark::tools
