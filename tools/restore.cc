// tidemark restore: makes an earlier state of an object its present one. (With --table
// restore_rows.cc does it, of a namespace restore_namespace.cc.)

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/console.h"
#include "tools/namespace_arguments.h"
#include "tools/restore_kinds.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

void RunRestore(const RestoreArguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const Point to = ParsePointArgument(arguments.to, arguments.store, name);
  const RestoreOptions options = ParseAlarms(arguments.alarms, Alarms::kRestore);
  Session session(arguments.store);
  bool done = false;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    RestoreInfo info = OrThrow(object->PlanRestore(to), session.AboutPoint(name.text, to));
    // Or it would add a line to the log each time that a script is run again.
    CommitInfo goal = info.to;
    if (options.alarms == Alarms::kClear) goal.alarm.reset();
    if (options.alarms == Alarms::kKeep) goal.alarm = info.from.alarm;
    const bool needed = !SameState(info.from, goal) || info.from.alarm != goal.alarm;
    if (!json) {
      PrintLine(name.text);
      PrintLine("  is at    " + DescribeCommit(*object, info.from));
      PrintLine("  goes to  " + DescribeCommit(*object, info.to));
      FlushOutput();
    }
    if (needed && !arguments.dry_run) {
      // The very commit that was shown, also if a time was given and time went on.
      info = OrThrow(object->Restore(FixedPoint(*object, to, info.to), options),
                     session.AboutPoint(name.text, to));
      done = true;
    }
    const std::string undo = RestoreCommand(session, name.text, info.undo);
    if (json) {
      Json document = {{"store", session.path()},
                       {"object", name.text},
                       {"done", done},
                       {"dry_run", arguments.dry_run},
                       {"from", CommitJson(*object, info.from)},
                       {"to", CommitJson(*object, info.to)},
                       {"result", nullptr},
                       {"label", nullptr},
                       {"undo_bookmark", nullptr},
                       {"undo", nullptr}};
      if (done) document["result"] = CommitJson(*object, info.result);
      if (!info.label.empty()) document["label"] = info.label;
      if (needed) {
        document["undo_bookmark"] = info.undo.ToString();
        document["undo"] = undo;
      }
      PrintJson(document);
    } else if (!needed) {
      PrintLine("nothing to do: that is its present state");
    } else if (done) {
      PrintLine("done; nothing of its history is lost" +
                (info.label.empty() ? "" : ", and what it was is labelled " + info.label) +
                ". To undo:");
      PrintLine("  " + undo);
    } else {
      PrintLine("dry run: nothing was changed. Afterwards, this would undo it:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

void Run(const RestoreArguments& arguments, bool json) {
  if (!arguments.tables.empty()) return RunRestoreRows(arguments, json);
  if (arguments.where || arguments.on_conflict || arguments.delete_new) {
    throw UsageFailure("restore", std::string(arguments.where         ? "--where"
                                              : arguments.on_conflict ? "--on-conflict"
                                                                      : "--delete-new") +
                                      " is about rows: name their table with --table");
  }
  if (NamesNamespace(arguments.object)) return RunRestoreNamespace(arguments, json);
  RunRestore(arguments, json);
}

}  // namespace

void AddRestore(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<RestoreArguments>();
  Verb verb(
      app,
      {.name = "restore",
       .summary = "Bring an object, rows of it, or a namespace back to a point of the past",
       .usage = "STORE OBJECT --to POINT [--alarms restore|keep|clear] [--dry-run]\n"
                "       tidemark restore [OPTIONS] STORE OBJECT --to POINT --table TABLE... "
                "[--where EXPR]\n"
                "                [--on-conflict replace|keep|fail] [--delete-new] [--dry-run]\n"
                "       tidemark restore [OPTIONS] STORE NAMESPACE/ --to POINT [--alarms "
                "restore|keep|clear]\n                [--dry-run]",
       .details = std::string("Takes the same time whatever the size of the object: nothing is "
                              "copied, and nothing of its\nhistory is lost. Prints the command "
                              "that undoes it, and gives what was current an automatic label.\n\n"
                              "With --table only rows come back, in one ordinary commit: those "
                              "of the table as it was at POINT\nfor which EXPR was true. Rows are "
                              "told apart by the primary key, else the rowid. EXPR only looks\nat "
                              "the past. Triggers do not fire; foreign keys take no action, and "
                              "what would be left without\nits parent is an error. A dropped "
                              "table comes back with its indexes. --dry-run shows samples.\n\n"
                              "NAMESPACE/ brings all objects of it to the same instant: a time, "
                              "or a bookmark that `bookmark`\nprinted of the namespace. Those "
                              "that did not exist then are deleted, deleted ones come back.\nThe "
                              "command that undoes all of it is printed before anything changes; "
                              "interrupted, the same\ncommand goes on, and what "
                              "the first one printed undoes it.\n\n") +
                  kPointHelp,
       .example = "tidemark restore /var/lib/rooms rooms/lobby --to \"10 minutes ago\" --dry-run\n"
                  "tidemark restore /var/lib/rooms rooms/lobby --to \"10 minutes ago\"\n"
                  "tidemark restore /var/lib/rooms rooms/lobby --to \"1 hour ago\" --table orders "
                  "--where \"customer = 7\"\n"
                  "tidemark restore /var/lib/rooms rooms/ --to \"10 minutes ago\"",
       .json_fields =
           "{\"store\",\"object\",\"done\",\"dry_run\",\"from\",\"to\",\"result\",\"label\",\n"
           "\"undo_bookmark\",\"undo\"}; from, to and\nresult (null unless done) "
           "are commits:\n" +
           std::string(kCommitFields) +
           "\nlabel is the automatic one of from; null unless done; undo is a command; null if the "
           "object is at that point already.\nWith --table also tables: [{table, created, "
           "inserted, replaced, kept, same, deleted, columns_gone,\ncolumns_added, samples: "
           "[{change, then, now}]}]; then and now have values as SQL writes "
           "them.\nOf a namespace {store, namespace, done, dry_run, to, objects: {restored, "
           "undeleted, deleted, same},\nundo_bookmark, undo}"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kNamespaceHelp, &arguments->object);
  verb.RequiredOption("--to", "The POINT to go back to", &arguments->to);
  verb.Option("--alarms", std::string(kAlarmsHelp) + "; [restore]", &arguments->alarms);
  verb.Option("--table", "Only rows of this table; may be given several times", &arguments->tables);
  verb.Option("--where", "Only rows for which this was true, as in SQL's WHERE", &arguments->where);
  verb.Option("--on-conflict",
              "Rows that are there and differ become what they were (\"replace\"), stay "
              "(\"keep\"), or\nnothing is done (\"fail\"); [replace]",
              &arguments->on_conflict);
  verb.Flag("--delete-new", "Delete rows that match EXPR now, and were not there at POINT",
            &arguments->delete_new);
  verb.Flag("--dry-run", "Only say what would happen", &arguments->dry_run);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
