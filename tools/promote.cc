// tidemark promote: puts a fork in the place of what it is a fork of.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string fork;
  std::optional<std::string> into;
  bool force = false;
};

// What the fork is of, unless another ancestor was asked for.
ObjectName Target(const Session& session, const Object& fork, const Arguments& arguments) {
  if (arguments.into) return ParseObjectName(*arguments.into, arguments.store);
  const Result<ForkSource> source = fork.Source();
  if (source.status().code() == StatusCode::kNotFound) {
    throw Failure(StatusCodeName(StatusCode::kNotFound), kExitFailed, source.status().message(),
                  "a fork is made with: " +
                      Command({"fork", session.path(), arguments.fork, "NAMESPACE/NAME"}));
  }
  OrThrow(source.status(), session.AboutObject(arguments.fork));
  return ParseObjectName(source->display_name, arguments.store);
}

RestoreInfo Promote(const Session& session, Object& object, const Object& fork, bool force) {
  Result<RestoreInfo> info = object.Promote(fork, force ? IfNewer::kReplace : IfNewer::kFail);
  std::string hint;
  if (info.status().code() == StatusCode::kExists) {
    hint =
        "nothing was changed; --force replaces its state all the same, and prints the command "
        "that undoes it";
  } else if (info.status().code() == StatusCode::kForeign) {
    hint = "see what it is a fork of with: " +
           Command({"log", session.path(), fork.DisplayName(), "--limit", "0"});
  } else {
    return OrThrow(std::move(info), session.AboutObject(object.DisplayName()));
  }
  throw Failure(StatusCodeName(info.status().code()), kExitFailed, info.status().message(), hint);
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName fork_name = ParseObjectName(arguments.fork, arguments.store);
  if (arguments.into) ParseObjectName(*arguments.into, arguments.store);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> fork = session.OpenObject(fork_name);
    const ObjectName name = Target(session, *fork, arguments);
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    const RestoreInfo info = Promote(session, *object, *fork, arguments.force);
    const std::string undo = RestoreCommand(session, name.text, info.undo);
    if (json) {
      PrintJson({{"store", session.path()},
                 {"object", name.text},
                 {"fork", fork_name.text},
                 {"from", CommitJson(*object, info.from)},
                 {"to", CommitJson(*fork, info.to)},
                 {"result", CommitJson(*object, info.result)},
                 {"undo_bookmark", info.undo.ToString()},
                 {"undo", undo}});
    } else {
      PrintLine(name.text);
      PrintLine("  was at   " + DescribeCommit(*object, info.from));
      PrintLine("  is what " + fork_name.text + " is at " + DescribeCommit(*fork, info.to));
      PrintLine("done; nothing of its history is lost, and the fork stays as it is. To undo:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

}  // namespace

void AddPromote(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "promote",
       .summary = "Put a fork in the place of what it is a fork of",
       .usage = "STORE FORK [--into OBJECT] [--force]",
       .details = "Takes the same time whatever the size. Refused if OBJECT has commits that the "
                  "fork has not seen:\n--force replaces its state all the same. The fork stays as "
                  "it is. Prints the command that undoes it.",
       .example = "tidemark promote /var/lib/rooms rooms/lobby-try",
       .json_fields = "{\"store\",\"object\",\"fork\",\"from\",\"to\",\"result\",\"undo_bookmark\","
                      "\"undo\"}; from, to (of the\nfork) and result are commits:\n" +
                      std::string(kCommitFields) + "\nundo is a command"},
      &arguments->store, invocation);
  verb.Argument("FORK", "NAMESPACE/NAME of a fork", &arguments->fork);
  verb.Option("--into", "The object to take its place, if not the one that it was made of",
              &arguments->into);
  verb.Flag("--force", "Also if that has newer commits", &arguments->force);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
