// tidemark undelete: brings a deleted object back.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
};

RestoreInfo Undelete(const Session& session, Object& object) {
  Result<RestoreInfo> info = object.Undelete();
  if (info.status().code() == StatusCode::kExists) {
    throw Failure(
        StatusCodeName(StatusCode::kExists), kExitFailed, info.status().message(),
        "nothing was changed; earlier states come back with: " +
            Command({"restore", session.path(), object.DisplayName(), "--to", "BOOKMARK"}));
  }
  return OrThrow(std::move(info), session.AboutObject(object.DisplayName()));
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    const RestoreInfo info = Undelete(session, *object);
    const std::string undo = Command({"delete", session.path(), name.text});
    if (json) {
      PrintJson({{"store", session.path()},
                 {"object", name.text},
                 {"from", CommitJson(*object, info.from)},
                 {"to", CommitJson(*object, info.to)},
                 {"result", CommitJson(*object, info.result)},
                 {"undo_bookmark", info.undo.ToString()},
                 {"undo", undo}});
    } else {
      PrintLine(name.text);
      PrintLine("  was deleted " + FormatLocalTime(info.from.time));
      PrintLine("  is again at " + DescribeCommit(*object, info.to));
      PrintLine("done. To undo:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

}  // namespace

void AddUndelete(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "undelete",
       .summary = "Bring a deleted object back",
       .usage = "STORE OBJECT",
       .details = "As it was when it was deleted, while its bookmarks have not expired. An object "
                  "that was made anew\nunder the name stands in the way: restore --to brings back "
                  "what was before it.",
       .example = "tidemark undelete /var/lib/rooms rooms/lobby",
       .json_fields = "{\"store\",\"object\",\"from\",\"to\",\"result\",\"undo_bookmark\","
                      "\"undo\"}; from (the deletion), to and\nresult are commits:\n" +
                      std::string(kCommitFields) + "\nundo is a command"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
