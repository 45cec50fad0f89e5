// tidemark fork STORE NAMESPACE/ NEW/: forks all objects of a namespace at one instant.

#include "tools/fork_namespace.h"

#include <nlohmann/json.hpp>

#include "engine/namespace_point.h"
#include "tools/console.h"
#include "tools/namespace_arguments.h"
#include "tools/progress.h"
#include "tools/session.h"

namespace tidemark::tools {

void RunForkNamespace(const ForkArguments& arguments, bool json) {
  const NamespaceArgument from = ParseNamespaceArgument(arguments.object, arguments.store);
  const NamespaceArgument to = ParseNamespaceArgument(arguments.fork, arguments.store);
  const Alarms alarms = ParseAlarms(arguments.alarms, Alarms::kClear).alarms;
  const Point at = ParseNamespacePoint(arguments.at.value_or("now"), arguments.store, from);
  Session session(arguments.store);
  {
    const std::string again =
        Command({"fork", session.path(), from.text, to.text, "--at", PointText(at)});
    if (!json) {
      PrintLine(from.text);
      PrintLine("  as of  " + DescribePoint(at));
      PrintLine("to go on, should this be interrupted:");
      PrintLine("  " + again);
      FlushOutput();
    }
    Progress progress("forking");
    const auto report =
        ForkNamespace(session.store(), from.name, at, to.name, alarms,
                      [&](uint64_t done, uint64_t total) { progress.Update(done, total); });
    progress.Hide();
    if (!report.ok()) {
      throw ExplainNamespace(report.status(), session, from,
                             "what was forked already stays; go on with: " + again);
    }
    if (json) {
      PrintJson({{"store", session.path()},
                 {"namespace", to.name},
                 {"source", from.name},
                 {"at", PointText(at)},
                 {"forked", report->forked},
                 {"same", report->same},
                 {"nameless", report->nameless}});
    } else {
      PrintLine("done: " + Plural(report->forked, "object") + " forked into " + to.text +
                (report->same > 0 ? ", " + FormatCount(report->same) +
                                        " not there then, or forked "
                                        "before"
                                  : ""));
      if (report->nameless > 0) {
        FlushOutput();
        PrintNote(Plural(report->nameless, "object") + " without a name left out");
      }
    }
  }
  session.Close();
}

}  // namespace tidemark::tools
