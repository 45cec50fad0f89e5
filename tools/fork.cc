// tidemark fork: makes a new object that begins as what another one is, or was.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/fork_namespace.h"
#include "tools/namespace_arguments.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

void RunFork(const ForkArguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const ObjectName fork_name = ParseObjectName(arguments.fork, arguments.store);
  std::optional<Point> at;
  if (arguments.at) at = ParsePointArgument(*arguments.at, arguments.store, name);
  const RestoreOptions options = ParseAlarms(arguments.alarms, Alarms::kClear);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object =
        session.OpenObject(name, at ? IfMissing::kDeleted : IfMissing::kFail);
    const CommitInfo source = session.ResolveCommit(*object, at);
    const Point point = FixedPoint(*object, at, source);
    const auto fork = OrThrow(
        session.store().Fork(*object, point, fork_name.namespace_name, fork_name.name, options),
        session.AboutPoint(name.text, point));
    const std::string promote = Command({"promote", session.path(), fork_name.text});
    const std::string undo = Command({"delete", session.path(), fork_name.text});
    if (json) {
      PrintJson({{"store", session.path()},
                 {"object", fork_name.text},
                 {"source", name.text},
                 {"from", CommitJson(*object, source)},
                 {"result", CommitJson(*fork, fork->head())},
                 {"promote", promote},
                 {"undo", undo}});
    } else {
      PrintLine(fork_name.text);
      PrintLine("  is what " + name.text + " was at " + DescribeCommit(*object, source));
      PrintLine("done; from here on neither shows what the other does. To put it in the place of " +
                name.text + ":");
      PrintLine("  " + promote);
      PrintLine("to do away with it:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

void Run(const ForkArguments& arguments, bool json) {
  if (NamesNamespace(arguments.object)) return RunForkNamespace(arguments, json);
  RunFork(arguments, json);
}

}  // namespace

void AddFork(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<ForkArguments>();
  Verb verb(
      app,
      {.name = "fork",
       .summary = "Make a new object of what another one is or was",
       .usage = "STORE OBJECT NEW [--at POINT] [--alarms restore|clear]\n"
                "       tidemark fork [OPTIONS] STORE NAMESPACE/ NEW/ [--at POINT] [--alarms "
                "restore|clear]",
       .details = std::string("Takes the same time and next to no space whatever the size of the "
                              "object: pages are shared until\none of the two changes them.\n"
                              "NAMESPACE/ forks each object that existed at the POINT under its "
                              "name, all as of the same instant;\ndone again with the same POINT "
                              "it goes on where it was interrupted.\n") +
                  kPointHelp,
       .example = "tidemark fork /var/lib/rooms rooms/lobby rooms/lobby-try\n"
                  "tidemark fork /var/lib/rooms rooms/lobby tests/lobby --at \"1 hour ago\"\n"
                  "tidemark fork /var/lib/rooms rooms/ rooms-try/",
       .json_fields =
           "{\"store\",\"object\",\"source\",\"from\",\"result\",\"promote\",\"undo\"}; "
           "from (of the source) and\nresult are commits:\n" +
           std::string(kCommitFields) +
           "\npromote and undo are commands. Of a namespace "
           "{\"store\",\"namespace\",\"source\",\"at\",\"forked\",\"same\",\"nameless\"}"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kNamespaceHelp, &arguments->object);
  verb.Argument("NEW", "NAMESPACE/NAME of the fork, which must not exist; or NAMESPACE/",
                &arguments->fork);
  verb.Option("--at", "What it was at this POINT, not what it is", &arguments->at);
  verb.Option("--alarms", std::string(kAlarmsHelp) + "; [clear]", &arguments->alarms);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
