// tidemark restores: the restore journal of an object.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/console.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
};

Json ToJson(const RestoreEntry& entry, const std::string& undo) {
  return {{"lsn", entry.lsn.value},
          {"time", FormatTime(entry.time)},
          {"kind", CommitKindName(entry.kind)},
          {"from", entry.from.ToString()},
          {"to", entry.to ? Json(entry.to->ToString()) : Json()},
          {"undo", undo}};
}

Json ToJson(const ScheduledRestore& waits) {
  return {{"time", FormatTime(waits.scheduled)},
          {"to", waits.to.ToString()},
          {"source", waits.source_name.empty() ? Json() : Json(waits.source_name)},
          {"undo_bookmark", waits.undo.ToString()}};
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  std::vector<RestoreEntry> restores;
  std::optional<ScheduledRestore> waits;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    restores = OrThrow(session.store().ListRestores(*object), session.AboutObject(name.text));
    waits = OrThrow(object->scheduled_restore(), session.AboutObject(name.text));
  }
  session.Close();
  if (json) {
    Json document = {{"store", session.path()},
                     {"object", name.text},
                     {"scheduled", waits ? ToJson(*waits) : Json()},
                     {"restores", Json::array()}};
    for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
      document["restores"].push_back(
          ToJson(*entry, RestoreCommand(session, name.text, entry->from)));
    }
    PrintJson(document);
    return;
  }
  Table table({{"TIME"}, {"WHAT"}, {"FROM"}, {"TO"}});
  for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
    table.AddRow({FormatLocalTime(entry->time), std::string(CommitKindName(entry->kind)),
                  entry->from.ToString(), entry->to ? entry->to->ToString() : ""});
  }
  table.Finish();
  if (waits) {
    FlushOutput();
    PrintNote("when its next session begins it is restored to " + waits->to.ToString() +
              (waits->source_name.empty() ? "" : " of " + waits->source_name) + ", which " +
              waits->undo.ToString() + " undoes then");
  }
  if (!restores.empty()) {
    FlushOutput();
    PrintNote("to undo the latest: " + RestoreCommand(session, name.text, restores.back().from));
  }
}

}  // namespace

void AddRestores(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "restores",
       .summary = "List the restores and deletions of an object, newest first",
       .usage = "STORE OBJECT",
       .details =
           "Promotes and undeletions, too. FROM is the bookmark that was current before: "
           "restoring to it undoes\nwhat was done. TO is what came back; of a promote, the "
           "fork's bookmark. A restore that waits for the object's\nnext session is told, too.",
       .example = "tidemark restores /var/lib/rooms rooms/lobby",
       .json_fields =
           "{\"store\",\"object\",\"scheduled\":{\"time\",\"to\",\"source\",\"undo_bookmark\"},\n"
           "\"restores\":[{\"lsn\",\"time\",\"kind\",\"from\",\"to\",\"undo\"}]};\nundo is a "
           "command; to is null of a deletion; scheduled is null if nothing waits, source "
           "if it is the\nobject's own past"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
