// tidemark report: one page about a store, for a person.

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/report_assets.h"
#include "tools/report_data.h"
#include "tools/report_page.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string output;
  uint64_t commits = 2'000'000;
};

void Run(const Arguments& arguments, bool json) {
  const bool to_stdout = arguments.output == "-";
  if (to_stdout && json) {
    throw UsageFailure("report", "-o - writes the page to stdout, where --json would write, too");
  }
  // Before the work: it may be refused.
  std::unique_ptr<OutputFile> file;
  if (!to_stdout) file = std::make_unique<OutputFile>(arguments.output, IfExists::kReplace);
  Session session(arguments.store);
  ReportData data = GatherReport(session, arguments.commits);
  session.Close();
  const std::string page = ReportPage(data, session.path(), kChartLibrary);
  if (to_stdout) {
    Print(page);
  } else {
    file->Write(std::as_bytes(std::span(page)));
    file->Commit();
    if (json) {
      PrintJson({{"store", session.path()},
                 {"output", AbsolutePath(arguments.output)},
                 {"bytes", page.size()},
                 {"charts", !kChartLibrary.empty()},
                 {"objects", data.objects},
                 {"deleted", data.deleted},
                 {"commits", data.commits},
                 {"commits_looked_at", data.commits_looked_at},
                 {"damage", data.damage_total}});
    } else {
      PrintLine("wrote " + PrintableLine(arguments.output) + ": " + FormatBytes(page.size()) +
                ", " + Plural(data.objects, "object") + ", " + Plural(data.commits, "commit"));
    }
  }
  if (data.damage_total != 0) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage,
                  "the page is written; it names " + Plural(data.damage_total, "damaged place") +
                      " of " + session.path(),
                  "see everything that is damaged with: " + Command({"verify", session.path()}));
  }
}

}  // namespace

void AddReport(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "report",
       .summary = "Write one page about a store, with charts, for a browser",
       .usage = "STORE -o FILE.html [--commits N]",
       .details =
           "Objects by size and by history, commits over time, space by their age, what the log "
           "and "
           "index take,\nretention and its horizon, the restore journal, labels, and health: the "
           "last scrub and drill, and what is\ndamaged. One file that needs no network and no "
           "other "
           "file, and stays small however large the store is:\nof long lists it has the first 25. "
           "A file of that name is replaced, when the new one is whole.\nReads lists and "
           "histories, "
           "not every page (that does `tidemark verify`). If damage is met the page is\nwritten "
           "all "
           "the same, and names it; the exit code is then 3.\n" +
           std::string(kChartLibrary.empty()
                           ? "This tidemark was built without charts: the page has their tables."
                           : "Each chart has a table behind it."),
       .example = "tidemark report /var/lib/rooms -o rooms.html\n"
                  "tidemark report /var/lib/rooms -o - | gzip > rooms.html.gz",
       .json_fields =
           "{\"store\",\"output\",\"bytes\",\"charts\",\"objects\",\"deleted\",\"commits\",\n"
           "\"commits_looked_at\",\"damage\"}; bytes: of the page; charts: whether it has any; "
           "commits_looked_at:\nfewer only if --commits is; damage: how many\nplaces were met"},
      &arguments->store, invocation);
  verb.RequiredOption("-o,--output", "Where to write the page; - for stdout", &arguments->output);
  verb.Option("--commits", "For what is told over time, look at this many commits; 0 for all",
              &arguments->commits);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
