// tidemark restore STORE NAMESPACE/: brings all objects of a namespace to one instant.

#include <memory>
#include <nlohmann/json.hpp>

#include "engine/namespace_point.h"
#include "tools/console.h"
#include "tools/namespace_arguments.h"
#include "tools/progress.h"
#include "tools/restore_kinds.h"
#include "tools/session.h"

namespace tidemark::tools {

namespace {

std::string DescribeReport(const NamespaceReport& report) {
  std::string text;
  const auto count = [&](uint64_t number, const std::string& what) {
    if (number > 0) text += (text.empty() ? "" : ", ") + FormatCount(number) + " " + what;
  };
  count(report.restored, "brought back");
  count(report.undeleted, "undeleted");
  count(report.deleted, "deleted (they did not exist then)");
  count(report.same, "as they were");
  return text.empty() ? "no objects" : text;
}

Json ReportJson(const NamespaceReport& report) {
  return {{"restored", report.restored},
          {"undeleted", report.undeleted},
          {"deleted", report.deleted},
          {"same", report.same}};
}

}  // namespace

void RunRestoreNamespace(const RestoreArguments& arguments, bool json) {
  const NamespaceArgument ns = ParseNamespaceArgument(arguments.object, arguments.store);
  const Alarms alarms = ParseAlarms(arguments.alarms, Alarms::kRestore).alarms;
  const Point to = ParseNamespacePoint(arguments.to, arguments.store, ns);
  Session session(arguments.store);
  {
    Store& store = session.store();
    Progress progress("restoring");
    const auto update = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
    const Subject about = AboutNamespacePoint(session, ns);
    const auto plan = PlanNamespaceRestore(store, ns.name, to, alarms, update);
    progress.Hide();
    if (!plan.ok()) throw ExplainNamespace(plan.status(), session, ns, "nothing was changed");
    const std::string goal = PointText(to);
    const bool needed = plan->changed() > 0;
    const Bookmark undo_bookmark = OrThrow(store.NamespaceBookmark(ns.name), about);
    const std::string undo =
        Command({"restore", session.path(), ns.text, "--to", undo_bookmark.ToString()});
    const std::string again = Command({"restore", session.path(), ns.text, "--to", goal});
    NamespaceReport report = *plan;
    const bool done = needed && !arguments.dry_run;
    if (!json) {
      PrintLine(ns.text);
      PrintLine("  goes to  " + DescribePoint(to));
      PrintLine("  objects  " + DescribeReport(report));
      if (done) {
        // Before anything is changed: whoever is interrupted has it.
        PrintLine("to undo all of it:");
        PrintLine("  " + undo);
      }
      FlushOutput();
    }
    if (done) {
      const auto restored = RestoreNamespace(store, ns.name, to, alarms, update);
      progress.Hide();
      if (!restored.ok()) {
        throw ExplainNamespace(restored.status(), session, ns,
                               "some objects stand there already; go on with: " + again);
      }
      report = *restored;
    }
    if (json) {
      Json document = {
          {"store", session.path()},      {"namespace", ns.name}, {"done", done},
          {"dry_run", arguments.dry_run}, {"to", goal},           {"objects", ReportJson(report)},
          {"undo_bookmark", nullptr},     {"undo", nullptr}};
      if (needed) {
        document["undo_bookmark"] = undo_bookmark.ToString();
        document["undo"] = undo;
      }
      PrintJson(document);
    } else if (!needed) {
      PrintLine("nothing to do: all of them stand there");
    } else if (done) {
      PrintLine("done: " + DescribeReport(report));
    } else {
      PrintLine("dry run: nothing was changed. Afterwards, this would undo it:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

}  // namespace tidemark::tools
