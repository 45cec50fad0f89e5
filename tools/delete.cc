// tidemark delete: an object is gone, and its history is not.

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

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    const bool done = object->exists();
    RestoreInfo info;
    info.result = object->head();
    if (done) info = OrThrow(object->Delete(), session.AboutObject(name.text));
    const std::string undo = Command({"undelete", session.path(), name.text});
    if (json) {
      Json document = {{"store", session.path()},
                       {"object", name.text},
                       {"done", done},
                       {"from", nullptr},
                       {"result", CommitJson(*object, info.result)},
                       {"undo_bookmark", nullptr},
                       {"undo", undo}};
      if (done) {
        document["from"] = CommitJson(*object, info.from);
        document["undo_bookmark"] = info.undo.ToString();
      }
      PrintJson(document);
    } else {
      PrintLine(name.text);
      if (done) PrintLine("  was at   " + DescribeCommit(*object, info.from));
      PrintLine(done ? "deleted; nothing of its history is lost. To bring it back:"
                     : "nothing to do: it was deleted at " + FormatLocalTime(info.result.time) +
                           ". To bring it back:");
      PrintLine("  " + undo);
    }
  }
  session.Close();
}

}  // namespace

void AddDelete(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "delete",
       .summary = "Delete an object, in a way that can be undone",
       .usage = "STORE OBJECT",
       .details = "It is listed no more (but by ls --deleted), and its name is free: what is made "
                  "there begins from\nnothing. Its history stays for as long as any: log shows it, "
                  "undelete and restore bring it back.",
       .example = "tidemark delete /var/lib/rooms rooms/lobby",
       .json_fields = "{\"store\",\"object\",\"done\",\"from\",\"result\",\"undo_bookmark\","
                      "\"undo\"}; from (null unless done) and\nresult are commits:\n" +
                      std::string(kCommitFields) + "\nundo is a command"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
